"""What customers are written, from templates: e-mails and text messages. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Literal

from cartwheel_shop._base import Money, Record

Template = Literal[
    "order_confirmed",
    "order_rejected",
    "order_cancelled",
    "order_shipped",
    "order_refunded",
    "password_reset",
]
Channel = Literal["email", "sms"]
HIDDEN = "[not kept]"
"""What stands for a secret in the kept text; it is put in when the message is handed over."""

_SUBJECTS: dict[Template, str] = {
    "order_confirmed": "Your order {order_id} is confirmed",
    "order_rejected": "Your order {order_id} could not be placed",
    "order_cancelled": "Your order {order_id} is cancelled",
    "order_shipped": "Your order {order_id} is on its way",
    "order_refunded": "A refund for your order {order_id}",
    "password_reset": "Reset your password",
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
    "order_shipped": ("Your order {order_id} has left our house{tracking}.",),
    "order_refunded": (
        "We have refunded {amount} of your order {order_id}.",
        "It goes back the way it came, within a few days.",
    ),
    "password_reset": (
        "Somebody, we hope you, asked for a new password for your account.",
        "To set one, use this token within the hour: {secret}",
        "If it was not you, do nothing: your password stays as it is.",
    ),
}
_TEXTS: dict[Template, str] = {
    "order_confirmed": "Order {order_id} over {total} is confirmed. Thank you!",
    "order_rejected": "Order {order_id} could not be placed: {why}. You have not been charged.",
    "order_cancelled": "Order {order_id} is cancelled. What you have paid goes back.",
    "order_shipped": "Order {order_id} is on its way{tracking}.",
    "order_refunded": "We have refunded {amount} of order {order_id}.",
    "password_reset": "Your reset token, good for an hour: {secret}",
}
_WHY = {
    "out_of_stock": "something in it has just been sold out",
    "payment_declined": "the payment was declined",
    "price_changed": "a price has changed since you looked",
    "product_unavailable": "something in it is no longer sold",
}


class Notification(Record):
    """Is a message to a customer, kept for good; `sent_at` is null until it was handed over.

    A text message has neither subject nor HTML.
    """

    notification_id: str
    template: Template
    channel: Channel = "email"
    to: str
    subject: str
    text: str
    html: str
    created_at: str
    sent_at: str | None = None
    taken_by: str | None = None
    taken_until: str | None = None
    """Who hands it over, and until when nobody else may."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Is what messages tell of; each template uses what it needs."""

    order_id: str = ""
    total: Money | None = None
    reason: str | None = None
    amount: Money | None = None
    tracking: str | None = None

    def values(self) -> dict[str, str]:
        """Give the facts as templates name them."""
        return {
            "order_id": self.order_id,
            "total": money_text(self.total),
            "amount": money_text(self.amount),
            "why": _WHY.get(self.reason or "", "something went wrong on the way"),
            "tracking": "" if self.tracking is None else f" ({self.tracking})",
            "secret": HIDDEN,
        }


def money_text(money: Money | None) -> str:
    """Write an amount for people: `12.99 EUR`; nothing for None."""
    if money is None:
        return ""
    whole, rest = divmod(money.amount, 100)
    return f"{whole}.{rest:02d} {money.currency}"


def compose(
    notification_id: str,
    template: Template,
    to: str,
    facts: Facts,
    *,
    at: str,
    channel: Channel = "email",
) -> Notification:
    """Write a message from its template, a mail as text and as HTML with everything escaped."""
    values = facts.values()
    if channel == "sms":
        subject, text, html = "", _TEXTS[template].format(**values), ""
    else:
        paragraphs = [line.format(**values) for line in _PARAGRAPHS[template]]
        subject, text = _SUBJECTS[template].format(**values), "\n\n".join(paragraphs) + "\n"
        body = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
        html = f"<!doctype html><html><body>{body}</body></html>"
    return Notification(
        notification_id=notification_id,
        template=template,
        channel=channel,
        to=to,
        subject=subject,
        text=text,
        html=html,
        created_at=at,
    )
