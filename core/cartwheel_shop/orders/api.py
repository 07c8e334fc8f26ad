"""The orders service: orders and checkout over HTTP, and the tasks of their workflows."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cartwheel.app import Service
from cartwheel.context import Context
from cartwheel.http import (
    AUTHENTICATED,
    BadRequest,
    Body,
    NotFound,
    Query,
    Reply,
    View,
)
from cartwheel.ports import Index
from cartwheel.workflow import Compensation
from cartwheel_shop._base import Line, Money, Payload, digest, row_as
from cartwheel_shop._retry import EAGER, PERSISTENT
from cartwheel_shop.carts import service as carts
from cartwheel_shop.inventory.model import OutOfStock
from cartwheel_shop.orders import service as orders
from cartwheel_shop.orders._decision import await_decision, refusal
from cartwheel_shop.orders.model import (
    Address,
    CartEmpty,
    CheckoutRefused,
    HistoryLine,
    IllegalTransition,
    Item,
    Order,
    OrderClosed,
    OrderTooLarge,
    PriceChanged,
    ProductUnavailable,
)
from cartwheel_shop.payments import service as payments
from cartwheel_shop.payments.service import PaymentSummary
from cartwheel_shop.users import service as users
from cartwheel_shop.users.model import Email

service = Service("orders")
ORDERS = service.collection(
    orders.COLLECTION,
    Index(orders.BY_CUSTOMER, "customer_id", sort="created_at"),
    Index(orders.ALL, "kind", sort="created_at"),
    Index(orders.AWAITING, "awaiting", sort="created_at"),
)

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


@service.route(
    "POST",
    "/orders",
    permission=AUTHENTICATED,
    status=201,
    errors=[CartEmpty, ProductUnavailable, PriceChanged],
)
def create_order(ctx: Context, body: NewOrder) -> Reply[OrderView]:
    """Place a pending order from the cart, without paying it."""
    order_id = ctx.ports.ids.new("ord")
    draft = orders.draft(ctx.ports, order_id, _request(ctx, body, None))
    orders.check_total(draft)
    order = orders.place(ctx.ports, draft)
    return Reply(_view(ctx, order), headers={"Location": f"/orders/{order.order_id}"})


@service.route(
    "POST",
    "/checkout",
    permission=AUTHENTICATED,
    status=202,
    idempotent=True,
    errors=[
        CartEmpty,
        ProductUnavailable,
        PriceChanged,
        OrderTooLarge,
        OutOfStock,
        OrderClosed,
        CheckoutRefused,
    ],
)
def checkout(ctx: Context, body: Checkout) -> Reply[OrderAccepted]:
    """Order and pay what is in the cart; the answer comes before the bank's.

    Every id follows from the request's key, so that the same request again finds the same order,
    payment and run wherever the first one stopped.
    """
    ports = ctx.ports
    order_id, run_id = f"ord_{digest(ctx.key)}", f"chk_{digest(ctx.key)}"
    order = orders.find(ports, order_id)
    if order is None:
        order = orders.draft(ports, order_id, _request(ctx, body, run_id))
    # The payment comes first: once the order is there, its checkout can go on without this request.
    if order.total.amount:
        payments.open_payment(ports, order_id, order.total, body.payment_token)
    order = orders.place(ports, order)
    orders.start_checkout(ports, order)
    if not _respond_async(ctx):
        refused = refusal(order_id, await_decision(ports, order_id, run_id))
        if refused is not None:
            raise refused
    if order.cart_id is not None:
        carts.take_ordered(ports, order.cart_id, order_id, order.lines)
    accepted = OrderAccepted(order_id=order_id, status=orders.get(ports, order_id).status)
    return Reply(accepted, headers={"Location": f"/orders/{order_id}"})


@service.route("GET", "/orders", permission=AUTHENTICATED, errors=[BadRequest])
def list_orders(ctx: Context, query: Pages) -> OrderList:
    """List one's orders, or all of them for staff, newest first."""
    customer = None if _is_staff(ctx) else ctx.caller.subject
    try:
        page = orders.page(ctx.ports, customer, query.cursor, query.limit)
    except ValueError as error:
        raise BadRequest("the cursor is not one of this listing") from error
    found = [_view(ctx, row_as(row, Order)) for row in page.rows]
    return OrderList(items=found, next=page.next)


@service.route("GET", "/orders/{order_id}", permission=AUTHENTICATED, errors=[NotFound])
def get_order(ctx: Context, order_id: str) -> OrderView:
    """Show an order."""
    return _view(ctx, _visible(ctx, order_id))


@service.route("GET", "/orders/{order_id}/events", permission=AUTHENTICATED, errors=[NotFound])
def get_events(ctx: Context, order_id: str) -> EventList:
    """Show what has happened to an order."""
    order = _visible(ctx, order_id)
    lines = orders.history(ctx.ports, order.order_id)
    return EventList(items=[_event(line) for line in lines])


