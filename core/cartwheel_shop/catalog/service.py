"""Use cases of the catalogue: one partition per product, listed through indexes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cartwheel.http import NotFound
from cartwheel.ports import Ports
from cartwheel.unit import Unit, transact
from cartwheel_shop._base import Money, now_text, read, row_as
from cartwheel_shop.catalog.model import ON_SHELF, Filter, Product, Sort
from cartwheel_shop.inventory import service as inventory

COLLECTION = "products"
PRODUCT = "product"
INDEXES: dict[Sort, str] = {
    "created_at": "by_created_at",
    "price": "by_price",
    "name": "by_name",
}
_MOST_READ = 1000
"""Products that one page of a filtered listing looks at before it hands out a cursor."""


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

    return _edit(ports, product_id, edit, accepts)


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
    found: list[Product] = []
    seen = 0
    while len(found) < limit and seen < _MOST_READ:
        # Asking for no more than is missing leaves the cursor right behind the last one shown.
        page = ports.store.query(
            COLLECTION, INDEXES[sort], ON_SHELF, cursor=cursor, limit=limit - len(found)
        )
        products = [row_as(row, Product) for row in page.rows]
        found += [product for product in products if wanted.shows(product)]
        seen += len(products)
        cursor = page.next
        if cursor is None:
            break
    return Listing(tuple(found), cursor)


def any_revision(revision: int) -> None:
    """Accept a product at whatever revision it is."""
