"""Use cases of payments: the intent is written before the gateway is called, the answer after.

A call that did not answer may have happened: the next try, or the reconciler, asks the gateway
first, and what it then does carries the same idempotency key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from cartwheel.log import Log
from cartwheel.ports import (
    Charge,
    ChargeStatus,
    DomainError,
    GatewayRefused,
    Ports,
    Unavailable,
    rfc3339,
)
from cartwheel.unit import Unit, transact
from cartwheel_shop._base import Money, Payload, Record, now_text, read, row_as
from cartwheel_shop.payments.model import (
    ASKING,
    MAX_ASKED,
    STUCK_SECONDS,
    WATCH_SECONDS,
    Change,
    Payment,
    PaymentDeclined,
    PaymentNotCaptured,
    PaymentRefused,
    PaymentVoided,
    Status,
    Transfer,
    learn,
    refuse_authorization,
)

COLLECTION = "payments"
UNSETTLED = "unsettled"
BY_REFERENCE = "by_reference"
PAYMENT = "payment"
_OPEN = {ChargeStatus.AUTHORIZED, ChargeStatus.REQUIRES_ACTION}
_ROUNDS = 6
"""More states than lie between any state and the end of giving a payment back."""


class PaymentSummary(Payload):
    """Is a payment as orders and workflows see it; amounts in minor units."""

    status: str
    captured: int
    refunded: int


class _Refund(Record):
    amount: int
    at: str


def open_payment(ports: Ports, order_id: str, amount: Money, token: str) -> None:
    """Note what an order will pay and with which token, as long as nothing has been tried."""

    def work(unit: Unit) -> None:
        current = unit.get(PAYMENT, Payment)
        opened = Payment(
            order_id=order_id,
            status=Status.NEW,
            amount=amount,
            since=now_text(ports) if current is None else current.since,
            token=token,
        )
        if current is None or (current.status is Status.NEW and current != opened):
            unit.put(PAYMENT, opened)

    transact(ports, COLLECTION, order_id, work)


def payment_of(ports: Ports, order_id: str) -> Payment | None:
    """Give an order's payment."""
    return read(ports, COLLECTION, order_id, PAYMENT, Payment)


def summary_of(ports: Ports, order_id: str) -> PaymentSummary | None:
    """Give an order's payment as others may see it; None when it has none."""
    payment = payment_of(ports, order_id)
    return None if payment is None else summary(payment)


def summary(payment: Payment) -> PaymentSummary:
    """Give a payment as others may see it."""
    return PaymentSummary(
        status=payment.status.value, captured=payment.captured, refunded=payment.refunded
    )


def authorize(ports: Ports, key: str, order_id: str) -> Payment:
    """Hold the order's amount on its card, once per order.

    A payment that comes back `authorizing` waits for the customer: `confirm_authorization` goes on.
    Raises PaymentDeclined, PaymentVoided, and Unavailable while the outcome is unknown.
    """
    asked_before = False

    def begin(payment: Payment | None) -> Change | None:
        nonlocal asked_before
        if payment is None:
            raise PaymentDeclined(f"{order_id} has no means of payment", reason="no_payment")
        refuse_authorization(payment)
        asked_before = payment.status is not Status.NEW
        if asked_before:
            return None
        return Change(payment.to(Status.AUTHORIZING, now_text(ports), reference=key))

    payment = _change(ports, order_id, begin)
    if payment.status in ASKING and not payment.action_required:
        payment = _finish(ports, payment, ask=asked_before)
    if payment.status in {Status.VOIDED, Status.VOIDING}:
        # Given up while the gateway was asked: what it granted goes back at once.
        payment = give_back(ports, order_id)
    refuse_authorization(payment)
    return payment


def confirm_authorization(ports: Ports, order_id: str) -> Payment:
    """Go on after the customer had time to act: ask the gateway what came of it.

    Raises PaymentDeclined when they refused or did nothing, PaymentVoided when it was given up.
    """
    payment = payment_of(ports, order_id)
    if payment is None:
        raise PaymentVoided(f"{order_id} has no payment")
    if payment.status in ASKING:
        charge = ports.payments.find(_reference(payment))
        if charge is not None:
            payment = _record(ports, order_id, charge)
    refuse_authorization(payment)
    if payment.status in ASKING:
        raise PaymentDeclined(
            f"the customer did not answer the bank's question about {order_id}",
            reason="action_timeout",
        )
    return payment


