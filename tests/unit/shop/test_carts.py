"""Carts of customers and guests."""

from __future__ import annotations

from typing import Any

import pytest

from cartwheel_memory import MemoryHost
from cartwheel_shop._base import Line
from cartwheel_shop.carts import service as carts
from cartwheel_shop.carts.model import MAX_LINES, Cart, CartLimit
from tests.support.shopping import Shopper, known, product


@pytest.fixture
def ada(host: MemoryHost) -> Shopper:
    for product_id in ("prd_1", "prd_2"):
        product(host.ports, product_id, cents=250)
    return known(host.dispatcher, "usr_ada")


@pytest.fixture
def guest(host: MemoryHost, ada: Shopper) -> Shopper:
    """Make a guest who has been given a token."""
    shopper = Shopper(host.dispatcher)
    shopper.headers["X-Cart-Token"] = shopper.send("GET", "/cart").headers["X-Cart-Token"]
    return shopper


def lines(cart: Any) -> dict[str, int]:
    return {item["product_id"]: item["quantity"] for item in cart["items"]}


def test_a_cart_adds_up_at_todays_prices(host: MemoryHost, ada: Shopper) -> None:
    ada.fill_cart(("prd_1", 2), ("prd_2", 1))
    cart = ada.fill_cart(("prd_1", 1))
    assert lines(cart) == {"prd_1": 3, "prd_2": 1}
    assert cart["total"] == {"amount": 1000, "currency": "EUR"}
    staff = known(host.dispatcher, "usr_staff", "staff")
    price = {"price": {"amount": 300, "currency": "EUR"}}
    assert staff.send("PATCH", "/products/prd_1", price, headers={"If-Match": "*"}).status == 200
    assert ada.get("/cart")["total"] == {"amount": 1150, "currency": "EUR"}
    staff.send("DELETE", "/products/prd_1")
    assert lines(ada.get("/cart")) == {"prd_2": 1}


def test_lines_are_changed_removed_and_cleared(ada: Shopper) -> None:
    ada.fill_cart(("prd_1", 2), ("prd_2", 1))
    changed: Any = ada.send("PATCH", "/cart/items/prd_1", {"quantity": 5}).json()
    assert lines(changed) == {"prd_1": 5, "prd_2": 1}
    removed: Any = ada.send("DELETE", "/cart/items/prd_1").json()
    assert lines(removed) == {"prd_2": 1}
    assert ada.send("DELETE", "/cart/items/prd_1").status == 404
    assert ada.send("PATCH", "/cart/items/prd_1", {"quantity": 5}).status == 404
    assert lines(ada.send("DELETE", "/cart").json()) == {}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"product_id": "prd_9", "quantity": 1}, 404),
        ({"product_id": "prd_1", "quantity": 0}, 422),
        ({"product_id": "prd_1", "quantity": 100}, 422),
        ({"product_id": "prd_1", "quantity": -1}, 422),
        ({"product_id": "prd_1", "quantity": "1"}, 422),
        ({"product_id": "prd_1", "quantity": True}, 422),
        ({"product_id": "prd_1"}, 422),
        ({"product_id": "", "quantity": 1}, 422),
        ({"product_id": "prd_1", "quantity": 1, "price": 1}, 422),
        ([], 422),
    ],
)
def test_an_item_that_makes_no_sense_is_refused(ada: Shopper, body: object, status: int) -> None:
    assert ada.send("POST", "/cart/items", body).status == status
    assert ada.get("/cart")["items"] == []


def test_a_cart_holds_99_of_a_product(ada: Shopper) -> None:
    ada.fill_cart(("prd_1", 60))
    response = ada.send("POST", "/cart/items", {"product_id": "prd_1", "quantity": 40})
    problem: Any = response.json()
    assert (response.status, problem["code"]) == (422, "cart_limit")
    assert lines(ada.get("/cart")) == {"prd_1": 60}


def test_a_cart_holds_50_products() -> None:
    full = Cart(cart_id="c").merged(
        Line(product_id=f"prd_{number}", quantity=1) for number in range(MAX_LINES + 5)
    )
    assert len(full.lines) == MAX_LINES
    with pytest.raises(CartLimit):
        full.with_quantity("one_more", 1)


def test_a_cart_has_one_currency(host: MemoryHost, ada: Shopper) -> None:
    staff = known(host.dispatcher, "usr_staff", "staff")
    body = {
        "name": "Imported mug",
        "category": "kitchen",
        "price": {"amount": 100, "currency": "USD"},
    }
    made: Any = staff.send("POST", "/products", body).json()
    ada.fill_cart(("prd_1", 1))
    mixed = ada.send("POST", "/cart/items", {"product_id": made["product_id"], "quantity": 1})
    problem: Any = mixed.json()
    assert (mixed.status, problem["code"]) == (409, "currency_mismatch")


def test_a_guest_gets_a_token_and_finds_the_cart_again(guest: Shopper) -> None:
    guest.fill_cart(("prd_1", 2))
    assert lines(guest.get("/cart")) == {"prd_1": 2}
    assert "X-Cart-Token" not in guest.send("GET", "/cart").headers


def test_guests_do_not_share_carts(host: MemoryHost, guest: Shopper) -> None:
    guest.fill_cart(("prd_1", 2))
    other = Shopper(host.dispatcher)
    assert other.get("/cart")["items"] == []


@pytest.mark.parametrize("token", ["", "x", "guest_1.", "guest_1.abc", ".", "a.b.c", "\xe9.\xe9"])
def test_a_made_up_cart_token_is_refused(host: MemoryHost, token: str) -> None:
    shopper = Shopper(host.dispatcher, headers={"X-Cart-Token": token})
    assert shopper.send("GET", "/cart").status == 400


def test_a_customers_cart_has_no_token_that_a_guest_could_use(
    host: MemoryHost, ada: Shopper
) -> None:
    cart_id = carts.cart_of_customer("usr_ada")
    forged = f"{cart_id}.{carts._signature(host.ports, cart_id)}"
    eve = Shopper(host.dispatcher, headers={"X-Cart-Token": forged})
    assert eve.send("GET", "/cart").status == 400


def test_a_guests_cart_is_merged_once_with_quantities_summed(ada: Shopper, guest: Shopper) -> None:
    ada.fill_cart(("prd_1", 98))
    guest.fill_cart(("prd_1", 2), ("prd_2", 3))
    body = {"cart_token": guest.headers["X-Cart-Token"]}
    for _ in range(2):
        merged = ada.send("POST", "/cart/merge", body)
        assert lines(merged.json()) == {"prd_1": 99, "prd_2": 3}
    assert guest.get("/cart")["items"] == []
    guest.fill_cart(("prd_2", 1))
    assert lines(ada.send("POST", "/cart/merge", body).json()) == {"prd_1": 99, "prd_2": 4}


def test_what_was_ordered_leaves_the_cart_once(host: MemoryHost, ada: Shopper) -> None:
    ada.fill_cart(("prd_1", 5), ("prd_2", 1))
    cart_id = carts.cart_of_customer("usr_ada")
    ordered = [Line(product_id="prd_1", quantity=2), Line(product_id="prd_2", quantity=1)]
    for _ in range(2):
        carts.take_ordered(host.ports, cart_id, "ord_1", ordered)
    assert lines(ada.get("/cart")) == {"prd_1": 3}
