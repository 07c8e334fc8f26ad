"""The test payment gateway: its tokens, its rules for money, its idempotency keys.

An adapter gives it a bank, which keeps the books apart from the shop's rows as a real gateway does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from cartwheel.ports import (
    Charge,
    ChargeStatus,
    GatewayRefused,
    GatewayTimeout,
    Secret,
    Unavailable,
)
from cartwheel.webhooks import signed_headers

T = TypeVar("T")

TOKENS = {
    "tok_ok": "authorised",
    "tok_declined": "declined (card_declined)",
    "tok_insufficient_funds": "declined (insufficient_funds)",
    "tok_timeout_charged": "authorised, but the first reply of a key is lost",
    "tok_timeout_not_charged": "times out every time and authorises nothing",
    "tok_error_once": "unavailable at the first call of a key, then authorised",
    "tok_requires_action": "waits until the card's holder has acted",
}
"""What each test token does, for people."""

WEBHOOK_PATH = "/payments/webhook"
"""Where this gateway writes to; an application without such a route hears nothing."""
WEBHOOK_KEY = "payment_webhook_signing_key"
"""The name of the secret with which this gateway signs."""

_REPLY_LOST = "tok_timeout_charged"
_NEVER_ANSWERS = "tok_timeout_not_charged"
_FAILS_ONCE = "tok_error_once"
_REQUIRES_ACTION = "tok_requires_action"
_DECLINES = {"tok_declined": "card_declined", "tok_insufficient_funds": "insufficient_funds"}


@dataclass(frozen=True, slots=True)
class KeyUse:
    """Is what the bank remembers of an idempotency key: what was asked, and the charge it made.

    `charge_id` is None when the call failed before it made one.
    """

    request: str
    charge_id: str | None


class Books(Protocol):
    """Is the bank's record, as one transaction sees and changes it."""

    def charge(self, charge_id: str) -> Charge | None:
        """Give a charge by the gateway's id."""
        ...

    def under(self, reference: str) -> Charge | None:
        """Give the latest charge made under a reference."""
        ...

    def keep(self, charge: Charge) -> None:
        """Write a charge, new or changed."""
        ...

    def new_charge_id(self) -> str:
        """Make the next charge's id."""
        ...

    def use_of(self, key: str) -> KeyUse | None:
        """Give what a key was used for."""
        ...

    def note_use(self, key: str, use: KeyUse) -> None:
        """Remember what a key was used for."""
        ...


class Bank(Protocol):
    """Keeps the books."""

    def transact(self, work: Callable[[Books], T]) -> T:
        """Do `work` alone on the books and keep what it wrote; nothing of it when it raises."""
        ...


