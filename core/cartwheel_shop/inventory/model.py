"""Stock of one product: counters, reservations and the ledger that explains them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from cartwheel.ports import DomainError, rfc3339
from cartwheel_shop._base import Record

RESERVATION_SECONDS = 15 * 60
"""How long a checkout may hold stock before others may have it."""
MAX_MOVEMENT = 1_000_000


class OutOfStock(DomainError):
    """Says that fewer pieces are available than were asked for."""

    title = "Not enough in stock"


class ReservationClosed(DomainError):
    """Says that this order's reservation was given back before, so that it can't be made now."""

    title = "The reservation was given back"


class ReservationExpired(DomainError):
    """Says that the reservation ended before it was used, and that somebody else has the stock."""

    title = "The reservation has expired"


class InsufficientStock(DomainError):
    """Says that more should be written off than is available."""

    title = "Not enough in stock to write off"


class Account(StrEnum):
    """Names the accounts of the stock ledger."""

    RECEIVED = "received"
    WRITTEN_OFF = "written_off"
    AVAILABLE = "available"
    RESERVED = "reserved"
    SOLD = "sold"


class State(StrEnum):
    """Says where a reservation stands."""

    HELD = "held"
    COMMITTED = "committed"
    RELEASED = "released"
    EXPIRED = "expired"


Count = Annotated[int, Field(ge=0)]


class Stock(Record):
    """Counts a product's pieces; `received - written_off = available + reserved + sold`."""

    received: Count = 0
    written_off: Count = 0
    reserved: Count = 0
    sold: Count = 0
    sequence: Count = 0
    """How many movements the ledger has."""

    @property
    def available(self) -> int:
        """Give how many pieces may be reserved or written off."""
        return self.received - self.written_off - self.reserved - self.sold

    def moved(self, source: Account, target: Account, quantity: int) -> Stock:
        """Move pieces between two accounts; raises ValueError when the source has too few."""
        counts = {
            Account.RECEIVED: self.received,
            Account.WRITTEN_OFF: self.written_off,
            Account.RESERVED: self.reserved,
            Account.SOLD: self.sold,
            Account.AVAILABLE: self.available,
        }
        if source is Account.RECEIVED:
            counts[source] += quantity
        else:
            counts[source] -= quantity
        counts[target] += quantity
        if quantity < 1 or min(counts.values()) < 0:
            raise ValueError(f"{quantity} pieces can't go from {source} to {target}: {self!r}")
        return Stock(
            received=counts[Account.RECEIVED],
            written_off=counts[Account.WRITTEN_OFF],
            reserved=counts[Account.RESERVED],
            sold=counts[Account.SOLD],
            sequence=self.sequence + 1,
        )


class Movement(Record):
    """Is a line of the append-only ledger: pieces leave one account and enter another."""

    source: Account
    target: Account
    quantity: int
    reference: str
    at: str


class Reservation(Record):
    """Is an order's claim on pieces of one product.

    `held` and `held_product` are set only while it is held: two indexes hang on them.
    """

    order_id: str
    product_id: str
    quantity: int
    state: State
    expires_at: str
    reason: str | None = None
    held: Literal["held"] | None = None
    held_product: str | None = None

    def ended(self, state: State, reason: str | None = None) -> Reservation:
        """Give the reservation in another state than held."""
        return self.model_copy(
            update={"state": state, "reason": reason, "held": None, "held_product": None}
        )


@dataclass(frozen=True, slots=True)
class Change:
    """Is what one decision does: the new stock and reservation, and the movements between."""

    stock: Stock
    reservation: Reservation
    movements: tuple[Movement, ...] = ()


def hold(stock: Stock, order_id: str, product_id: str, quantity: int, now: float) -> Change:
    """Take pieces off the shelf for an order; raises OutOfStock."""
    if stock.available < quantity:
        raise OutOfStock(
            f"{quantity} of {product_id} were asked for, {stock.available} are available",
            product_id=product_id,
            requested=quantity,
            available=stock.available,
        )
    reservation = Reservation(
        order_id=order_id,
        product_id=product_id,
        quantity=quantity,
        state=State.HELD,
        expires_at=rfc3339(now + RESERVATION_SECONDS),
        held="held",
        held_product=product_id,
    )
    return _moved(stock, reservation, Account.AVAILABLE, Account.RESERVED, now)


def refuse_again(reservation: Reservation) -> None:
    """Refuse to hold anew what was given back; a reservation still in force passes."""
    if reservation.state in {State.HELD, State.COMMITTED}:
        return
    where = f"the reservation of {reservation.product_id} for {reservation.order_id}"
    if reservation.reason == "out_of_stock":
        raise OutOfStock(
            f"{where} failed before for want of stock", product_id=reservation.product_id
        )
    raise ReservationClosed(
        f"{where} is {reservation.state}; start a new checkout", product_id=reservation.product_id
    )


def sell(stock: Stock, reservation: Reservation, now: float) -> Change | None:
    """Turn a reservation into a sale; None when it is one already.

    An expired one is sold all the same while enough is available. Raises ReservationExpired.
    """
    match reservation.state:
        case State.COMMITTED:
            return None
        case State.HELD:
            sold = reservation.ended(State.COMMITTED)
            return _moved(stock, sold, Account.RESERVED, Account.SOLD, now)
        case State.EXPIRED if stock.available >= reservation.quantity:
            sold = reservation.ended(State.COMMITTED)
            return _moved(stock, sold, Account.AVAILABLE, Account.SOLD, now)
        case _:
            raise ReservationExpired(
                f"the reservation of {reservation.product_id} for {reservation.order_id} is "
                f"{reservation.state} and {stock.available} are available",
                product_id=reservation.product_id,
            )


def give_back(
    stock: Stock, reservation: Reservation, now: float, reason: str | None
) -> Change | None:
    """Put the pieces of a held or sold reservation back; None when that has been done."""
    released = reservation.ended(State.RELEASED, reason)
    match reservation.state:
        case State.HELD:
            return _moved(stock, released, Account.RESERVED, Account.AVAILABLE, now)
        case State.COMMITTED:
            return _moved(stock, released, Account.SOLD, Account.AVAILABLE, now)
        case State.EXPIRED:
            return Change(stock, released)
        case State.RELEASED:
            return None


def tombstone(order_id: str, product_id: str, now: float, reason: str | None) -> Reservation:
    """Make the row that refuses a reservation which comes after it was given back."""
    return Reservation(
        order_id=order_id,
        product_id=product_id,
        quantity=0,
        state=State.RELEASED,
        expires_at=rfc3339(now),
        reason=reason,
    )


def expire(stock: Stock, reservation: Reservation, now: float) -> Change | None:
    """End a held reservation whose time is over; None when it is not held or not over."""
    if reservation.state is not State.HELD or reservation.expires_at > rfc3339(now):
        return None
    expired = reservation.ended(State.EXPIRED)
    return _moved(stock, expired, Account.RESERVED, Account.AVAILABLE, now)


def _moved(
    stock: Stock, reservation: Reservation, source: Account, target: Account, now: float
) -> Change:
    movement = Movement(
        source=source,
        target=target,
        quantity=reservation.quantity,
        reference=reservation.order_id,
        at=rfc3339(now),
    )
    after = stock.moved(source, target, reservation.quantity)
    return Change(after, reservation, (movement,))
