"""Use cases of the inventory: one partition per product, ledger and counters in one commit."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Literal

from cartwheel.ports import Ports, rfc3339
from cartwheel.unit import Unit, transact
from cartwheel_shop._base import Line, Payload, now_text, read, row_as
from cartwheel_shop.inventory.model import (
    Account,
    Change,
    InsufficientStock,
    Movement,
    OutOfStock,
    Reservation,
    ReservationClosed,
    Stock,
    expire,
    give_back,
    hold,
    refuse_again,
    sell,
    tombstone,
)

COLLECTION = "inventory"
HELD, HELD_PRODUCT = "held", "held_product"
STOCK = "stock"
_STEAL = 8
"""Expired reservations ended in one go when stock is short: three rows each, well below 100."""


class StockLevel(Payload):
    """Is a product's stock as staff and other services see it."""

    product_id: str
    received: int
    written_off: int
    available: int
    reserved: int
    sold: int


def move_stock(
    ports: Ports, key: str, product_id: str, quantity: int, reason: Literal["receive", "write_off"]
) -> StockLevel:
    """Receive pieces or write them off, once per key; raises InsufficientStock."""

    def work(unit: Unit) -> StockLevel:
        stock = unit.get(STOCK, Stock) or Stock()
        if reason == "receive":
            source, target = Account.RECEIVED, Account.AVAILABLE
        else:
            source, target = Account.AVAILABLE, Account.WRITTEN_OFF
            if stock.available < quantity:
                raise InsufficientStock(
                    f"{quantity} of {product_id} can't be written off, "
                    f"{stock.available} are available",
                    available=stock.available,
                )
        movement = Movement(
            source=source, target=target, quantity=quantity, reference=key, at=now_text(ports)
        )
        after = stock.moved(source, target, quantity)
        _put_stock(unit, after, (movement,))
        return _level(product_id, after)

    return transact(ports, COLLECTION, product_id, work, key=key, result=StockLevel)


def stock_level(ports: Ports, product_id: str) -> StockLevel:
    """Give a product's stock; reservations past their time count as available."""
    stock = read(ports, COLLECTION, product_id, STOCK, Stock) or Stock()
    if not stock.reserved:
        return _level(product_id, stock)
    overdue = sum(item.quantity for item in _overdue(ports, HELD_PRODUCT, product_id, 100))
    freed = min(overdue, stock.reserved)
    return _level(product_id, stock.model_copy(update={"reserved": stock.reserved - freed}))


def available(ports: Ports, product_id: str) -> int:
    """Give how many pieces of a product can be bought now."""
    return stock_level(ports, product_id).available


def missing(ports: Ports, lines: Iterable[Line]) -> list[str]:
    """Give the products of which fewer are available than asked for."""
    return [
        line.product_id
        for line in _merged(lines)
        if available(ports, line.product_id) < line.quantity
    ]


def reserve(ports: Ports, order_id: str, lines: Iterable[Line]) -> str:
    """Hold all lines for an order, or none; gives when the reservation expires.

    The reservation's row is the guard: the same order again finds it. Products are taken in sorted
    order, each in its own commit. Raises OutOfStock or ReservationClosed after giving back what
    this order had taken.
    """
    wanted = _merged(lines)
    until = rfc3339(ports.clock.now())
    for position, line in enumerate(wanted):
        try:
            held = transact(
                ports, COLLECTION, line.product_id, partial(_reserve_one, ports, order_id, line)
            )
        except (OutOfStock, ReservationClosed) as refusal:
            reason = "out_of_stock" if isinstance(refusal, OutOfStock) else None
            # The refused line gets its tombstone too: a late duplicate must not take it after all.
            release(ports, order_id, wanted[: position + 1], reason)
            raise
        until = held.expires_at
    return until


def _reserve_one(ports: Ports, order_id: str, line: Line, unit: Unit) -> Reservation:
    now = ports.clock.now()
    existing = unit.get(_reservation_key(order_id), Reservation)
    if existing is not None:
        refuse_again(existing)
        return existing
    stock = unit.get(STOCK, Stock) or Stock()
    if stock.available < line.quantity and stock.reserved:
        stock = _end_overdue(ports, unit, stock, line.product_id, now)
    change = hold(stock, order_id, line.product_id, line.quantity, now)
    _save(unit, stock, change)
    return change.reservation


def _end_overdue(ports: Ports, unit: Unit, stock: Stock, product_id: str, now: float) -> Stock:
    """End reservations past their time in the commit of the one that needs their pieces."""
    for found in _overdue(ports, HELD_PRODUCT, product_id, _STEAL):
        reservation = unit.get(_reservation_key(found.order_id), Reservation)
        change = None if reservation is None else expire(stock, reservation, now)
        if change is not None:
            _save(unit, stock, change)
            stock = change.stock
    return stock


