"""The inventory service: stock over HTTP for staff, reservations for workflows, the reaper."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cartwheel.access import Uses
from cartwheel.app import Service
from cartwheel.context import Context
from cartwheel.http import Body, NotFound, only
from cartwheel.ports import Index
from cartwheel.workflow import Compensation
from cartwheel_shop._base import Line, Payload
from cartwheel_shop._retry import EAGER, PERSISTENT
from cartwheel_shop.catalog import service as catalog
from cartwheel_shop.inventory import service as inventory
from cartwheel_shop.inventory.model import (
    MAX_MOVEMENT,
    InsufficientStock,
    OutOfStock,
    ReservationClosed,
    ReservationExpired,
)
from cartwheel_shop.inventory.service import StockLevel

STAFF = only("staff", "admin")

service = Service("inventory", Uses(reads=("products",)))
INVENTORY = service.collection(
    inventory.COLLECTION,
    Index(inventory.HELD, "held", sort="expires_at"),
    Index(inventory.HELD_PRODUCT, "held_product", sort="expires_at"),
)


class StockMovement(Body):
    """Is what staff does to stock."""

    quantity: Annotated[int, Field(ge=1, le=MAX_MOVEMENT)]
    reason: Literal["receive", "write_off"]


class Lines(Payload):
    """Names products and quantities."""

    lines: list[Line]


class OrderLines(Payload):
    """Names what an order holds or wants to hold."""

    order_id: str
    lines: list[Line]


class Availability(Payload):
    """Says whether all lines could be had now, and which products fall short."""

    available: bool
    missing: list[str]


class Held(Payload):
    """Says until when stock is held, RFC 3339 UTC."""

    expires_at: str


class Done(Payload):
    """Names the order whose stock was moved."""

    order_id: str


@service.route("GET", "/products/{product_id}/stock", permission=STAFF, errors=[NotFound])
def get_stock(ctx: Context, product_id: str) -> StockLevel:
    """Show a product's stock."""
    catalog.get(ctx.ports, product_id)
    return inventory.stock_level(ctx.ports, product_id)


@service.route(
    "POST",
    "/products/{product_id}/stock",
    permission=STAFF,
    idempotent=True,
    errors=[NotFound, InsufficientStock],
)
def move_stock(ctx: Context, product_id: str, body: StockMovement) -> StockLevel:
    """Receive pieces of a product, or write them off."""
    catalog.get(ctx.ports, product_id)
    return inventory.move_stock(ctx.ports, ctx.key, product_id, body.quantity, body.reason)


@service.task()
def check(ctx: Context, cmd: Lines) -> Availability:
    """Tell whether all lines are available now; nothing is held."""
    missing = inventory.missing(ctx.ports, cmd.lines)
    return Availability(available=not missing, missing=missing)


@service.task(errors=[OutOfStock, ReservationClosed], retry=EAGER)
def reserve(ctx: Context, cmd: OrderLines) -> Held:
    """Hold stock for an order for a quarter of an hour, all lines or none."""
    return Held(expires_at=inventory.reserve(ctx.ports, cmd.order_id, cmd.lines))


@service.task(errors=[ReservationExpired], retry=EAGER)
def commit(ctx: Context, cmd: OrderLines) -> Done:
    """Turn an order's reservations into sales."""
    inventory.commit(ctx.ports, cmd.order_id, cmd.lines)
    return Done(order_id=cmd.order_id)


@service.task(retry=PERSISTENT)
def release(ctx: Context, cmd: Compensation[OrderLines, Held]) -> Done:
    """Give back what an order holds or has bought."""
    inventory.release(ctx.ports, cmd.input.order_id, cmd.input.lines)
    return Done(order_id=cmd.input.order_id)


@service.task(retry=PERSISTENT)
def restock(ctx: Context, cmd: OrderLines) -> Done:
    """Put a cancelled order's goods back on the shelf."""
    inventory.release(ctx.ports, cmd.order_id, cmd.lines, "cancelled")
    return Done(order_id=cmd.order_id)


@service.every(60)
def reap(ctx: Context) -> None:
    """End the reservations whose time is over."""
    ended = inventory.reap(ctx.ports)
    if ended:
        ctx.log.info("reservations expired", count=ended)
