"""Puts what a generated request names where it is looked for: goods, orders, accounts, tokens."""

from __future__ import annotations

from typing import Any

from schemathesis import Case

from cartwheel.host import Host
from cartwheel_shop._base import now_text
from cartwheel_shop.analytics import service as analytics
from cartwheel_shop.analytics.model import day_before
from cartwheel_shop.carts import service as carts
from cartwheel_shop.users import _passwords, _recovery
from cartwheel_shop.users import service as users
from tests.support.shopping import PASSWORD, Shopper, account, product

HASH = _passwords.hash_password(PASSWORD)


def provide(shop: Host, case: Case[Any], shopper: Shopper, number: int) -> None:
    """Write what a well-formed case asks for, and name it in the case."""
    parameters, body = case.path_parameters, case.body
    if "product_id" in parameters:
        parameters["product_id"] = product(shop.ports, f"prd_{number}", stock=200)
        if case.path.startswith("/cart"):
            shopper.fill_cart((parameters["product_id"], 1))
        if case.method in {"PATCH", "DELETE"} and case.path.startswith("/products"):
            case.headers["If-Match"] = "*"
    if "order_id" in parameters:
        parameters["order_id"] = _order(shopper, product(shop.ports, f"prd_{number}", stock=5))
        shop.settle()
        if case.path.endswith("/deliver"):
            path = f"/orders/{parameters['order_id']}/ship"
            assert shopper.send("POST", path, {}, key="shipped").status == 200
        if case.path.endswith("/refund") and isinstance(body, dict):
            body.pop("amount", None)
    if "day" in parameters:
        parameters["day"] = day_before(now_text(shop.ports))
        analytics.make_report(shop.ports, parameters["day"])
    if case.path.startswith("/users"):
        _account(shop, case, number)
    if isinstance(body, dict) and "product_id" in body:
        body["product_id"] = product(shop.ports, f"prd_{number}", stock=5)
    if isinstance(body, dict) and "cart_token" in body:
        cart_id, body["cart_token"] = carts.new_guest_cart(shop.ports)
        carts.add(shop.ports, cart_id, product(shop.ports, f"prd_{number}"), 1)


def _order(shopper: Shopper, item: str) -> str:
    shopper.fill_cart((item, 1))
    placed = shopper.check_out().json()
    assert isinstance(placed, dict)
    return str(placed["order_id"])


def _account(shop: Host, case: Case[Any], number: int) -> None:
    """Give the caller an account, a session, and a reset that was asked for."""
    ports, body = shop.ports, case.body
    user = account(ports, f"usr_{number}", "admin", password_hash=HASH)
    if "user_id" in case.path_parameters:
        case.path_parameters["user_id"] = account(ports, f"usr_other{number}").user_id
        if case.method == "PATCH":
            case.headers["If-Match"] = "*"
    if case.path == "/users/me" and case.method == "PATCH":
        case.headers["If-Match"] = "*"
    if not isinstance(body, dict):
        return
    if "current_password" in body:
        body["current_password"] = PASSWORD
    if case.path == "/users/login":
        body.update(email=user.email, password=PASSWORD)
    if "refresh_token" in body:
        body["refresh_token"] = users.open_session(ports, user).refresh_token
    if "token" in body:
        begun = _recovery.begin_reset(ports, f"pwr_{number}", user.email)
        assert begun is not None
        body["token"] = begun[1]
