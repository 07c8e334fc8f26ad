"""The payments service: tasks for workflows, and the reconciler."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cartwheel.app import Service
from cartwheel.context import Context
from cartwheel.ports import Event, Index
from cartwheel.workflow import Compensation, RetryPolicy
from cartwheel_shop._base import Payload, Record
from cartwheel_shop._retry import PERSISTENT
from cartwheel_shop.orders.service import verdict_on
from cartwheel_shop.payments import service as payments
from cartwheel_shop.payments.model import (
    PaymentDeclined,
    PaymentNotCaptured,
    PaymentRefused,
    PaymentVoided,
)
from cartwheel_shop.payments.service import PaymentSummary

service = Service("payments")
PAYMENTS = service.collection(
    payments.COLLECTION, Index(payments.UNSETTLED, "unsettled", sort="since")
)


class OfOrder(Payload):
    """Names the order whose payment is meant."""

    order_id: str


class Refund(Payload):
    """Says what to pay back, in minor units; null is all that is left."""

    order_id: str
    amount: Annotated[int, Field(ge=1)] | None


class OfOrderEvent(Record):
    """Is what payments need to know of an order's event."""

    order_id: str


@service.task(
    errors=[PaymentDeclined, PaymentVoided],
    retry=RetryPolicy(attempts=4, interval=1, rate=2, cap=8),
    timeout=30,
)
def authorize(ctx: Context, cmd: OfOrder) -> PaymentSummary:
    """Hold the order's amount on its card."""
    return payments.summary(payments.authorize(ctx.ports, ctx.key, cmd.order_id))


@service.task(errors=[PaymentVoided, PaymentRefused], retry=PERSISTENT, timeout=30)
def capture(ctx: Context, cmd: OfOrder) -> PaymentSummary:
    """Take the amount that is held."""
    return payments.summary(payments.capture(ctx.ports, cmd.order_id))


@service.task(errors=[PaymentRefused], retry=PERSISTENT, timeout=60)
def void(ctx: Context, cmd: Compensation[OfOrder, PaymentSummary]) -> PaymentSummary:
    """Undo an authorisation, whatever became of it."""
    return payments.summary(payments.give_back(ctx.ports, cmd.input.order_id))


@service.task(errors=[PaymentRefused], retry=PERSISTENT, timeout=60)
def give_back(ctx: Context, cmd: OfOrder) -> PaymentSummary:
    """Give a payment back: void what is held, refund what was captured."""
    return payments.summary(payments.give_back(ctx.ports, cmd.order_id))


@service.task(errors=[PaymentNotCaptured, PaymentRefused], retry=PERSISTENT, timeout=30)
def refund(ctx: Context, cmd: Refund) -> PaymentSummary:
    """Pay back a part of what was captured, or all of it."""
    return payments.summary(payments.refund(ctx.ports, ctx.key, cmd.order_id, cmd.amount))


def _give_up(ctx: Context, event: Event) -> None:
    order_id = OfOrderEvent.model_validate(event.data).order_id
    if payments.payment_of(ctx.ports, order_id) is not None:
        payments.give_back(ctx.ports, order_id)


@service.on("order.rejected")
def forget_rejected(ctx: Context, event: Event) -> None:
    """Close the payment of an order that was refused before it was paid, and forget its token."""
    _give_up(ctx, event)


@service.on("order.cancelled")
def forget_cancelled(ctx: Context, event: Event) -> None:
    """Close the payment of a cancelled order, should anything of it be left."""
    _give_up(ctx, event)


@service.every(60)
def reconcile(ctx: Context) -> None:
    """Ask the gateway about payments whose outcome nobody has noted."""
    looked_at = payments.reconcile(
        ctx.ports, ctx.log, lambda order_id: verdict_on(ctx.ports, order_id)
    )
    if looked_at:
        ctx.log.info("payments reconciled", count=looked_at)
