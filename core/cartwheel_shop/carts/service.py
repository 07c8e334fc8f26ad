"""Use cases of carts: a customer's follows from the customer, a guest's from a signed token."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator

from cartwheel.http import BadRequest, NotFound
from cartwheel.ports import Ports
from cartwheel.unit import Unit, transact
from cartwheel_shop._base import Line, digest, read
from cartwheel_shop.carts.model import Cart, CurrencyMismatch
from cartwheel_shop.catalog import service as catalog
from cartwheel_shop.catalog.model import Product

COLLECTION = "carts"
CART = "cart"
SIGNING_KEY = "cart_signing_key"


def cart_of_customer(user_id: str) -> str:
    """Give the id of a customer's one cart."""
    return f"cart_{digest('customer', user_id)}"


def new_guest_cart(ports: Ports) -> tuple[str, str]:
    """Make the id of a guest's cart and the token that proves it; nothing is stored yet."""
    cart_id = f"guest_{digest('guest', ports.ids.token())}"
    return cart_id, f"{cart_id}.{_signature(ports, cart_id)}"


def guest_cart(ports: Ports, token: str) -> str:
    """Give the id of the cart that a token proves; raises BadRequest for any other string."""
    cart_id, _, signature = token.rpartition(".")
    expected = _signature(ports, cart_id)
    genuine = hmac.compare_digest(signature.encode("utf-8", "replace"), expected.encode())
    if not genuine or not cart_id.startswith("guest_"):
        raise BadRequest("X-Cart-Token is not one that this shop gave; leave it out for a new cart")
    return cart_id


def _signature(ports: Ports, cart_id: str) -> str:
    key = ports.secrets.get(SIGNING_KEY).reveal().encode()
    return hmac.new(key, cart_id.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def cart(ports: Ports, cart_id: str) -> Cart:
    """Give a cart; one that was never written to is empty."""
    return read(ports, COLLECTION, cart_id, CART, Cart) or Cart(cart_id=cart_id)


def lines_of(ports: Ports, cart_id: str) -> tuple[Line, ...]:
    """Give what is in a cart."""
    return cart(ports, cart_id).lines


def priced(ports: Ports, found: Cart) -> Iterator[tuple[Line, Product]]:
    """Give a cart's lines with their products of today; what is no longer sold is left out."""
    for line in found.lines:
        product = catalog.find(ports, line.product_id)
        if product is not None and not product.deleted:
            yield line, product


def add(ports: Ports, cart_id: str, product_id: str, quantity: int) -> Cart:
    """Put more of a product into a cart; raises NotFound, CartLimit and CurrencyMismatch."""
    product = catalog.get(ports, product_id)

    def edit(found: Cart) -> Cart:
        _check_currency(ports, found, product)
        return found.with_quantity(product_id, found.quantity(product_id) + quantity)

    return _edit(ports, cart_id, edit)


def _check_currency(ports: Ports, found: Cart, product: Product) -> None:
    _, other = next(priced(ports, found), (None, None))
    if other is not None and other.price.currency != product.price.currency:
        raise CurrencyMismatch(
            f"{product.product_id} costs {product.price.currency}, the cart is in "
            f"{other.price.currency}; order that first"
        )


def set_quantity(ports: Ports, cart_id: str, product_id: str, quantity: int) -> Cart:
    """Set how many of a product are in a cart, 0 for none; raises NotFound and CartLimit."""

    def edit(found: Cart) -> Cart:
        if not found.quantity(product_id):
            raise NotFound(f"{product_id} is not in the cart")
        return found.with_quantity(product_id, quantity)

    return _edit(ports, cart_id, edit)


def clear(ports: Ports, cart_id: str) -> Cart:
    """Empty a cart."""
    return _edit(ports, cart_id, lambda found: found.model_copy(update={"lines": ()}))


def take_ordered(ports: Ports, cart_id: str, order_id: str, ordered: Iterable[Line]) -> None:
    """Take what was ordered out of the cart, once per order."""
    lines = list(ordered)

    def work(unit: Unit) -> None:
        _take_out(unit, lines)

    transact(ports, COLLECTION, cart_id, work, key=f"ordered:{order_id}")


def merge(ports: Ports, cart_id: str, guest_id: str) -> Cart:
    """Move a guest's cart into a customer's: quantities are summed, up to the limits.

    Each state of the guest's cart is merged once, so that a request sent twice adds nothing twice.
    """
    guest = cart(ports, guest_id)
    if guest.lines:

        def work(unit: Unit) -> None:
            found = unit.get(CART, Cart) or Cart(cart_id=cart_id)
            _put(unit, found.merged(guest.lines))

        key = f"merged:{guest_id}:{guest.revision}"
        transact(ports, COLLECTION, cart_id, work, key=key)
        transact(
            ports,
            COLLECTION,
            guest_id,
            lambda unit: _take_out(unit, guest.lines),
            key=f"moved:{cart_id}:{guest.revision}",
        )
    return cart(ports, cart_id)


def _take_out(unit: Unit, lines: Iterable[Line]) -> None:
    found = unit.get(CART, Cart)
    if found is not None:
        _put(unit, found.without(lines))


def _edit(ports: Ports, cart_id: str, edit: Callable[[Cart], Cart]) -> Cart:
    def work(unit: Unit) -> Cart:
        found = unit.get(CART, Cart) or Cart(cart_id=cart_id)
        return _put(unit, edit(found))

    return transact(ports, COLLECTION, cart_id, work)


def _put(unit: Unit, changed: Cart) -> Cart:
    after = changed.model_copy(update={"revision": changed.revision + 1})
    unit.put(CART, after)
    return after
