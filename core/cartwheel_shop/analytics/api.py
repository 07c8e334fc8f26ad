"""The analytics service: counts orders from their events, and reports to staff.

The daily report is made by a function that another one calls asynchronously.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cartwheel.access import Uses
from cartwheel.app import Service
from cartwheel.context import Context
from cartwheel.http import BadRequest, NotFound, Query, View, only
from cartwheel.ports import Event, Message
from cartwheel_shop._base import Money, Record
from cartwheel_shop.analytics import service as analytics
from cartwheel_shop.analytics.service import RefundedOrder, SoldOrder

STAFF = only("staff", "admin")

service = Service("analytics", Uses(sends=("daily-reports",)))
SALES = service.collection(analytics.COLLECTION)
REPORTS = service.collection(analytics.REPORTS)

Day = Annotated[
    str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", json_schema_extra={"format": "date"})
]


class Period(Query):
    """Says which days to report, both included, and how to break them down."""

    from_: Day = Field(alias="from")
    to: Day
    by: Literal["day", "product"] = "day"


class SalesLine(View):
    """Is a line of a report: `name` is a day or a product's id."""

    name: str
    orders: int
    quantity: int
    revenue: Money
    cancelled: Money
    refunded: Money


class CurrencyLine(View):
    """Is what a day came to in one currency."""

    orders: int
    quantity: int
    revenue: Money
    cancelled: Money
    refunded: Money


class DayReport(View):
    """Is the report of a finished day; `made_at` says when it was counted."""

    day: str
    made_at: str
    items: list[CurrencyLine]


class RequestedReport(Record):
    """Is a report that is to be made, as the function is asked for it."""

    day: str


class SalesReport(View):
    """Is a sales report; days and products without sales are left out."""

    items: list[SalesLine]
    next: str | None = None


@service.on("order.confirmed")
def count_confirmed(ctx: Context, event: Event) -> None:
    """Count a confirmed order on the day it was confirmed."""
    analytics.count_confirmed(ctx.ports, event.at[:10], SoldOrder.model_validate(event.data))


@service.on("order.cancelled")
def count_cancelled(ctx: Context, event: Event) -> None:
    """Count a cancelled order on the day it was cancelled."""
    analytics.count_cancelled(ctx.ports, event.at[:10], SoldOrder.model_validate(event.data))


@service.on("order.refunded")
def count_refunded(ctx: Context, event: Event) -> None:
    """Count a refund on the day it was paid."""
    analytics.count_refunded(ctx.ports, event.at[:10], RefundedOrder.model_validate(event.data))


@service.every(3600)
def daily_report(ctx: Context) -> None:
    """Ask for the report of the day before, within an hour of its end."""
    analytics.request_report(ctx.ports)


@service.consume(analytics.REPORTS_QUEUE, direct=True)
def make_report(ctx: Context, message: Message) -> None:
    """Make a day's report."""
    analytics.make_report(ctx.ports, RequestedReport.model_validate(message.body).day)


@service.route("GET", "/reports/daily/{day}", permission=STAFF, errors=[NotFound])
def day_report(ctx: Context, day: str) -> DayReport:
    """Show the report of a day that is over."""
    report = analytics.report_of(ctx.ports, day)
    if report is None:
        raise NotFound(f"there is no report of {day}; one is made within an hour of a day's end")
    return DayReport(
        day=report.day,
        made_at=report.made_at,
        items=[
            CurrencyLine(
                orders=sales.orders,
                quantity=sales.quantity,
                revenue=Money(amount=sales.revenue, currency=currency),
                cancelled=Money(amount=sales.cancelled, currency=currency),
                refunded=Money(amount=sales.refunded, currency=currency),
            )
            for currency, sales in sorted(report.currencies.items())
        ],
    )


@service.route("GET", "/reports/sales", permission=STAFF, errors=[BadRequest])
def sales_report(ctx: Context, query: Period) -> SalesReport:
    """Report what was sold, by day or by product."""
    report = analytics.by_day if query.by == "day" else analytics.by_product
    lines = report(ctx.ports, query.from_, query.to)
    return SalesReport(
        items=[
            SalesLine(
                name=line.name,
                orders=line.sales.orders,
                quantity=line.sales.quantity,
                revenue=Money(amount=line.sales.revenue, currency=line.currency),
                cancelled=Money(amount=line.sales.cancelled, currency=line.currency),
                refunded=Money(amount=line.sales.refunded, currency=line.currency),
            )
            for line in lines
        ]
    )
