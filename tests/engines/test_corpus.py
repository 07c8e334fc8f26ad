"""Every program of the corpus on every engine; what one can't run is a strict expected failure."""

from __future__ import annotations

import dataclasses

import pytest

from cartwheel.testing.corpus import PROGRAMS, Program, differences
from cartwheel.workflow import Unsupported
from tests.engines._driver import Engine
from tests.engines._registry import ENGINES, TARGETS, known, target_of


@pytest.mark.parametrize("any_engine", ENGINES, indirect=True)
@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_a_program_is_as_claimed(program: Program, any_engine: Engine) -> None:
    why = known(any_engine.name).get(program.name)
    claimed = dataclasses.replace(program, took=None) if any_engine.skips_time else program
    try:
        found = differences(claimed, any_engine.play(program), slack=any_engine.slack)
    except (AssertionError, Unsupported) as error:
        found = [f"{type(error).__name__}: {error}"]
    if why is None:
        assert not found, "\n".join(found)
        return
    assert found, f"{program} runs on {any_engine.name} now: take it from its table of known gaps"
    pytest.xfail(f"{why.kind}: {why.reason}")


def test_the_corpus_is_as_large_as_it_should_be() -> None:
    assert len(PROGRAMS) >= 120


@pytest.mark.parametrize("engine", ENGINES)
def test_what_an_engine_is_known_for_exists_and_has_its_reason(engine: str) -> None:
    assert target_of(engine) in TARGETS
    names = {program.name for program in PROGRAMS}
    for name, why in known(engine).items():
        assert name in names
        assert len(why.reason) > 20
        if why.kind == "engine bug":
            assert why.probe, f"{name}: name the probe that shows the bug in the engine alone"
