"""The rules of orders, and who wins when two want different things of one."""

from __future__ import annotations

import pytest

from cartwheel.ports import Ports, RunStatus
from cartwheel_shop._base import Money
from cartwheel_shop.carts import service as carts
from cartwheel_shop.orders import service as orders
from cartwheel_shop.orders.model import (
    LEGAL,
    IllegalTransition,
    Item,
    Order,
    OrderClosed,
    Status,
    confirm,
    reject,
    start_processing,
)
from tests.support.shopping import product

AT = "2026-01-01T00:00:00.000Z"
PRICE = Money(amount=1290)


def order(status: Status = Status.PENDING, *, cancel_requested: bool = False) -> Order:
    item = Item(product_id="prd_1", name="Mug", quantity=1, unit_price=PRICE, line_total=PRICE)
    return Order(
        order_id="ord_1",
        customer_id="usr_1",
        status=status,
        items=(item,),
        total=PRICE,
        created_at=AT,
        updated_at=AT,
        cancel_requested=cancel_requested,
    )


def placed(ports: Ports, order_id: str = "ord_1") -> str:
    """Place a pending order that no checkout drives."""
    product_id = product(ports, "prd_1")
    cart_id = carts.cart_of_customer("usr_1")
    carts.add(ports, cart_id, product_id, 1)
    request = orders.Request("usr_1", cart_id, None)
    orders.place(ports, orders.draft(ports, order_id, request))
    return order_id


@pytest.mark.parametrize("source", Status)
def test_only_the_moves_of_the_table_are_legal(source: Status) -> None:
    for target in Status:
        if target in LEGAL[source]:
            assert order(source).to(target, AT).status is target
        else:
            with pytest.raises(IllegalTransition):
                order(source).to(target, AT)


def test_a_refused_move_says_what_is_possible() -> None:
    with pytest.raises(IllegalTransition, match="it can become delivered, refunded, not cancelled"):
        order(Status.SHIPPED).to(Status.CANCELLED, AT)


@pytest.mark.parametrize(
    ("status", "code", "requested", "becomes", "reason"),
    [
        (Status.PENDING, "PriceChanged", False, Status.REJECTED, "price_changed"),
        (Status.PENDING, "ABug", False, Status.REJECTED, "a_bug"),
        (Status.PROCESSING, "OutOfStock", False, Status.REJECTED, "out_of_stock"),
        (Status.PROCESSING, "OrderClosed", True, Status.CANCELLED, "cancelled"),
        (Status.PROCESSING, "Cancelled", False, Status.CANCELLED, "cancelled"),
        (Status.CONFIRMED, "Unavailable", False, Status.CANCELLED, "unavailable"),
    ],
)
def test_a_failed_checkout_ends_its_order(
    status: Status, code: str, requested: bool, becomes: Status, reason: str
) -> None:
    ended = reject(order(status, cancel_requested=requested), code, AT)
    assert ended is not None
    assert (ended.status, ended.reason) == (becomes, reason)


@pytest.mark.parametrize("status", [Status.REJECTED, Status.CANCELLED, Status.SHIPPED])
def test_an_order_that_has_ended_is_not_rejected_again(status: Status) -> None:
    assert reject(order(status), "OutOfStock", AT) is None


def test_a_cancellation_that_comes_first_keeps_the_order_from_being_confirmed() -> None:
    for step in (start_processing, confirm):
        with pytest.raises(OrderClosed, match="to be cancelled"):
            step(order(Status.PROCESSING, cancel_requested=True), AT)


def test_confirming_and_starting_twice_is_once() -> None:
    assert confirm(order(Status.CONFIRMED), AT) is None
    assert start_processing(order(Status.PROCESSING), AT) is None


def test_an_order_placed_twice_is_the_first_one(ports: Ports) -> None:
    order_id = placed(ports)
    first = orders.get(ports, order_id)
    changed = first.model_copy(update={"total": Money(amount=1)})
    assert orders.place(ports, changed) == first
    assert len(orders.history(ports, order_id)) == 1


def test_an_illegal_move_writes_nothing(ports: Ports) -> None:
    order_id = placed(ports)
    orders.request_cancel(ports, "c1", order_id)
    assert orders.request_cancel(ports, "c1", order_id).status is Status.CANCELLED
    before = orders.get(ports, order_id), orders.history(ports, order_id)
    with pytest.raises(IllegalTransition):
        orders.request_cancel(ports, "c2", order_id)
    for closed in (orders.validate, orders.confirm_order):
        with pytest.raises(OrderClosed):
            closed(ports, order_id)
    assert (orders.get(ports, order_id), orders.history(ports, order_id)) == before


def test_an_order_being_cancelled_is_cancelled_once(ports: Ports) -> None:
    order_id = placed(ports)
    orders.validate(ports, order_id)
    orders.confirm_order(ports, order_id)
    orders.request_cancel(ports, "c1", order_id)
    orders.finish_cancel(ports, order_id)
    assert orders.get(ports, order_id).status is Status.CANCELLED
    assert ports.workflows.status(f"cancel_{order_id}").status is RunStatus.SUCCEEDED
    assert [line.status for line in orders.history(ports, order_id)] == [
        Status.PENDING,
        Status.PROCESSING,
        Status.CONFIRMED,
        Status.CANCELLED,
    ]


def test_money_left_lying_goes_where_the_order_stands(ports: Ports) -> None:
    order_id = placed(ports)
    assert orders.verdict_on(ports, "ord_unknown") == "wait"
    assert orders.verdict_on(ports, order_id) == "wait"
    orders.validate(ports, order_id)
    orders.confirm_order(ports, order_id)
    assert orders.verdict_on(ports, order_id) == "capture"
    orders.begin_cancel(ports, order_id)
    assert orders.verdict_on(ports, order_id) == "wait"
    orders.finish_cancel(ports, order_id)
    assert orders.verdict_on(ports, order_id) == "give_back"
