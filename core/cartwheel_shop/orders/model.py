"""An order: what was bought at which price, its states and the moves between them. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, computed_field

from cartwheel.ports import DomainError, snake_case
from cartwheel_shop._base import Line, Money, Payload, Record

REASONS = frozenset(
    {"out_of_stock", "price_changed", "product_unavailable", "order_too_large", "order_closed"}
)
"""Why a checkout is refused, as codes that the route declares."""
MAX_TOTAL = 10_000_000
"""Largest total of one order, in minor units."""


class CartEmpty(DomainError):
    """Says that there is nothing in the cart to order."""

    title = "The cart is empty"


class PriceChanged(DomainError):
    """Says that the prices are not those that the customer agreed to."""

    title = "A price has changed"


class ProductUnavailable(DomainError):
    """Says that a product of the order is no longer sold."""

    title = "A product is no longer sold"


class OrderTooLarge(DomainError):
    """Says that the order's total is beyond what one order may cost."""

    title = "The order is too large"


class OrderClosed(DomainError):
    """Says that the order's checkout is over, so that it can't go on."""

    title = "The order is closed"


class IllegalTransition(DomainError):
    """Says that an order can't go from its state to the one that was asked for."""

    title = "The order's state does not allow this"


class CheckoutRefused(DomainError):
    """Says that the checkout failed before the bank was asked, and of which order it was.

    The problem's code is the reason where customers can do something about it, `out_of_stock`.
    """

    title = "The order could not be placed"

    def __init__(self, message: str, *, order_id: str, reason: str) -> None:
        super().__init__(message, order_id=order_id, reason=reason)
        self._reason = reason

    @property
    def problem_code(self) -> str:
        """Give the reason when it is one of REASONS, else this error's own code."""
        return self._reason if self._reason in REASONS else super().problem_code


class NothingToRefund(DomainError):
    """Says that an order's payment does not hold the amount that was to be refunded."""

    title = "There is nothing of that amount to refund"


class Status(StrEnum):
    """Says where an order stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    CONFIRMED = "confirmed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


START_SECONDS = 120
"""How long a checkout may be asked for and not begun before the sweeper starts it."""
OPEN = frozenset({Status.PENDING, Status.PROCESSING})
"""States in which a checkout may still go either way."""

LEGAL: dict[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.PROCESSING, Status.REJECTED, Status.CANCELLED}),
    Status.PROCESSING: frozenset({Status.CONFIRMED, Status.REJECTED, Status.CANCELLED}),
    Status.CONFIRMED: frozenset({Status.SHIPPED, Status.CANCELLED, Status.REFUNDED}),
    Status.SHIPPED: frozenset({Status.DELIVERED, Status.REFUNDED}),
    Status.DELIVERED: frozenset({Status.REFUNDED}),
    Status.REJECTED: frozenset(),
    Status.CANCELLED: frozenset(),
    Status.REFUNDED: frozenset(),
}

REFUNDABLE = frozenset({Status.CONFIRMED, Status.SHIPPED, Status.DELIVERED})
"""States in which money of an order may go back without ending it."""
MAX_REFUNDS = 50
"""Refunds of one order: they are kept in its row."""

Text = Annotated[str, Field(min_length=1, max_length=200)]


class Address(Payload):
    """Is where an order goes."""

    name: Text
    street: Text
    city: Text
    postal_code: Annotated[str, Field(min_length=1, max_length=20)]
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")]


class Item(Payload):
    """Is a line of an order, at the price of the moment it was placed."""

    product_id: str
    name: str
    quantity: int
    unit_price: Money
    line_total: Money


class Shipment(Payload):
    """Says when an order left the house, and with whom."""

    shipped_at: str
    carrier: str | None = None
    tracking_number: str | None = None


class Refund(Payload):
    """Is a refund that staff asked for, in minor units."""

    refund_id: str
    amount: int
    status: Literal["pending", "done", "failed"]
    at: str
    restock: bool = False
    reason: str | None = None
    error: str | None = None


class Order(Record):
    """Is an order.

    Its indexes hang on `kind`, `order_status`, `customer_id` and `awaiting`.
    """

    order_id: str
    customer_id: str
    status: Status
    items: tuple[Item, ...]
    total: Money
    created_at: str
    updated_at: str
    reason: str | None = None
    expected_total: Money | None = None
    email: str | None = None
    phone: str | None = None
    shipping_address: Address | None = None
    run_id: str | None = None
    cart_id: str | None = None
    cancel_requested: bool = False
    """Set on the row that `confirm` checks: a cancel and a confirmation can't both win."""
    cancel_keys: tuple[str, ...] = ()
    """Which requests asked to cancel: one that is sent again after a crash is no new one."""
    cancelling: bool = False
    sequence: int = 0
    awaiting: Literal["run", "refund"] | None = None
    """Set while a run has been asked for and not begun or ended: a sweeper looks for those."""
    shipment: Shipment | None = None
    ship_key: str | None = None
    """Which request shipped the order: the same one again finds it shipped."""
    refunds: tuple[Refund, ...] = ()
    restock: bool = False
    """Whether the goods of an order that was refunded whole go back on the shelf."""
    kind: Literal["order"] = "order"

    @computed_field
    def order_status(self) -> str:
        """Give the status under a name of its own: the history's rows have a `status` too."""
        return self.status.value

    @property
    def lines(self) -> list[Line]:
        """Give products and quantities."""
        return [Line(product_id=item.product_id, quantity=item.quantity) for item in self.items]

    @property
    def refunded(self) -> int:
        """Give what has been paid back by request, in minor units."""
        return sum(refund.amount for refund in self.refunds if refund.status == "done")

    @property
    def refundable(self) -> int:
        """Give what is neither paid back nor about to be."""
        spoken_for = sum(refund.amount for refund in self.refunds if refund.status != "failed")
        return self.total.amount - spoken_for

    @property
    def refunding(self) -> bool:
        """Tell whether a refund is under way."""
        return any(refund.status == "pending" for refund in self.refunds)

    def refund_of(self, refund_id: str) -> Refund | None:
        """Give a refund by its id."""
        return next((each for each in self.refunds if each.refund_id == refund_id), None)

    def with_refund(self, refund: Refund) -> Order:
        """Give the order with a refund, new or changed."""
        others = tuple(each for each in self.refunds if each.refund_id != refund.refund_id)
        after = self.model_copy(update={"refunds": (*others, refund)})
        return after.model_copy(update={"awaiting": "refund" if after.refunding else None})

    def to(self, status: Status, at: str, reason: str | None = None) -> Order:
        """Move to another state; raises IllegalTransition."""
        if status not in LEGAL[self.status]:
            raise illegal(self, status)
        return self.model_copy(
            update={
                "status": status,
                "updated_at": at,
                "reason": reason,
                "cancelling": False,
                "awaiting": None,
                "sequence": self.sequence + 1,
            }
        )


