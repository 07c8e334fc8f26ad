"""The notifications service: a task for workflows."""

from __future__ import annotations

from typing import Literal

from cartwheel.app import Service
from cartwheel.context import Context
from cartwheel_shop._base import Money, Payload
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


class Sent(Payload):
    """Says what became of a notice."""

    outcome: Literal["sent", "skipped"]


@service.task(retry=PATIENT)
def send(ctx: Context, cmd: Notice) -> Sent:
    """Write to the customer about an order, once per key."""
    template = _TEMPLATES.get(cmd.status)
    if cmd.to is None or template is None:
        return Sent(outcome="skipped")
    notifications.notify(
        ctx.ports,
        ctx.key,
        template,
        cmd.to,
        order_id=cmd.order_id,
        total=cmd.total,
        reason=cmd.reason,
    )
    return Sent(outcome="sent")
