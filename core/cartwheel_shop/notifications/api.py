"""The notifications service: a task for workflows, and subscriptions to orders' events."""

from __future__ import annotations

from typing import Literal

from cartwheel.access import Uses
from cartwheel.app import Service
from cartwheel.context import Context
from cartwheel.ports import Event
from cartwheel_shop._base import Money, Payload, Record
from cartwheel_shop._retry import PATIENT
from cartwheel_shop.notifications import service as notifications
from cartwheel_shop.notifications.model import Facts, Template

service = Service("notifications", Uses(ports=("mailer", "sms")))
NOTIFICATIONS = service.collection(notifications.COLLECTION)

_TEMPLATES: dict[str, Template] = {
    "confirmed": "order_confirmed",
    "rejected": "order_rejected",
    "cancelled": "order_cancelled",
    "shipped": "order_shipped",
}


class Notice(Payload):
    """Is what a customer is told about: an order's new status; without an address nobody is."""

    order_id: str
    status: str
    to: str | None
    total: Money
    reason: str | None


class OrderNews(Record):
    """Is what messages need to know of an order's event."""

    order_id: str
    email: str | None
    phone: str | None = None
    total: Money
    reason: str | None
    tracking: str | None = None


class RefundNews(OrderNews):
    """Is what messages need to know of a refund; `amount` is in minor units."""

    refund_id: str
    amount: int


class Sent(Payload):
    """Says what became of a notice."""

    outcome: Literal["sent", "skipped"]


@service.on("order.cancelled")
def tell_cancelled(ctx: Context, event: Event) -> None:
    """Write to the customer about a cancelled order, whose run may not get to do it."""
    _tell(ctx, "cancelled", OrderNews.model_validate(event.data))


@service.on("order.shipped")
def tell_shipped(ctx: Context, event: Event) -> None:
    """Write to the customer that the order is on its way."""
    _tell(ctx, "shipped", OrderNews.model_validate(event.data))


@service.on("order.refunded")
def tell_refunded(ctx: Context, event: Event) -> None:
    """Write to the customer about each refund."""
    news = RefundNews.model_validate(event.data)
    amount = Money(amount=news.amount, currency=news.total.currency)
    facts = Facts(news.order_id, news.total, amount=amount)
    _write(ctx, news, "order_refunded", facts, news.refund_id)
    _text(ctx, news, "order_refunded", facts, news.refund_id)


@service.on("order.confirmed")
def text_confirmed(ctx: Context, event: Event) -> None:
    """Text who gave a phone number that the order is confirmed; the workflow sends the mail."""
    _texted(ctx, "confirmed", event)


@service.on("order.rejected")
def text_rejected(ctx: Context, event: Event) -> None:
    """Text who gave a phone number that the order was rejected; the workflow sends the mail."""
    _texted(ctx, "rejected", event)


def _texted(ctx: Context, status: str, event: Event) -> None:
    news = OrderNews.model_validate(event.data)
    _text(ctx, news, _TEMPLATES[status], Facts(news.order_id, news.total, news.reason))


def _tell(ctx: Context, status: str, news: OrderNews) -> None:
    facts = Facts(news.order_id, news.total, news.reason, tracking=news.tracking)
    # One after the other: a mail server that is down holds no text message up.
    _text(ctx, news, _TEMPLATES[status], facts)
    _write(ctx, news, _TEMPLATES[status], facts)


def _write(ctx: Context, news: OrderNews, template: Template, facts: Facts, part: str = "") -> None:
    if news.email is not None:
        key = ":".join(filter(None, (news.order_id, template, part)))
        notifications.notify(ctx.ports, key, template, news.email, facts, by=ctx.key)


def _text(ctx: Context, news: OrderNews, template: Template, facts: Facts, part: str = "") -> None:
    if news.phone is not None:
        key = ":".join(filter(None, (news.order_id, template, part, "sms")))
        notifications.notify(ctx.ports, key, template, news.phone, facts, by=ctx.key, channel="sms")


@service.task(retry=PATIENT)
def send(ctx: Context, cmd: Notice) -> Sent:
    """Write to the customer about an order, once per order and status."""
    template = _TEMPLATES.get(cmd.status)
    if cmd.to is None or template is None:
        return Sent(outcome="skipped")
    facts = Facts(cmd.order_id, cmd.total, cmd.reason)
    key = f"{cmd.order_id}:{template}"
    notifications.notify(ctx.ports, key, template, cmd.to, facts, by=ctx.key)
    return Sent(outcome="sent")
