"""The guard itself: its times, its fences, and who may record an answer."""

from __future__ import annotations

import pytest

from cartwheel.http import Response
from cartwheel.http._idempotency import (
    KEPT_SECONDS,
    LEASE_SECONDS,
    TRIES,
    Grant,
    IdempotencyGuard,
    State,
    is_definite,
)
from cartwheel.http._problems import IdempotencyKeyReused, RequestInProgress
from cartwheel.ports import Unavailable
from tests.unit.http.world import Faults, World

GET = "store.get(idempotency)"


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def world(faults: Faults) -> World:
    return World(hook=faults)


def test_an_answer_is_kept_for_a_day_and_a_request_leased_for_a_minute(world: World) -> None:
    assert (KEPT_SECONDS, LEASE_SECONDS, TRIES) == (86_400, 60, 5)
    began = int(world.host.clock.now() * 1000)
    grant = IdempotencyGuard(world.host.ports).begin("r", "ann", "k", "h")
    assert isinstance(grant, Grant)
    assert grant.record.lease_until == began + 60_000
    assert grant.record.expires_at == began + 86_400_000
    assert (grant.record.fence, grant.version, grant.record.state) == (1, 1, State.IN_PROGRESS)


def test_each_takeover_is_the_next_fence(world: World) -> None:
    guard, fences = IdempotencyGuard(world.host.ports), []
    for _ in range(5):
        grant = guard.begin("r", "ann", "k", "h")
        assert isinstance(grant, Grant)
        fences.append((grant.record.fence, grant.version))
        world.host.clock.advance(LEASE_SECONDS)
    assert fences == [(n, n) for n in range(1, 6)]


def test_whoever_was_overtaken_records_nothing_whichever_name_sorts_first(world: World) -> None:
    guard, orders = IdempotencyGuard(world.host.ports), set()
    for number in range(12):
        first = guard.begin("r", "ann", f"k{number}", "h")
        world.host.clock.advance(LEASE_SECONDS)
        second = guard.begin("r", "ann", f"k{number}", "h")
        assert isinstance(first, Grant)
        assert isinstance(second, Grant)
        with pytest.raises(RequestInProgress):
            guard.finish(first, Response(200, {}, b"mine"))
        assert guard.finish(second, Response(200, {}, b"theirs")).body == b"theirs"
        assert guard.finish(first, Response(200, {}, b"mine")).body == b"theirs"
        orders.add(first.record.owner < second.record.owner)
    assert orders == {True, False}


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")])
def test_another_request_is_refused_whichever_hash_sorts_first(
    world: World, first: str, second: str
) -> None:
    guard = IdempotencyGuard(world.host.ports)
    grant = guard.begin("r", "ann", "k", first)
    assert isinstance(grant, Grant)
    with pytest.raises(IdempotencyKeyReused):
        guard.begin("r", "ann", "k", second)
    guard.finish(grant, Response(200, {}, b"done"))
    with pytest.raises(IdempotencyKeyReused):
        guard.begin("r", "ann", "k", second)
    # What was kept for a day is forgotten: the key is anybody's again.
    world.host.clock.advance(KEPT_SECONDS + 1)
    assert isinstance(guard.begin("r", "ann", "k", second), Grant)


def test_each_try_waits_twice_as_long_as_the_one_before(world: World, faults: Faults) -> None:
    faults.wanted = [(GET, "before")] * TRIES
    began = world.host.clock.now()
    with pytest.raises(Unavailable, match="no answer in 5 tries"):
        IdempotencyGuard(world.host.ports).begin("r", "ann", "k", "h")
    waited = world.host.clock.now() - began
    assert waited == pytest.approx(0.01 + 0.02 + 0.04 + 0.08)
    assert faults.wanted == []


@pytest.mark.parametrize("status", [200, 202, 400, 404, 409, 422, 499])
def test_an_answer_of_the_requests_own_is_definite(status: int) -> None:
    assert is_definite(status)


@pytest.mark.parametrize("status", [401, 403, 408, 429, 500, 503])
def test_an_answer_that_says_nothing_about_the_request_is_not(status: int) -> None:
    assert not is_definite(status)
