"""What an order says of itself: its refunds, its refusals, its limits and its moves."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from cartwheel_shop._base import Line, Money
from cartwheel_shop.orders import model
from cartwheel_shop.orders.model import (
    LEGAL,
    OPEN,
    REFUNDABLE,
    Address,
    CheckoutRefused,
    Item,
    Order,
    OrderClosed,
    Refund,
    Status,
    confirm,
    reject,
    start_processing,
)

AT, LATER = "2026-01-01T00:00:00.000Z", "2026-01-01T00:01:00.000Z"


def order(status: Status = Status.PENDING, **more: object) -> Order:
    price = Money(amount=1290)
    items = tuple(
        Item(product_id=each, name=each, quantity=n, unit_price=price, line_total=price.times(n))
        for each, n in (("prd_mug", 2), ("prd_pen", 1))
    )
    new = Order(
        order_id="ord_1",
        customer_id="usr_1",
        status=status,
        items=items,
        total=Money(amount=3870),
        created_at=AT,
        updated_at=AT,
    )
    return new.model_copy(update=more)


def refund(amount: int, status: str = "pending", name: str = "r1") -> Refund:
    return Refund.model_validate({"refund_id": name, "amount": amount, "status": status, "at": AT})


def test_a_new_order_has_asked_for_nothing_yet() -> None:
    new = order()
    assert (new.cancel_requested, new.cancelling, new.restock) == (False, False, False)
    assert (new.sequence, new.cancel_keys, new.refunds) == (0, (), ())
    assert (new.awaiting, new.shipment, new.ship_key, new.reason) == (None, None, None, None)
    assert (new.kind, new.model_dump()["order_status"]) == ("order", "pending")
    assert refund(1).restock is False


def test_an_order_says_what_of_each_product_it_holds() -> None:
    assert order().lines == [
        Line(product_id="prd_mug", quantity=2),
        Line(product_id="prd_pen", quantity=1),
    ]


def test_only_money_that_came_back_counts_as_refunded_and_what_failed_is_free_again() -> None:
    kept = order(
        refunds=(refund(1000, "done", "r1"), refund(500, "failed", "r2"), refund(70, name="r3"))
    )
    assert (kept.refunded, kept.refundable, kept.refunding) == (1000, 3870 - 1070, True)
    assert (order().refunded, order().refundable, order().refunding) == (0, 3870, False)


def test_a_refund_is_found_by_its_id_alone() -> None:
    found = order(refunds=(refund(1, name="r1"), refund(2, name="r2"), refund(3, name="r3")))
    second = found.refund_of("r2")
    assert second is not None
    assert second.amount == 2
    assert found.refund_of("r4") is None


def test_a_changed_refund_takes_the_place_of_the_one_before_and_leaves_the_others() -> None:
    before = order(refunds=(refund(1, "done", "r1"), refund(2, name="r2")))
    after = before.with_refund(refund(2, "done", "r2"))
    assert [(each.refund_id, each.status) for each in after.refunds] == [
        ("r1", "done"),
        ("r2", "done"),
    ]
    assert after.with_refund(refund(3, name="r3")).refundable == 3870 - 6


def test_an_order_awaits_a_refund_exactly_while_one_is_under_way() -> None:
    under_way = order(Status.CONFIRMED).with_refund(refund(5))
    assert under_way.awaiting == "refund"
    assert under_way.with_refund(refund(5, "failed")).awaiting is None
    assert under_way.with_refund(refund(5, "done")).awaiting is None


@pytest.mark.parametrize(("source", "target"), [(s, t) for s in Status for t in sorted(LEGAL[s])])
def test_a_move_counts_on_and_ends_what_was_awaited(source: Status, target: Status) -> None:
    before = order(source, sequence=4, awaiting="run", cancelling=True, reason="old")
    after = before.to(target, LATER, "new")
    assert (after.status, after.updated_at, after.reason) == (target, LATER, "new")
    assert (after.sequence, after.awaiting, after.cancelling) == (5, None, False)
    assert after.created_at == AT
    assert before.to(target, LATER).reason is None


def test_no_state_leads_to_itself_and_an_ended_order_stays() -> None:
    assert all(status not in LEGAL[status] for status in Status)
    assert {s for s in Status if not LEGAL[s]} == {
        Status.REJECTED,
        Status.CANCELLED,
        Status.REFUNDED,
    }
    assert {Status.PENDING, Status.PROCESSING} == OPEN
    assert {s for s in Status if Status.REFUNDED in LEGAL[s]} == REFUNDABLE


def test_a_refused_move_gives_the_state_and_the_reason() -> None:
    confirmed, ended = order(Status.CONFIRMED), order(Status.REFUNDED)
    assert str(model.illegal(confirmed, Status.DELIVERED)) == (
        "order ord_1 is confirmed; from there it can become cancelled, refunded, shipped, "
        "not delivered"
    )
    assert "it can become nothing, not shipped" in str(model.illegal(ended, Status.SHIPPED))
    # A legal move is only refused while the order is being cancelled.
    assert "it is being cancelled" in str(model.illegal(confirmed, Status.SHIPPED))
    assert str(model.illegal(confirmed, Status.SHIPPED, "no")) == "order ord_1 is confirmed; no"
    assert model.illegal(confirmed, Status.DELIVERED, "no").details == {"status": "confirmed"}
    assert model.illegal(confirmed, Status.DELIVERED, "why").args[0].endswith("; why")


def test_the_refusal_during_a_refund_says_so() -> None:
    refused = model.refund_under_way(order(Status.SHIPPED))
    assert "a refund of order ord_1 is under way" in str(refused)
    assert refused.details == {"status": "shipped"}


def test_the_refusal_of_a_closed_order_says_where_it_stands() -> None:
    assert str(model.closed(order(Status.REJECTED))) == "order ord_1 is rejected"
    asked = model.closed(order(Status.PROCESSING, cancel_requested=True))
    assert (str(asked), asked.details) == (
        "order ord_1 is to be cancelled",
        {"status": "processing"},
    )


@pytest.mark.parametrize("requested", [False, True])
@pytest.mark.parametrize("status", Status)
def test_a_checkout_begins_only_from_a_pending_order(status: Status, requested: bool) -> None:
    before = order(status, cancel_requested=requested)
    if status in OPEN and not requested:
        after = start_processing(before, LATER)
        begun = None if after is None else (after.status, after.updated_at)
        assert begun == ((Status.PROCESSING, LATER) if status is Status.PENDING else None)
    else:
        with pytest.raises(OrderClosed):
            start_processing(before, LATER)


@pytest.mark.parametrize("requested", [False, True])
@pytest.mark.parametrize("status", Status)
def test_only_a_checkout_that_runs_confirms_its_order(status: Status, requested: bool) -> None:
    before = order(status, cancel_requested=requested)
    if status is Status.CONFIRMED:
        assert confirm(before, LATER) is None
    elif status is Status.PROCESSING and not requested:
        after = confirm(before, LATER)
        assert after is not None
        assert (after.status, after.updated_at) == (Status.CONFIRMED, LATER)
    else:
        with pytest.raises(OrderClosed):
            confirm(before, LATER)


@pytest.mark.parametrize("status", Status)
def test_a_failed_checkout_ends_no_order_that_has_left_its_hands(status: Status) -> None:
    after = reject(order(status), "OutOfStock", LATER)
    assert (after is not None) == (status in {*OPEN, Status.CONFIRMED})
    assert after is None or after.updated_at == LATER


@pytest.mark.parametrize("reason", sorted(model.REASONS))
def test_a_refusal_that_a_customer_can_act_on_has_a_code_of_its_own(reason: str) -> None:
    refused = CheckoutRefused("no", order_id="ord_1", reason=reason)
    assert refused.problem_code == reason
    assert refused.details == {"order_id": "ord_1", "reason": reason}


def test_any_other_refusal_has_the_general_code() -> None:
    assert CheckoutRefused("no", order_id="o", reason="a bug").problem_code == "checkout_refused"


def test_limits_and_times_are_as_documented() -> None:
    assert (model.START_SECONDS, model.MAX_TOTAL, model.MAX_REFUNDS) == (120, 10_000_000, 50)


@pytest.mark.parametrize(
    ("part", "longest"), [("name", 200), ("street", 200), ("city", 200), ("postal_code", 20)]
)
def test_each_part_of_an_address_has_its_length(part: str, longest: int) -> None:
    good = {"name": "A", "street": "S", "city": "C", "postal_code": "1", "country": "DE"}
    assert Address.model_validate({**good, part: "x" * longest})
    for wrong in ("", "x" * (longest + 1)):
        with pytest.raises(ValidationError):
            Address.model_validate({**good, part: wrong})