def hear(ports: Ports, reference: str) -> Payment:
    """Note what the gateway says now of a charge that it wrote to us about.

    What the webhook itself says counts for nothing: it may be old, or come after a newer one.
    Raises Unavailable when no payment has the reference, as an index that lags has not.
    """
    page = ports.store.query(COLLECTION, BY_REFERENCE, reference, limit=1)
    if not page.rows:
        raise Unavailable(f"no payment has the reference {reference!r}, or none is found yet")
    order_id = row_as(page.rows[0], Payment).order_id
    charge = ports.payments.find(reference)
    if charge is not None:
        return _record(ports, order_id, charge)
    return _change(ports, order_id, lambda _: None)


def capture(ports: Ports, order_id: str) -> Payment:
    """Take the authorised amount, once per order.

    Raises PaymentVoided when it was given up, PaymentRefused, and Unavailable while unknown.
    """
    asked_before = False

    def begin(payment: Payment | None) -> Change | None:
        nonlocal asked_before
        if payment is None or payment.status not in {
            Status.AUTHORIZED,
            Status.CAPTURING,
            Status.CAPTURED,
            Status.REFUNDING,
            Status.REFUNDED,
        }:
            state = "missing" if payment is None else payment.status.value
            raise PaymentVoided(f"the payment of {order_id} is {state}: nothing can be captured")
        asked_before = payment.status is Status.CAPTURING
        if payment.status is Status.AUTHORIZED:
            return Change(payment.to(Status.CAPTURING, now_text(ports)))
        return None

    payment = _change(ports, order_id, begin)
    if payment.status is Status.CAPTURING:
        payment = _finish(ports, payment, ask=asked_before)
    return payment


def refund(ports: Ports, key: str, order_id: str, amount: int | None = None) -> Payment:
    """Pay back a part of what was captured, or all that is left, once per key.

    Raises PaymentNotCaptured, PaymentRefused, and Unavailable while unknown.
    """
    for _ in range(_ROUNDS):
        before = _begin_refund(ports, key, order_id, amount)
        if before.status is not Status.REFUNDING:
            return before
        mine = before.refund_key == key
        after = _finish(ports, before, ask=True)
        if mine:
            return after
    raise Unavailable(f"other refunds of {order_id} are under way")


def _begin_refund(ports: Ports, key: str, order_id: str, amount: int | None) -> Payment:
    def work(unit: Unit) -> Payment:
        payment = unit.get(PAYMENT, Payment)
        begun = unit.get(f"refund#{key}", _Refund)
        if payment is None:
            raise PaymentNotCaptured(f"{order_id} has no payment")
        if begun is not None or payment.status is Status.REFUNDING:
            return payment
        wanted = payment.refundable if amount is None else amount
        if payment.status is not Status.CAPTURED or not 0 < wanted <= payment.refundable:
            raise PaymentNotCaptured(
                f"{wanted} can't be refunded of {order_id}: it is {payment.status} and "
                f"{payment.refundable} are left",
                refundable=payment.refundable,
            )
        at = now_text(ports)
        after = payment.to(Status.REFUNDING, at, refund_key=key, refund_amount=wanted)
        unit.put(PAYMENT, after)
        unit.put(f"refund#{key}", _Refund(amount=wanted, at=at))
        return after

    return transact(ports, COLLECTION, order_id, work)


