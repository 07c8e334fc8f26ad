"""What a customer does, and what must be true in the end, whatever happened in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from cartwheel.host import Host
from cartwheel.ports import Charge, ChargeStatus, Mail, PaymentGateway, Ports, RunStatus
from cartwheel_shop._base import Line
from cartwheel_shop.inventory import service as inventory
from cartwheel_shop.inventory.model import Account
from cartwheel_shop.orders import service as orders
from cartwheel_shop.payments import service as payments
from tests.support.shopping import Shopper, account, known, product

CUSTOMER = "usr_ada"
STOCK = 5
PRICE = 1290
EXPIRY = 16 * 60
"""Seconds after which reservations have expired and the reaper has run."""


NOTHING_HAPPENED = ("there is no order, no charge and no mail",)
"""What the audit says of a checkout that the shop never took; right only if nobody asks again."""


Noted = tuple[str, str, str]
"""Is what is noted of a published event: its type, its order, its id."""


class ShopHost(Host, Protocol):
    """Is a host whose bank and mailbox can be looked into."""

    @property
    def bank(self) -> Bank:
        """Give the bank."""
        ...

    @property
    def mailbox(self) -> Mailbox:
        """Give the mailbox."""
        ...


class Bank(Protocol):
    """Is the test bank, as an auditor sees it."""

    def charges(self) -> Sequence[Charge]:
        """Give all charges."""
        ...


class Mailbox(Protocol):
    """Is the mailbox, as its owner sees it."""

    def mails(self) -> Sequence[Mail]:
        """Give all mails."""
        ...


class SlowBank:
    """Takes longer than a reservation lasts, while a rival takes all that is on the shelf."""

    def __init__(self, ports: Ports, products: Sequence[str]) -> None:
        self._ports, self._products = ports, products

    def __getattr__(self, name: str) -> object:
        return getattr(self._ports.payments, name)

    def authorize(
        self, *, key: str, reference: str, amount: int, currency: str, token: str
    ) -> Charge:
        """Authorise, in its own time."""
        ports = self._ports
        ports.clock.sleep(EXPIRY)
        rival = f"ord_rival_{int(ports.clock.now())}"
        for product_id in self._products:
            left = inventory.available(ports, product_id)
            if left:
                inventory.reserve(ports, rival, [Line(product_id=product_id, quantity=left)])
        return ports.payments.authorize(
            key=key, reference=reference, amount=amount, currency=currency, token=token
        )


@dataclass(frozen=True, slots=True)
class Scenario:
    """Is a customer's checkout: what is bought with which card, and how it must end."""

    name: str
    card: str
    lines: tuple[tuple[str, int], ...]
    status: str
    reason: str | None = None
    then: Literal["cancel", "refund"] | None = None
    slow_bank: bool = False

    def around(self, ports: Ports) -> Ports:
        """Give the ports of the scenario's world, before any hook is on them."""
        if not self.slow_bank:
            return ports
        bank: PaymentGateway = SlowBank(ports, self.products)  # type: ignore[assignment]  # forwards the rest
        return replace(ports, payments=bank)

    @property
    def products(self) -> tuple[str, ...]:
        """Name the products."""
        return tuple(product_id for product_id, _ in self.lines)

    @property
    def total(self) -> int:
        """Give the order's total in minor units."""
        return sum(quantity * PRICE for _, quantity in self.lines)

    def prepare(self, host: Host) -> None:
        """Put the goods on the shelf and into the cart; not part of what is crashed."""
        account(host.ports, CUSTOMER, email="ada@example.org")
        for product_id in self.products:
            product(host.ports, product_id, stock=STOCK, cents=PRICE)
        known(host.dispatcher, CUSTOMER).fill_cart(*self.lines)
        host.settle()

    def play(self, host: Host, *, key: str = "the-checkout") -> None:
        """Do what the customer does, as often as they like: the key says it is the same checkout.

        Whatever the shop answers, the customer comes back only through another `play`.
        """
        shopper = known(host.dispatcher, CUSTOMER)
        answer = shopper.send(
            "POST",
            "/checkout",
            {"payment_token": self.card, "email": "ada@example.org"},
            key=key,
            headers={"Prefer": "respond-async"},
        )
        host.settle(120)
        if self.then is not None and answer.status == 202:
            self._undo(host, shopper, answer.json())
            host.settle(120)

    def _undo(self, host: Host, shopper: Shopper, accepted: object) -> None:
        assert isinstance(accepted, dict)
        path = f"/orders/{accepted['order_id']}/{self.then}"
        if self.then == "cancel":
            shopper.send("POST", path, key="the-cancellation")
        else:
            staff = known(host.dispatcher, "usr_staff", "staff")
            staff.send("POST", path, {"restock": True}, key="the-refund")

    def audit(self, host: ShopHost, events: Iterable[Noted]) -> list[str]:
        """List everything that is wrong in the end; nothing is right."""
        ports = host.ports
        found = ports.store.query(orders.COLLECTION, orders.BY_CUSTOMER, CUSTOMER).rows
        if not found and not host.bank.charges() and not host.mailbox.mails():
            return list(NOTHING_HAPPENED)
        if len(found) != 1:
            return [f"{len(found)} orders instead of 1"]
        order = orders.get(ports, found[0].partition)
        wrong: list[str] = []
        if (order.status.value, order.reason) != (self.status, self.reason):
            wrong.append(f"the order is {order.status} ({order.reason}), not {self.status}")
        moves = orders.history(ports, order.order_id)
        if [line.status for line in moves][-1:] != [order.status]:
            wrong.append(f"the order's history ends {moves[-1:]}, the order is {order.status}")
        wrong += self._money(host, order.order_id)
        for product_id, quantity in self.lines:
            wrong += self._stock(ports, product_id, quantity, order.order_id)
        wrong += self._mails(host)
        wrong += self._events(set(events), order.order_id)
        running = ports.workflows.list(status=RunStatus.RUNNING).runs
        wrong += [f"run {run.run_id} still waits for {run.waiting_for}" for run in running]
        wrong += [f"dead letter of {letter.consumer}" for letter in ports.dead_letters.list()]
        return wrong

    def _money(self, host: ShopHost, order_id: str) -> list[str]:
        charges = [c for c in host.bank.charges() if c.status is not ChargeStatus.DECLINED]
        live = [c for c in charges if c.status not in {ChargeStatus.VOIDED, ChargeStatus.REFUNDED}]
        kept = sum(charge.captured - charge.refunded for charge in charges)
        owed = self.total if self.status == "confirmed" else 0
        wrong = []
        if kept != owed:
            wrong.append(f"the bank took {kept}, owed are {owed}")
        if len(live) != (1 if owed else 0):
            wrong.append(f"{len(live)} live charges at the bank")
        payment = payments.payment_of(host.ports, order_id)
        if payment is None:
            return [*wrong, "there is no payment"]
        if payment.captured - payment.refunded != kept:
            wrong.append(f"the payment says {payment.captured} - {payment.refunded}, not {kept}")
        ledger: Counter[str] = Counter()
        for transfer in payments.transfers(host.ports, order_id):
            ledger[transfer.source] -= transfer.amount
            ledger[transfer.target] += transfer.amount
        if (ledger["captured"], ledger["authorized"]) != (kept, 0):
            wrong.append(f"the money ledger says {dict(ledger)}")
        return wrong

    def _stock(self, ports: Ports, product_id: str, quantity: int, order_id: str) -> list[str]:
        sold = quantity if self.status == "confirmed" else 0
        level = inventory.stock_level(ports, product_id)
        wrong = []
        if (level.available, level.reserved, level.sold) != (STOCK - sold, 0, sold):
            wrong.append(f"the stock of {product_id} is {level}")
        ledger: Counter[Account] = Counter()
        for movement in inventory.ledger(ports, product_id):
            ledger[movement.source] -= movement.quantity
            ledger[movement.target] += movement.quantity
        if (ledger[Account.AVAILABLE], ledger[Account.RESERVED], ledger[Account.SOLD]) != (
            level.available,
            level.reserved,
            level.sold,
        ):
            wrong.append(f"the ledger of {product_id} says {dict(ledger)}")
        reservation = inventory.reservation_of(ports, order_id, product_id)
        if reservation is not None and reservation.held:
            wrong.append(f"a reservation of {product_id} leaked")
        return wrong

    def _mails(self, host: ShopHost) -> list[str]:
        subjects = Counter(mail.subject.split()[0] for mail in host.mailbox.mails())
        expected = 2 if self.then else 1
        total = len(host.mailbox.mails())
        return [] if total == expected else [f"{total} mails instead of {expected}: {subjects}"]

    def _events(self, events: set[Noted], order_id: str) -> list[str]:
        expected = ["confirmed", self.status] if self.then else [self.status]
        found = Counter(kind for kind, subject, _ in events if subject == order_id)
        wanted = {f"order.{status}" for status in expected}
        missing = [f"no event {kind}" for kind in sorted(wanted) if not found[kind]]
        # Sent twice is one event; two ids are two events, and are counted twice by whoever counts.
        doubled = [f"{n} events {kind}" for kind, n in sorted(found.items()) if n > 1]
        false = [f"an event {kind}" for kind in sorted(found) if kind not in wanted]
        return missing + doubled + false


MUG, PAN, PEN = "prd_mug", "prd_pan", "prd_pen"
SCENARIOS = (
    Scenario("confirmed", "tok_ok", ((MUG, 2),), "confirmed"),
    Scenario("three_lines", "tok_ok", ((MUG, 2), (PEN, 1), (PAN, 3)), "confirmed"),
    Scenario("declined", "tok_declined", ((MUG, 2),), "rejected", "payment_declined"),
    Scenario("out_of_stock", "tok_ok", ((MUG, 1), (PEN, STOCK + 1)), "rejected", "out_of_stock"),
    Scenario("unknown_charged", "tok_timeout_charged", ((MUG, 1),), "confirmed"),
    Scenario(
        "unknown_not_charged", "tok_timeout_not_charged", ((MUG, 1),), "rejected", "unavailable"
    ),
    Scenario("cancelled", "tok_ok", ((MUG, 2),), "cancelled", "cancelled", then="cancel"),
    Scenario("refunded", "tok_ok", ((MUG, 2),), "refunded", "refunded", then="refund"),
    Scenario("expired", "tok_ok", ((MUG, 2),), "rejected", "reservation_expired", slow_bank=True),
)

Play = Callable[[Host], None]
