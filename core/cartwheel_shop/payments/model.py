"""One order's payment: its states, what an answer of the gateway makes of them, the money ledger.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from cartwheel.ports import Charge, ChargeStatus, DomainError
from cartwheel_shop._base import Money, Record

STUCK_SECONDS = 60
"""How long an intent may stay without an answer before the reconciler asks the gateway."""
WATCH_SECONDS = 600
"""How long a payment given up without an answer is watched for a charge that comes late."""
ACTION_SECONDS = 600
"""How long customers have for their bank's question; their goods are held a little longer."""
MAX_ASKED = 3
"""Passes of the reconciler that find no charge before an authorisation is given up."""


class PaymentDeclined(DomainError):
    """Says that the card was declined; `reason` is the gateway's word for it."""

    status = 402
    title = "The payment was declined"


class PaymentVoided(DomainError):
    """Says that the payment was given up before, so that it can't be authorised or captured."""

    title = "The payment was given up"


class PaymentNotCaptured(DomainError):
    """Says that no such amount was captured that could be refunded."""

    title = "There is nothing of that amount to refund"


class PaymentRefused(DomainError):
    """Says that the gateway understood and refused; somebody has to look at it."""

    title = "The payment gateway refused"


class Status(StrEnum):
    """Says where a payment stands."""

    NEW = "new"
    AUTHORIZING = "authorizing"
    AUTHORIZED = "authorized"
    CAPTURING = "capturing"
    CAPTURED = "captured"
    VOIDING = "voiding"
    VOIDED = "voided"
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    DECLINED = "declined"
    UNKNOWN = "unknown"


ASKING = frozenset({Status.AUTHORIZING, Status.UNKNOWN})
"""States in which nobody knows yet whether the gateway holds a charge."""
WATCHED = ASKING | {Status.AUTHORIZED, Status.CAPTURING, Status.VOIDING, Status.REFUNDING}
"""States that must not last: the reconciler looks at what stays in one of them."""

LEGAL: dict[Status, frozenset[Status]] = {
    Status.NEW: frozenset({Status.AUTHORIZING, Status.VOIDED}),
    Status.AUTHORIZING: frozenset(
        {Status.AUTHORIZED, Status.DECLINED, Status.UNKNOWN, Status.VOIDED, Status.VOIDING}
    ),
    Status.UNKNOWN: frozenset(
        {
            Status.AUTHORIZING,
            Status.AUTHORIZED,
            Status.DECLINED,
            Status.VOIDED,
            Status.VOIDING,
        }
    ),
    Status.AUTHORIZED: frozenset({Status.CAPTURING, Status.VOIDING}),
    Status.CAPTURING: frozenset({Status.CAPTURED}),
    Status.CAPTURED: frozenset({Status.REFUNDING}),
    Status.REFUNDING: frozenset({Status.CAPTURED, Status.REFUNDED}),
    Status.REFUNDED: frozenset(),
    Status.VOIDING: frozenset({Status.VOIDED}),
    # A charge may come to light after the payment was given up: it is voided then.
    Status.VOIDED: frozenset({Status.VOIDING}),
    Status.DECLINED: frozenset(),
}


class Account(StrEnum):
    """Names the accounts of the money ledger."""

    CARDHOLDER = "cardholder"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    REFUNDED = "refunded"


class Transfer(Record):
    """Is a line of the append-only money ledger, in minor units: from one account to another."""

    source: Account
    target: Account
    amount: int
    currency: str
    at: str


class Payment(Record):
    """Is an order's payment.

    `reference` is ours for the charge at the gateway, and the root of its idempotency keys.
    `unsettled` is set while the reconciler has to look at it: an index hangs on it.
    """

    order_id: str
    status: Status
    amount: Money
    since: str
    token: str | None = None
    reference: str | None = None
    charge_id: str | None = None
    held: int = 0
    captured: int = 0
    refunded: int = 0
    refund_key: str | None = None
    refund_amount: int = 0
    reason: str | None = None
    action_required: bool = False
    """Set while the gateway waits for the customer; the payment is `authorizing` meanwhile."""
    asked: int = 0
    watch_until: str | None = None
    sequence: int = 0
    unsettled: Literal["unsettled"] | None = None

    @property
    def refundable(self) -> int:
        """Give what was captured and not refunded."""
        return self.captured - self.refunded

    def to(self, status: Status, at: str, **changes: object) -> Payment:
        """Move to another state; raises ValueError for a move that isn't legal."""
        if status not in LEGAL[self.status]:
            raise ValueError(f"a payment does not go from {self.status} to {status}")
        watched = changes.get("watch_until") is not None
        settled: dict[str, object] = {
            "status": status,
            "since": at,
            "asked": 0,
            "watch_until": None,
            "action_required": False,
            "unsettled": "unsettled" if status in WATCHED or watched else None,
        }
        if status in {Status.AUTHORIZED, Status.DECLINED, Status.VOIDED, Status.VOIDING}:
            settled["token"] = None
        return self.model_copy(update={**settled, **changes})


