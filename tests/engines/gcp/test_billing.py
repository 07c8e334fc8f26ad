"""What the emulator runs is what the compiler counted: steps are what Workflows bills."""

from __future__ import annotations

import pytest

from cartwheel.testing.corpus import PROGRAMS, Program
from cartwheel.workflow import _ir as ir
from cartwheel_gcp import cost
from tests.engines._registry import known
from tests.engines.gcp.engine import WorkflowsEmulator


def _is_calm(program: Program) -> bool:
    """Tell whether nothing in a program fails, so that the happy path bounds what is billed."""
    quiet = not program.script and not program.actions and not program.redrives
    fails = any(isinstance(step, ir.FailStep) for step in ir.walk(program.definition.ir.body))
    return quiet and not fails and program.expected.status == "succeeded"


def _runs(program: Program) -> bool:
    return program.name not in known(WorkflowsEmulator.name)


@pytest.fixture(scope="module")
def engine() -> WorkflowsEmulator:
    return WorkflowsEmulator()


def test_no_calm_run_takes_more_steps_than_its_happy_path(engine: WorkflowsEmulator) -> None:
    engine.start()
    try:
        exact = 0
        calm = [program for program in PROGRAMS if _is_calm(program) and _runs(program)]
        for program in calm:
            engine.play(program)
            counted = cost(program.definition.ir)
            most = counted.happy + sum(counted.other.values())
            assert engine.steps <= most, f"{program}: {engine.steps} steps, counted {most}"
            exact += engine.steps == most
    finally:
        engine.stop()
    print(f"{len(calm)} calm programs, {exact} of them take the happy path itself")
    assert len(calm) >= 30
    assert exact >= len(calm) // 2