def commit(ports: Ports, order_id: str, lines: Iterable[Line]) -> None:
    """Turn an order's reservations into sales; raises ReservationExpired.

    When a later line is refused, those sold before stay so until the order gives all back.
    """
    for line in _merged(lines):
        transact(
            ports,
            COLLECTION,
            line.product_id,
            partial(_commit_one, ports, order_id, line.product_id),
        )


def _commit_one(ports: Ports, order_id: str, product_id: str, unit: Unit) -> None:
    now = ports.clock.now()
    reservation = unit.get(_reservation_key(order_id), Reservation)
    stock = unit.get(STOCK, Stock) or Stock()
    if reservation is None:
        reservation = tombstone(order_id, product_id, now, None)
    change = sell(stock, reservation, now)
    if change is not None:
        _save(unit, stock, change)


def release(ports: Ports, order_id: str, lines: Iterable[Line], reason: str | None = None) -> None:
    """Give back what an order holds or has bought, and refuse its reservations from now on."""
    for line in _merged(lines):
        transact(
            ports,
            COLLECTION,
            line.product_id,
            partial(_release_one, ports, order_id, line.product_id, reason),
        )


def _release_one(
    ports: Ports, order_id: str, product_id: str, reason: str | None, unit: Unit
) -> None:
    now = ports.clock.now()
    key = _reservation_key(order_id)
    reservation = unit.get(key, Reservation)
    if reservation is None:
        unit.put(key, tombstone(order_id, product_id, now, reason))
        return
    stock = unit.get(STOCK, Stock) or Stock()
    change = give_back(stock, reservation, now, reason)
    if change is not None:
        _save(unit, stock, change)


def reap(ports: Ports) -> int:
    """End the reservations whose time is over; gives how many."""
    count = 0
    while True:
        overdue = _overdue(ports, HELD, HELD, 100)
        ended = 0
        for found in overdue:
            done = transact(
                ports, COLLECTION, found.product_id, partial(_expire_one, ports, found.order_id)
            )
            ended += done is not None
        count += ended
        # A full page that changed nothing is an index that lags: the next tick goes on.
        if len(overdue) < 100 or not ended:
            return count


def _expire_one(ports: Ports, order_id: str, unit: Unit) -> Reservation | None:
    reservation = unit.get(_reservation_key(order_id), Reservation)
    stock = unit.get(STOCK, Stock) or Stock()
    change = None if reservation is None else expire(stock, reservation, ports.clock.now())
    if change is None:
        return None
    _save(unit, stock, change)
    return change.reservation


def ledger(ports: Ports, product_id: str) -> list[Movement]:
    """Give a product's movements, oldest first."""
    unit = Unit(ports, COLLECTION, product_id)
    return list(unit.scan("led#", Movement).values())


def reservation_of(ports: Ports, order_id: str, product_id: str) -> Reservation | None:
    """Give an order's reservation of a product."""
    return read(ports, COLLECTION, product_id, _reservation_key(order_id), Reservation)


def _overdue(ports: Ports, index: str, value: str, limit: int) -> list[Reservation]:
    now = now_text(ports)
    page = ports.store.query(COLLECTION, index, value, limit=limit)
    found = [row_as(row, Reservation) for row in page.rows]
    return [item for item in found if item.held and item.expires_at <= now]


def _save(unit: Unit, before: Stock, change: Change) -> None:
    unit.put(_reservation_key(change.reservation.order_id), change.reservation)
    if change.movements:
        _put_stock(unit, change.stock, change.movements)
    elif change.stock != before:
        raise ValueError("stock changed without a movement in its ledger")


def _put_stock(unit: Unit, stock: Stock, movements: tuple[Movement, ...]) -> None:
    first = stock.sequence - len(movements) + 1
    for number, movement in enumerate(movements, first):
        unit.put(f"led#{number:012d}", movement)
    unit.put(STOCK, stock)


def _reservation_key(order_id: str) -> str:
    return f"res#{order_id}"


def _merged(lines: Iterable[Line]) -> list[Line]:
    """Sum the lines by product, in the products' order: everyone takes rows in the same order."""
    quantities: dict[str, int] = {}
    for line in lines:
        quantities[line.product_id] = quantities.get(line.product_id, 0) + line.quantity
    return [Line(product_id=name, quantity=quantities[name]) for name in sorted(quantities)]


def _level(product_id: str, stock: Stock) -> StockLevel:
    return StockLevel(
        product_id=product_id,
        received=stock.received,
        written_off=stock.written_off,
        available=stock.available,
        reserved=stock.reserved,
        sold=stock.sold,
    )