def give_back(ports: Ports, order_id: str) -> Payment:
    """Undo a payment from whatever state it is in: void what is held, refund what was captured.

    Nothing there yet leaves a voided payment, so that an authorisation which comes late is refused.
    Raises PaymentRefused, and Unavailable while unknown.
    """

    def begin(payment: Payment | None) -> Change | None:
        at = now_text(ports)
        if payment is None:
            nothing = Money(amount=0)
            return Change(
                Payment(order_id=order_id, status=Status.VOIDED, amount=nothing, since=at)
            )
        if payment.status is Status.NEW:
            return Change(payment.to(Status.VOIDED, at))
        if payment.status is Status.AUTHORIZED:
            return Change(payment.to(Status.VOIDING, at))
        return None

    for _ in range(_ROUNDS):
        payment = _change(ports, order_id, begin)
        match payment.status:
            case Status.AUTHORIZING | Status.UNKNOWN:
                _give_up(ports, payment)
            case Status.CAPTURED:
                refund(ports, f"{order_id}:give_back", order_id)
            case Status.CAPTURING | Status.VOIDING | Status.REFUNDING:
                _finish(ports, payment, ask=True)
            case _:
                return payment
    raise Unavailable(f"the payment of {order_id} keeps changing")


def _give_up(ports: Ports, payment: Payment) -> Payment:
    """Ask whether there is a charge; without one void the payment, and watch for a late one."""
    charge = ports.payments.find(_reference(payment))
    if charge is not None and charge.status is not ChargeStatus.REQUIRES_ACTION:
        return _record(ports, payment.order_id, charge)

    def work(current: Payment | None) -> Change | None:
        if current is None or current.status not in ASKING:
            return None
        if charge is not None:
            # Nothing is held, and the customer could still complete it: it is voided there too.
            at = now_text(ports)
            return Change(current.to(Status.VOIDING, at, charge_id=charge.charge_id))
        now = ports.clock.now()
        until = rfc3339(now + WATCH_SECONDS)
        return Change(
            current.to(Status.VOIDED, rfc3339(now), watch_until=until, reason="not_charged")
        )

    return _change(ports, payment.order_id, work)


def _finish(ports: Ports, payment: Payment, *, ask: bool) -> Payment:
    """Do what the payment's written intent says, asking first whether it has been done."""
    gateway, reference = ports.payments, _reference(payment)
    charge = gateway.find(reference) if ask else None
    open_still = charge is None or charge.status in _OPEN
    charge_id = payment.charge_id or ""
    try:
        match payment.status:
            case Status.AUTHORIZING | Status.UNKNOWN if charge is None:
                charge = gateway.authorize(
                    key=reference,
                    reference=reference,
                    amount=payment.amount.amount,
                    currency=payment.amount.currency,
                    token=payment.token or "",
                )
            case Status.CAPTURING if open_still:
                charge = gateway.capture(
                    key=f"{reference}:capture", charge_id=charge_id, amount=payment.amount.amount
                )
            case Status.VOIDING if open_still:
                charge = gateway.void(key=f"{reference}:void", charge_id=charge_id)
            case Status.REFUNDING if charge is None or charge.refunded < (
                payment.refunded + payment.refund_amount
            ):
                charge = gateway.refund(
                    key=f"{payment.refund_key}:refund",
                    charge_id=charge_id,
                    amount=payment.refund_amount,
                )
            case _:
                pass
    except GatewayRefused as refusal:
        return _refused(ports, payment, refusal)
    except Unavailable:
        _note_unknown(ports, payment)
        raise
    if charge is None:
        raise Unavailable(f"the gateway knows nothing of {reference}")
    return _record(ports, payment.order_id, charge)


def _refused(ports: Ports, payment: Payment, refusal: GatewayRefused) -> Payment:
    if payment.status not in ASKING:
        raise PaymentRefused(
            f"the gateway refused while {payment.order_id} was {payment.status}: {refusal.message}",
            reason=refusal.code,
        ) from refusal

    def work(current: Payment | None) -> Change | None:
        if current is None or current.status not in ASKING:
            return None
        return Change(current.to(Status.DECLINED, now_text(ports), reason=refusal.code))

    return _change(ports, payment.order_id, work)


def _note_unknown(ports: Ports, payment: Payment) -> None:
    if payment.status is not Status.AUTHORIZING:
        return

    def work(current: Payment | None) -> Change | None:
        if current is None or current.status is not Status.AUTHORIZING:
            return None
        return Change(current.to(Status.UNKNOWN, now_text(ports)))

    _change(ports, payment.order_id, work)


