"""What the emulator runs is what the compiler counted: steps are what Workflows bills."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cartwheel.testing.corpus import PROGRAMS, Program
from cartwheel.workflow import _ir as ir
from cartwheel_gcp import compile_workflow, cost
from cartwheel_gcp._paths import failing
from tests.engines._registry import known
from tests.engines.gcp.engine import WorkflowsEmulator


def _is_calm(program: Program) -> bool:
    """Tell whether nothing in a program fails, so that the happy path bounds what is billed."""
    quiet = not program.script and not program.actions and not program.redrives
    fails = any(isinstance(step, ir.FailStep) for step in ir.walk(program.definition.ir.body))
    return quiet and not fails and program.expected.status == "succeeded"


def _runs(program: Program) -> bool:
    return program.name not in known(WorkflowsEmulator.name)


def _failing_call(program: Program) -> tuple[str, str] | None:
    """Give the one call that fails, at its only try and with a declared error, if that is all."""
    steps = list(ir.walk(program.definition.ir.body))
    if len(program.script) != 1 or program.actions or program.redrives:
        return None
    ((key, answer),) = program.script.items()
    once = any(
        isinstance(step, ir.TaskStep) and step.name == key and step.retry.attempts == 1
        for step in steps
    )
    if not once or isinstance(answer, tuple) or answer.kind != "declared":
        return None
    # How many items a list has is assumed, so that a map's count is no exact one.
    return None if any(isinstance(step, ir.MapStep) for step in steps) else (key, answer.code)


@pytest.fixture(scope="module")
def engine() -> Iterator[WorkflowsEmulator]:
    engine = WorkflowsEmulator()
    engine.start()
    yield engine
    engine.stop()


def test_no_calm_run_takes_more_steps_than_its_happy_path(engine: WorkflowsEmulator) -> None:
    exact = 0
    calm = [program for program in PROGRAMS if _is_calm(program) and _runs(program)]
    for program in calm:
        engine.play(program)
        counted = cost(program.definition.ir)
        most = counted.happy + sum(counted.other.values())
        assert engine.steps <= most, f"{program}: {engine.steps} steps, counted {most}"
        exact += engine.steps == most
    print(f"{len(calm)} calm programs, {exact} of them take the happy path itself")
    assert len(calm) >= 30
    assert exact >= len(calm) // 2


def test_a_failing_call_takes_the_steps_that_its_path_counts(engine: WorkflowsEmulator) -> None:
    compared = 0
    for program in PROGRAMS:
        call = _failing_call(program)
        if call is None or not _runs(program):
            continue
        document = json.loads(compile_workflow(program.definition.ir).main)
        count = failing(document, *call)
        assert count is not None, f"{program}: {call} is on no path"
        engine.play(program)
        assert engine.steps == count.steps + count.grouping, program.name
        compared += 1
    print(f"{compared} paths of failing calls counted exactly")
    assert compared >= 10
