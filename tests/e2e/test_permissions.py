"""Every route against every kind of caller, generated from the route table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from cartwheel.declared import Route
from cartwheel_memory import MemoryHost
from cartwheel_shop.users.model import Role
from cartwheel_workflows.shop import shop_app
from tests.support.shopping import Shopper, account, known

ROUTES = {f"{route.method} {route.path}": route for route in shop_app().routes}
CALLERS = (
    "anonymous",
    "owner",
    "other customer",
    "staff",
    "admin",
    "suspended",
    "left",
    "expired",
    "forged",
)
NOBODY = frozenset({"suspended", "left", "expired", "forged"})
"""Callers whose token is refused everywhere, also where anyone may ask."""
ROLES = {"owner": "customer", "other customer": "customer", "staff": "staff", "admin": "admin"}


def logged_in(host: MemoryHost, user_id: str, role: Role = "customer") -> Shopper:
    """Make a user and log in."""
    account(host.ports, user_id, role)
    return known(host.dispatcher, user_id, role)


@dataclass
class World:
    """Is a shop with an order of the owner's, and its callers."""

    host: MemoryHost
    owner: Shopper
    order_id: str

    def caller(self, kind: str) -> Shopper:
        """Give a caller; who has lost their rights had those of an administrator."""
        host = self.host
        match kind:
            case "anonymous":
                return Shopper(host.dispatcher)
            case "owner":
                return self.owner
            case "other customer":
                return logged_in(host, "usr_other")
            case "staff":
                return logged_in(host, "usr_staff", "staff")
            case "admin":
                return logged_in(host, "usr_admin", "admin")
            case "forged":
                return Shopper(host.dispatcher, "e30.e30.e30")
        shopper = logged_in(host, "usr_former", "admin")
        assert shopper.send("GET", "/users").status == 200
        if kind == "expired":
            host.clock.advance(901)
        elif kind == "left":
            assert shopper.send("DELETE", "/users/me").status == 204
        else:
            boss = logged_in(host, "usr_boss", "admin")
            answer = boss.send("PATCH", "/users/usr_former", {"suspended": True})
            assert answer.status == 200
        return shopper

    def path(self, route: Route) -> str:
        """Name things that exist, of the owner's where they are somebody's."""
        things = {"order_id": self.order_id, "product_id": "prd_mug", "user_id": "usr_owner"}
        return re.sub(r"\{([a-z_]+)\}", lambda m: things.get(m[1], "2026-01-01"), route.path)


@pytest.fixture
def world(host: MemoryHost) -> World:
    owner = logged_in(host, "usr_owner")
    owner.fill_cart(("prd_mug", 1))
    answer: Any = owner.check_out().json()
    owner.fill_cart(("prd_mug", 1))
    return World(host, owner, answer["order_id"])


def expected(route: Route, kind: str) -> int | None:
    """Give the refusal that a caller must get, None when the route must let them in."""
    if kind in NOBODY:
        return 401
    if not route.permission.authenticated:
        return None
    if kind == "anonymous":
        return 401
    if not route.permission.allows(frozenset({ROLES[kind]})):
        return 403
    return 404 if kind == "other customer" and "{order_id}" in route.path else None


@pytest.mark.parametrize("kind", CALLERS)
@pytest.mark.parametrize("name", ROUTES)
def test_a_route_lets_in_whom_it_should(world: World, name: str, kind: str) -> None:
    route = ROUTES[name]
    caller, path = world.caller(kind), world.path(route)
    response = caller.send(route.method, path, key="k")
    refusal = expected(route, kind)
    if refusal is None:
        assert response.status not in {401, 403}
        assert response.status < 500
        if kind == "owner" and "{order_id}" in path:
            assert response.status != 404
    else:
        assert response.status == refusal


@pytest.mark.parametrize("kind", CALLERS)
@pytest.mark.parametrize("name", [name for name in ROUTES if "_id}" in name or "{day}" in name])
def test_what_does_not_exist_is_refused_as_what_is_somebody_elses(
    world: World, name: str, kind: str
) -> None:
    route = ROUTES[name]
    path = re.sub(r"\{[a-z_]+\}", "nothing", route.path)
    response = world.caller(kind).send(route.method, path, key="k")
    refusal = expected(route, kind)
    if refusal is not None:
        assert response.status == refusal
    elif route.body is None or not route.body_required:
        assert response.status == 404
    else:
        assert response.status == 400


def test_another_customers_order_reads_as_one_that_does_not_exist(world: World) -> None:
    other = world.caller("other customer")
    answers = []
    for order_id in (world.order_id, "ord_" + "0" * 32):
        problem: Any = other.send("GET", f"/orders/{order_id}").json()
        del problem["instance"]
        answers.append(repr(problem).replace(order_id, "ORDER"))
    assert answers[0] == answers[1]


def test_the_matrix_covers_the_whole_route_table() -> None:
    covered = {
        (name, kind): expected(route, kind) for name, route in ROUTES.items() for kind in CALLERS
    }
    print(f"{len(ROUTES)} routes x {len(CALLERS)} callers: {len(covered)} rows")
    assert len(ROUTES) == len(shop_app().routes) >= 39
    assert len(covered) == len(ROUTES) * 9
    assert {None, 401, 403, 404} == set(covered.values())
