"""Use cases of orders: placed from a cart, driven by the checkout workflow, listed, cancelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cartwheel.http import NotFound
from cartwheel.ports import JsonObject, Page, Ports, RunNotFound, RunStatus, rfc3339
from cartwheel.unit import Unit, transact
from cartwheel_shop._base import Money, gather, money_json, now_text, read, row_as, total_of
from cartwheel_shop.carts import service as carts
from cartwheel_shop.catalog import service as catalog
from cartwheel_shop.orders.model import (
    MAX_TOTAL,
    OPEN,
    START_SECONDS,
    Address,
    CartEmpty,
    HistoryLine,
    Item,
    Order,
    OrderTooLarge,
    PriceChanged,
    ProductUnavailable,
    Status,
    confirm,
    illegal,
    refund_under_way,
    reject,
    start_processing,
)
from cartwheel_shop.payments.service import Verdict

COLLECTION = "orders"
BY_CUSTOMER, BY_STATUS, ALL, AWAITING = "by_customer", "by_status", "all", "awaiting"
ORDER = "order"
_KEYS_KEPT = 9
CHECKOUT, CANCEL_ORDER = "checkout", "cancel_order"


@dataclass(frozen=True, slots=True)
class Request:
    """Is what a customer gives beside the cart."""

    customer_id: str
    cart_id: str
    email: str | None
    phone: str | None = None
    shipping_address: Address | None = None
    expected_total: Money | None = None
    run_id: str | None = None


def draft(ports: Ports, order_id: str, request: Request) -> Order:
    """Make a pending order from the cart at today's prices; nothing is written.

    Raises CartEmpty and ProductUnavailable.
    """
    at = now_text(ports)
    items = _priced(ports, request.cart_id)
    return Order(
        order_id=order_id,
        customer_id=request.customer_id,
        status=Status.PENDING,
        items=items,
        total=total_of(item.line_total for item in items),
        created_at=at,
        updated_at=at,
        expected_total=request.expected_total,
        email=request.email,
        phone=request.phone,
        shipping_address=request.shipping_address,
        run_id=request.run_id,
        cart_id=request.cart_id,
        awaiting=None if request.run_id is None else "run",
    )


def place(ports: Ports, order: Order) -> Order:
    """Write a new order; one that is there under the same id stays, and is given."""

    def work(unit: Unit) -> None:
        if unit.get(ORDER, Order) is None:
            _put(unit, order)

    transact(ports, COLLECTION, order.order_id, work, key="place")
    return get(ports, order.order_id)


def check_total(order: Order) -> None:
    """Refuse a total that the customer did not expect; raises PriceChanged."""
    expected = order.expected_total
    if expected is not None and expected != order.total:
        raise PriceChanged(
            f"the total is {order.total.amount} {order.total.currency}, "
            f"not {expected.amount} {expected.currency}",
            total=money_json(order.total),
        )


def _priced(ports: Ports, cart_id: str) -> tuple[Item, ...]:
    lines = carts.lines_of(ports, cart_id)
    if not lines:
        raise CartEmpty("put something into the cart first")
    items: list[Item] = []
    for line in lines:
        product = catalog.find(ports, line.product_id)
        if product is None or product.deleted:
            raise ProductUnavailable(
                f"{line.product_id} is no longer sold; take it out of the cart",
                product_id=line.product_id,
            )
        items.append(
            Item(
                product_id=line.product_id,
                name=product.name,
                quantity=line.quantity,
                unit_price=product.price,
                line_total=product.price.times(line.quantity),
            )
        )
    return tuple(items)


def find(ports: Ports, order_id: str) -> Order | None:
    """Give an order, or None."""
    return read(ports, COLLECTION, order_id, ORDER, Order)


def get(ports: Ports, order_id: str) -> Order:
    """Give an order; raises NotFound."""
    order = find(ports, order_id)
    if order is None:
        raise NotFound(f"there is no order {order_id}")
    return order


@dataclass(frozen=True, slots=True)
class Filter:
    """Says which orders to list; None lets all pass. `since` is included, `until` is not."""

    customer_id: str | None = None
    status: Status | None = None
    since: str | None = None
    until: str | None = None

    def shows(self, order: Order) -> bool:
        """Tell whether an order is among those asked for."""
        return (
            (self.customer_id is None or order.customer_id == self.customer_id)
            and (self.status is None or order.status is self.status)
            and (self.since is None or order.created_at >= _comparable(self.since))
            and (self.until is None or order.created_at < _comparable(self.until))
        )


def _comparable(time: str) -> str:
    """Give a time with milliseconds, as rows carry them: strings of one form sort as times do."""
    whole, _, fraction = time.removesuffix("Z").partition(".")
    return f"{whole}.{fraction[:3]:0<3}Z"


def listing(
    ports: Ports, wanted: Filter, cursor: str | None, limit: int
) -> tuple[list[Order], str | None]:
    """List orders, newest first; raises ValueError for a cursor of another listing."""
    if wanted.customer_id is not None:
        index, value = BY_CUSTOMER, wanted.customer_id
    elif wanted.status is not None:
        index, value = BY_STATUS, wanted.status.value
    else:
        index, value = ALL, ORDER

    def query(after: str | None, most: int) -> Page:
        return ports.store.query(
            COLLECTION, index, value, descending=True, cursor=after, limit=most
        )

    return gather(query, Order, wanted.shows, limit=limit, cursor=cursor)


def history(ports: Ports, order_id: str) -> list[HistoryLine]:
    """Give an order's moves, oldest first."""
    return list(Unit(ports, COLLECTION, order_id).scan("hist#", HistoryLine).values())


