"""Every port call of a checkout, killed before and after; nothing is lost and nothing doubled."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cartwheel_workflows.shop import shop_app
from tests.e2e.crash.bugs import BUGS, Bug, never_come_back
from tests.e2e.crash.more_bugs import MORE_BUGS
from tests.e2e.crash.scenario import NOTHING_HAPPENED, SCENARIOS, Scenario
from tests.e2e.crash.worlds import PASSES, LocalWorld, MemoryWorld

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
ON_LOCAL = ("three_lines", "declined", "unknown_charged")
"""Scenarios that CI plays on SQLite too; each point there is a process and several syncs."""
SOAK = bool(os.environ.get("CARTWHEEL_SOAK"))
FIRSTS, SECONDS = 12, 4 if SOAK else 2
"""First crashes that CI follows up in each scenario (the soak: all), and second ones for each."""
ALL_BUGS = (*BUGS, *MORE_BUGS)


def summary(scenario: Scenario, where: str, calls: int, points: int, passes: int) -> None:
    """Print what was counted; `-rP` or a failure shows it, and so does the report at the end."""
    print(f"{where} {scenario.name}: {calls} calls, {points} points, {passes} passes at most")


@contextmanager
def local_world(scenario: Scenario) -> Iterator[LocalWorld]:
    world = LocalWorld(shop_app(), scenario)
    try:
        yield world
    finally:
        world.close()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_checkout_survives_a_crash_at_every_call_in_memory(scenario: Scenario) -> None:
    app = shop_app()
    calls, whole = MemoryWorld(app, scenario).count()
    assert whole.wrong == ()
    points, passes = 0, 0
    for number in range(1, calls + 1):
        for after in (False, True):
            verdict = MemoryWorld(app, scenario).crash(number, after=after)
            assert verdict.wrong == (), f"call {number} of {calls}, after={after}"
            points, passes = points + 1, max(passes, verdict.passes)
    assert points == 2 * calls > 0
    assert passes <= PASSES
    summary(scenario, "memory", calls, points, passes)


def test_a_customer_who_never_comes_back_is_served_or_owes_nothing() -> None:
    app, scenario = shop_app(), BY_NAME["confirmed"]
    absent = Bug("none", come_back=never_come_back)
    calls, _ = MemoryWorld(app, scenario, absent).count()
    served = 0
    for number in range(1, calls + 1):
        for after in (False, True):
            verdict = MemoryWorld(app, scenario, absent).crash(number, after=after)
            if verdict.wrong != NOTHING_HAPPENED:
                assert verdict.wrong == (), f"call {number} of {calls}, after={after}"
                served += 1
    print(f"served {served} of {2 * calls}")
    assert 0 < served < 2 * calls


@pytest.mark.timeout(600)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL, which Windows lacks")
@pytest.mark.parametrize(
    "scenario",
    [s for s in SCENARIOS if SOAK or s.name in ON_LOCAL],
    ids=lambda scenario: scenario.name,
)
def test_a_checkout_survives_sigkill_at_every_call_on_sqlite(scenario: Scenario) -> None:
    with local_world(scenario) as world:
        calls, whole = world.count()
        assert whole.wrong == ()
        points, passes = 0, 0
        for number in range(1, calls + 1):
            for after in (False, True):
                verdict = world.crash(number, after=after)
                assert verdict.wrong == (), f"call {number} of {calls}, after={after}"
                points, passes = points + 1, max(passes, verdict.passes)
    assert points == 2 * calls > 0
    assert passes <= PASSES
    summary(scenario, "local", calls, points, passes)


@pytest.mark.parametrize("bug", ALL_BUGS, ids=lambda bug: bug.name.replace(" ", "_"))
def test_a_planted_bug_passes_without_crashes_and_is_caught_with_them(bug: Bug) -> None:
    app, scenario = bug.app(), BY_NAME[bug.scenario]
    calls, whole = MemoryWorld(app, scenario, bug).count()
    assert whole.wrong == ()
    fine = (NOTHING_HAPPENED,) if bug.come_back is never_come_back else ()
    caught: dict[tuple[int, bool], tuple[str, ...]] = {}
    for number in range(1, calls + 1):
        for after in (False, True):
            verdict = MemoryWorld(app, scenario, bug).crash(number, after=after)
            if verdict.wrong and verdict.wrong not in fine:
                caught[number, after] = verdict.wrong
        if caught and not SOAK:
            break
    assert caught
    where = f"{len(caught)} of {2 * calls} points" if SOAK else f"call {number} of {calls}"
    print(f"{bug.name}: shows at {where}: {next(iter(caught.values()))}")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_recovery_survives_a_crash_of_its_own(scenario: Scenario) -> None:
    app = shop_app()
    calls, _ = MemoryWorld(app, scenario).count()
    points = [(number, after) for number in range(1, calls + 1) for after in (False, True)]
    firsts = points if SOAK else points[3 :: max(1, len(points) // FIRSTS)]
    # The second crash wanders through the recovery as the first wanders through the checkout.
    pairs = wandering = passes = 0
    for first in firsts:
        recovery = MemoryWorld(app, scenario).count_recovery(first[0], after=first[1])
        for _ in range(SECONDS):
            wandering = wandering * 31 + 17
            second = (wandering // 2 % recovery + 1, bool(wandering % 2))
            verdict = MemoryWorld(app, scenario).crash_twice(first, second)
            assert verdict.wrong == (), (first, second, recovery)
            pairs, passes = pairs + 1, max(passes, verdict.passes)
    print(f"{scenario.name}: {pairs} double crashes, {passes} passes at most")
    assert pairs == len(firsts) * SECONDS
    assert passes <= PASSES
    assert not SOAK or pairs * len(SCENARIOS) >= 5_000


def test_at_least_twenty_bugs_are_planted() -> None:
    names = {bug.name for bug in ALL_BUGS}
    assert len(names) == len(ALL_BUGS) >= 20
