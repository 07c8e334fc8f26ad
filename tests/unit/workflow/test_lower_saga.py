"""A lowered workflow does what the native one does: same result, same calls, same keys."""

from __future__ import annotations

import pytest

from cartwheel.workflow import Call, WorkflowDefinition, find_problems, lower_saga
from cartwheel.workflow._ir import SagaStep, TaskStep, Workflow, walk
from tests.unit.workflow.driver import Played, error, play
from tests.unit.workflow.parts import SCRIPT, START, ById
from tests.unit.workflow.programs import ALL

Definition = WorkflowDefinition[ById, object]
by_name = pytest.mark.parametrize("definition", ALL, ids=lambda definition: definition.name)


@by_name
def test_a_lowered_workflow_has_no_saga_and_no_problems(definition: Definition) -> None:
    lowered = lower_saga(definition.ir)
    assert find_problems(lowered) == ()
    assert not [step for step in walk(lowered.body) if isinstance(step, SagaStep)]
    assert not [
        step
        for step in walk(lowered.body)
        if isinstance(step, TaskStep) and step.compensate is not None
    ]


@by_name
def test_a_lowered_workflow_survives_json(definition: Definition) -> None:
    lowered = lower_saga(definition.ir)
    assert Workflow.from_json(lowered.to_json()) == lowered


def scripts(definition: Definition) -> list[dict[str, object]]:
    """Every call of the good run fails once in each way, alone and together with a compensation."""
    good = play(definition.ir, START, SCRIPT)
    declared = {"stock.reserve": "OutOfStock", "pay.charge": "Declined", "orders.load": "NoOrder"}
    made: list[dict[str, object]] = [dict(SCRIPT)]
    for call in good.calls:
        if call.compensation:
            continue
        key = call.key.removeprefix("run:")
        for code in ("Timeout", "Unexpected", "Cancelled", declared.get(call.task, "Unavailable")):
            made.append({**SCRIPT, key: error(code, f"{key} failed")})
        broken = {**SCRIPT, key: error("Timeout"), "stock.release": error("Unexpected")}
        made.append(broken)
    return made


def told(played: Played) -> object:
    return (
        played.result.status,
        played.result.output,
        played.result.error,
        sorted(played.result.compensation_failures),
        sorted(map(shown, played.calls)),
    )


def shown(call: Call) -> str:
    return f"{call.key}#{call.attempt} {call.task} {call.input} {call.compensation} {call.id}"


@by_name
def test_a_lowered_workflow_does_the_same_under_every_single_failure(
    definition: Definition,
) -> None:
    lowered = lower_saga(definition.ir)
    for script in scripts(definition):
        native, other = play(definition.ir, START, script), play(lowered, START, script)
        assert told(other) == told(native)


ORDERED = [d for d in ALL if d.name not in {"in_map", "map_in_map", "saga_in_map_in_saga"}]


@pytest.mark.parametrize("definition", ORDERED, ids=lambda definition: definition.name)
def test_without_maps_the_lowered_order_of_calls_is_the_same_too(definition: Definition) -> None:
    lowered = lower_saga(definition.ir)
    for script in scripts(definition):
        native, other = play(definition.ir, START, script), play(lowered, START, script)
        assert other.keys == native.keys
