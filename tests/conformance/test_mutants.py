"""The corpus catches interpreters with a planted bug."""

from __future__ import annotations

import pytest

from cartwheel.testing.corpus import PROGRAMS, Driver, interpreter, run_program
from cartwheel.workflow._interpreter import _Compiler
from tests.conformance.mutants import MUTANTS, Mutant, compiled_by, rewritten


def caught_by(driver: Driver) -> list[str]:
    """Name the programs that an interpreter fails, by a wrong outcome or by breaking down."""
    names: list[str] = []
    for program in PROGRAMS:
        try:
            run_program(program, driver)
        except (AssertionError, KeyError, TypeError, IndexError, AttributeError):
            names.append(program.name)
    return names


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_planted_bug_is_caught(mutant: Mutant) -> None:
    caught = caught_by(mutant.driver)
    assert caught, f"no program notices {mutant.name}"
    assert len(caught) < len(PROGRAMS), f"{mutant.name} is no single bug: it breaks everything"


@pytest.mark.parametrize(
    "driver",
    [interpreter(), compiled_by(_Compiler), rewritten(lambda step: step)],
    ids=["reference", "same compiler", "same reading"],
)
def test_without_a_planted_bug_nothing_is_caught(driver: Driver) -> None:
    assert caught_by(driver) == []


def test_there_are_enough_planted_bugs(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\nplanted bugs: {len(MUTANTS)}")
    assert len(MUTANTS) >= 8