def validate(ports: Ports, order_id: str) -> Order:
    """Check prices and limits of an order and let its checkout begin.

    Raises PriceChanged, ProductUnavailable, OrderTooLarge and OrderClosed.
    """

    def decide(order: Order) -> Order | None:
        after = start_processing(order, now_text(ports))
        if after is not None:
            _check_prices(ports, order)
        return after

    return change(ports, order_id, decide)


def _check_prices(ports: Ports, order: Order) -> None:
    check_total(order)
    for item in order.items:
        product = catalog.find(ports, item.product_id)
        if product is None or product.deleted:
            raise ProductUnavailable(
                f"{item.product_id} is no longer sold", product_id=item.product_id
            )
        if product.price != item.unit_price:
            raise PriceChanged(
                f"{item.product_id} now costs {product.price.amount} {product.price.currency}",
                product_id=item.product_id,
            )
    if order.total.amount > MAX_TOTAL:
        raise OrderTooLarge(
            f"an order may cost {MAX_TOTAL} at most, this one costs {order.total.amount}"
        )


def confirm_order(ports: Ports, order_id: str) -> Order:
    """Confirm an order and say so to whoever listens; raises OrderClosed."""
    return change(ports, order_id, lambda order: confirm(order, now_text(ports)))


def reject_order(ports: Ports, order_id: str, code: str) -> Order:
    """End an order whose checkout failed with an error code."""
    return change(ports, order_id, lambda order: reject(order, code, now_text(ports)))


def abandon(ports: Ports, order_id: str, run_id: str) -> Order:
    """Cancel an order whose checkout is undone because somebody cancelled it.

    A checkout that was cancelled runs no further task than its compensations: this is one.
    """
    order = get(ports, order_id)
    if order.status not in {*OPEN, Status.CONFIRMED}:
        return order
    if not order.cancel_requested and not _run_cancelled(ports, run_id):
        return order
    return reject_order(ports, order_id, "Cancelled")


def _run_cancelled(ports: Ports, run_id: str) -> bool:
    try:
        return ports.workflows.status(run_id).cancel_requested
    except RunNotFound:
        return False


def request_cancel(ports: Ports, key: str, order_id: str) -> Order:
    """Begin to cancel an order; raises IllegalTransition once it has left the house or ended.

    The same key again goes on where the first request stopped, and finds a cancelled order right.
    An open order is marked so that it can't be confirmed any more, and its checkout is cancelled; a
    confirmed one is undone by a workflow of its own.
    """

    def decide(order: Order) -> Order | None:
        if key in order.cancel_keys:
            return None
        if order.status not in {*OPEN, Status.CONFIRMED}:
            raise illegal(order, Status.CANCELLED)
        if order.refunding:
            raise refund_under_way(order)
        requested = order.cancel_requested or order.status in OPEN
        keys = (*order.cancel_keys[-_KEYS_KEPT:], key)
        return order.model_copy(update={"cancel_requested": requested, "cancel_keys": keys})

    order = change(ports, order_id, decide)
    if order.status not in {*OPEN, Status.CONFIRMED}:
        return order
    if order.status is Status.CONFIRMED:
        ports.workflows.start(CANCEL_ORDER, f"cancel_{order_id}", {"order_id": order_id})
        return get(ports, order_id)
    if not _cancel_run(ports, order):
        return reject_order(ports, order_id, "Cancelled")
    return get(ports, order_id)


def _cancel_run(ports: Ports, order: Order) -> bool:
    """Cancel the order's checkout; False when there is none that could end the order."""
    if order.run_id is None:
        return False
    try:
        ports.workflows.cancel(order.run_id, "the order was cancelled")
        return ports.workflows.status(order.run_id).status is RunStatus.RUNNING
    except RunNotFound:
        return False


