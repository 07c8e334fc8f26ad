"""The analytics service: counts orders from their events, and reports to staff."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cartwheel.app import Service
from cartwheel.context import Context
from cartwheel.http import BadRequest, Query, View, only
from cartwheel.ports import Event
from cartwheel_shop._base import Money
from cartwheel_shop.analytics import service as analytics
from cartwheel_shop.analytics.service import SoldOrder

STAFF = only("staff", "admin")

service = Service("analytics")
SALES = service.collection(analytics.COLLECTION)

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
            )
            for line in lines
        ]
    )
