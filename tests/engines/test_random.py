"""Random programs are on every engine what the language promises of them.

CARTWHEEL_RANDOM_PROGRAMS sets how many are played on each; `make soak` plays 5,000.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, reject, settings

from cartwheel.ports import ConfigurationError
from cartwheel.testing.corpus import PROGRAMS, Program
from cartwheel.testing.randomly import hold, programs
from cartwheel.workflow import Unsupported
from tests.engines._driver import Engine
from tests.engines._registry import ENGINES, compile_for, hit_by, known

COUNT = int(os.environ.get("CARTWHEEL_RANDOM_PROGRAMS", "300"))
"""Programs that an engine plays; those that its target or a known bug keeps out come on top."""


@pytest.mark.timeout(60 + 2 * COUNT)
@pytest.mark.parametrize("any_engine", ENGINES, indirect=True)
def test_a_random_program_is_as_promised(any_engine: Engine) -> None:
    counts: Counter[str] = Counter()

    @settings(
        max_examples=COUNT,
        derandomize=COUNT <= 300,
        database=None,
        deadline=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(programs(timers=not any_engine.real_time))
    def play(program: Program) -> None:
        try:
            compiled = compile_for(any_engine.target, program.definition.ir)
        except Unsupported as refused:
            counts.update({f"refused: {gap.feature}" for gap in refused.gaps})
            reject()
        gap = any_engine.lacks(compiled)
        if gap is not None:
            counts.update([f"engine bug: {gap}"])
            reject()
        bug = hit_by(any_engine.name, program.definition.ir)
        if bug is not None:
            counts[f"left out for {bug}"] += 1
            reject()
        hold(program, any_engine.play, artefact=compiled.files)
        counts.update(["played", program.expected.status])

    play()
    print(f"{any_engine.name}: {dict(counts)}")
    assert counts["played"] >= COUNT
    assert counts["failed"] >= COUNT // 10


@pytest.mark.parametrize("engine", ENGINES)
def test_a_random_program_is_left_out_for_a_known_bug_only(engine: str) -> None:
    rows = known(engine)
    for program in PROGRAMS:
        bug = hit_by(engine, program.definition.ir)
        assert bug is None or rows[bug].kind == "engine bug"


def test_what_a_target_refuses_is_a_configuration_error() -> None:
    assert issubclass(Unsupported, ConfigurationError)
