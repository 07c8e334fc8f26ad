"""Two actors, and nothing left to chance: one is stopped at each gap while the other runs through.

A gap follows each read of a port, where what was read may be out of date before it is acted on. The
list of gaps is the trace of the first actor's own calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import Check, Delete, Ports, Put, Store, Write
from cartwheel_memory import MemoryHost
from cartwheel_shop.payments import service as payments
from cartwheel_workflows.shop import shop_app
from tests.support.books import all_orders, wrong_in
from tests.support.pauses import Pauses
from tests.support.shopping import known, product, send_webhook

UNITS = 3


@dataclass
class World:
    """Is a shop with three mugs, Ada with two of them in her cart, and Bob with two."""

    host: MemoryHost
    answers: list[int] = field(default_factory=list)

    def check_out(self, customer: str, key: str = "k", card: str = "tok_ok") -> None:
        shopper = known(self.host.dispatcher, customer)
        self._note(shopper.check_out(card, key=key, email=f"{customer}@example.org").status)

    def cancel(self, key: str) -> None:
        for order in [o for o in all_orders(self.host.ports) if o.customer_id == "usr_ada"]:
            path = f"/orders/{order.order_id}/cancel"
            self._note(known(self.host.dispatcher, "usr_ada").send("POST", path, key=key).status)

    def move_stock(self, quantity: int, reason: str, key: str = "m") -> None:
        staff = known(self.host.dispatcher, "usr_staff", "staff")
        body = {"quantity": quantity, "reason": reason}
        self._note(staff.send("POST", "/products/prd_mug/stock", body, key=key).status)

    def change_price(self) -> None:
        staff = known(self.host.dispatcher, "usr_staff", "staff")
        etag = staff.send("GET", "/products/prd_mug").headers.get("ETag", "*")
        body = {"price": {"amount": 1390, "currency": "EUR"}}
        self._note(
            staff.send("PATCH", "/products/prd_mug", body, headers={"if-match": etag}).status
        )

    def manage(self, action: str, key: str, body: dict[str, object]) -> None:
        staff = known(self.host.dispatcher, "usr_staff", "staff")
        for order in all_orders(self.host.ports):
            path = f"/orders/{order.order_id}/{action}"
            self._note(staff.send("POST", path, body, key=key).status)

    def ship(self) -> None:
        self.manage("ship", "s", {})

    def give_money_back(self, key: str, amount: int | None = None) -> None:
        money = {} if amount is None else {"amount": {"amount": amount, "currency": "EUR"}}
        self.manage("refund", key, {**money, "restock": amount is None})

    def empty_cart(self) -> None:
        self._note(known(self.host.dispatcher, "usr_ada").send("DELETE", "/cart").status)

    def tick(self, name: str, after: float = 0.0) -> None:
        self.host.clock.advance(after)
        self.host.dispatcher.tick(name)

    def expire(self) -> None:
        self.tick("inventory.reap", 16 * 60)

    def expire_and_buy(self) -> None:
        self.expire()
        self.check_out("usr_bob")

    def refund(self, key: str) -> None:
        for order in all_orders(self.host.ports):
            payments.refund(self.host.ports, key, order.order_id, 500)

    def hear(self) -> None:
        """Get the bank's webhook of the one charge as it stands."""
        (charge,) = self.host.bank.charges()
        self._note(send_webhook(self.host.dispatcher, charge).status)

    def _note(self, status: int) -> None:
        self.answers.append(status)
        assert status < 500, status


Action = Callable[[World], None]


def confirmed(world: World) -> None:
    world.check_out("usr_ada", "bought")


def unpaid(world: World) -> None:
    world.check_out("usr_ada", "bought", "tok_timeout_charged")


def asked(world: World, *, approved: bool = True) -> None:
    """Have the card's holder answer the bank, of which the shop has not heard yet."""
    world.check_out("usr_ada", "bought", "tok_requires_action")
    world.host.settle()
    (charge,) = world.host.bank.charges()
    world.host.gateway.act(charge.charge_id, approved=approved)


def asked_in_vain(world: World) -> None:
    asked(world, approved=False)


def sold_yesterday(world: World) -> None:
    confirmed(world)
    world.host.settle()
    world.host.clock.advance(86_400)


def nothing(world: World) -> None:
    return


