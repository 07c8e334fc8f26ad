"""What all services of the shop share: money, records, ids that a retry repeats, times."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from cartwheel.ports import Json, Page, Ports, Row, rfc3339

M = TypeVar("M", bound=BaseModel)

DEFAULT_CURRENCY = "EUR"
MAX_AMOUNT = 10**12
"""Largest amount of money in minor units: far below 2^53, also when many are summed."""

MOST_READ = 1000
"""Rows that one page of a filtered listing looks at before it hands out a cursor."""

Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]


class Record(BaseModel):
    """Is the base of what is kept in rows: frozen, and read leniently for older rows' sake."""

    model_config = ConfigDict(frozen=True, defer_build=True)


class Payload(BaseModel):
    """Is the base of what tasks take and give: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Money(Payload):
    """Is an amount in a currency's minor unit; never a float."""

    amount: Annotated[int, Field(ge=0, le=MAX_AMOUNT)]
    currency: Currency = DEFAULT_CURRENCY

    def times(self, quantity: int) -> Money:
        """Give the price of so many pieces."""
        return Money(amount=self.amount * quantity, currency=self.currency)


def total_of(amounts: Iterable[Money]) -> Money:
    """Add amounts of one currency; nothing at all is zero in the default currency.

    Raises ValueError when currencies are mixed.
    """
    listed = list(amounts)
    currencies = {money.currency for money in listed}
    if len(currencies) > 1:
        raise ValueError(f"amounts in {', '.join(sorted(currencies))} cannot be added")
    currency = currencies.pop() if currencies else DEFAULT_CURRENCY
    return Money(amount=sum(money.amount for money in listed), currency=currency)


class Line(Payload):
    """Is a product and how many of it, as it travels between services."""

    product_id: str
    quantity: int


def digest(*parts: str, size: int = 32) -> str:
    """Derive `size` hex digits from strings: the same strings give the same id on every retry."""
    text = "\x1f".join(parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:size]


def now_text(ports: Ports) -> str:
    """Give the time as RFC 3339 in UTC."""
    return rfc3339(ports.clock.now())


def read(ports: Ports, collection: str, partition: str, key: str, model: type[M]) -> M | None:
    """Read a row as a model, outside of any unit of work."""
    row = ports.store.get(collection, partition, key)
    return None if row is None else model.model_validate(row.data)


def row_as(row: Row, model: type[M]) -> M:
    """Read a row of a page as a model."""
    return model.model_validate(row.data)


def gather(
    query: Callable[[str | None, int], Page],
    model: type[M],
    shows: Callable[[M], bool],
    *,
    limit: int,
    cursor: str | None,
) -> tuple[list[M], str | None]:
    """Read pages until `limit` rows are shown; gives them and the cursor behind the last one.

    `query` gives a page after a cursor, of at most so many rows. At most MOST_READ are looked at.
    """
    found: list[M] = []
    seen = 0
    while len(found) < limit and seen < MOST_READ:
        # Asking for no more than is missing leaves the cursor right behind the last one shown.
        page = query(cursor, limit - len(found))
        rows = [row_as(row, model) for row in page.rows]
        found += [row for row in rows if shows(row)]
        seen += len(rows)
        cursor = page.next
        if cursor is None:
            break
    return found, cursor


def money_json(money: Money) -> dict[str, Json]:
    """Give money as events and details carry it."""
    return {"amount": money.amount, "currency": money.currency}
