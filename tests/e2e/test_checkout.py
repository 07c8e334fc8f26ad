"""A checkout from the HTTP request to the confirmed order, in memory."""

from __future__ import annotations

from typing import Any

import pytest

from cartwheel.http import Response
from cartwheel.ports import RunStatus
from cartwheel_memory import MemoryHost
from tests.support.shopping import Shopper, known, product

MUG = ("prd_mug", 2)


def order_of(shopper: Shopper, response: Response) -> Any:
    answer: Any = response.json()
    return shopper.get(f"/orders/{answer['order_id']}")


def stock(staff: Shopper, product_id: str = "prd_mug") -> tuple[int, int, int]:
    level = staff.get(f"/products/{product_id}/stock")
    return level["available"], level["reserved"], level["sold"]


def subjects(host: MemoryHost) -> list[str]:
    return [mail.subject for mail in host.mailbox.mails()]


def charges(host: MemoryHost) -> list[tuple[str, int, int]]:
    return [(c.status.value, c.captured, c.refunded) for c in host.bank.charges()]


def test_a_checkout_sells_captures_and_tells(
    host: MemoryHost, ada: Shopper, staff: Shopper
) -> None:
    cart = ada.fill_cart(MUG)
    response = ada.check_out(expected_total=cart["total"])
    assert response.status == 202
    order = order_of(ada, response)
    assert response.headers["Location"] == f"/orders/{order['order_id']}"
    assert order["status"] == "confirmed"
    assert order["total"] == {"amount": 2580, "currency": "EUR"}
    assert order["payment"] == {"status": "captured", "captured": 2580, "refunded": 0}
    assert stock(staff) == (8, 0, 2)
    assert charges(host) == [("captured", 2580, 0)]
    assert ada.get("/cart")["items"] == []
    (mail,) = host.mailbox.mails()
    assert mail.to == "ada@example.org"
    assert "25.80 EUR" in mail.text
    events = ada.get(f"/orders/{order['order_id']}/events")["items"]
    assert [event["status"] for event in events] == ["pending", "processing", "confirmed"]


@pytest.mark.parametrize("card", ["tok_declined", "tok_insufficient_funds"])
def test_a_declined_payment_releases_the_stock(
    host: MemoryHost, ada: Shopper, staff: Shopper, card: str
) -> None:
    ada.fill_cart(MUG)
    response = ada.check_out(card)
    assert response.status == 202
    order = order_of(ada, response)
    assert (order["status"], order["reason"]) == ("rejected", "payment_declined")
    assert stock(staff) == (10, 0, 0)
    assert "could not be placed" in subjects(host)[0]
    assert all(captured == 0 for _, captured, _ in charges(host))


def test_an_empty_shelf_is_a_409_with_the_order_and_keeps_the_cart(
    host: MemoryHost, ada: Shopper, staff: Shopper
) -> None:
    ada.fill_cart(("prd_mug", 11))
    response = ada.check_out()
    problem: Any = response.json()
    assert (response.status, problem["code"]) == (409, "out_of_stock")
    order = ada.get(f"/orders/{problem['order_id']}")
    assert (order["status"], order["reason"]) == ("rejected", "out_of_stock")
    assert order["payment"]["status"] == "new"
    host.settle()
    assert ada.get(f"/orders/{problem['order_id']}")["payment"]["status"] == "voided"
    assert charges(host) == []
    assert stock(staff) == (10, 0, 0)
    assert len(ada.get("/cart")["items"]) == 1


def test_a_price_that_changed_is_a_409_and_charges_nothing(
    host: MemoryHost, ada: Shopper, staff: Shopper
) -> None:
    cart = ada.fill_cart(MUG)
    change = {"price": {"amount": 1390, "currency": "EUR"}}
    assert staff.send("PATCH", "/products/prd_mug", change, headers={"If-Match": "*"}).status == 200
    response = ada.check_out(expected_total=cart["total"])
    problem: Any = response.json()
    assert (response.status, problem["code"]) == (409, "price_changed")
    assert ada.get(f"/orders/{problem['order_id']}")["reason"] == "price_changed"
    assert charges(host) == []


def test_a_product_that_was_deleted_cannot_be_ordered(ada: Shopper, staff: Shopper) -> None:
    ada.fill_cart(MUG)
    assert staff.send("DELETE", "/products/prd_mug").status == 204
    problem: Any = ada.check_out().json()
    assert problem["code"] == "product_unavailable"


