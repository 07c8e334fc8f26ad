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


def category_key(category: str) -> str:
    """Give the form of a category's name under which it is one, in whatever case."""
    return category.casefold()


class CategoryName(Record):
    """Notes that products of a category have been on sale; named as first written."""

    name: str


class Product(Record):
    """Is a product; its indexes hang on the fields from `shelf` on.

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
    category_key: str | None = None
    price_amount: int = 0
    sort_name: str = ""

    def indexed(self) -> Product:
        """Give the product with the fields that its indexes need."""
        return self.model_copy(
            update={
                "shelf": None if self.deleted else ON_SHELF,
                "category_key": None if self.deleted else category_key(self.category),
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
        if self.category is not None and category_key(product.category) != category_key(
            self.category
        ):
            return False
        amount = product.price.amount
        if self.min_price is not None and amount < self.min_price:
            return False
        if self.max_price is not None and amount > self.max_price:
            return False
        if self.text is None:
            return True
        return self.text.casefold() in f"{product.name}\n{product.description}".casefold()
