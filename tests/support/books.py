"""An audit of a shop at rest: stock, money and orders, by their ledgers and against the bank."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Protocol

from cartwheel.host import Host
from cartwheel.ports import Charge, ChargeStatus, Ports, RunStatus
from cartwheel_shop._base import now_text, row_as
from cartwheel_shop.analytics import service as analytics
from cartwheel_shop.analytics.model import Sales
from cartwheel_shop.inventory import service as inventory
from cartwheel_shop.inventory.model import Account
from cartwheel_shop.orders import service as orders
from cartwheel_shop.orders.model import LEGAL, OPEN, Order, Status
from cartwheel_shop.payments import service as payments

PAID = {Status.CONFIRMED, Status.SHIPPED, Status.DELIVERED}
"""States of an order whose goods are the customer's."""
LIVE = {ChargeStatus.AUTHORIZED, ChargeStatus.CAPTURED, ChargeStatus.REQUIRES_ACTION}


def keeps_goods(order: Order) -> bool:
    """Tell whether an order's goods have left the shelf for good."""
    if order.status is Status.REFUNDED:
        return not order.restock
    return order.status in PAID


class _Bank(Protocol):
    def charges(self) -> Sequence[Charge]: ...


class Audited(Host, Protocol):
    """Is a host whose bank can be looked into."""

    @property
    def bank(self) -> _Bank: ...


def all_orders(ports: Ports) -> Iterator[Order]:
    """Give every order."""
    cursor: str | None = None
    while True:
        page = ports.store.query(orders.COLLECTION, orders.ALL, orders.ORDER, cursor=cursor)
        for row in page.rows:
            yield row_as(row, Order)
        cursor = page.next
        if cursor is None:
            return


def wrong_in(host: Audited, products: Sequence[str]) -> list[str]:
    """List what is wrong in a shop that has come to rest; nothing is right."""
    ports = host.ports
    found = list(all_orders(ports))
    wrong = [
        f"run {run.run_id} runs on" for run in ports.workflows.list(status=RunStatus.RUNNING).runs
    ]
    for order in found:
        wrong += _order(ports, order)
        wrong += _money(host, order)
    for product_id in products:
        wrong += _stock(ports, product_id, found)
    known = {order.order_id for order in found}
    charges = [charge for charge in host.bank.charges() if charge.status in LIVE]
    twice = [ref for ref, n in Counter(charge.reference for charge in charges).items() if n > 1]
    wrong += [f"{reference} is charged twice" for reference in twice]
    kept = sum(charge.captured - charge.refunded for charge in host.bank.charges())
    taken = sum(_kept(ports, order_id) for order_id in known)
    if kept != taken:
        wrong.append(f"the bank keeps {kept}, the payments say {taken}")
    wrong += [f"{c.charge_id} is held" for c in charges if c.status is not ChargeStatus.CAPTURED]
    return wrong + _reports(ports, found)


def unbooked(host: Audited) -> list[str]:
    """List the orders whose refunds are not those of their payment; nothing is right."""
    found = (
        (order, payments.payment_of(host.ports, order.order_id)) for order in all_orders(host.ports)
    )
    return [
        f"{order.order_id} refunded {order.refunded}, its payment {payment.refunded}"
        for order, payment in found
        if payment is not None and order.status in {*PAID, Status.REFUNDED}
        if payment.refunded != order.refunded
    ]


def _reports(ports: Ports, found: Sequence[Order]) -> list[str]:
    """Compare the sales reports, which know the events only, with the orders."""
    if not found:
        return []
    first, last = min(order.created_at for order in found)[:10], now_text(ports)[:10]
    total = Sales()
    for line in analytics.by_day(ports, first, last):
        total = total.plus(line.sales)
    sold = [
        order
        for order in found
        if any(line.status is Status.CONFIRMED for line in orders.history(ports, order.order_id))
    ]
    by_orders = Sales(
        orders=len(sold),
        quantity=sum(item.quantity for order in sold for item in order.items),
        revenue=sum(order.total.amount for order in sold),
        cancelled=sum(
            order.total.amount - order.refunded
            for order in sold
            if order.status is Status.CANCELLED
        ),
        refunded=sum(order.refunded for order in sold),
    )
    return [] if total == by_orders else [f"the reports say {total}, the orders {by_orders}"]


def _kept(ports: Ports, order_id: str) -> int:
    payment = payments.payment_of(ports, order_id)
    return 0 if payment is None else payment.captured - payment.refunded


def _order(ports: Ports, order: Order) -> list[str]:
    moves = [line.status for line in orders.history(ports, order.order_id)]
    wrong = []
    if order.run_id is not None and order.status in OPEN:
        wrong.append(f"{order.order_id} is still {order.status}")
    if moves[0] is not Status.PENDING or any(b not in LEGAL[a] for a, b in pairwise(moves)):
        wrong.append(f"{order.order_id} moved {moves}")
    if moves[-1] is not order.status:
        wrong.append(f"{order.order_id} is {order.status}, its history says {moves[-1]}")
    return wrong


def _money(host: Audited, order: Order) -> list[str]:
    ports = host.ports
    payment = payments.payment_of(ports, order.order_id)
    owed = order.total.amount if order.status in PAID else 0
    if payment is None:
        return [f"{order.order_id} owes {owed} and has no payment"] if owed else []
    kept = payment.captured - payment.refunded
    wrong = []
    if order.status in PAID and payment.captured != owed:
        wrong.append(f"{order.order_id} owes {owed}, {payment.captured} were captured")
    if order.status not in PAID and kept:
        wrong.append(f"{order.order_id} is {order.status}, {kept} were kept")
    ledger: Counter[str] = Counter()
    for transfer in payments.transfers(ports, order.order_id):
        ledger[transfer.source] -= transfer.amount
        ledger[transfer.target] += transfer.amount
    if (ledger["captured"], ledger["authorized"]) != (kept, 0) or sum(ledger.values()) != 0:
        wrong.append(f"the money ledger of {order.order_id} says {dict(ledger)}, kept are {kept}")
    return wrong


def _stock(ports: Ports, product_id: str, found: Sequence[Order]) -> list[str]:
    level = inventory.stock_level(ports, product_id)
    sold = sum(
        item.quantity
        for order in found
        if keeps_goods(order)
        for item in order.items
        if item.product_id == product_id
    )
    wrong = []
    if (level.sold, level.reserved) != (sold, 0) or level.available < 0:
        wrong.append(f"{sold} of {product_id} were sold, the stock is {level}")
    if level.received - level.written_off != level.available + level.reserved + level.sold:
        wrong.append(f"the stock does not add up: {level}")
    ledger: Counter[Account] = Counter()
    for movement in inventory.ledger(ports, product_id):
        ledger[movement.source] -= movement.quantity
        ledger[movement.target] += movement.quantity
    if (ledger[Account.AVAILABLE], ledger[Account.RESERVED], ledger[Account.SOLD]) != (
        level.available,
        level.reserved,
        level.sold,
    ):
        wrong.append(f"the ledger of {product_id} says {dict(ledger)}, the stock is {level}")
    return wrong
