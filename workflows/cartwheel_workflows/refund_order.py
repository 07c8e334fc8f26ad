"""Refunding a confirmed order, in part or whole: money back, then goods back where they belong."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from cartwheel.workflow import attempt, catch, finish, result, when, workflow
from cartwheel_shop.inventory import api as inventory
from cartwheel_shop.orders import api as orders
from cartwheel_shop.payments import api as payments


class StartRefund(BaseModel):
    """Names the refund that an order's row has set an amount aside for."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    order_id: str
    refund_id: str


class RefundResult(BaseModel):
    """Says how the order stands; `error` is a code when nothing was paid back."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    order_id: str
    status: str
    error: str | None


@workflow("refund_order", version="1")
def refund_order(cmd: StartRefund) -> RefundResult:
    """Pay back what was set aside; only a refusal for good gives the amount free again.

    The customer hears of it by the event that settling emits.
    """
    refund = orders.begin_refund(order_id=cmd.order_id, refund_id=cmd.refund_id)
    with attempt():
        payments.refund(order_id=cmd.order_id, amount=refund.amount)
    with catch("PaymentNotCaptured", "PaymentRefused") as error:
        failed = orders.fail_refund(order_id=cmd.order_id, refund_id=cmd.refund_id, code=error.code)
        finish(result(RefundResult, order_id=cmd.order_id, status=failed.status, error=error.code))
    settled = orders.settle_refund(order_id=cmd.order_id, refund_id=cmd.refund_id)
    with when(settled.restock):
        inventory.restock(order_id=cmd.order_id, lines=settled.lines)
    return result(RefundResult, order_id=cmd.order_id, status=settled.status, error=None)
