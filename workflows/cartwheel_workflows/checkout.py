"""The checkout: reserve, authorise, sell, confirm, capture, tell."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from cartwheel.workflow import (
    attempt,
    catch,
    finish,
    result,
    saga,
    wait_for,
    when,
    workflow,
)
from cartwheel_shop.inventory import api as inventory
from cartwheel_shop.orders import api as orders
from cartwheel_shop.payments import api as payments
from cartwheel_shop.payments.model import ACTION_SECONDS
from cartwheel_workflows._tell import tell


class StartCheckout(BaseModel):
    """Names the order that is to be paid."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    order_id: str


class CheckoutResult(BaseModel):
    """Says how an order came out; `reason` is a code when it was not confirmed."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    order_id: str
    status: str
    reason: str | None


@workflow("checkout", version="1")
def checkout(cmd: StartCheckout) -> CheckoutResult:
    """Bring an order from pending to confirmed, or leave nothing behind.

    A card whose holder has to act is waited for, for as long as the goods are held.
    Confirming is the pivot: what fails after it is made good later and undoes nothing.
    """
    with attempt(), saga():
        order = orders.validate(order_id=cmd.order_id, compensate=orders.abandon)
        inventory.reserve(order_id=cmd.order_id, lines=order.lines, compensate=inventory.release)
        with when(order.total.amount > 0):
            payment = payments.authorize(order_id=cmd.order_id, compensate=payments.void)
            with when(payment.status == "authorizing"):
                with attempt():
                    wait_for(payments.SIGNAL, payments.PaymentSettled, timeout=ACTION_SECONDS)
                with catch("Timeout"):
                    pass  # The gateway has the last word, should its webhook be lost.
                payments.confirm_authorization(order_id=cmd.order_id)
        inventory.commit(order_id=cmd.order_id, lines=order.lines)
        confirmed = orders.confirm(order_id=cmd.order_id)
    with catch("*") as error:
        rejected = orders.reject(order_id=cmd.order_id, code=error.code)
        tell(rejected, "notify_rejected")
        finish(
            result(
                CheckoutResult,
                order_id=cmd.order_id,
                status=rejected.status,
                reason=rejected.reason,
            )
        )
    with when(order.total.amount > 0):
        with attempt():
            payments.capture(order_id=cmd.order_id)
        with catch("*"):
            pass  # The order stands; the reconciler takes what stayed held.
    tell(confirmed, "notify_confirmed")
    return result(
        CheckoutResult,
        order_id=cmd.order_id,
        status=confirmed.status,
        reason=confirmed.reason,
    )