def test_an_empty_cart_is_refused(ada: Shopper) -> None:
    response = ada.check_out()
    problem: Any = response.json()
    assert (response.status, problem["code"]) == (409, "cart_empty")


def test_a_charge_whose_reply_was_lost_is_found_and_taken_once(
    host: MemoryHost, ada: Shopper
) -> None:
    ada.fill_cart(MUG)
    response = ada.check_out("tok_timeout_charged")
    order = order_of(ada, response)
    assert (order["status"], order["payment"]["status"]) == ("processing", "unknown")
    host.settle(60)
    order = order_of(ada, response)
    assert (order["status"], order["payment"]["status"]) == ("confirmed", "captured")
    assert charges(host) == [("captured", 2580, 0)]


def test_a_payment_that_never_answers_ends_rejected_with_everything_back(
    host: MemoryHost, ada: Shopper, staff: Shopper
) -> None:
    ada.fill_cart(MUG)
    response = ada.check_out("tok_timeout_not_charged")
    assert stock(staff) == (8, 2, 0)
    host.settle(120)
    order = order_of(ada, response)
    assert (order["status"], order["payment"]["status"]) == ("rejected", "voided")
    assert charges(host) == []
    assert stock(staff) == (10, 0, 0)


def test_a_gateway_that_fails_once_is_tried_again(host: MemoryHost, ada: Shopper) -> None:
    ada.fill_cart(MUG)
    response = ada.check_out("tok_error_once")
    host.settle(60)
    assert order_of(ada, response)["status"] == "confirmed"
    assert charges(host) == [("captured", 2580, 0)]


def test_the_same_request_again_is_the_same_order(host: MemoryHost, ada: Shopper) -> None:
    ada.fill_cart(MUG)
    first = ada.check_out(key="one")
    again = ada.check_out(key="one")
    assert (again.status, again.body) == (first.status, first.body)
    assert len(ada.get("/orders")["items"]) == 1
    assert charges(host) == [("captured", 2580, 0)]


def test_a_checkout_without_a_key_is_refused(ada: Shopper) -> None:
    ada.fill_cart(MUG)
    assert ada.send("POST", "/checkout", {"payment_token": "tok_ok"}).status == 400


def test_who_prefers_not_to_wait_gets_a_202_even_for_an_empty_shelf(ada: Shopper) -> None:
    ada.fill_cart(("prd_mug", 11))
    ada.headers["Prefer"] = "respond-async"
    response = ada.check_out()
    assert response.status == 202
    assert order_of(ada, response)["reason"] == "out_of_stock"


def test_an_order_that_costs_nothing_needs_no_bank(host: MemoryHost, ada: Shopper) -> None:
    product(host.ports, "prd_free", cents=0)
    ada.fill_cart(("prd_free", 1))
    order = order_of(ada, ada.check_out())
    assert (order["status"], order["payment"]) == ("confirmed", None)
    assert charges(host) == []


def test_an_order_too_large_is_rejected(host: MemoryHost, ada: Shopper) -> None:
    product(host.ports, "prd_ring", cents=9_000_000)
    ada.fill_cart(("prd_ring", 2))
    problem: Any = ada.check_out().json()
    assert problem["code"] == "order_too_large"


def test_a_cancelled_order_is_refunded_restocked_and_told(
    host: MemoryHost, ada: Shopper, staff: Shopper
) -> None:
    ada.fill_cart(MUG)
    order_id = order_of(ada, ada.check_out())["order_id"]
    path = f"/orders/{order_id}/cancel"
    response = ada.send("POST", path, key="c1")
    assert (response.status, response.json()) == (
        202,
        {"order_id": order_id, "status": "cancelled"},
    )
    assert ada.send("POST", path, key="c1").body == response.body
    assert ada.get(f"/orders/{order_id}")["payment"] == {
        "status": "refunded",
        "captured": 2580,
        "refunded": 2580,
    }
    assert stock(staff) == (10, 0, 0)
    assert charges(host) == [("refunded", 2580, 2580)]
    host.settle(60)
    assert subjects(host)[1:] == [f"Your order {order_id} is cancelled"]
    again = ada.send("POST", path, key="c2")
    problem: Any = again.json()
    assert (again.status, problem["code"]) == (409, "illegal_transition")


