"""The catalogue service: products over HTTP, for customers to read and for staff to edit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from cartwheel.access import Uses
from cartwheel.app import Service
from cartwheel.context import Context
from cartwheel.http import (
    ANYONE,
    BadRequest,
    Body,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    Query,
    Reply,
    View,
    etag,
    only,
    require_match,
)
from cartwheel.ports import Index
from cartwheel_shop._base import MAX_AMOUNT, Money
from cartwheel_shop.catalog import service as catalog
from cartwheel_shop.catalog.model import (
    MAX_STOCK,
    Category,
    Description,
    Filter,
    Name,
    Product,
    Sort,
)
from cartwheel_shop.inventory import service as inventory

STAFF = only("staff", "admin")

service = Service("catalog", Uses(writes=("inventory",)))
PRODUCTS = service.collection(
    catalog.COLLECTION,
    Index(catalog.INDEXES["created_at"], "shelf", sort="created_at"),
    Index(catalog.INDEXES["price"], "shelf", sort="price_amount"),
    Index(catalog.INDEXES["name"], "shelf", sort="sort_name"),
    Index(catalog.BY_CATEGORY, "category_key"),
)
CATEGORIES = service.collection(catalog.CATEGORIES)

Amount = Annotated[int, Field(ge=0, le=MAX_AMOUNT)]


class NewProduct(Body):
    """Is a product as staff enter it; `stock` is received at once."""

    name: Name
    description: Description = ""
    category: Category
    price: Money
    stock: Annotated[int, Field(ge=0, le=MAX_STOCK)] = 0


class ProductChange(Body):
    """Is what to change of a product; what is left out stays."""

    name: Name | None = None
    description: Description | None = None
    category: Category | None = None
    price: Money | None = None


class ProductView(View):
    """Is a product as everybody sees it; `available` is how many can be bought now."""

    product_id: str
    name: str
    description: str
    category: str
    price: Money
    available: int
    created_at: str
    updated_at: str


class ProductList(View):
    """Is a page of products."""

    items: list[ProductView]
    next: str | None


class CategoryView(View):
    """Is a category that a listing can be narrowed to."""

    name: str


class CategoryList(View):
    """Is all categories with something on sale, by name."""

    items: list[CategoryView]
    next: str | None = None


class Listing(Query):
    """Says which products to list; prices are in minor units, `q` is a part of name or text."""

    category: Category | None = None
    q: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    min_price: Amount | None = None
    max_price: Amount | None = None
    sort: Sort = "created_at"
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(min_length=1, max_length=2000)] | None = None


@service.route("GET", "/products", permission=ANYONE, errors=[BadRequest])
def list_products(ctx: Context, query: Listing) -> ProductList:
    """List the products on sale."""
    wanted = Filter(query.category, query.q, query.min_price, query.max_price)
    try:
        listing = catalog.listing(
            ctx.ports, wanted, sort=query.sort, limit=query.limit, cursor=query.cursor
        )
    except ValueError as error:
        raise BadRequest("the cursor is not one of this listing") from error
    return ProductList(
        items=[_view(ctx, product) for product in listing.products], next=listing.next
    )


@service.route("GET", "/categories", permission=ANYONE)
def list_categories(ctx: Context) -> CategoryList:
    """List the categories with something on sale."""
    return CategoryList(items=[CategoryView(name=name) for name in catalog.categories(ctx.ports)])


@service.route("GET", "/products/{product_id}", permission=ANYONE, errors=[NotFound])
def get_product(ctx: Context, product_id: str) -> Reply[ProductView]:
    """Show a product."""
    return _tagged(ctx, catalog.get(ctx.ports, product_id))


@service.route("POST", "/products", permission=STAFF, status=201)
def create_product(ctx: Context, body: NewProduct) -> Reply[ProductView]:
    """Put a product on sale."""
    draft = catalog.Draft(body.name, body.description, body.category, body.price, body.stock)
    product = catalog.create(ctx.ports, ctx.ports.ids.new("prd"), draft)
    reply = _tagged(ctx, product)
    location = {"Location": f"/products/{product.product_id}"}
    return Reply(reply.model, headers={**reply.headers, **location})


@service.route(
    "PATCH",
    "/products/{product_id}",
    permission=STAFF,
    errors=[NotFound, PreconditionFailed, PreconditionRequired],
)
def change_product(ctx: Context, product_id: str, body: ProductChange) -> Reply[ProductView]:
    """Change a product if it is still the one that was read, as If-Match says."""
    request = ctx.request
    if request is None:
        raise PreconditionRequired("send the ETag that you read in an If-Match header")
    changes = catalog.Changes(body.name, body.description, body.category, body.price)
    changed = catalog.change(
        ctx.ports, product_id, changes, lambda revision: require_match(request, revision)
    )
    return _tagged(ctx, changed)


@service.route(
    "DELETE",
    "/products/{product_id}",
    permission=STAFF,
    status=204,
    errors=[NotFound, PreconditionFailed],
)
def delete_product(ctx: Context, product_id: str) -> None:
    """Take a product off the shelf; orders of the past keep it."""
    catalog.delete(ctx.ports, product_id, _precondition(ctx))


def _precondition(ctx: Context) -> Callable[[int], None]:
    request = ctx.request
    if request is None or request.header("if-match") is None:
        return catalog.any_revision
    return lambda revision: require_match(request, revision)


def _tagged(ctx: Context, product: Product) -> Reply[ProductView]:
    return Reply(_view(ctx, product), headers={"ETag": etag(product.revision)})


def _view(ctx: Context, product: Product) -> ProductView:
    return ProductView(
        product_id=product.product_id,
        name=product.name,
        description=product.description,
        category=product.category,
        price=product.price,
        available=inventory.available(ctx.ports, product.product_id),
        created_at=product.created_at,
        updated_at=product.updated_at,
    )