DAILY: Action = lambda world: world.tick("analytics.daily_report")  # noqa: E731  # as below
BUY: Action = lambda world: world.check_out("usr_ada")  # noqa: E731  # a row of the table
PAIRS: dict[str, tuple[Action, Action, Action]] = {
    "checkout, rival": (nothing, BUY, lambda w: w.check_out("usr_bob")),
    "checkout, itself again": (nothing, BUY, lambda w: w.check_out("usr_ada")),
    "checkout, cancel": (nothing, BUY, lambda w: w.cancel("c")),
    "checkout, write-off": (nothing, BUY, lambda w: w.move_stock(2, "write_off")),
    "checkout, restock": (nothing, BUY, lambda w: w.move_stock(2, "receive")),
    "checkout, price change": (nothing, BUY, World.change_price),
    "checkout, cart emptied": (nothing, BUY, World.empty_cart),
    "checkout, reaper": (nothing, BUY, World.expire),
    "checkout, reaper and rival": (nothing, BUY, World.expire_and_buy),
    "checkout, reconciler": (nothing, BUY, lambda w: w.tick("payments.reconcile", 61)),
    "checkout, sweeper": (nothing, BUY, lambda w: w.tick("orders.sweep", 121)),
    "cancel, cancel": (confirmed, lambda w: w.cancel("c1"), lambda w: w.cancel("c2")),
    "cancel, rival": (confirmed, lambda w: w.cancel("c"), lambda w: w.check_out("usr_bob")),
    "cancel, restock": (confirmed, lambda w: w.cancel("c"), lambda w: w.move_stock(4, "receive")),
    "cancel, reconciler": (
        unpaid,
        lambda w: w.cancel("c"),
        lambda w: w.tick("payments.reconcile", 61),
    ),
    "refund, refund": (confirmed, lambda w: w.refund("r1"), lambda w: w.refund("r2")),
    "refund, itself again": (confirmed, lambda w: w.refund("r"), lambda w: w.refund("r")),
    "refund, reconciler": (
        confirmed,
        lambda w: w.refund("r"),
        lambda w: w.tick("payments.reconcile", 61),
    ),
    "cancel, ship": (confirmed, lambda w: w.cancel("c"), World.ship),
    "ship, cancel": (confirmed, World.ship, lambda w: w.cancel("c")),
    "ship, full refund": (confirmed, World.ship, lambda w: w.give_money_back("r")),
    "full refund, ship": (confirmed, lambda w: w.give_money_back("r"), World.ship),
    "cancel, full refund": (
        confirmed,
        lambda w: w.cancel("c"),
        lambda w: w.give_money_back("r"),
    ),
    "full refund, cancel": (
        confirmed,
        lambda w: w.give_money_back("r"),
        lambda w: w.cancel("c"),
    ),
    "part refund, full refund": (
        confirmed,
        lambda w: w.give_money_back("r1", 500),
        lambda w: w.give_money_back("r2"),
    ),
    "write-off, checkout": (
        nothing,
        lambda w: w.move_stock(2, "write_off"),
        lambda w: w.check_out("usr_bob"),
    ),
    "receive, itself again": (
        nothing,
        lambda w: w.move_stock(2, "receive"),
        lambda w: w.move_stock(2, "receive"),
    ),
    "webhook, itself again": (asked, World.hear, World.hear),
    "webhook of a refusal, itself again": (asked_in_vain, World.hear, World.hear),
    "webhook, cancel": (asked, World.hear, lambda w: w.cancel("c")),
    "cancel, webhook": (asked, lambda w: w.cancel("c"), World.hear),
    "webhook, reconciler": (asked, World.hear, lambda w: w.tick("payments.reconcile", 601)),
    "reconciler, webhook": (asked, lambda w: w.tick("payments.reconcile", 601), World.hear),
    "webhook, reaper": (asked, World.hear, World.expire),
    "daily report, itself again": (sold_yesterday, DAILY, DAILY),
    "reconciler, cancel": (
        unpaid,
        lambda w: w.tick("payments.reconcile", 61),
        lambda w: w.cancel("c"),
    ),
}


def run(name: str, gap: int | None, ports: Callable[[Ports], Ports] | None = None) -> Pauses:
    """Play a pair with the second actor at a gap; raises AssertionError for wrong books."""
    before, first, second = PAIRS[name]
    pauses = Pauses(gap)
    host = MemoryHost(shop_app(), HostOptions(log=discard, hook=pauses, replace=ports))
    product(host.ports, "prd_mug", stock=UNITS)
    for customer in ("usr_ada", "usr_bob"):
        known(host.dispatcher, customer).fill_cart(("prd_mug", 2))
    world = World(host)
    before(world)
    pauses.then = lambda: second(world)
    pauses.watch()
    first(world)
    host.settle()  # What it began goes on in the same thread: the run, the events, their consumers.
    pauses.look_away()
    host.settle(1200)
    wrong = wrong_in(host, ["prd_mug"])
    assert wrong == [], (name, gap, pauses.trace[-3:], world.answers)
    return pauses


@pytest.mark.parametrize("name", PAIRS)
def test_an_actor_stopped_at_any_gap_finds_the_books_in_order(name: str) -> None:
    gaps = len(run(name, None).trace)
    blocked = 0
    for gap in range(1, gaps + 1):
        blocked += run(name, gap).blocked
    print(f"{name}: {gaps} gaps, the second actor had to wait at {blocked}")
    assert gaps > 0
    assert blocked == 0


class LastWriterWins:
    """Ignores versions in one collection: what was written in between is lost."""

    def __init__(self, store: Store, collection: str) -> None:
        self._store, self._collection = store, collection

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def commit(self, collection: str, partition: str, writes: Sequence[Write]) -> None:
        if collection != self._collection:
            self._store.commit(collection, partition, writes)
            return

        def now(write: Write) -> int:
            row = self._store.get(collection, partition, write.key)
            return row.version if row else 0

        blind = [
            Put(write.key, write.data, now(write)) if isinstance(write, Put) else write
            for write in writes
            if not isinstance(write, Check) and not (isinstance(write, Delete) and not now(write))
        ]
        self._store.commit(collection, partition, blind)


@pytest.mark.parametrize(
    ("collection", "name"),
    [
        ("inventory", "checkout, rival"),
        ("payments", "refund, refund"),
    ],
)
def test_a_store_that_ignores_versions_is_found_only_in_a_gap(collection: str, name: str) -> None:
    def ports(given: Ports) -> Ports:
        store: Any = LastWriterWins(given.store, collection)
        return replace(given, store=store)

    gaps = len(run(name, None, ports).trace)
    found = []
    for gap in range(1, gaps + 1):
        try:
            run(name, gap, ports)
        except AssertionError:
            found.append(gap)
    print(f"{collection}: found at {len(found)} of {gaps} gaps")
    assert found