def _record(ports: Ports, order_id: str, charge: Charge) -> Payment:
    def work(current: Payment | None) -> Change | None:
        return None if current is None else learn(current, charge, now_text(ports))

    return _change(ports, order_id, work)


Verdict = Literal["capture", "give_back", "wait"]


def reconcile(
    ports: Ports,
    log: Log,
    verdict_on: Callable[[str], Verdict],
    settled: Callable[[Payment], None] = lambda payment: None,
) -> int:
    """Ask the gateway about payments without an answer; gives how many were looked at.

    `verdict_on` says what the order wants of an amount that is held and that nobody took or gave
    back in time. `settled` is told of a payment that waited for
    the customer no longer. What can't be settled now is left for the next pass and never stops the
    others.
    """
    before = rfc3339(ports.clock.now() - STUCK_SECONDS)
    count = 0
    cursor: str | None = None
    while True:
        page = ports.store.query(COLLECTION, UNSETTLED, UNSETTLED, cursor=cursor)
        for row in page.rows:
            found = row_as(row, Payment)
            if found.since > before:
                continue
            count += 1
            try:
                _settle(ports, found.order_id, verdict_on)
                if found.action_required:
                    settled(_change(ports, found.order_id, lambda _: None))
            except (Unavailable, GatewayRefused, DomainError) as error:
                log.warning("payment not settled", order_id=found.order_id, why=str(error))
        cursor = page.next
        if cursor is None:
            return count


def _settle(ports: Ports, order_id: str, verdict_on: Callable[[str], Verdict]) -> None:
    payment = payment_of(ports, order_id)
    if payment is None or payment.unsettled is None:
        return
    if payment.status is Status.AUTHORIZED:
        verdict = verdict_on(order_id)
        if verdict == "capture":
            capture(ports, order_id)
        elif verdict == "give_back":
            give_back(ports, order_id)
        return
    if payment.status not in ASKING and payment.status is not Status.VOIDED:
        _finish(ports, payment, ask=True)
        return
    charge = ports.payments.find(_reference(payment))
    if charge is not None:
        payment = _record(ports, order_id, charge)
        if payment.status is Status.VOIDING:
            _finish(ports, payment, ask=True)
            return
    elif payment.status in ASKING and payment.asked + 1 >= MAX_ASKED:
        _give_up(ports, payment)
        return
    _change(ports, order_id, lambda current: _asked_once_more(ports, current))


def _asked_once_more(ports: Ports, payment: Payment | None) -> Change | None:
    if payment is None or payment.unsettled is None:
        return None
    if payment.watch_until is not None and payment.watch_until <= now_text(ports):
        return Change(payment.model_copy(update={"watch_until": None, "unsettled": None}))
    if payment.status in ASKING:
        return Change(payment.model_copy(update={"asked": payment.asked + 1}))
    return None


def transfers(ports: Ports, order_id: str) -> list[Transfer]:
    """Give the lines of an order's money ledger, oldest first."""
    return list(Unit(ports, COLLECTION, order_id).scan("led#", Transfer).values())


def _change(
    ports: Ports, order_id: str, decide: Callable[[Payment | None], Change | None]
) -> Payment:
    """Read the payment, decide and write; deciding nothing writes nothing."""

    def work(unit: Unit) -> Payment:
        current = unit.get(PAYMENT, Payment)
        change = decide(current)
        if change is None:
            if current is None:
                raise PaymentNotCaptured(f"{order_id} has no payment")
            return current
        first = change.payment.sequence + 1
        for number, transfer in enumerate(change.transfers, first):
            unit.put(f"led#{number:06d}", transfer)
        after = change.payment.model_copy(
            update={"sequence": change.payment.sequence + len(change.transfers)}
        )
        unit.put(PAYMENT, after)
        return after

    return transact(ports, COLLECTION, order_id, work)


def _reference(payment: Payment) -> str:
    if payment.reference is None:
        raise ValueError(f"the payment of {payment.order_id} was never sent to the gateway")
    return payment.reference
