"""What lies outside the shop: mail, text messages, the payment gateway, secrets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Mail:
    """Is an e-mail; `id` is stable, so that a second send of the same mail can be recognised."""

    id: str
    to: str
    subject: str
    text: str
    html: str | None = None


class Mailer(Protocol):
    """Sends e-mail."""

    def send(self, mail: Mail) -> None:
        """Hand the mail over; raises Unavailable when it may not have been taken.

        A mail of an id that was sent before is not shown to the reader twice where the
        adapter's service can tell (mailboxes here do; SMTP carries the id as Message-ID).
        """
        ...


@dataclass(frozen=True, slots=True)
class TextMessage:
    """Is an SMS to a number in E.164 form; `id` as in Mail."""

    id: str
    to: str
    text: str


class Sms(Protocol):
    """Sends text messages."""

    def send(self, message: TextMessage) -> None:
        """Hand the message over; raises Unavailable when it may not have been taken."""
        ...


class ChargeStatus(StrEnum):
    """Says where a charge stands at the gateway."""

    AUTHORIZED = "authorized"
    DECLINED = "declined"
    REQUIRES_ACTION = "requires_action"
    CAPTURED = "captured"
    VOIDED = "voided"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Charge:
    """Is a charge as the gateway sees it; amounts in the currency's minor unit.

    `reference` is ours (the key of the authorisation), `charge_id` is the gateway's. `reason` is
    the gateway's word for a decline, such as `insufficient_funds`.
    """

    charge_id: str
    reference: str
    status: ChargeStatus
    amount: int
    currency: str
    captured: int = 0
    refunded: int = 0
    reason: str | None = None


class GatewayRefused(Exception):
    """Says that the gateway understood and refused (a void after a capture, too large a refund)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class PaymentGateway(Protocol):
    """Moves money. An effect carries an idempotency key: the same key again has no second effect.

    All methods raise GatewayTimeout when the effect may have happened, Unavailable when the gateway
    could not be reached, and GatewayRefused when it refused; a declined card is a Charge.
    """

    def authorize(
        self, *, key: str, reference: str, amount: int, currency: str, token: str
    ) -> Charge:
        """Reserve an amount on the card behind `token`."""
        ...

    def capture(self, *, key: str, charge_id: str, amount: int) -> Charge:
        """Take the authorised amount or a part of it, once."""
        ...

    def void(self, *, key: str, charge_id: str) -> Charge:
        """Give up an authorisation that was not captured."""
        ...

    def refund(self, *, key: str, charge_id: str, amount: int) -> Charge:
        """Pay back a part of what was captured, or all of it."""
        ...

    def find(self, reference: str) -> Charge | None:
        """Give the charge made under our reference, or None if there is none for sure."""
        ...


class Secret:
    """Holds a string that never shows itself in logs, errors or representations."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the secret itself, where it is used."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('********')"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret is not pickled; pass its name and ask the Secrets port")


class Secrets(Protocol):
    """Gives secrets by name."""

    def get(self, name: str) -> Secret:
        """Give the secret; raises SecretNotFound saying where to set it.

        Names that end in `_signing_key` are keys of the application's own: where nobody has set
        one the adapter makes it, and gives the same one ever after.
        """
        ...
