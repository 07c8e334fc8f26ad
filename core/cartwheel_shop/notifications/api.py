"""The notifications service: a task for workflows, and a subscription to orders' events."""

from __future__ import annotations

from typing import Literal

from cartwheel.app import Service
from cartwheel.context import Context
from cartwheel.ports import Event
from cartwheel_shop._base import Money, Payload, Record
from cartwheel_shop._retry import PATIENT
from cartwheel_shop.notifications import service as notifications
from cartwheel_shop.notifications.model import Template

service = Service("notifications")
NOTIFICATIONS = service.collection(notifications.COLLECTION)

_TEMPLATES: dict[str, Template] = {
    "confirmed": "order_confirmed",
    "rejected": "order_rejected",
    "cancelled": "order_cancelled",
}


class Notice(Payload):
    """Is what a customer is told about: an order's new status; without an address nobody is."""

    order_id: str
    status: str
    to: str | None
    total: Money
    reason: str | None


class CancelledOrder(Record):
    """Is what a message needs to know of a cancelled order."""

    order_id: str
    email: str | None
    total: Money
    reason: str | None


class Sent(Payload):
    """Says what became of a notice."""

    outcome: Literal["sent", "skipped"]


@service.task(retry=PATIENT)
def send(ctx: Context, cmd: Notice) -> Sent:
    """Write to the customer about an order, once per order and status."""
    return _send(ctx, cmd)


@service.on("order.cancelled")
def tell_cancelled(ctx: Context, event: Event) -> None:
    """Write to the customer about a cancelled order, whose run may not get to do it."""
    order = CancelledOrder.model_validate(event.data)
    notice = Notice(
        order_id=order.order_id,
        status="cancelled",
        to=order.email,
        total=order.total,
        reason=order.reason,
    )
    _send(ctx, notice)


def _send(ctx: Context, notice: Notice) -> Sent:
    template = _TEMPLATES.get(notice.status)
    if notice.to is None or template is None:
        return Sent(outcome="skipped")
    notifications.notify(
        ctx.ports,
        f"{notice.order_id}:{template}",
        template,
        notice.to,
        order_id=notice.order_id,
        total=notice.total,
        reason=notice.reason,
    )
    return Sent(outcome="sent")
