"""What customers are written, from templates. Pure."""

from __future__ import annotations

from html import escape
from typing import Literal

from cartwheel_shop._base import Money, Record

Template = Literal["order_confirmed", "order_rejected", "order_cancelled"]

_SUBJECTS: dict[Template, str] = {
    "order_confirmed": "Your order {order_id} is confirmed",
    "order_rejected": "Your order {order_id} could not be placed",
    "order_cancelled": "Your order {order_id} is cancelled",
}
_PARAGRAPHS: dict[Template, tuple[str, ...]] = {
    "order_confirmed": (
        "Thank you for your order {order_id}.",
        "It comes to {total}. We will write again when it is on its way.",
    ),
    "order_rejected": (
        "We could not place your order {order_id}: {why}.",
        "You have not been charged.",
    ),
    "order_cancelled": (
        "Your order {order_id} over {total} is cancelled.",
        "What you have paid goes back the way it came.",
    ),
}
_WHY = {
    "out_of_stock": "something in it has just been sold out",
    "payment_declined": "the payment was declined",
    "price_changed": "a price has changed since you looked",
    "product_unavailable": "something in it is no longer sold",
}


class Notification(Record):
    """Is a message to a customer, kept for good; `sent_at` is null until it was handed over."""

    notification_id: str
    template: Template
    to: str
    subject: str
    text: str
    html: str
    created_at: str
    sent_at: str | None = None


def money_text(money: Money) -> str:
    """Write an amount for people: `12.99 EUR`."""
    whole, rest = divmod(money.amount, 100)
    return f"{whole}.{rest:02d} {money.currency}"


def compose(
    notification_id: str,
    template: Template,
    to: str,
    *,
    order_id: str,
    total: Money,
    reason: str | None,
    at: str,
) -> Notification:
    """Write a message from its template, as text and as HTML with everything escaped."""
    why = _WHY.get(reason or "", "something went wrong on the way")
    values = {"order_id": order_id, "total": money_text(total), "why": why}
    paragraphs = [line.format(**values) for line in _PARAGRAPHS[template]]
    html = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
    return Notification(
        notification_id=notification_id,
        template=template,
        to=to,
        subject=_SUBJECTS[template].format(**values),
        text="\n\n".join(paragraphs) + "\n",
        html=f"<!doctype html><html><body>{html}</body></html>",
        created_at=at,
    )