def test_a_checkout_cancelled_while_the_bank_is_silent_leaves_nothing_behind(
    host: MemoryHost, ada: Shopper, staff: Shopper
) -> None:
    ada.fill_cart(MUG)
    order_id = order_of(ada, ada.check_out("tok_timeout_charged"))["order_id"]
    assert ada.send("POST", f"/orders/{order_id}/cancel", key="c1").status == 202
    host.settle(300)
    order = ada.get(f"/orders/{order_id}")
    assert (order["status"], order["payment"]["status"]) == ("cancelled", "voided")
    assert subjects(host) == [f"Your order {order_id} is cancelled"]
    assert charges(host) == [("voided", 0, 0)]
    assert stock(staff) == (10, 0, 0)


def test_a_run_cancelled_by_an_operator_cancels_its_order(
    host: MemoryHost, ada: Shopper, staff: Shopper
) -> None:
    ada.fill_cart(MUG)
    order_id = order_of(ada, ada.check_out("tok_timeout_charged"))["order_id"]
    (run,) = host.ports.workflows.list(status=RunStatus.RUNNING).runs
    host.ports.workflows.cancel(run.run_id, "an operator said so")
    host.settle(300)
    assert ada.get(f"/orders/{order_id}")["status"] == "cancelled"
    assert host.ports.workflows.status(run.run_id).status is RunStatus.CANCELLED
    assert stock(staff) == (10, 0, 0)


def test_a_pending_order_is_placed_and_cancelled_without_a_bank(
    host: MemoryHost, ada: Shopper
) -> None:
    cart = ada.fill_cart(MUG)
    wrong = {"expected_total": {"amount": 1, "currency": "EUR"}}
    assert ada.send("POST", "/orders", wrong).status == 409
    placed = ada.send("POST", "/orders", {"expected_total": cart["total"]})
    assert placed.status == 201
    order_id = order_of(ada, placed)["order_id"]
    response = ada.send("POST", f"/orders/{order_id}/cancel", key="c1")
    answer: Any = response.json()
    assert (response.status, answer["status"]) == (202, "cancelled")
    assert charges(host) == []


def test_an_order_is_nobody_elses_business(host: MemoryHost, ada: Shopper, staff: Shopper) -> None:
    ada.fill_cart(MUG)
    order_id = order_of(ada, ada.check_out())["order_id"]
    other = known(host.dispatcher, "usr_other")
    assert other.send("GET", f"/orders/{order_id}").status == 404
    assert other.send("GET", f"/orders/{order_id}/events").status == 404
    assert other.send("POST", f"/orders/{order_id}/cancel", key="c1").status == 404
    assert other.get("/orders")["items"] == []
    assert staff.get(f"/orders/{order_id}")["order_id"] == order_id
    assert len(staff.get("/orders")["items"]) == 1


def test_orders_are_listed_newest_first_page_by_page(host: MemoryHost, ada: Shopper) -> None:
    expected: list[str] = []
    for _ in range(3):
        ada.fill_cart(("prd_mug", 1))
        expected.insert(0, order_of(ada, ada.check_out())["order_id"])
        host.clock.advance(1)
    first = ada.get("/orders?limit=2")
    rest = ada.get(f"/orders?limit=2&cursor={first['next']}")
    assert [order["order_id"] for order in first["items"] + rest["items"]] == expected
    assert rest["next"] is None
    assert ada.send("GET", "/orders?cursor=nonsense").status == 400


def test_a_checkout_that_a_crash_kept_from_starting_is_started(
    host: MemoryHost, ada: Shopper
) -> None:
    from cartwheel_shop._base import Money
    from cartwheel_shop.carts import service as carts
    from cartwheel_shop.orders import service as orders
    from cartwheel_shop.payments import service as payments

    ada.fill_cart(MUG)
    user_id = ada.get("/users/me")["user_id"]
    cart_id = carts.cart_of_customer(user_id)
    request = orders.Request(user_id, cart_id, "ada@example.org", run_id="chk_1")
    payments.open_payment(host.ports, "ord_1", Money(amount=2580), "tok_ok")
    orders.place(host.ports, orders.draft(host.ports, "ord_1", request))
    host.settle(240)
    assert ada.get("/orders/ord_1")["status"] == "confirmed"
    assert ada.get("/cart")["items"] == []