class TestGateway:
    """Is the payment gateway of the embedded adapters; a key that is used again moves nothing.

    It answers a repeated key with the charge as it stands now.
    """

    __test__ = False  # keeps pytest from collecting it as a class of tests

    def __init__(self, bank: Bank) -> None:
        self._bank = bank

    def authorize(
        self, *, key: str, reference: str, amount: int, currency: str, token: str
    ) -> Charge:
        """Reserve an amount, or do what the token says."""
        if token not in TOKENS:
            raise GatewayRefused("invalid_token", f"no such token; there are: {', '.join(TOKENS)}")
        _positive(amount)
        request = f"authorize {reference!r} {amount} {currency!r} {token}"

        def work(books: Books) -> tuple[Charge | None, bool]:
            use = _use(books, key, request)
            if use is not None and use.charge_id is not None:
                return books.charge(use.charge_id), False
            if token == _NEVER_ANSWERS or (token == _FAILS_ONCE and use is None):
                books.note_use(key, KeyUse(request, None))
                return None, True
            charge = _made(books.new_charge_id(), reference, amount, currency, token)
            books.keep(charge)
            books.note_use(key, KeyUse(request, charge.charge_id))
            return charge, True

        charge, is_new = self._bank.transact(work)
        if token == _REPLY_LOST and is_new:
            raise GatewayTimeout(f"the gateway did not answer (token {token}, key {key})")
        if charge is not None:
            return charge
        if token == _NEVER_ANSWERS:
            raise GatewayTimeout(f"the gateway did not answer (token {token}, key {key})")
        raise Unavailable(f"the gateway is out of order for a moment (token {token}, key {key})")

    def capture(self, *, key: str, charge_id: str, amount: int) -> Charge:
        """Take the authorised amount or a part of it, once."""
        _positive(amount)

        def change(charge: Charge) -> Charge:
            _demand(charge, ChargeStatus.AUTHORIZED)
            if amount > charge.amount:
                raise GatewayRefused(
                    "amount_too_large", f"{amount} is more than the authorised {charge.amount}"
                )
            return replace(charge, status=ChargeStatus.CAPTURED, captured=amount)

        return self._change(key, f"capture {charge_id!r} {amount}", charge_id, change)

    def void(self, *, key: str, charge_id: str) -> Charge:
        """Give up an authorisation that was not captured."""

        def change(charge: Charge) -> Charge:
            _demand(charge, ChargeStatus.AUTHORIZED, ChargeStatus.REQUIRES_ACTION)
            return replace(charge, status=ChargeStatus.VOIDED)

        return self._change(key, f"void {charge_id!r}", charge_id, change)

    def refund(self, *, key: str, charge_id: str, amount: int) -> Charge:
        """Pay back a part of what was captured, or all of it."""
        _positive(amount)

        def change(charge: Charge) -> Charge:
            _demand(charge, ChargeStatus.CAPTURED)
            refunded = charge.refunded + amount
            if refunded > charge.captured:
                raise GatewayRefused(
                    "amount_too_large",
                    f"{amount} is more than the {charge.captured - charge.refunded} left to refund",
                )
            whole = refunded == charge.captured
            status = ChargeStatus.REFUNDED if whole else ChargeStatus.CAPTURED
            return replace(charge, refunded=refunded, status=status)

        return self._change(key, f"refund {charge_id!r} {amount}", charge_id, change)

    def find(self, reference: str) -> Charge | None:
        """Give the latest charge made under our reference, or None if there is none for sure."""
        return self._bank.transact(lambda books: books.under(reference))

    def act(self, charge_id: str, *, approved: bool) -> Charge:
        """Play the card's holder who answers a charge that requires action; no part of the port."""

        def work(books: Books) -> Charge:
            charge = _known(books, charge_id)
            _demand(charge, ChargeStatus.REQUIRES_ACTION)
            if approved:
                answered = replace(charge, status=ChargeStatus.AUTHORIZED)
            else:
                declined = ChargeStatus.DECLINED
                answered = replace(charge, status=declined, reason="authentication_failed")
            books.keep(answered)
            return answered

        return self._bank.transact(work)

    def _change(
        self, key: str, request: str, charge_id: str, change: Callable[[Charge], Charge]
    ) -> Charge:
        def work(books: Books) -> Charge:
            charge = _known(books, charge_id)
            if _use(books, key, request) is not None:
                return charge
            changed = change(charge)
            books.keep(changed)
            books.note_use(key, KeyUse(request, charge_id))
            return changed

        return self._bank.transact(work)


def webhook_of(charge: Charge, secret: Secret, now: float) -> tuple[dict[str, str], bytes]:
    """Make the webhook that tells of a charge as it stands: its headers, and its body."""
    data = {
        "charge_id": charge.charge_id,
        "reference": charge.reference,
        "status": charge.status.value,
    }
    body = json.dumps({"type": f"charge.{charge.status.value}", "data": data}).encode()
    headers = signed_headers(secret, f"msg_{charge.charge_id}_{charge.status.value}", now, body)
    return {"content-type": "application/json", **headers}, body


def _made(charge_id: str, reference: str, amount: int, currency: str, token: str) -> Charge:
    reason = _DECLINES.get(token)
    if reason is not None:
        status = ChargeStatus.DECLINED
    elif token == _REQUIRES_ACTION:
        status = ChargeStatus.REQUIRES_ACTION
    else:
        status = ChargeStatus.AUTHORIZED
    return Charge(charge_id, reference, status, amount, currency, reason=reason)


def _use(books: Books, key: str, request: str) -> KeyUse | None:
    use = books.use_of(key)
    if use is not None and use.request != request:
        raise GatewayRefused("key_reused", f"key '{key}' was used before, for another request")
    return use


def _known(books: Books, charge_id: str) -> Charge:
    charge = books.charge(charge_id)
    if charge is None:
        raise GatewayRefused("no_such_charge", f"there is no charge '{charge_id}'")
    return charge


def _demand(charge: Charge, *allowed: ChargeStatus) -> None:
    if charge.status not in allowed:
        raise GatewayRefused(
            f"charge_{charge.status.value}",
            f"charge '{charge.charge_id}' is {charge.status.value}, "
            f"not {' or '.join(status.value for status in allowed)}",
        )


def _positive(amount: int) -> None:
    if amount < 1:
        raise GatewayRefused("invalid_amount", f"an amount is at least 1, not {amount}")
