"""Cancelling a confirmed order: money back, goods back, tell."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from cartwheel.workflow import result, when, workflow
from cartwheel_shop.inventory import api as inventory
from cartwheel_shop.orders import api as orders
from cartwheel_shop.payments import api as payments
from cartwheel_workflows._tell import tell
from cartwheel_workflows.checkout import CheckoutResult


class StartCancel(BaseModel):
    """Names the confirmed order that is to be cancelled."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    order_id: str


@workflow("cancel_order", version="1")
def cancel_order(cmd: StartCancel) -> CheckoutResult:
    """Undo a confirmed order forward: every step is tried until it is done, in this order.

    The payment is voided or refunded, whichever its state asks for.
    """
    order = orders.begin_cancel(order_id=cmd.order_id)
    with when(order.total.amount > 0):
        payments.give_back(order_id=cmd.order_id)
    inventory.restock(order_id=cmd.order_id, lines=order.lines)
    cancelled = orders.finish_cancel(order_id=cmd.order_id)
    tell(cancelled, "notify_cancelled")
    return result(
        CheckoutResult,
        order_id=cmd.order_id,
        status=cancelled.status,
        reason=cancelled.reason,
    )
