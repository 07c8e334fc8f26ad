"""What was sold, per day and per product and day. Pure."""

from __future__ import annotations

from datetime import date, timedelta

from cartwheel.http import BadRequest
from cartwheel_shop._base import Record

MAX_DAYS = 92
"""Days that one report may span: each is a partition to be read."""


class Sales(Record):
    """Counts one day's sales in one currency, of all products or of one; amounts in minor units.

    What is cancelled or refunded counts on the day of that and leaves the day of the sale alone.
    Refunds are of orders, not of products: they are in the counts of all products only.
    """

    orders: int = 0
    quantity: int = 0
    revenue: int = 0
    cancelled: int = 0
    refunded: int = 0

    def plus(self, other: Sales) -> Sales:
        """Add up two counts."""
        return Sales(
            orders=self.orders + other.orders,
            quantity=self.quantity + other.quantity,
            revenue=self.revenue + other.revenue,
            cancelled=self.cancelled + other.cancelled,
            refunded=self.refunded + other.refunded,
        )


class DailyReport(Record):
    """Is a finished day in one currency each, as it was counted when the report was made."""

    day: str
    made_at: str
    currencies: dict[str, Sales]


def day_before(now: str) -> str:
    """Give the day before that of a time, RFC 3339 UTC."""
    return (date.fromisoformat(now[:10]) - timedelta(days=1)).isoformat()


def days_between(first: str, last: str) -> list[str]:
    """List the days from one to another, both included; raises BadRequest."""
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError as error:
        raise BadRequest("from and to are days that exist, such as 2026-01-31") from error
    count = (end - begin).days + 1
    if not 1 <= count <= MAX_DAYS:
        raise BadRequest(f"a report spans 1 to {MAX_DAYS} days, from the earlier to the later one")
    return [(begin + timedelta(days=number)).isoformat() for number in range(count)]
