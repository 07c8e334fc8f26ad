"""Products: created once, listed in pages, edited against a revision, deleted softly."""

from __future__ import annotations

from typing import Any

import pytest

from cartwheel.ports import Ports
from cartwheel_memory import MemoryHost
from cartwheel_shop._base import Money
from cartwheel_shop.catalog import service as catalog
from cartwheel_shop.inventory import service as inventory
from cartwheel_shop.seed import seed
from tests.support.shopping import Shopper, known, product

NEW = {
    "name": "Enamel mug",
    "description": "White, 350 ml.",
    "category": "kitchen",
    "price": {"amount": 1290, "currency": "EUR"},
    "stock": 7,
}


ANY = {"If-Match": "*"}


@pytest.fixture
def staff(host: MemoryHost) -> Shopper:
    return known(host.dispatcher, "usr_staff", "staff")


@pytest.fixture
def guest(host: MemoryHost) -> Shopper:
    return Shopper(host.dispatcher)


def names(listing: Any) -> list[str]:
    return [item["name"] for item in listing["items"]]


def shelf(ports: Ports) -> None:
    goods = [
        ("prd_c", "Cup", "kitchen", 300),
        ("prd_b", "Bowl", "Kitchen", 200),
        ("prd_a", "apron", "home", 100),
        ("prd_d", "Dish with bowl", "kitchen", 400),
    ]
    for product_id, name, category, cents in goods:
        price = Money(amount=cents)
        catalog.create(ports, product_id, catalog.Draft(name, "", category, price))


def test_a_new_product_has_its_stock_and_where_it_is(staff: Shopper, guest: Shopper) -> None:
    response = staff.send("POST", "/products", NEW)
    made: Any = response.json()
    assert response.status == 201
    assert response.headers["Location"] == f"/products/{made['product_id']}"
    shown = guest.get(f"/products/{made['product_id']}")
    assert shown == made
    assert {name: shown[name] for name in ("name", "description", "category", "price")} == {
        name: NEW[name] for name in ("name", "description", "category", "price")
    }
    assert shown["available"] == 7


def test_a_product_created_twice_under_one_id_is_stocked_once(ports: Ports) -> None:
    product(ports, "prd_1", stock=5)
    product(ports, "prd_1", stock=5)
    assert inventory.available(ports, "prd_1") == 5


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Cup", "Bowl", "apron", "Dish with bowl"]),
        ("?sort=price", ["apron", "Bowl", "Cup", "Dish with bowl"]),
        ("?sort=name", ["apron", "Bowl", "Cup", "Dish with bowl"]),
        ("?category=kitchen&sort=price", ["Bowl", "Cup", "Dish with bowl"]),
        ("?q=bowl&sort=price", ["Bowl", "Dish with bowl"]),
        ("?min_price=200&max_price=300&sort=price", ["Bowl", "Cup"]),
        ("?category=toys", []),
    ],
)
def test_a_listing_filters_and_sorts(
    host: MemoryHost, guest: Shopper, query: str, expected: list[str]
) -> None:
    shelf(host.ports)
    listed = names(guest.get(f"/products{query}"))
    assert sorted(listed) == sorted(expected)
    if "sort" in query:
        assert listed == expected


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_pages_of_a_filtered_listing_show_every_product_once(
    host: MemoryHost, guest: Shopper, limit: int
) -> None:
    shelf(host.ports)
    found: list[str] = []
    cursor = ""
    for _ in range(10):
        page = guest.get(f"/products?category=kitchen&sort=price&limit={limit}{cursor}")
        found += names(page)
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == ["Bowl", "Cup", "Dish with bowl"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?cursor=nonsense", 400),
        ("?limit=0", 422),
        ("?limit=101", 422),
        ("?limit=many", 422),
        ("?sort=colour", 422),
        ("?min_price=-1", 422),
        ("?colour=red", 422),
    ],
)
def test_a_listing_that_makes_no_sense_is_refused(guest: Shopper, query: str, status: int) -> None:
    assert guest.send("GET", f"/products{query}").status == status


def test_an_edit_of_another_revision_is_refused(host: MemoryHost, staff: Shopper) -> None:
    product(host.ports, "prd_1")
    tag = staff.send("GET", "/products/prd_1").headers["ETag"]
    change = {"name": "Bigger mug"}
    edited = staff.send("PATCH", "/products/prd_1", change, headers={"If-Match": tag})
    assert edited.status == 200
    assert edited.headers["ETag"] != tag
    stale = staff.send("PATCH", "/products/prd_1", change, headers={"If-Match": tag})
    assert stale.status == 412
    assert staff.send("DELETE", "/products/prd_1", headers={"If-Match": tag}).status == 412


