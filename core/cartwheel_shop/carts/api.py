"""The carts service: carts of customers and of guests over HTTP."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cartwheel.access import Uses
from cartwheel.app import Service
from cartwheel.context import Context
from cartwheel.http import ANYONE, AUTHENTICATED, BadRequest, Body, NotFound, Reply, View
from cartwheel.ports import Event
from cartwheel_shop._base import Line, Money, Record, total_of
from cartwheel_shop.carts import service as carts
from cartwheel_shop.carts.model import MAX_QUANTITY, Cart, CartLimit, CurrencyMismatch

TOKEN_HEADER = "X-Cart-Token"  # noqa: S105  # a header's name

service = Service("carts", Uses(reads=("products",), secrets=("cart_signing_key",)))
CARTS = service.collection(carts.COLLECTION)

Quantity = Annotated[int, Field(ge=1, le=MAX_QUANTITY)]


class NewItem(Body):
    """Is a product to put into the cart."""

    product_id: Annotated[str, Field(min_length=1, max_length=100)]
    quantity: Quantity


class ItemChange(Body):
    """Is how many of a product should be in the cart."""

    quantity: Quantity


class GuestCart(Body):
    """Names the guest's cart to take over, by its token."""

    cart_token: Annotated[str, Field(min_length=1, max_length=500)]


class BoughtItem(Record):
    """Is what a cart needs to know of a line of an order."""

    product_id: str
    quantity: int


class ConfirmedOrder(Record):
    """Is what a cart needs to know of an order that was confirmed."""

    order_id: str
    cart_id: str | None
    items: tuple[BoughtItem, ...]


class GoneUser(Record):
    """Is what a cart needs to know of a user who has left."""

    user_id: str


class CartItem(View):
    """Is a line of a cart at today's price."""

    product_id: str
    name: str
    quantity: int
    unit_price: Money
    line_total: Money


class CartView(View):
    """Is a cart at today's prices."""

    cart_id: str
    items: list[CartItem]
    total: Money


@service.route("GET", "/cart", permission=ANYONE, errors=[BadRequest])
def get_cart(ctx: Context) -> Reply[CartView]:
    """Show the cart of whoever asks."""
    cart_id, headers = _cart_id(ctx)
    return _reply(ctx, carts.cart(ctx.ports, cart_id), headers)


@service.route(
    "POST",
    "/cart/items",
    permission=ANYONE,
    errors=[BadRequest, NotFound, CartLimit, CurrencyMismatch],
)
def add_item(ctx: Context, body: NewItem) -> Reply[CartView]:
    """Put more of a product into the cart."""
    cart_id, headers = _cart_id(ctx)
    found = carts.add(ctx.ports, cart_id, body.product_id, body.quantity)
    return _reply(ctx, found, headers)


@service.route(
    "PATCH",
    "/cart/items/{product_id}",
    permission=ANYONE,
    errors=[BadRequest, NotFound, CartLimit],
)
def change_item(ctx: Context, product_id: str, body: ItemChange) -> Reply[CartView]:
    """Set how many of a product are in the cart."""
    cart_id, headers = _cart_id(ctx)
    found = carts.set_quantity(ctx.ports, cart_id, product_id, body.quantity)
    return _reply(ctx, found, headers)


@service.route(
    "DELETE", "/cart/items/{product_id}", permission=ANYONE, errors=[BadRequest, NotFound]
)
def remove_item(ctx: Context, product_id: str) -> Reply[CartView]:
    """Take a product out of the cart."""
    cart_id, headers = _cart_id(ctx)
    return _reply(ctx, carts.set_quantity(ctx.ports, cart_id, product_id, 0), headers)


@service.route("DELETE", "/cart", permission=ANYONE, errors=[BadRequest])
def clear_cart(ctx: Context) -> Reply[CartView]:
    """Empty the cart."""
    cart_id, headers = _cart_id(ctx)
    return _reply(ctx, carts.clear(ctx.ports, cart_id), headers)


@service.route("POST", "/cart/merge", permission=AUTHENTICATED, errors=[BadRequest])
def merge_cart(ctx: Context, body: GuestCart) -> CartView:
    """Move a guest's cart into one's own; quantities are summed, up to the limits."""
    guest_id = carts.guest_cart(ctx.ports, body.cart_token)
    own_id = carts.cart_of_customer(ctx.caller.subject)
    return _view(ctx, carts.merge(ctx.ports, own_id, guest_id))


@service.on("order.confirmed")
def take_ordered(ctx: Context, event: Event) -> None:
    """Take what was bought out of the cart, should the checkout's own request not have lived to."""
    order = ConfirmedOrder.model_validate(event.data)
    if order.cart_id is not None:
        lines = [Line(product_id=item.product_id, quantity=item.quantity) for item in order.items]
        carts.take_ordered(ctx.ports, order.cart_id, order.order_id, lines)


@service.on("user.deleted")
def forget(ctx: Context, event: Event) -> None:
    """Empty the cart of somebody who has left."""
    user = GoneUser.model_validate(event.data)
    carts.clear(ctx.ports, carts.cart_of_customer(user.user_id))


def _cart_id(ctx: Context) -> tuple[str, dict[str, str]]:
    """Find the caller's cart; a guest without a token gets a new one, and its token."""
    if ctx.principal is not None:
        return carts.cart_of_customer(ctx.principal.subject), {}
    token = None if ctx.request is None else ctx.request.header(TOKEN_HEADER)
    if token is not None:
        return carts.guest_cart(ctx.ports, token), {}
    cart_id, fresh = carts.new_guest_cart(ctx.ports)
    return cart_id, {TOKEN_HEADER: fresh}


def _reply(ctx: Context, found: Cart, headers: dict[str, str]) -> Reply[CartView]:
    return Reply(_view(ctx, found), headers=headers)


def _view(ctx: Context, found: Cart) -> CartView:
    items = [
        CartItem(
            product_id=line.product_id,
            name=product.name,
            quantity=line.quantity,
            unit_price=product.price,
            line_total=product.price.times(line.quantity),
        )
        for line, product in carts.priced(ctx.ports, found)
    ]
    total = total_of(item.line_total for item in items)
    return CartView(cart_id=found.cart_id, items=items, total=total)