def begin_cancel(ports: Ports, order_id: str) -> Order:
    """Mark a confirmed order as being cancelled, so that it isn't shipped.

    Raises IllegalTransition.
    """

    def decide(order: Order) -> Order | None:
        if order.status is Status.CANCELLED:
            return None
        if order.status is not Status.CONFIRMED:
            raise illegal(order, Status.CANCELLED)
        return None if order.cancelling else order.model_copy(update={"cancelling": True})

    return change(ports, order_id, decide)


def finish_cancel(ports: Ports, order_id: str) -> Order:
    """Cancel a confirmed order whose money and stock went back."""

    def decide(order: Order) -> Order | None:
        if order.status is Status.CANCELLED:
            return None
        return order.to(Status.CANCELLED, now_text(ports), "cancelled")

    return change(ports, order_id, decide)


def start_checkout(ports: Ports, order: Order) -> None:
    """Start an order's checkout; again it changes nothing."""
    if order.run_id is not None:
        ports.workflows.start(CHECKOUT, order.run_id, {"order_id": order.order_id})


def start_forgotten(ports: Ports) -> int:
    """Start the checkouts that a crash kept from starting; gives how many."""
    before = rfc3339(ports.clock.now() - START_SECONDS)
    count = 0
    cursor: str | None = None
    while True:
        page = ports.store.query(COLLECTION, AWAITING, "run", cursor=cursor)
        found = [row_as(row, Order) for row in page.rows]
        for order in found:
            if order.created_at <= before:
                start_checkout(ports, order)
                _end_unbegun(ports, order)
                count += 1
        cursor = page.next
        if cursor is None:
            return count


def _end_unbegun(ports: Ports, order: Order) -> None:
    """Cancel an order whose checkout was cancelled before its first step: no task was there to."""
    if order.run_id is None or ports.workflows.status(order.run_id).status is RunStatus.RUNNING:
        return

    def decide(found: Order) -> Order | None:
        return None if found.awaiting != "run" else reject(found, "Cancelled", now_text(ports))

    change(ports, order.order_id, decide)


def verdict_on(ports: Ports, order_id: str) -> Verdict:
    """Say what an order wants of money that is held for it and was left lying."""
    order = find(ports, order_id)
    if order is None or order.status in OPEN or order.cancelling:
        return "wait"
    paid = order.status in {Status.CONFIRMED, Status.SHIPPED, Status.DELIVERED}
    return "capture" if paid else "give_back"


Also = Callable[[Order], tuple[str, JsonObject]]
"""Makes the type and data of one more event, of the order as it was written."""


def change(
    ports: Ports,
    order_id: str,
    decide: Callable[[Order], Order | None],
    also: Also | None = None,
) -> Order:
    """Read the order, decide and write it with its history and events; None writes nothing."""

    def work(unit: Unit) -> Order:
        order = unit.get(ORDER, Order)
        if order is None:
            raise NotFound(f"there is no order {order_id}")
        after = decide(order)
        if after is None:
            return order
        if after.status is order.status:
            unit.put(ORDER, after)
        else:
            _put(unit, after)
            if after.status in _TOLD:
                unit.emit(f"order.{after.status}", event_of(after, order.status))
        if also is not None:
            unit.emit(*also(after))
        return after

    return transact(ports, COLLECTION, order_id, work)


_TOLD = frozenset(
    {
        Status.CONFIRMED,
        Status.REJECTED,
        Status.CANCELLED,
        Status.SHIPPED,
        Status.DELIVERED,
    }
)
"""States of which everybody hears by an event of their name; refunds have one each."""


def _put(unit: Unit, order: Order) -> None:
    unit.put(ORDER, order)
    line = HistoryLine(at=order.updated_at, status=order.status, reason=order.reason)
    unit.put(f"hist#{order.sequence:04d}", line)


def event_of(order: Order, before: Status) -> JsonObject:
    """Give what an event says of an order and of the state before."""
    shipment = order.shipment
    return {
        "order_id": order.order_id,
        "customer_id": order.customer_id,
        "cart_id": order.cart_id,
        "email": order.email,
        "phone": order.phone,
        "reason": order.reason,
        "was": before.value,
        "total": money_json(order.total),
        "refunded": order.refunded,
        "tracking": None if shipment is None else shipment.tracking_number,
        "items": [
            {
                "product_id": item.product_id,
                "quantity": item.quantity,
                "line_total": money_json(item.line_total),
            }
            for item in order.items
        ],
    }
