"""Use cases of the catalogue: one partition per product, listed through indexes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cartwheel.http import NotFound
from cartwheel.ports import Page, Ports
from cartwheel.unit import Unit, transact
from cartwheel_shop._base import Money, digest, gather, now_text, read
from cartwheel_shop.catalog.model import (
    ON_SHELF,
    CategoryName,
    Filter,
    Product,
    Sort,
    category_key,
)
from cartwheel_shop.inventory import service as inventory

COLLECTION = "products"
PRODUCT = "product"
INDEXES: dict[Sort, str] = {
    "created_at": "by_created_at",
    "price": "by_price",
    "name": "by_name",
}
CATEGORIES, ALL_CATEGORIES, BY_CATEGORY = "categories", "all", "by_category"


@dataclass(frozen=True, slots=True)
class Draft:
    """Is what a new product is made of."""

    name: str
    description: str
    category: str
    price: Money
    stock: int = 0


@dataclass(frozen=True, slots=True)
class Changes:
    """Is what to change of a product; None leaves a field as it is."""

    name: str | None = None
    description: str | None = None
    category: str | None = None
    price: Money | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Is a page of products; `next` is None at the end."""

    products: tuple[Product, ...]
    next: str | None


def create(ports: Ports, product_id: str, draft: Draft) -> Product:
    """Create a product and receive its first stock; the same id again finishes what was begun."""
    at = now_text(ports)
    product = Product(
        product_id=product_id,
        name=draft.name,
        description=draft.description,
        category=draft.category,
        price=draft.price,
        created_at=at,
        updated_at=at,
    ).indexed()

    _note_category(ports, product.category)

    def work(unit: Unit) -> None:
        if unit.get(PRODUCT, Product) is None:
            unit.put(PRODUCT, product)

    transact(ports, COLLECTION, product_id, work, key="create")
    if draft.stock:
        inventory.move_stock(ports, f"create:{product_id}", product_id, draft.stock, "receive")
    return get(ports, product_id)


def find(ports: Ports, product_id: str) -> Product | None:
    """Give a product, also a deleted one, or None."""
    return read(ports, COLLECTION, product_id, PRODUCT, Product)


def get(ports: Ports, product_id: str) -> Product:
    """Give a product that is on sale; raises NotFound."""
    product = find(ports, product_id)
    if product is None or product.deleted:
        raise NotFound(f"there is no product {product_id}")
    return product


def change(
    ports: Ports, product_id: str, changes: Changes, accepts: Callable[[int], None]
) -> Product:
    """Change a product; `accepts` sees its revision and may refuse. Raises NotFound."""

    def edit(product: Product) -> Product:
        return product.model_copy(
            update={
                name: value
                for name in ("name", "description", "category", "price")
                if (value := getattr(changes, name)) is not None
            }
        )

    if changes.category is not None:
        _note_category(ports, changes.category)
    return _edit(ports, product_id, edit, accepts)


def _note_category(ports: Ports, category: str) -> None:
    """Note a category before its first product: one without products is not shown."""
    key = digest(category_key(category))

    def work(unit: Unit) -> None:
        if unit.get(key, CategoryName) is None:
            unit.put(key, CategoryName(name=category))

    transact(ports, CATEGORIES, ALL_CATEGORIES, work)


def categories(ports: Ports) -> list[str]:
    """Give the categories with a product on sale, by name."""
    noted = Unit(ports, CATEGORIES, ALL_CATEGORIES).scan("", CategoryName).values()
    return sorted(
        (category.name for category in noted if _on_sale(ports, category.name)), key=str.casefold
    )


def _on_sale(ports: Ports, category: str) -> bool:
    page = ports.store.query(COLLECTION, BY_CATEGORY, category_key(category), limit=1)
    return bool(page.rows)


def delete(ports: Ports, product_id: str, accepts: Callable[[int], None]) -> None:
    """Take a product off the shelf for good; its row stays. Raises NotFound."""
    _edit(ports, product_id, lambda product: product.model_copy(update={"deleted": True}), accepts)


def _edit(
    ports: Ports,
    product_id: str,
    edit: Callable[[Product], Product],
    accepts: Callable[[int], None],
) -> Product:
    def work(unit: Unit) -> Product:
        product = unit.get(PRODUCT, Product)
        if product is None or product.deleted:
            raise NotFound(f"there is no product {product_id}")
        accepts(product.revision)
        after = (
            edit(product)
            .model_copy(update={"revision": product.revision + 1, "updated_at": now_text(ports)})
            .indexed()
        )
        unit.put(PRODUCT, after)
        return after

    return transact(ports, COLLECTION, product_id, work)


def listing(ports: Ports, wanted: Filter, *, sort: Sort, limit: int, cursor: str | None) -> Listing:
    """List products on sale in an order; raises ValueError for a cursor of another listing."""

    def query(after: str | None, most: int) -> Page:
        return ports.store.query(COLLECTION, INDEXES[sort], ON_SHELF, cursor=after, limit=most)

    found, following = gather(query, Product, wanted.shows, limit=limit, cursor=cursor)
    return Listing(tuple(found), following)


def any_revision(revision: int) -> None:
    """Accept a product at whatever revision it is."""
