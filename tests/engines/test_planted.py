"""Random programs find the bugs that compilers have: each planted one shows in a few hundred."""

from __future__ import annotations

import functools

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from cartwheel.testing.corpus import Program
from cartwheel.testing.randomly import differs, programs
from tests.engines._planted import BUGS, Bug
from tests.engines._reference import Reference

POOL = 600


@functools.cache
def pool() -> tuple[Program, ...]:
    """Draw programs, the same in every run."""
    found: list[Program] = []

    @settings(
        max_examples=POOL,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(programs(timers=True))
    def draw(program: Program) -> None:
        found.append(program)

    draw()
    return tuple(found)


def shows(bug: Bug, program: Program) -> bool:
    engine = Reference(change_lowered=bug.change) if bug.lowered else Reference(bug.change)
    try:
        return bool(differs(program, engine.play(program)))
    except AssertionError:
        # A run that waits for ever is as good as a difference.
        return True


@pytest.mark.parametrize("bug", BUGS, ids=str)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    first = next((n for n, program in enumerate(pool(), 1) if shows(bug, program)), None)
    print(f"{bug}: shown by program {first} of {len(pool())}")
    assert first is not None, f"{len(pool())} random programs do not show that {bug}"


def test_no_bug_is_found_where_there_is_none() -> None:
    assert len(pool()) >= POOL // 2
    assert not [program for program in pool() if differs(program, Reference().play(program))]
