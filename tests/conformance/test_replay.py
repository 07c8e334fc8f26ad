"""The answers of a run, delivered in their order to a fresh execution, rebuild it at every point.

That is what durable engines rest on: ids and order follow from the program and the answers alone.
"""

from __future__ import annotations

import json

import pytest

from cartwheel.testing.corpus import PROGRAMS, Program
from cartwheel.testing.corpus._simulation import START, Delivered, Simulation
from cartwheel.workflow import Err, Execution, Ok, Outcome, compile_program, lower_saga


def reread(outcome: Outcome) -> Outcome:
    """Give an answer as a journal on disk gives it back."""
    return Ok(json.loads(json.dumps(outcome.value))) if isinstance(outcome, Ok) else outcome


@pytest.mark.parametrize("lowered", [False, True], ids=["native", "lowered"])
@pytest.mark.parametrize("program", [p for p in PROGRAMS if not p.redrives], ids=str)
def test_a_journal_rebuilds_the_run_at_every_point(program: Program, lowered: bool) -> None:
    native = program.definition.ir
    workflow = lower_saga(native) if lowered else native
    played = Simulation(program, workflow, compile_program, order=7)
    result = played.play()
    rebuilt = Execution(compile_program(workflow), program.name, program.input)
    rebuilt.start(START)
    for point in played.journal:
        assert point.effect in rebuilt.pending
        rebuilt.deliver(point.effect, reread(point.outcome), point.now)
        assert rebuilt.pending.keys() == point.pending
    assert rebuilt.result is not None
    assert rebuilt.result.status == result.status
    assert rebuilt.result.output == result.output


def test_journals_hold_errors_too() -> None:
    outcomes = [
        point.outcome for program in PROGRAMS if not program.redrives for point in _journal(program)
    ]
    assert sum(isinstance(outcome, Err) for outcome in outcomes) > 100
    assert len(outcomes) > 500


def _journal(program: Program) -> list[Delivered]:
    played = Simulation(program, program.definition.ir, compile_program)
    played.play()
    return played.journal
