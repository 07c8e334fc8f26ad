"""The `shop` fixture and its companions."""

from __future__ import annotations

import pytest

from cartwheel.ports import JsonObject, Unavailable
from cartwheel.testing import Crash, Faults, Recorder
from cartwheel_workflows.testing import Shop, demand


def test_a_shop_sells_a_product(shop: Shop) -> None:
    mug = shop.product(stock=3, price=1290)
    shop.fill_cart((mug, 2))
    answer = demand(shop.checkout(), 202)
    shop.advance()
    order = shop.order(str(answer["order_id"]))
    assert order["status"] == "confirmed"
    assert order["total"] == {"amount": 2580, "currency": "EUR"}
    assert [shop.stock(mug)[name] for name in ("available", "reserved", "sold")] == [1, 0, 2]
    assert [mail.to for mail in shop.mails] == ["ada@example.org"]
    assert [charge.captured for charge in shop.charges] == [2580]
    assert shop.texts == ()


def test_each_test_has_a_shop_of_its_own(shop: Shop) -> None:
    assert demand(shop.get("/products"), 200)["items"] == []
    assert shop.mails == ()


def test_callers_are_who_they_say(shop: Shop) -> None:
    for caller, role in (
        (shop.customer(), "customer"),
        (shop.customer("bob"), "customer"),
        (shop.customer("eve"), "customer"),
        (shop.staff(), "staff"),
        (shop.admin(), "admin"),
    ):
        me = demand(shop.get("/users/me", as_=caller), 200)
        assert (me["user_id"], me["email"], me["role"]) == (caller.user_id, caller.email, role)
    assert shop.get("/users/me").status == 401
    assert shop.customer("eve") is shop.customer("eve")


def test_a_caller_is_still_logged_in_after_a_day(shop: Shop) -> None:
    ada = shop.customer()
    for _ in range(2):
        shop.advance(24 * 60 * 60)
        assert shop.get("/users/me", as_=ada).status == 200


def test_the_recorder_sees_what_the_test_causes_and_nothing_before(
    shop: Shop, recorder: Recorder
) -> None:
    ada = shop.customer()
    assert recorder.names("store") == []
    shop.get("/users/me", as_=ada)
    assert set(recorder.names("store")) == {"store.get(users)"}


def test_a_commit_that_the_store_did_not_take_is_done_again(
    shop: Shop, faults: Faults, recorder: Recorder
) -> None:
    staff = shop.staff()
    faults.fail("store.commit(products)")
    assert shop.post("/products", json=_product(), as_=staff).status == 201
    assert faults.unfired == ()
    assert [str(call) for call in recorder.calls if call.call.operation == "commit"] == [
        "store.commit(categories)",
        "store.commit(products) -> Unavailable",
        "store.commit(products)",
    ]


def test_a_crash_passes_through_everything(shop: Shop, faults: Faults) -> None:
    staff = shop.staff()
    faults.fail("store", Crash)
    with pytest.raises(Crash):
        shop.post("/products", json=_product(), as_=staff)


def test_an_answer_of_another_status_is_shown(shop: Shop) -> None:
    with pytest.raises(AssertionError, match=r"200 expected, got 404.*not_found"):
        demand(shop.get("/nothing"), 200)


def test_a_fault_after_a_commit_loses_the_reply_only(shop: Shop, faults: Faults) -> None:
    mug = shop.product()
    shop.fill_cart(mug)
    faults.fail("payments.authorize", Unavailable, when="after")
    answer = demand(shop.checkout(), 202)
    shop.advance(60)
    assert shop.order(str(answer["order_id"]))["status"] == "confirmed"
    assert [charge.captured for charge in shop.charges] == [1290]


def _product() -> JsonObject:
    return {"name": "Mug", "category": "kitchen", "price": {"amount": 1, "currency": "EUR"}}


def test_the_cards_holder_is_played_by_the_test(shop: Shop) -> None:
    shop.fill_cart(shop.product())
    order_id = str(demand(shop.checkout(token="tok_requires_action"), 202)["order_id"])
    assert shop.order(order_id)["requires_action"] is True
    (charge,) = shop.charges
    assert shop.answer_bank(charge.charge_id).status == 200
    shop.advance()
    assert shop.order(order_id)["status"] == "confirmed"