def test_an_edit_without_if_match_is_a_428_and_changes_nothing(
    host: MemoryHost, staff: Shopper
) -> None:
    product(host.ports, "prd_1")
    refused = staff.send("PATCH", "/products/prd_1", {"name": "Bigger mug"})
    problem: Any = refused.json()
    assert (refused.status, problem["code"]) == (428, "precondition_required")
    assert staff.get("/products/prd_1")["name"] != "Bigger mug"


def test_categories_are_those_with_something_on_sale(
    host: MemoryHost, staff: Shopper, guest: Shopper
) -> None:
    def shown() -> list[str]:
        return [category["name"] for category in guest.get("/categories")["items"]]

    assert shown() == []
    for name, category in (("Pan", "Kitchen"), ("Mug", "kitchen"), ("Pen", "paper")):
        assert staff.send("POST", "/products", {**NEW, "name": name, "category": category}).status
    assert shown() == ["Kitchen", "paper"]
    (pen,) = guest.get("/products?category=paper")["items"]
    path = f"/products/{pen['product_id']}"
    assert staff.send("PATCH", path, {"category": "gifts"}, headers=ANY).status == 200
    assert shown() == ["gifts", "Kitchen"]
    assert staff.send("DELETE", path).status == 204
    assert shown() == ["Kitchen"]


def test_an_edit_leaves_what_it_does_not_name(host: MemoryHost, staff: Shopper) -> None:
    product(host.ports, "prd_1", cents=500)
    before = staff.get("/products/prd_1")
    after: Any = staff.send("PATCH", "/products/prd_1", {"category": "gifts"}, headers=ANY).json()
    assert after == {**before, "category": "gifts", "updated_at": after["updated_at"]}


def test_a_deleted_product_is_gone_from_sight_and_keeps_its_row(
    host: MemoryHost, staff: Shopper, guest: Shopper
) -> None:
    product(host.ports, "prd_1")
    assert staff.send("DELETE", "/products/prd_1").status == 204
    assert guest.send("GET", "/products/prd_1").status == 404
    assert staff.send("DELETE", "/products/prd_1").status == 404
    assert staff.send("PATCH", "/products/prd_1", {"name": "x"}, headers=ANY).status == 404
    assert names(guest.get("/products")) == []
    kept = catalog.find(host.ports, "prd_1")
    assert kept is not None
    assert kept.deleted


@pytest.mark.parametrize(
    "changes",
    [
        {"price": {"amount": -1, "currency": "EUR"}},
        {"price": {"amount": "1290", "currency": "EUR"}},
        {"price": {"amount": True, "currency": "EUR"}},
        {"price": {"amount": 1290, "currency": "euro"}},
        {"price": 1290},
        {"name": ""},
        {"name": None},
        {"stock": -1},
        {"stock": 10**9},
        {"colour": "red"},
    ],
)
def test_a_product_that_makes_no_sense_is_refused(
    staff: Shopper, changes: dict[str, object]
) -> None:
    assert staff.send("POST", "/products", {**NEW, **changes}).status == 422


def test_stock_is_moved_once_per_key(host: MemoryHost, staff: Shopper) -> None:
    product(host.ports, "prd_1", stock=3)
    path, body = "/products/prd_1/stock", {"quantity": 2, "reason": "receive"}
    assert staff.send("POST", path, body).status == 400
    for _ in range(2):
        level: Any = staff.send("POST", path, body, key="r1").json()
        assert (level["received"], level["available"]) == (5, 5)
    off = {"quantity": 6, "reason": "write_off"}
    problem: Any = staff.send("POST", path, off, key="w1").json()
    assert (problem["status"], problem["code"]) == (409, "insufficient_stock")
    assert staff.send("POST", "/products/prd_9/stock", body, key="r2").status == 404
    assert staff.get(path)["written_off"] == 0


def test_the_seed_makes_a_dozen_products_once(ports: Ports) -> None:
    first = seed(ports)
    assert seed(ports) == first
    assert len(set(first)) == 12
    assert all(inventory.available(ports, product_id) >= 20 for product_id in first)
    assert {catalog.get(ports, product_id).price.currency for product_id in first} == {"EUR"}
