"""Every route against every kind of caller, generated from the route table."""

from __future__ import annotations

import re

import pytest

from cartwheel.app import Route
from cartwheel_memory import MemoryHost
from cartwheel_workflows.shop import shop_app
from tests.support.shopping import Shopper, known

ROUTES = {f"{route.method} {route.path}": route for route in shop_app().routes}
CALLERS = ("anonymous", "customer", "staff", "admin", "expired", "forged")


def caller(host: MemoryHost, kind: str) -> Shopper:
    match kind:
        case "anonymous":
            return Shopper(host.dispatcher)
        case "forged":
            return Shopper(host.dispatcher, "e30.e30.e30")
        case "expired":
            shopper = known(host.dispatcher, "usr_1", "admin")
            host.clock.advance(901)
            return shopper
        case _:
            return known(host.dispatcher, f"usr_{kind}", kind)


def expected(route: Route, kind: str) -> int | None:
    """Give the refusal that a caller must get, None when the route must let them in."""
    if kind in {"expired", "forged"}:
        return 401
    if not route.permission.authenticated:
        return None
    if kind == "anonymous":
        return 401
    return None if route.permission.allows(frozenset({kind})) else 403


@pytest.mark.parametrize("kind", CALLERS)
@pytest.mark.parametrize("name", ROUTES)
def test_a_route_lets_in_whom_it_should(host: MemoryHost, name: str, kind: str) -> None:
    route = ROUTES[name]
    path = re.sub(r"\{[a-z_]+\}", "nothing", route.path)
    response = caller(host, kind).send(route.method, path, key="k")
    refusal = expected(route, kind)
    if refusal is None:
        assert response.status not in {401, 403}
        assert response.status < 500
    else:
        assert response.status == refusal


def test_the_matrix_covers_the_whole_route_table() -> None:
    assert len(ROUTES) == len(shop_app().routes) >= 25