@dataclass(frozen=True, slots=True)
class Change:
    """Is what one decision does: the new payment and the transfers that go with it."""

    payment: Payment
    transfers: tuple[Transfer, ...] = ()


def learn(payment: Payment, charge: Charge, at: str) -> Change | None:
    """Make of the gateway's answer what follows for the payment; None when nothing does."""
    match payment.status:
        case Status.AUTHORIZING | Status.UNKNOWN:
            return _authorization(payment, charge, at)
        case Status.CAPTURING if charge.captured:
            taken = payment.to(Status.CAPTURED, at, held=0, captured=charge.captured)
            transfers = [
                _transfer(payment, Account.AUTHORIZED, Account.CAPTURED, charge.captured, at)
            ]
            rest = payment.held - charge.captured
            if rest:
                transfers.append(
                    _transfer(payment, Account.AUTHORIZED, Account.CARDHOLDER, rest, at)
                )
            return Change(taken, tuple(transfers))
        case Status.VOIDING if charge.status is ChargeStatus.VOIDED:
            voided = payment.to(Status.VOIDED, at, held=0)
            if not payment.held:
                return Change(voided)
            back = _transfer(payment, Account.AUTHORIZED, Account.CARDHOLDER, payment.held, at)
            return Change(voided, (back,))
        case Status.REFUNDING if charge.refunded >= payment.refunded + payment.refund_amount:
            return _refunded(payment, at)
        case Status.VOIDED if charge.status is ChargeStatus.AUTHORIZED:
            late = payment.to(Status.VOIDING, at, charge_id=charge.charge_id, held=charge.amount)
            held = _transfer(payment, Account.CARDHOLDER, Account.AUTHORIZED, charge.amount, at)
            return Change(late, (held,))
        case _:
            return None


def _authorization(payment: Payment, charge: Charge, at: str) -> Change | None:
    match charge.status:
        case ChargeStatus.AUTHORIZED | ChargeStatus.CAPTURED | ChargeStatus.REFUNDED:
            held = _transfer(payment, Account.CARDHOLDER, Account.AUTHORIZED, charge.amount, at)
            authorized = payment.to(
                Status.AUTHORIZED, at, charge_id=charge.charge_id, held=charge.amount
            )
            return Change(authorized, (held,))
        case ChargeStatus.DECLINED:
            reason = charge.reason or "declined"
            return Change(
                payment.to(Status.DECLINED, at, charge_id=charge.charge_id, reason=reason)
            )
        case ChargeStatus.REQUIRES_ACTION:
            if payment.action_required:
                return None
            waiting = (
                payment
                if payment.status is Status.AUTHORIZING
                else payment.to(Status.AUTHORIZING, at)
            )
            changes = {"charge_id": charge.charge_id, "action_required": True, "token": None}
            return Change(waiting.model_copy(update=changes))
        case ChargeStatus.VOIDED:
            return Change(payment.to(Status.VOIDED, at, charge_id=charge.charge_id))


def _refunded(payment: Payment, at: str) -> Change:
    refunded = payment.refunded + payment.refund_amount
    status = Status.REFUNDED if refunded == payment.captured else Status.CAPTURED
    back = _transfer(payment, Account.CAPTURED, Account.REFUNDED, payment.refund_amount, at)
    after = payment.to(status, at, refunded=refunded, refund_key=None, refund_amount=0)
    return Change(after, (back,))


def _transfer(payment: Payment, source: Account, target: Account, amount: int, at: str) -> Transfer:
    return Transfer(
        source=source, target=target, amount=amount, currency=payment.amount.currency, at=at
    )


def refuse_authorization(payment: Payment) -> None:
    """Refuse to authorise what was declined or given up; other states pass."""
    if payment.status is Status.DECLINED:
        raise declined(payment)
    if payment.status in {Status.VOIDING, Status.VOIDED}:
        raise PaymentVoided(f"the payment of {payment.order_id} was given up; start a new checkout")


def declined(payment: Payment) -> PaymentDeclined:
    """Make the refusal that a declined payment answers with."""
    reason = payment.reason or "declined"
    return PaymentDeclined(
        f"the payment of {payment.order_id} was declined: {reason}", reason=reason
    )
