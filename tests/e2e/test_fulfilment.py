"""After the confirmation: shipping, delivering, refunds in parts and whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import GatewayRefused, GatewayTimeout, PortCall
from cartwheel_memory import MemoryHost
from cartwheel_workflows.shop import shop_app
from tests.support.shopping import Shopper, customer, known, product

T = TypeVar("T")


def bought(ada: Shopper, **more: object) -> str:
    ada.fill_cart(("prd_mug", 2))
    answer: Any = ada.check_out(**more).json()  # type: ignore[arg-type]  # fields of the body
    order_id = str(answer["order_id"])
    assert ada.get(f"/orders/{order_id}")["status"] == "confirmed"
    return order_id


def act(shopper: Shopper, order_id: str, verb: str, body: object = None, key: str = "") -> Any:
    return shopper.send("POST", f"/orders/{order_id}/{verb}", body, key=key or verb)


def eur(amount: int) -> dict[str, object]:
    return {"amount": {"amount": amount, "currency": "EUR"}}


def stock(staff: Shopper) -> tuple[int, int, int]:
    level = staff.get("/products/prd_mug/stock")
    return level["available"], level["reserved"], level["sold"]


def test_an_order_is_shipped_told_and_delivered(
    host: MemoryHost, ada: Shopper, staff: Shopper
) -> None:
    order_id = bought(ada, phone="+49301234567")
    shipment = {"carrier": "Post", "tracking_number": "1Z <9>"}
    shipped = act(staff, order_id, "ship", shipment)
    assert (shipped.status, shipped.json()["status"]) == (200, "shipped")
    assert shipped.json()["shipment"]["tracking_number"] == "1Z <9>"
    host.settle()
    assert "has left our house (1Z <9>)" in host.mailbox.mails()[-1].text
    assert "1Z &lt;9&gt;" in (host.mailbox.mails()[-1].html or "")
    assert [text.text.split(" ")[0] for text in host.mailbox.texts()] == ["Order", "Order"]
    assert act(staff, order_id, "deliver").json()["status"] == "delivered"
    events = [event["status"] for event in ada.get(f"/orders/{order_id}/events")["items"]]
    assert events[-3:] == ["confirmed", "shipped", "delivered"]


def test_an_order_ships_once_and_without_a_body(ada: Shopper, staff: Shopper) -> None:
    order_id = bought(ada)
    first = act(staff, order_id, "ship")
    assert act(staff, order_id, "ship").body == first.body
    again = act(staff, order_id, "ship", key="another")
    assert (again.status, again.json()["code"]) == (409, "illegal_transition")


def test_what_was_shipped_cannot_be_cancelled(ada: Shopper, staff: Shopper) -> None:
    order_id = bought(ada)
    act(staff, order_id, "ship")
    assert act(ada, order_id, "cancel").status == 409


def test_what_was_cancelled_or_is_not_confirmed_cannot_be_shipped(
    host: MemoryHost, ada: Shopper, staff: Shopper
) -> None:
    order_id = bought(ada)
    act(ada, order_id, "cancel")
    assert act(staff, order_id, "ship").status == 409
    ada.fill_cart(("prd_mug", 1))
    waiting: Any = ada.check_out("tok_requires_action").json()
    assert act(staff, waiting["order_id"], "ship", key="s2").status == 409
    assert act(staff, waiting["order_id"], "deliver", key="d2").status == 409
    assert act(staff, waiting["order_id"], "refund", key="r2").status == 409


@pytest.mark.parametrize("verb", ["ship", "refund", "deliver"])
def test_customers_neither_ship_nor_refund_their_own_orders(ada: Shopper, verb: str) -> None:
    assert act(ada, bought(ada), verb).status == 403


def test_refunds_in_parts_add_up_to_a_refunded_order(
    host: MemoryHost, ada: Shopper, staff: Shopper
) -> None:
    order_id = bought(ada)
    act(staff, order_id, "ship")
    part = act(staff, order_id, "refund", {**eur(580), "reason": "a scratch"}, key="r1")
    assert (part.status, part.json()["status"]) == (202, "shipped")
    assert act(staff, order_id, "refund", {**eur(580), "reason": "a scratch"}, key="r1").body == (
        part.body
    )
    order = ada.get(f"/orders/{order_id}")
    assert order["payment"] == {"status": "captured", "captured": 2580, "refunded": 580}
    assert [(r["amount"]["amount"], r["status"], r["reason"]) for r in order["refunds"]] == [
        (580, "done", "a scratch")
    ]
    too_much = act(staff, order_id, "refund", eur(2001), key="r2")
    assert (too_much.status, too_much.json()["code"]) == (409, "nothing_to_refund")
    assert too_much.json()["refundable"] == 2000
    rest = act(staff, order_id, "refund", key="r3")
    assert rest.json()["status"] == "refunded"
    order = ada.get(f"/orders/{order_id}")
    assert order["payment"] == {"status": "refunded", "captured": 2580, "refunded": 2580}
    assert stock(staff) == (8, 0, 2)
    host.settle()
    told = [mail.text for mail in host.mailbox.mails() if "refund" in mail.subject.lower()]
    assert sorted("5.80 EUR" in text for text in told) == [False, True]
    assert act(staff, order_id, "refund", key="r4").status == 409
    assert [(c.captured, c.refunded) for c in host.bank.charges()] == [(2580, 2580)]


@pytest.mark.parametrize(
    ("ships", "restock", "expected"),
    [(False, False, (10, 0, 0)), (True, False, (8, 0, 2)), (True, True, (10, 0, 0))],
)
def test_goods_of_a_refunded_order_go_where_they_are(
    ada: Shopper, staff: Shopper, ships: bool, restock: bool, expected: tuple[int, int, int]
) -> None:
    order_id = bought(ada)
    if ships:
        act(staff, order_id, "ship")
    answer = act(staff, order_id, "refund", {"restock": restock})
    assert answer.json()["status"] == "refunded"
    assert stock(staff) == expected


def test_a_refund_in_another_currency_is_refused(ada: Shopper, staff: Shopper) -> None:
    body = {"amount": {"amount": 100, "currency": "USD"}}
    assert act(staff, bought(ada), "refund", body).status == 409


def test_cancelling_after_a_part_refund_pays_the_rest_back(
    host: MemoryHost, ada: Shopper, staff: Shopper
) -> None:
    order_id = bought(ada)
    act(staff, order_id, "refund", eur(80))
    assert act(ada, order_id, "cancel").json()["status"] == "cancelled"
    assert [(c.captured, c.refunded) for c in host.bank.charges()] == [(2580, 2580)]


class _Bank:
    """Refuses refunds, or never answers them."""

    def __init__(self, failure: Exception, times: int) -> None:
        self.failure, self.times = failure, times

    def __call__(self, call: PortCall, invoke: Callable[[], T]) -> T:
        if (call.port, call.operation) == ("payments", "refund") and self.times:
            self.times -= 1
            raise self.failure
        return invoke()


def shop_with(bank: _Bank) -> tuple[MemoryHost, Shopper, Shopper]:
    host = MemoryHost(shop_app(), HostOptions(log=discard, hook=bank))
    product(host.ports, "prd_mug", stock=10, cents=1290)
    return host, customer(host.dispatcher), known(host.dispatcher, "usr_staff", "staff")


def test_a_refund_that_the_gateway_refuses_gives_its_amount_free_again() -> None:
    host, ada, staff = shop_with(_Bank(GatewayRefused("too_old", "the charge is too old"), 1))
    order_id = bought(ada)
    act(staff, order_id, "refund", key="r1")
    host.settle(5)
    order = ada.get(f"/orders/{order_id}")
    assert (order["status"], order["refunds"][0]["status"]) == ("confirmed", "failed")


def test_nothing_else_happens_to_an_order_while_its_refund_is_under_way() -> None:
    host, ada, staff = shop_with(_Bank(GatewayTimeout("no answer"), 3))
    order_id = bought(ada)
    act(staff, order_id, "refund", eur(1000), key="r1")
    assert ada.get(f"/orders/{order_id}")["refunds"][0]["status"] == "pending"
    assert act(staff, order_id, "ship").status == 409
    assert act(ada, order_id, "cancel").status == 409
    assert act(staff, order_id, "refund", eur(1581), key="r2").status == 409
    host.settle(120)
    assert ada.get(f"/orders/{order_id}")["refunds"][0]["status"] == "done"
    assert act(staff, order_id, "ship", key="s2").status == 200


def test_a_refund_that_a_crash_kept_from_starting_is_started(
    host: MemoryHost, ada: Shopper, staff: Shopper
) -> None:
    from cartwheel_shop.orders import service as orders
    from cartwheel_shop.orders.model import Refund

    order_id = bought(ada)
    at = orders.get(host.ports, order_id).updated_at
    lost = Refund(refund_id="rfd_lost", amount=100, status="pending", at=at)
    orders.change(host.ports, order_id, lambda order: order.with_refund(lost))
    host.settle(200)
    assert ada.get(f"/orders/{order_id}")["payment"]["refunded"] == 100


def test_staff_list_orders_by_status_customer_and_time(
    host: MemoryHost, ada: Shopper, staff: Shopper
) -> None:
    first = bought(ada)
    host.clock.advance(60)
    second = bought(ada)
    act(staff, second, "ship")
    user_id = ada.get("/users/me")["user_id"]

    def ids(path: str) -> list[str]:
        return [order["order_id"] for order in staff.get(path)["items"]]

    assert ids("/orders") == [second, first]
    assert ids("/orders?status=shipped") == [second]
    assert ids(f"/orders?customer_id={user_id}&status=confirmed") == [first]
    assert ids("/orders?customer_id=usr_other") == []
    cut = staff.get(f"/orders/{second}")["created_at"]
    assert ids(f"/orders?since={cut}") == [second]
    assert ids(f"/orders?until={cut}") == [first]
    assert ids("/orders?since=2100-01-01T00:00:00Z") == []
    assert ada.get("/orders?customer_id=usr_other")["items"] == []
    assert [order["order_id"] for order in ada.get("/orders?status=confirmed")["items"]] == [first]
    for time in ("yesterday", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z"):
        assert staff.send("GET", f"/orders?since={time}").status == 422
