"""Use cases of analytics: every order counts once when confirmed and once when cancelled."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from cartwheel.ports import Ports
from cartwheel.unit import Unit, transact
from cartwheel_shop._base import Money, Record
from cartwheel_shop.analytics.model import Sales, days_between

COLLECTION = "sales"
_ALL, _PRODUCT = "all#", "product#"


class SoldItem(Record):
    """Is what analytics needs to know of a line of an order."""

    product_id: str
    quantity: int
    line_total: Money


class SoldOrder(Record):
    """Is what analytics needs to know of an order's event; `was` is its state before."""

    order_id: str
    was: str
    total: Money
    items: tuple[SoldItem, ...]


@dataclass(frozen=True, slots=True)
class ReportLine:
    """Is one line of a report: a day or a product, in one currency."""

    name: str
    currency: str
    sales: Sales


def count_confirmed(ports: Ports, day: str, order: SoldOrder) -> None:
    """Count a confirmed order, once."""
    currency = order.total.currency
    counts: dict[str, Sales] = {}
    for item in order.items:
        sold = Sales(orders=1, quantity=item.quantity, revenue=item.line_total.amount)
        counts[f"{_PRODUCT}{item.product_id}#{currency}"] = sold
    quantity = sum(item.quantity for item in order.items)
    counts[f"{_ALL}{currency}"] = Sales(orders=1, quantity=quantity, revenue=order.total.amount)
    _add(ports, day, f"confirmed:{order.order_id}", counts)


def count_cancelled(ports: Ports, day: str, order: SoldOrder) -> None:
    """Count the cancellation of a confirmed order, once; others had never been counted."""
    if order.was != "confirmed":
        return
    currency = order.total.currency
    counts = {
        f"{_PRODUCT}{item.product_id}#{currency}": Sales(cancelled=item.line_total.amount)
        for item in order.items
    }
    counts[f"{_ALL}{currency}"] = Sales(cancelled=order.total.amount)
    _add(ports, day, f"cancelled:{order.order_id}", counts)


def _add(ports: Ports, day: str, key: str, counts: dict[str, Sales]) -> None:
    def work(unit: Unit) -> None:
        for row, sales in counts.items():
            unit.put(row, (unit.get(row, Sales) or Sales()).plus(sales))

    transact(ports, COLLECTION, day, work, key=key)


def by_day(ports: Ports, first: str, last: str) -> list[ReportLine]:
    """Report what was sold on each day with sales."""
    lines: list[ReportLine] = []
    for day in days_between(first, last):
        found = Unit(ports, COLLECTION, day).scan(_ALL, Sales)
        for row, sales in found.items():
            lines.append(ReportLine(day, row.removeprefix(_ALL), sales))
    return lines


def by_product(ports: Ports, first: str, last: str) -> list[ReportLine]:
    """Report what was sold of each product, over all days."""
    totals: dict[tuple[str, str], Sales] = defaultdict(Sales)
    for day in days_between(first, last):
        for row, sales in Unit(ports, COLLECTION, day).scan(_PRODUCT, Sales).items():
            product_id, _, currency = row.removeprefix(_PRODUCT).rpartition("#")
            totals[product_id, currency] = totals[product_id, currency].plus(sales)
    return [
        ReportLine(product_id, currency, sales)
        for (product_id, currency), sales in sorted(totals.items())
    ]
