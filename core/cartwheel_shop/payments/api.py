"""The payments service: tasks for workflows, the gateway's webhooks, and the reconciler.

A webhook is verified, put into a queue and answered; its consumer asks the gateway what is true,
notes it and wakes the checkout that waits for it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cartwheel.access import Uses
from cartwheel.app import Service
from cartwheel.context import Context
from cartwheel.http import ANYONE, Body, View
from cartwheel.ports import Event, Index, Message, RunNotFound
from cartwheel.unit import Unit, transact
from cartwheel.webhooks import WebhookRefused, verified_id
from cartwheel.workflow import Compensation, RetryPolicy
from cartwheel_shop._base import Payload, Record, digest, now_text, read
from cartwheel_shop._retry import PERSISTENT
from cartwheel_shop.orders.service import find as find_order
from cartwheel_shop.orders.service import verdict_on
from cartwheel_shop.payments import service as payments
from cartwheel_shop.payments.model import (
    ASKING,
    Payment,
    PaymentDeclined,
    PaymentNotCaptured,
    PaymentRefused,
    PaymentVoided,
)
from cartwheel_shop.payments.service import PaymentSummary

service = Service(
    "payments",
    Uses(
        reads=("orders",),
        sends=("payment-webhooks",),
        runs=("checkout",),
        secrets=("payment_webhook_signing_key",),
        ports=("payments",),
    ),
)
PAYMENTS = service.collection(
    payments.COLLECTION,
    Index(payments.UNSETTLED, "unsettled", sort="since"),
    Index(payments.BY_REFERENCE, "reference"),
)
WEBHOOKS = service.collection("webhooks")
QUEUE = "payment-webhooks"
SIGNAL = "payment_settled"
SIGNING_KEY = "payment_webhook_signing_key"
_SEEN = "seen"


class WebhookCharge(Body):
    """Names the charge that a webhook is about."""

    charge_id: Annotated[str, Field(min_length=1, max_length=200)]
    reference: Annotated[str, Field(min_length=1, max_length=300)]
    status: Annotated[str, Field(max_length=50)]


class Webhook(Body):
    """Is what the gateway writes when a charge has changed."""

    type: Annotated[str, Field(min_length=1, max_length=100)]
    data: WebhookCharge


class WebhookTaken(View):
    """Says that a webhook need not be sent again."""

    webhook_id: str


class SeenWebhook(Record):
    """Notes a webhook that is in the queue or done."""

    at: str


class QueuedWebhook(Record):
    """Is a webhook as it waits in the queue."""

    reference: str


class PaymentSettled(Payload):
    """Is the signal that wakes a checkout whose customer had to act."""

    status: str


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


@service.task(errors=[PaymentDeclined, PaymentVoided], retry=PERSISTENT, timeout=30)
def confirm_authorization(ctx: Context, cmd: OfOrder) -> PaymentSummary:
    """Go on with an authorisation after the customer had time to act."""
    return payments.summary(payments.confirm_authorization(ctx.ports, cmd.order_id))


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


@service.route("POST", "/payments/webhook", permission=ANYONE, errors=[WebhookRefused])
def webhook(ctx: Context, body: Webhook) -> WebhookTaken:
    """Take a signed webhook of the payment gateway."""
    ports, request = ctx.ports, ctx.request
    secret = ports.secrets.get(SIGNING_KEY)
    headers, raw = ({}, b"") if request is None else (request.headers, request.body)
    webhook_id = verified_id(secret, headers, raw, ports.clock.now())
    partition = digest(webhook_id)
    if read(ports, WEBHOOKS.name, partition, _SEEN, SeenWebhook) is None:
        message = Message(f"whk_{partition}", {"reference": body.data.reference})
        ports.queue.send(QUEUE, message)
        # Noted after it is safe in the queue: a crash between the two lets it in twice, which the
        # consumer bears.
        transact(ports, WEBHOOKS.name, partition, lambda unit: _note(ctx, unit))
    return WebhookTaken(webhook_id=webhook_id)


def _note(ctx: Context, unit: Unit) -> None:
    if unit.get(_SEEN, SeenWebhook) is None:
        unit.put(_SEEN, SeenWebhook(at=now_text(ctx.ports)))


@service.consume(QUEUE)
def settle(ctx: Context, message: Message) -> None:
    """Note what became of a charge that the gateway wrote about, and wake who waits for it."""
    reference = QueuedWebhook.model_validate(message.body).reference
    _wake(ctx, payments.hear(ctx.ports, reference))


def _wake(ctx: Context, payment: Payment) -> None:
    """Signal the checkout of a payment that is settled; the same one again is dropped there."""
    order = find_order(ctx.ports, payment.order_id)
    if payment.status in ASKING or order is None or order.run_id is None:
        return
    settled = PaymentSettled(status=payment.status.value)
    signal_id = f"settled:{payment.reference}"
    try:
        ctx.ports.workflows.signal(
            order.run_id, SIGNAL, settled.model_dump(mode="json"), signal_id=signal_id
        )
    except (RunNotFound, ValueError) as error:
        # A run of an older definition, or none any more: it asks the gateway by itself.
        ctx.log.warning("checkout not woken", order_id=payment.order_id, why=str(error))


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
        ctx.ports,
        ctx.log,
        lambda order_id: verdict_on(ctx.ports, order_id),
        lambda payment: _wake(ctx, payment),
    )
    if looked_at:
        ctx.log.info("payments reconciled", count=looked_at)