class HistoryLine(Record):
    """Is one move in an order's life."""

    at: str
    status: Status
    reason: str | None = None


def illegal(order: Order, status: Status, why: str | None = None) -> IllegalTransition:
    """Make the refusal of a move that the order's state does not allow, for a reason or its own."""
    if why is None and status in LEGAL[order.status]:
        why = "it is being cancelled"
    if why is None:
        allowed = ", ".join(sorted(LEGAL[order.status])) or "nothing"
        why = f"from there it can become {allowed}, not {status}"
    return IllegalTransition(
        f"order {order.order_id} is {order.status}; {why}", status=order.status.value
    )


def refund_under_way(order: Order) -> IllegalTransition:
    """Make the refusal to do anything else while money goes back."""
    return IllegalTransition(
        f"a refund of order {order.order_id} is under way; try again when it is done",
        status=order.status.value,
    )


def start_processing(order: Order, at: str) -> Order | None:
    """Let a checkout begin; None when it has begun. Raises OrderClosed."""
    if order.status is Status.PROCESSING and not order.cancel_requested:
        return None
    if order.status is Status.PENDING and not order.cancel_requested:
        return order.to(Status.PROCESSING, at)
    raise closed(order)


def confirm(order: Order, at: str) -> Order | None:
    """Confirm an order whose checkout went through; None when it is confirmed.

    Raises OrderClosed, also when a cancellation was asked for before.
    """
    if order.status is Status.CONFIRMED:
        return None
    if order.status is not Status.PROCESSING or order.cancel_requested:
        raise closed(order)
    return order.to(Status.CONFIRMED, at)


def reject(order: Order, code: str, at: str) -> Order | None:
    """End an order whose checkout failed with an error code; None when it has ended.

    What was asked to be cancelled, or was confirmed before the failure, is cancelled.
    """
    reason = snake_case(code)
    if order.status in OPEN:
        cancelled = order.cancel_requested or reason == "cancelled"
        return order.to(
            Status.CANCELLED if cancelled else Status.REJECTED,
            at,
            "cancelled" if cancelled else reason,
        )
    if order.status is Status.CONFIRMED:
        return order.to(Status.CANCELLED, at, reason)
    return None


def closed(order: Order) -> OrderClosed:
    """Make the refusal to go on with an order."""
    state = "to be cancelled" if order.cancel_requested else order.status.value
    return OrderClosed(f"order {order.order_id} is {state}", status=order.status.value)
