"""A cart: bounded quantities of products, and what it comes to at today's prices. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from cartwheel.ports import DomainError
from cartwheel_shop._base import Line, Record

MAX_QUANTITY = 99
MAX_LINES = 50


class CartLimit(DomainError):
    """Says that a cart would hold more pieces of a product, or more products, than it may."""

    status = 422
    title = "The cart's limit is reached"


class CurrencyMismatch(DomainError):
    """Says that a product's price is in another currency than the cart's other products."""

    title = "A cart has one currency"


class Cart(Record):
    """Is a cart; its lines are in the order in which products were put in."""

    cart_id: str
    lines: tuple[Line, ...] = ()
    revision: int = 0

    def quantity(self, product_id: str) -> int:
        """Give how many of a product are in the cart."""
        return sum(line.quantity for line in self.lines if line.product_id == product_id)

    def with_quantity(self, product_id: str, quantity: int) -> Cart:
        """Give the cart with so many of a product, none for 0; raises CartLimit."""
        if quantity > MAX_QUANTITY:
            raise CartLimit(
                f"{quantity} of {product_id} are too many, a cart holds {MAX_QUANTITY} of each",
                limit=MAX_QUANTITY,
            )
        line = Line(product_id=product_id, quantity=quantity)
        known = any(old.product_id == product_id for old in self.lines)
        lines = [line if old.product_id == product_id else old for old in self.lines]
        if not known:
            lines.append(line)
        lines = [each for each in lines if each.quantity > 0]
        if len(lines) > MAX_LINES:
            raise CartLimit(f"a cart holds {MAX_LINES} products", limit=MAX_LINES)
        return self.model_copy(update={"lines": tuple(lines)})

    def merged(self, others: Iterable[Line]) -> Cart:
        """Give the cart with another's lines: quantities summed, both limits capping silently."""
        cart = self
        for line in others:
            before = cart.quantity(line.product_id)
            if not before and len(cart.lines) >= MAX_LINES:
                continue
            summed = min(MAX_QUANTITY, before + line.quantity)
            cart = cart.with_quantity(line.product_id, summed)
        return cart

    def without(self, ordered: Iterable[Line]) -> Cart:
        """Give the cart less what was ordered from it."""
        cart = self
        for line in ordered:
            rest = max(0, cart.quantity(line.product_id) - line.quantity)
            cart = cart.with_quantity(line.product_id, rest)
        return cart
