"""What the orders service takes and gives: over HTTP, and to workflows."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from cartwheel.http import Body, Query, View
from cartwheel.ports import from_rfc3339
from cartwheel_shop._base import Line, Money, Payload
from cartwheel_shop.orders.model import Address, Item, Shipment, Status
from cartwheel_shop.payments.service import PaymentSummary
from cartwheel_shop.users.model import Email


def _exists(time: str) -> str:
    """Refuse the 30th of February: a pattern can't."""
    from_rfc3339(time)
    return time


_DAY = r"[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_HOUR = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"
Time = Annotated[
    str,
    Field(pattern=rf"^{_DAY}T{_HOUR}Z$", json_schema_extra={"format": "date-time"}),
    AfterValidator(_exists),
]
Phone = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]


class NewOrder(Body):
    """Is what an order needs beside the cart, before it is paid."""

    shipping_address: Address | None = None
    email: Email | None = None
    phone: Phone | None = None
    expected_total: Money | None = None


class Checkout(Body):
    """Is what a checkout needs beside the cart; `expected_total` guards against a price change."""

    payment_token: Annotated[str, Field(min_length=1, max_length=200)]
    shipping_address: Address | None = None
    email: Email | None = None
    phone: Phone | None = None
    expected_total: Money | None = None


class OrderAccepted(View):
    """Says which order a request made or changed, and where it stands."""

    order_id: str
    status: str


class RefundView(View):
    """Is a refund of an order; its `status` is pending, done or failed."""

    refund_id: str
    amount: Money
    status: str
    reason: str | None
    created_at: str


class OrderView(View):
    """Is an order as its owner and staff see it."""

    order_id: str
    customer_id: str
    status: str
    reason: str | None
    items: list[Item]
    total: Money
    created_at: str
    updated_at: str
    email: str | None
    phone: str | None
    shipping_address: Address | None
    payment: PaymentSummary | None
    requires_action: bool
    """Whether the payment waits for the customer, at their bank."""
    shipment: Shipment | None
    refunds: list[RefundView]


class OrderList(View):
    """Is a page of orders, newest first."""

    items: list[OrderView]
    next: str | None


class EventView(View):
    """Is one move in an order's life."""

    at: str
    status: str
    reason: str | None


class EventList(View):
    """Is an order's life so far, oldest first."""

    items: list[EventView]
    next: str | None = None


class Pages(Query):
    """Says which part of a listing to show."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(min_length=1, max_length=2000)] | None = None


class OrderFilter(Pages):
    """Says which orders to list; times are RFC 3339 UTC, `since` included and `until` not."""

    status: Status | None = None
    customer_id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    since: Time | None = None
    until: Time | None = None


class Dispatch(Body):
    """Says with whom an order goes out; what is not known is left out."""

    carrier: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    tracking_number: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class RefundRequest(Body):
    """Says what to refund; without an amount all that is left.

    `restock` puts the goods of an order that was shipped back on the shelf once it is refunded
    whole; what has not been shipped goes back in any case.
    """

    amount: Money | None = None
    restock: bool = False
    reason: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class OfOrder(Payload):
    """Names an order."""

    order_id: str


class Valid(Payload):
    """Is what the checkout needs to know of a valid order."""

    order_id: str
    lines: list[Line]
    total: Money


class Rejection(Payload):
    """Says with which error code an order's checkout failed."""

    order_id: str
    code: str


class Outcome(Payload):
    """Says how an order came out, and whom to tell."""

    order_id: str
    status: str
    reason: str | None
    email: str | None
    total: Money


class OfRefund(Payload):
    """Names a refund of an order."""

    order_id: str
    refund_id: str


class RefundFailure(Payload):
    """Says with which error code a refund failed."""

    order_id: str
    refund_id: str
    code: str


class RefundAmount(Payload):
    """Is what to pay back, in minor units."""

    order_id: str
    amount: int


class Refunded(Payload):
    """Says how an order stands after a refund; `restock` when its goods go back on the shelf."""

    order_id: str
    status: str
    restock: bool
    lines: list[Line]