@service.route(
    "POST",
    "/orders/{order_id}/cancel",
    permission=AUTHENTICATED,
    status=202,
    idempotent=True,
    errors=[NotFound, IllegalTransition],
)
def cancel_order(ctx: Context, order_id: str) -> OrderAccepted:
    """Cancel an order that has not been shipped; money and stock go back."""
    _visible(ctx, order_id)
    order = orders.request_cancel(ctx.ports, ctx.key, order_id)
    return OrderAccepted(order_id=order_id, status=order.status)


@service.task(errors=[PriceChanged, ProductUnavailable, OrderTooLarge, OrderClosed], retry=EAGER)
def validate(ctx: Context, cmd: OfOrder) -> Valid:
    """Check an order's prices and limits, and begin its checkout."""
    order = orders.validate(ctx.ports, cmd.order_id)
    return Valid(order_id=order.order_id, lines=order.lines, total=order.total)


@service.task(errors=[OrderClosed], retry=PERSISTENT)
def confirm(ctx: Context, cmd: OfOrder) -> Outcome:
    """Confirm an order whose goods and money are safe."""
    return _outcome(orders.confirm_order(ctx.ports, cmd.order_id))


@service.task(retry=PERSISTENT)
def reject(ctx: Context, cmd: Rejection) -> Outcome:
    """End an order whose checkout failed."""
    return _outcome(orders.reject_order(ctx.ports, cmd.order_id, cmd.code))


@service.task(retry=PERSISTENT)
def abandon(ctx: Context, cmd: Compensation[OfOrder, Valid]) -> Outcome:
    """Cancel an order whose checkout somebody cancelled; any other failure is rejected later."""
    return _outcome(orders.abandon(ctx.ports, cmd.input.order_id, ctx.run_id))


@service.task(errors=[IllegalTransition], retry=PERSISTENT)
def begin_cancel(ctx: Context, cmd: OfOrder) -> Valid:
    """Keep a confirmed order from being shipped while it is cancelled."""
    order = orders.begin_cancel(ctx.ports, cmd.order_id)
    return Valid(order_id=order.order_id, lines=order.lines, total=order.total)


@service.task(retry=PERSISTENT)
def finish_cancel(ctx: Context, cmd: OfOrder) -> Outcome:
    """Cancel an order whose money and goods went back."""
    return _outcome(orders.finish_cancel(ctx.ports, cmd.order_id))


@service.every(60)
def sweep(ctx: Context) -> None:
    """Start the checkouts that a crash kept from starting."""
    started = orders.start_forgotten(ctx.ports)
    if started:
        ctx.log.warning("forgotten checkouts started", count=started)


def _request(ctx: Context, body: NewOrder | Checkout, run_id: str | None) -> orders.Request:
    customer = ctx.caller.subject
    email = body.email
    if email is None:
        user = users.find(ctx.ports, customer)
        email = None if user is None else user.email
    return orders.Request(
        customer_id=customer,
        cart_id=carts.cart_of_customer(customer),
        email=email,
        phone=body.phone,
        shipping_address=body.shipping_address,
        expected_total=body.expected_total,
        run_id=run_id,
    )


def _respond_async(ctx: Context) -> bool:
    prefer = ctx.request.header("prefer") if ctx.request is not None else None
    wishes = {wish.strip().lower() for wish in (prefer or "").split(",")}
    return "respond-async" in wishes


def _is_staff(ctx: Context) -> bool:
    return bool(ctx.caller.roles & {"staff", "admin"})


def _visible(ctx: Context, order_id: str) -> Order:
    """Give an order to its owner and to staff; to others it does not exist."""
    order = orders.get(ctx.ports, order_id)
    if order.customer_id != ctx.caller.subject and not _is_staff(ctx):
        raise NotFound(f"there is no order {order_id}")
    return order


def _view(ctx: Context, order: Order) -> OrderView:
    return OrderView(
        order_id=order.order_id,
        customer_id=order.customer_id,
        status=order.status,
        reason=order.reason,
        items=list(order.items),
        total=order.total,
        created_at=order.created_at,
        updated_at=order.updated_at,
        email=order.email,
        phone=order.phone,
        shipping_address=order.shipping_address,
        payment=payments.summary_of(ctx.ports, order.order_id),
    )


def _event(line: HistoryLine) -> EventView:
    return EventView(at=line.at, status=line.status, reason=line.reason)


def _outcome(order: Order) -> Outcome:
    return Outcome(
        order_id=order.order_id,
        status=order.status.value,
        reason=order.reason,
        email=order.email,
        total=order.total,
    )
