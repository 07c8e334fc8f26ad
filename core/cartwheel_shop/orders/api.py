"""The orders service: orders and checkout over HTTP, and the tasks of their workflows."""

from __future__ import annotations

from cartwheel.access import Uses
from cartwheel.app import Service
from cartwheel.context import Context
from cartwheel.http import AUTHENTICATED, BadRequest, NotFound, Reply, only
from cartwheel.ports import Index
from cartwheel.workflow import Compensation
from cartwheel_shop._base import Money, digest
from cartwheel_shop._retry import EAGER, PERSISTENT
from cartwheel_shop.carts import service as carts
from cartwheel_shop.inventory.model import OutOfStock
from cartwheel_shop.orders import _fulfilment as fulfilment
from cartwheel_shop.orders import service as orders
from cartwheel_shop.orders._decision import await_decision, refusal
from cartwheel_shop.orders.model import (
    CartEmpty,
    CheckoutRefused,
    HistoryLine,
    IllegalTransition,
    NothingToRefund,
    Order,
    OrderClosed,
    OrderTooLarge,
    PriceChanged,
    ProductUnavailable,
    Refund,
)
from cartwheel_shop.orders.views import (
    Checkout,
    Dispatch,
    EventList,
    EventView,
    NewOrder,
    OfOrder,
    OfRefund,
    OrderAccepted,
    OrderFilter,
    OrderList,
    OrderView,
    Outcome,
    RefundAmount,
    Refunded,
    RefundFailure,
    RefundRequest,
    RefundView,
    Rejection,
    Valid,
)
from cartwheel_shop.payments import service as payments
from cartwheel_shop.users import service as users

STAFF = only("staff", "admin")

service = Service(
    "orders",
    Uses(
        reads=("products",),
        writes=("carts", "payments"),
        runs=("cancel_order", "checkout", "refund_order"),
        ports=("events",),
    ),
)
ORDERS = service.collection(
    orders.COLLECTION,
    Index(orders.BY_CUSTOMER, "customer_id", sort="created_at"),
    Index(orders.ALL, "kind", sort="created_at"),
    Index(orders.BY_STATUS, "order_status", sort="created_at"),
    Index(orders.AWAITING, "awaiting", sort="created_at"),
)


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
def list_orders(ctx: Context, query: OrderFilter) -> OrderList:
    """List one's orders, or all of them for staff, newest first."""
    customer = query.customer_id
    if not _is_staff(ctx):
        if customer not in {None, ctx.caller.subject}:
            return OrderList(items=[], next=None)
        customer = ctx.caller.subject
    wanted = orders.Filter(customer, query.status, query.since, query.until)
    try:
        found, cursor = orders.listing(ctx.ports, wanted, query.cursor, query.limit)
    except ValueError as error:
        raise BadRequest("the cursor is not one of this listing") from error
    return OrderList(items=[_view(ctx, order) for order in found], next=cursor)


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


@service.route(
    "POST",
    "/orders/{order_id}/ship",
    permission=STAFF,
    idempotent=True,
    errors=[NotFound, IllegalTransition],
)
def ship_order(ctx: Context, order_id: str, body: Dispatch | None = None) -> OrderView:
    """Note that a confirmed order has left the house, and tell the customer."""
    sent = body or Dispatch()
    order = fulfilment.ship(ctx.ports, ctx.key, order_id, sent.carrier, sent.tracking_number)
    return _view(ctx, order)


@service.route(
    "POST",
    "/orders/{order_id}/deliver",
    permission=STAFF,
    idempotent=True,
    errors=[NotFound, IllegalTransition],
)
def deliver_order(ctx: Context, order_id: str) -> OrderView:
    """Note that a shipped order has arrived."""
    return _view(ctx, fulfilment.deliver(ctx.ports, order_id))


@service.route(
    "POST",
    "/orders/{order_id}/refund",
    permission=STAFF,
    status=202,
    idempotent=True,
    errors=[NotFound, IllegalTransition, NothingToRefund],
)
def refund_order(
    ctx: Context, order_id: str, body: RefundRequest | None = None
) -> Reply[OrderAccepted]:
    """Pay back a part of an order, or all that is left of it."""
    order = fulfilment.request_refund(
        ctx.ports, ctx.key, order_id, _refund(body or RefundRequest())
    )
    accepted = OrderAccepted(order_id=order_id, status=order.status)
    return Reply(accepted, headers={"Location": f"/orders/{order_id}"})


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


@service.task(errors=[NothingToRefund], retry=PERSISTENT)
def begin_refund(ctx: Context, cmd: OfRefund) -> RefundAmount:
    """Say what a refund that was asked for pays back."""
    refund = fulfilment.pending_refund(ctx.ports, cmd.order_id, cmd.refund_id)
    return RefundAmount(order_id=cmd.order_id, amount=refund.amount)


@service.task(retry=PERSISTENT)
def settle_refund(ctx: Context, cmd: OfRefund) -> Refunded:
    """Note that a refund was paid; the last one of an order ends it."""
    order = fulfilment.settle_refund(ctx.ports, cmd.order_id, cmd.refund_id)
    return _refunded(order)


@service.task(retry=PERSISTENT)
def fail_refund(ctx: Context, cmd: RefundFailure) -> Refunded:
    """Note that the gateway did not pay a refund; its amount can be refunded anew."""
    order = fulfilment.fail_refund(ctx.ports, cmd.order_id, cmd.refund_id, cmd.code)
    return _refunded(order)


@service.every(60)
def sweep(ctx: Context) -> None:
    """Start the checkouts and refunds that a crash kept from starting."""
    started = orders.start_forgotten(ctx.ports)
    started += fulfilment.start_forgotten(ctx.ports)
    if started:
        ctx.log.warning("forgotten runs started", count=started)


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
    payment = payments.payment_of(ctx.ports, order.order_id)
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
        payment=None if payment is None else payments.summary(payment),
        requires_action=payment is not None and payment.action_required,
        shipment=order.shipment,
        refunds=[_refund_view(order, refund) for refund in order.refunds],
    )


def _refund_view(order: Order, refund: Refund) -> RefundView:
    return RefundView(
        refund_id=refund.refund_id,
        amount=Money(amount=refund.amount, currency=order.total.currency),
        status=refund.status,
        reason=refund.reason,
        created_at=refund.at,
    )


def _refund(body: RefundRequest) -> fulfilment.Wish:
    return fulfilment.Wish(body.amount, body.restock, body.reason)


def _refunded(order: Order) -> Refunded:
    return Refunded(
        order_id=order.order_id,
        status=order.status.value,
        restock=order.restock,
        lines=order.lines,
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
