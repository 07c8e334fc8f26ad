"""The shop's rows may lie in Firestore: a customer's day goes as it does in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import Ports
from cartwheel.realtime import RealClock, SystemRandomness, TimeOrderedIds
from cartwheel_gcp import FirestoreStore, indexes_of
from cartwheel_memory import MemoryHost
from cartwheel_shop.users import service as users
from cartwheel_workflows.shop import shop_app
from cartwheel_workflows.testing import PASSWORD, Caller, Shop, demand, log_in
from tests.support.firestore_relay import Relay, shape_of, shape_of_index
from tests.support.google import firestore_client, firestore_emulator


@pytest.fixture
def relay() -> Iterator[Relay]:
    relay = Relay(firestore_emulator())
    yield relay
    relay.close()


@pytest.fixture
def shop_on_firestore(relay: Relay) -> Iterator[Shop]:
    ids, app = TimeOrderedIds(), shop_app()
    client = firestore_client(relay.address, ids.new("shop").replace("_", "-"))
    store = FirestoreStore(
        client, app.collections, clock=RealClock(), ids=ids, random=SystemRandomness()
    )

    def on_firestore(ports: Ports) -> Ports:
        return replace(ports, store=store)

    callers: dict[str, Caller] = {}
    with MemoryHost(app, HostOptions(log=discard, replace=on_firestore)) as host:
        shop = Shop(opened=(host, callers))
        users.create_user(host.ports, "staff@example.org", PASSWORD, "staff")
        callers["staff"] = log_in(shop, "staff@example.org")
        yield shop
    client.close()  # type: ignore[no-untyped-call]  # the client library gives it no types


def test_a_day_of_the_shop_goes_the_same_and_each_of_its_queries_has_an_index(
    shop_on_firestore: Shop, relay: Relay
) -> None:
    shop = shop_on_firestore
    mug, plate = shop.product(stock=3), shop.product(stock=2, name="Plate", price=2490)
    listed = demand(shop.get("/products?category=kitchen"), 200)["items"]
    assert isinstance(listed, list)
    assert len(listed) == 2

    shop.fill_cart((mug, 2), plate)
    order = demand(shop.checkout(), 202)
    shop.advance(60)
    assert shop.order(str(order["order_id"]))["status"] == "confirmed"
    assert [charge.captured for charge in shop.charges] == [2 * 1290 + 2490]
    assert [mail.to for mail in shop.mails] != []

    bob = shop.customer("bob")
    shop.fill_cart((mug, 1), as_=bob)
    declined = demand(shop.checkout(token="tok_declined", as_=bob), 202)
    shop.advance(60)
    assert shop.order(str(declined["order_id"]))["status"] != "confirmed"
    stock = shop.stock(mug)
    assert (stock["available"], stock["reserved"], stock["sold"]) == (1, 0, 2)

    asked = {shape_of(query) for query in relay.queries()}
    given = {
        shape_of_index(index)
        for collection in shop.host.app.collections.values()
        for index in indexes_of(collection)
    }
    print(
        f"{len(relay.queries())} queries of {len(asked)} shapes, {relay.commits} commits, "
        f"{len(given)} composite indexes"
    )
    assert len(asked) > 10
    assert asked <= given
    assert len(given) < 200, "a database without billing has at most 200 composite indexes"
