"""Every request for money or stock crashed at every port call, before and after it took effect.

The requests come from the route table by way of `test_idempotent_routes`; what they began is played
and crashed too: refunds, cancellations, mails, events. The caller sends the same request again.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import Ports
from cartwheel.testing import Crash
from cartwheel_memory import MemoryHost
from cartwheel_workflows.shop import shop_app
from tests.e2e.crash.more_bugs import fresh_keys
from tests.e2e.crash.worlds import CrashAt
from tests.e2e.test_idempotent_routes import BODIES, LEASE, World, effects_of_one

PART = "POST /orders/{order_id}/refund"
CASES: dict[str, tuple[str, object]] = {
    **{route: (route, body) for route, body in BODIES.items()},
    f"{PART}, all of it": (PART, {"restock": False}),
    f"{PART}, all of it and the goods": (PART, {"restock": True}),
    "POST /products/{product_id}/stock, less": (
        "POST /products/{product_id}/stock",
        {"quantity": 3, "reason": "write_off"},
    ),
}
"""Each route's request, and those that take another way through it."""


def crash() -> None:
    raise Crash


def cut_short(
    route: str, body: object, hook: CrashAt, around: Callable[[Ports], Ports] | None = None
) -> World:
    """Send a request in a shop that ends at a port call of it, or of what it began."""
    world = World(route, around=around)
    options = HostOptions(log=discard, hook=hook, replace=around)
    world.host = host = MemoryHost(shop_app(), options, disk=world.disk)
    hook.armed = True
    try:
        assert world.send(body=body).status < 300
        host.settle(30)
    except Crash:
        return world
    finally:
        hook.armed = False
    return world


def again(world: World, body: object) -> int:
    """Open the shop anew, and send the same request when the lease of the first one is over."""
    world.open().clock.advance(LEASE)
    return world.send(body=body).status


@pytest.mark.parametrize("case", CASES)
def test_a_request_that_a_crash_cut_short_and_that_comes_again_has_one_effect(case: str) -> None:
    route, body = CASES[case]
    expected = effects_of_one(route, body)
    whole = CrashAt(lambda: None)
    assert cut_short(route, body, whole).effects() == expected
    points = 0
    for number in range(1, whole.count + 1):
        for after in (False, True):
            hook = CrashAt(crash, number, after=after)
            world = cut_short(route, body, hook)
            assert hook.count >= number
            assert again(world, body) < 300, (case, number, after)
            assert world.effects() == expected, (case, number, after)
            points += 1
    print(f"{case}: {whole.count} calls, {points} points")
    assert points == 2 * whole.count > 0


def test_a_refund_under_a_key_of_the_moment_is_found_only_by_a_crash() -> None:
    keys = fresh_keys("refund")

    def around(ports: Ports) -> Ports:
        return keys(ports, None)

    body = BODIES[PART]
    expected = effects_of_one(PART)
    whole = CrashAt(lambda: None)
    assert cut_short(PART, body, whole, around).effects() == expected
    found = 0
    for number in range(1, whole.count + 1):
        world = cut_short(PART, body, CrashAt(crash, number, after=True), around)
        try:
            found += again(world, body) >= 300 or world.effects() != expected
        except AssertionError:
            found += 1
    print(f"a key of the moment: found at {found} of {whole.count} calls")
    assert 0 < found < whole.count
