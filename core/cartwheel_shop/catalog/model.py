"""A product and how products are listed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from cartwheel_shop._base import Money, Record

MAX_STOCK = 1_000_000

Name = Annotated[str, Field(min_length=1, max_length=200)]
Description = Annotated[str, Field(max_length=5000)]
Category = Annotated[str, Field(min_length=1, max_length=60)]
Sort = Literal["created_at", "price", "name"]

ON_SHELF = "shelf"
"""The value under which the listing indexes find products that are on sale."""


class Product(Record):
    """Is a product; `shelf`, `price_amount` and `sort_name` are what its indexes hang on.

    A deleted product keeps its row: orders of the past name it.
    """

    product_id: str
    name: str
    description: str
    category: str
    price: Money
    created_at: str
    updated_at: str
    revision: int = 1
    deleted: bool = False
    shelf: Literal["shelf"] | None = "shelf"
    price_amount: int = 0
    sort_name: str = ""

    def indexed(self) -> Product:
        """Give the product with the fields that its indexes need."""
        return self.model_copy(
            update={
                "shelf": None if self.deleted else ON_SHELF,
                "price_amount": self.price.amount,
                "sort_name": self.name.casefold()[:100],
            }
        )


@dataclass(frozen=True, slots=True)
class Filter:
    """Says which products a listing shows; prices in minor units, text as a part of it."""

    category: str | None = None
    text: str | None = None
    min_price: int | None = None
    max_price: int | None = None

    def shows(self, product: Product) -> bool:
        """Tell whether a product is among those asked for."""
        if self.category is not None and product.category.casefold() != self.category.casefold():
            return False
        amount = product.price.amount
        if self.min_price is not None and amount < self.min_price:
            return False
        if self.max_price is not None and amount > self.max_price:
            return False
        if self.text is None:
            return True
        return self.text.casefold() in f"{product.name}\n{product.description}".casefold()
