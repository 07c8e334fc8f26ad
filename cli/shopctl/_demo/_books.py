"""The books at the end of the day: what the shop, the bank and the mailbox hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cartwheel.ports import Charge, DeadLetter, HistoryEntry, JsonObject, Mail, Run
from shopctl._demo._client import Client, Order
from shopctl._demo._day import Day
from shopctl._demo._stage import Records


@dataclass(frozen=True, slots=True)
class Stock:
    """Is one product's stock."""

    product_id: str
    name: str
    received: int
    written_off: int
    available: int
    reserved: int
    sold: int

    def to_json(self) -> JsonObject:
        """Give it as JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Books:
    """Is all that is left when the day is over."""

    orders: tuple[Order, ...]
    customers: dict[str, str]
    """Names by customer id."""
    stock: tuple[Stock, ...]
    charges: tuple[Charge, ...]
    mails: tuple[Mail, ...]
    runs: tuple[Run, ...]
    histories: Mapping[str, tuple[HistoryEntry, ...]]
    """Of runs, by their id."""
    dead_letters: tuple[DeadLetter, ...]

    def order_of(self, charge: Charge) -> str:
        """Give the order that a charge is for, by the run in the charge's reference."""
        run_id = charge.reference.partition(":")[0]
        return next((str(r.input.get("order_id")) for r in self.runs if r.run_id == run_id), "")


def ask(day: Day) -> tuple[tuple[Order, ...], tuple[Stock, ...], dict[str, str]]:
    """Ask the running shop for orders, stock and who is who, over HTTP."""
    staff = day.staff
    orders = tuple(Order(body) for body in _all(staff, "/orders"))
    stock = []
    for name, product_id in day.products.items():
        level = staff.want(200, "GET", f"/products/{product_id}/stock")
        counts = {
            key: value
            for key in ("received", "written_off", "available", "reserved", "sold")
            if isinstance(value := level[key], int)
        }
        stock.append(Stock(product_id=product_id, name=name, **counts))
    customers = {
        str(client.want(200, "GET", "/users/me")["user_id"]): name
        for name, client in day.customers.items()
    }
    return orders, tuple(stock), customers


def _all(staff: Client, path: str) -> list[JsonObject]:
    found: list[JsonObject] = []
    cursor: object = None
    while True:
        tail = "" if cursor is None else f"&cursor={cursor}"
        page = staff.want(200, "GET", f"{path}?limit=100{tail}")
        items = page["items"]
        found += [i for i in items if isinstance(i, dict)] if isinstance(items, list) else []
        cursor = page["next"]
        if cursor is None:
            return found


def together(
    records: Records,
    orders: tuple[Order, ...],
    stock: tuple[Stock, ...],
    customers: dict[str, str],
) -> Books:
    """Put what the shop said and what its records hold together."""
    return Books(
        orders=orders,
        customers=customers,
        stock=stock,
        charges=records.charges,
        mails=records.mails,
        runs=records.runs,
        histories=records.histories,
        dead_letters=records.dead_letters,
    )
