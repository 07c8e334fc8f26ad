"""A random shop, checked against what must always hold: stock, money and legal transitions."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import ChargeStatus, PortCall, Ports, RunStatus, Unavailable
from cartwheel.testing import Faults
from cartwheel_memory import MemoryHost
from cartwheel_shop.inventory import service as inventory
from cartwheel_shop.inventory.model import Account
from cartwheel_shop.orders import service as orders
from cartwheel_shop.orders.model import LEGAL, Status
from cartwheel_shop.payments import service as payments
from cartwheel_workflows.shop import shop_app
from tests.support.shopping import Shopper, known, product

T = TypeVar("T")
STEPS = 20_000 * (5 if os.environ.get("CARTWHEEL_SOAK") else 1)
"""Rules that must have run in the end; 100,000 in the soak."""
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
        self.host = MemoryHost(shop_app(), HostOptions(hook=self.hook, log=discard))
        for product_id in PRODUCTS:
            product(self.host.ports, product_id, stock=6)
        self.seen: dict[str, list[Status]] = {}
        self.checkouts = 0
        self.keys: list[tuple[str, str, str]] = []

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
            assert ports.workflows.list(status=RunStatus.RUNNING).runs == ()
            self.balance_stock(ports)
            self.balance_money(ports)
        counts["orders"] += len(self.seen)

    def balance_stock(self, ports: Ports) -> None:
        sold: Counter[str] = Counter()
        for order_id in self.seen:
            order = orders.get(ports, order_id)
            assert order.status not in {Status.PENDING, Status.PROCESSING}, order
            counts[f"order {order.status} {order.reason or ''}"] += 1
            if order.status is Status.CONFIRMED:
                sold.update({item.product_id: item.quantity for item in order.items})
        for product_id in PRODUCTS:
            level = inventory.stock_level(ports, product_id)
            assert (level.sold, level.reserved) == (sold[product_id], 0)
            ledger: Counter[Account] = Counter()
            for movement in inventory.ledger(ports, product_id):
                ledger[movement.source] -= movement.quantity
                ledger[movement.target] += movement.quantity
            found = (ledger[Account.AVAILABLE], ledger[Account.RESERVED], ledger[Account.SOLD])
            assert found == (level.available, level.reserved, level.sold)
            assert -ledger[Account.RECEIVED] == level.received
            assert ledger[Account.WRITTEN_OFF] == level.written_off

    def balance_money(self, ports: Ports) -> None:
        owed = taken = 0
        for order_id in self.seen:
            order = orders.get(ports, order_id)
            payment = payments.payment_of(ports, order_id)
            if order.status is Status.CONFIRMED:
                owed += order.total.amount
            if payment is None:
                assert order.total.amount == 0
                continue
            taken += payment.captured - payment.refunded
            ledger: Counter[str] = Counter()
            for transfer in payments.transfers(ports, order_id):
                ledger[transfer.source] -= transfer.amount
                ledger[transfer.target] += transfer.amount
            assert ledger["captured"] == payment.captured - payment.refunded
            assert ledger["authorized"] == 0
            assert sum(ledger.values()) == 0
        charges = self.host.bank.charges()
        assert sum(charge.captured - charge.refunded for charge in charges) == taken == owed
        assert not [charge for charge in charges if charge.status is ChargeStatus.AUTHORIZED]


LIVE = {ChargeStatus.AUTHORIZED, ChargeStatus.CAPTURED}


@pytest.mark.timeout(1200)
def test_a_random_shop_keeps_its_books() -> None:
    counts.clear()
    examples = -(-STEPS // LENGTH)
    chosen = settings(
        max_examples=examples + examples // 8,
        stateful_step_count=LENGTH,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Shop, settings=chosen)
    print(f"{counts['steps']} steps, {counts['orders']} orders")
    for what, count in sorted(counts.items()):
        print(f"  {count:6} {what}")
    assert counts["steps"] >= STEPS
    assert counts["order confirmed "] > 0
    assert counts["order rejected out_of_stock"] > 0
    assert counts["order cancelled cancelled"] > 0
