"""Use cases of analytics: each confirmation, cancellation and refund counts once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from cartwheel.ports import Message, Ports
from cartwheel.unit import Unit, transact
from cartwheel_shop._base import Money, Record, now_text, read
from cartwheel_shop.analytics.model import DailyReport, Sales, day_before, days_between

COLLECTION = "sales"
REPORTS, REPORT = "reports", "report"
REPORTS_QUEUE = "daily-reports"
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
    refunded: int = 0
    items: tuple[SoldItem, ...]


class RefundedOrder(Record):
    """Is what analytics needs to know of a refund's event; amounts in minor units."""

    order_id: str
    refund_id: str
    amount: int
    total: Money


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
    # What was refunded before has been counted as that.
    counts[f"{_ALL}{currency}"] = Sales(cancelled=order.total.amount - order.refunded)
    _add(ports, day, f"cancelled:{order.order_id}", counts)


def count_refunded(ports: Ports, day: str, refund: RefundedOrder) -> None:
    """Count a refund, once."""
    counts = {f"{_ALL}{refund.total.currency}": Sales(refunded=refund.amount)}
    _add(ports, day, f"refunded:{refund.refund_id}", counts)


def _add(ports: Ports, day: str, key: str, counts: dict[str, Sales]) -> None:
    def work(unit: Unit) -> None:
        for row, sales in counts.items():
            unit.put(row, (unit.get(row, Sales) or Sales()).plus(sales))

    transact(ports, COLLECTION, day, work, key=key)


def request_report(ports: Ports) -> None:
    """Have the report of the day before made, unless it has been."""
    day = day_before(now_text(ports))
    if report_of(ports, day) is None:
        ports.queue.send(REPORTS_QUEUE, Message(f"report-{day}", {"day": day}))


def make_report(ports: Ports, day: str) -> None:
    """Count a finished day and keep the report, once."""
    found = Unit(ports, COLLECTION, day).scan(_ALL, Sales)
    report = DailyReport(
        day=day,
        made_at=now_text(ports),
        currencies={row.removeprefix(_ALL): sales for row, sales in found.items()},
    )

    def work(unit: Unit) -> None:
        if unit.get(REPORT, DailyReport) is None:
            unit.put(REPORT, report)

    transact(ports, REPORTS, day, work)


def report_of(ports: Ports, day: str) -> DailyReport | None:
    """Give a day's report, None before it is made."""
    return read(ports, REPORTS, day, REPORT, DailyReport)


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
