"""A random shop, checked against what must always hold: stock, money and legal transitions."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import ChargeStatus, PortCall, Ports, Unavailable
from cartwheel.testing import Faults
from cartwheel_local import LocalHost
from cartwheel_memory import MemoryHost
from cartwheel_shop.inventory import service as inventory
from cartwheel_shop.orders import service as orders
from cartwheel_shop.orders.model import LEGAL, Status
from cartwheel_workflows.shop import shop_app
from tests.e2e.crash.worlds import JumpingClock, in_ram
from tests.support.books import PAID, unbooked, wrong_in
from tests.support.shopping import Shopper, known, product, send_webhook

T = TypeVar("T")
SOAK = bool(os.environ.get("CARTWHEEL_SOAK"))
STEPS, STEPS_ON_LOCAL = (100_000, 10_000) if SOAK else (20_000, 500)
"""Rules that must have run in the end, in memory and on SQLite."""
LENGTH = 50
PRODUCTS = ("prd_mug", "prd_pen", "prd_pan")
CUSTOMERS = ("usr_ada", "usr_bob", "usr_eve")
CARDS = (
    "tok_ok",
    "tok_ok",
    "tok_ok",
    "tok_declined",
    "tok_insufficient_funds",
    "tok_error_once",
    "tok_timeout_charged",
    "tok_timeout_not_charged",
    "tok_requires_action",
    "tok_nonsense",
)
FAULTS = ("store.commit", "store.get", "payments.authorize", "payments.capture", "mailer.send")
counts: Counter[str] = Counter()


class Shop(RuleBasedStateMachine):
    """Lets customers, staff, time and faults do what they like."""

    def __init__(self) -> None:
        super().__init__()
        self.faults = Faults()
        self.auditing = False
        self.host = self.open()
        for product_id in PRODUCTS:
            product(self.host.ports, product_id, stock=6)
        self.seen: dict[str, list[Status]] = {}
        self.checkouts = 0
        self.keys: list[tuple[str, str, str]] = []

    def open(self) -> MemoryHost | LocalHost:
        """Open the host that this machine plays on."""
        return MemoryHost(shop_app(), HostOptions(hook=self.hook, log=discard))

    def close(self) -> None:
        """Free what the host took."""

    def hook(self, call: PortCall, invoke: Callable[[], T]) -> T:
        return invoke() if self.auditing else self.faults(call, invoke)

    def shopper(self, customer: str, role: str = "customer") -> Shopper:
        with self.audit():
            return known(self.host.dispatcher, customer, role)

    def note(self, what: str, status: int) -> None:
        counts["steps"] += 1
        counts[f"{what} {status}"] += 1
        assert status < 500 or status == 503, (what, status)

    @rule(
        customer=st.sampled_from(CUSTOMERS),
        item=st.sampled_from(PRODUCTS),
        quantity=st.integers(1, 4),
    )
    def put_into_cart(self, customer: str, item: str, quantity: int) -> None:
        body = {"product_id": item, "quantity": quantity}
        answer = self.shopper(customer).send("POST", "/cart/items", body)
        self.note("cart", answer.status)

    @rule(customer=st.sampled_from(CUSTOMERS))
    def empty_cart(self, customer: str) -> None:
        self.note("clear", self.shopper(customer).send("DELETE", "/cart").status)

    @rule(
        customer=st.sampled_from(CUSTOMERS),
        card=st.sampled_from(CARDS),
        item=st.sampled_from((*PRODUCTS, None)),
    )
    def check_out(self, customer: str, card: str, item: str | None) -> None:
        if item is not None:
            self.put_into_cart(customer, item, 1)
        self.checkouts += 1
        key = f"k{self.checkouts}"
        self.keys.append((customer, card, key))
        self.note("checkout", self.shopper(customer).check_out(card, key=key).status)

    @rule(pick=st.integers(0, 50))
    def check_out_again(self, pick: int) -> None:
        if not self.keys:
            counts["steps"] += 1
            return
        customer, card, key = self.keys[pick % len(self.keys)]
        before = self.order_count()
        answer = self.shopper(customer).check_out(card, key=key)
        self.note("again", answer.status)
        # The key's first request may have been refused before it placed an order, by an empty cart
        # or a fault; but one key never makes a second one.
        assert self.order_count() - before <= 1
        assert self.order_count() <= self.checkouts

    @rule(pick=st.integers(0, 50))
    def cancel(self, pick: int) -> None:
        found = sorted(self.seen)
        if not found:
            counts["steps"] += 1
            return
        with self.audit() as ports:
            order = orders.get(ports, found[pick % len(found)])
        path = f"/orders/{order.order_id}/cancel"
        answer = self.shopper(order.customer_id).send("POST", path, key=f"c-{order.order_id}")
        self.note("cancel", answer.status)

    @rule(
        pick=st.integers(0, 50),
        action=st.sampled_from(["ship", "deliver", "refund"]),
        cents=st.sampled_from([None, 100, 1290]),
        restock=st.booleans(),
    )
    def manage(self, pick: int, action: str, cents: int | None, restock: bool) -> None:
        with self.audit() as ports:
            states = {order_id: orders.get(ports, order_id).status for order_id in self.seen}
        # Mostly what can be shipped or refunded, and now and then what can't.
        found = sorted(i for i, status in states.items() if status in PAID or pick % 5 == 0)
        if not found:
            counts["steps"] += 1
            return
        counts["managed"] += 1
        body: dict[str, object] | None = None if action == "deliver" else {}
        if action == "refund":
            body = {"restock": restock}
            if cents is not None:
                body["amount"] = {"amount": cents, "currency": "EUR"}
        path = f"/orders/{found[pick % len(found)]}/{action}"
        key = f"{action}-{counts['managed']}"
        staff = self.shopper("usr_staff", "staff")
        self.note(action, staff.send("POST", path, body, key=key).status)

    @rule(pick=st.integers(0, 50), approved=st.booleans(), times=st.integers(0, 2))
    def answer_the_bank(self, pick: int, approved: bool, times: int) -> None:
        """Let a card's holder act; the bank's webhook comes, comes twice or never does."""
        counts["steps"] += 1
        with self.audit():
            asked = ChargeStatus.REQUIRES_ACTION
            open_ones = [c for c in self.host.bank.charges() if c.status is asked]
            if not open_ones:
                return
            charge_id = open_ones[pick % len(open_ones)].charge_id
            charge = self.host.gateway.act(charge_id, approved=approved)
        counts[f"card's holder {'approves' if approved else 'refuses'}"] += 1
        for _ in range(times):
            answer = send_webhook(self.host.dispatcher, charge)
            counts[f"webhook {answer.status}"] += 1
            assert answer.status in {200, 503}

    @rule(item=st.sampled_from(PRODUCTS), quantity=st.integers(1, 5), receive=st.booleans())
    def move_stock(self, item: str, quantity: int, receive: bool) -> None:
        staff = self.shopper("usr_staff", "staff")
        body = {"quantity": quantity, "reason": "receive" if receive else "write_off"}
        counts["moves"] += 1
        key = f"m{counts['moves']}"
        answer = staff.send("POST", f"/products/{item}/stock", body, key=key)
        self.note("stock", answer.status)
        again = staff.send("POST", f"/products/{item}/stock", body, key=key)
        if answer.status < 500 and again.status != 503:
            assert (again.status, again.body) == (answer.status, answer.body)

    @rule(item=st.sampled_from(PRODUCTS), cents=st.integers(0, 3000))
    def change_price(self, item: str, cents: int) -> None:
        staff = self.shopper("usr_staff", "staff")
        with self.audit():
            shown = staff.send("GET", f"/products/{item}")
        body = {"price": {"amount": cents, "currency": "EUR"}}
        headers = {"if-match": shown.headers.get("ETag", "*")}
        answer = staff.send("PATCH", f"/products/{item}", body, headers=headers)
        self.note("price", answer.status)

    @rule(seconds=st.sampled_from([1, 30, 120, 16 * 60]))
    def let_time_pass(self, seconds: int) -> None:
        counts["steps"] += 1
        self.host.settle(seconds)

    @rule(call=st.sampled_from(FAULTS), after=st.booleans(), nth=st.integers(1, 20))
    def plan_a_fault(self, call: str, after: bool, nth: int) -> None:
        counts["steps"] += 1
        self.faults.fail(call, Unavailable, when="after" if after else "before", nth=nth)

    def order_count(self) -> int:
        with self.audit() as ports:
            cursor: str | None = None
            while True:
                page = ports.store.query(orders.COLLECTION, orders.ALL, orders.ORDER, cursor=cursor)
                for row in page.rows:
                    self.seen.setdefault(row.partition, [])
                cursor = page.next
                if cursor is None:
                    return len(self.seen)

    @contextmanager
    def audit(self) -> Iterator[Ports]:
        """Look at the shop without meeting a fault."""
        self.auditing = True
        try:
            yield self.host.ports
        finally:
            self.auditing = False

    @invariant()
    def stock_balances(self) -> None:
        with self.audit() as ports:
            for product_id in PRODUCTS:
                level = inventory.stock_level(ports, product_id)
                assert level.received - level.written_off == (
                    level.available + level.reserved + level.sold
                )
                assert min(level.available, level.reserved, level.sold) >= 0

    @invariant()
    def orders_move_legally(self) -> None:
        self.order_count()
        with self.audit() as ports:
            for order_id, known_moves in self.seen.items():
                moves = [line.status for line in orders.history(ports, order_id)]
                assert moves[: len(known_moves)] == known_moves
                assert moves[0] is Status.PENDING
                assert all(b in LEGAL[a] for a, b in pairwise(moves))
                self.seen[order_id] = moves

    @invariant()
    def no_order_is_charged_twice(self) -> None:
        live = Counter(
            charge.reference for charge in self.host.bank.charges() if charge.status in LIVE
        )
        assert all(count == 1 for count in live.values())

    def teardown(self) -> None:
        """Let everything come to rest, then balance the books."""
        self.faults.clear()
        self.host.settle(3600)
        self.stock_balances()
        self.orders_move_legally()
        with self.audit() as ports:
            assert wrong_in(self.host, PRODUCTS) == []
            assert unbooked(self.host) == []
            assert ports.dead_letters.list() == []
            for order_id in self.seen:
                order = orders.get(ports, order_id)
                assert order.status not in {Status.PENDING, Status.PROCESSING}, order
                counts[f"order {order.status} {order.reason or ''}"] += 1
        counts["orders"] += len(self.seen)
        self.close()


class ShopOnSqlite(Shop):
    """Is the same on SQLite files, where waiting takes no time either."""

    def open(self) -> LocalHost:
        self.folder = Path(tempfile.mkdtemp(prefix="cartwheel-machine-", dir=in_ram()))
        clock = JumpingClock(self.folder / "ahead")
        options = HostOptions(
            data=self.folder / "data", background=False, hook=self.hook, log=discard
        )
        return LocalHost(shop_app(), options, clock=clock)

    def close(self) -> None:
        self.host.close()
        shutil.rmtree(self.folder)


LIVE = {ChargeStatus.AUTHORIZED, ChargeStatus.CAPTURED}


def play(machine: type[Shop], steps: int) -> None:
    """Run a machine until it has made so many steps, and print what happened."""
    counts.clear()
    examples = -(-steps // LENGTH)
    chosen = settings(
        max_examples=examples + examples // 8 + 1,
        stateful_step_count=LENGTH,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)
    print(f"{counts['steps']} steps, {counts['orders']} orders")
    for what, count in sorted(counts.items()):
        print(f"  {count:6} {what}")
    assert counts["steps"] >= steps


@pytest.mark.timeout(7200)
def test_a_random_shop_keeps_its_books() -> None:
    play(Shop, STEPS)
    assert counts["order confirmed "] > 0
    assert counts["order rejected out_of_stock"] > 0
    assert counts["order cancelled cancelled"] > 0
    assert counts["ship 200"] + counts["ship 202"] > 0
    assert counts["refund 200"] + counts["refund 202"] > 0
    assert counts["webhook 200"] > 0


@pytest.mark.timeout(7200)
def test_a_random_shop_on_sqlite_keeps_its_books() -> None:
    play(ShopOnSqlite, STEPS_ON_LOCAL)
