"""What a state machine looks like: as few states as the effects need, and the same every time."""

from __future__ import annotations

import json

import pytest

from cartwheel.ports import JsonObject
from cartwheel.testing.corpus import PROGRAMS, Program
from cartwheel_aws import check, compile_workflow, cost, frame
from cartwheel_workflows.cancel_order import cancel_order
from cartwheel_workflows.checkout import checkout

BY_NAME = {program.name: program for program in PROGRAMS}


def machine(name: str) -> JsonObject:
    """Compile a program of the corpus and read the definition."""
    definition: JsonObject = json.loads(compile_workflow(BY_NAME[name].definition.ir).main)
    return definition


def states(name: str) -> dict[str, JsonObject]:
    """Give the states of the outermost machine."""
    found = machine(name)["States"]
    assert isinstance(found, dict)
    return {key: value for key, value in found.items() if isinstance(value, dict)}


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_every_program_compiles_the_same_twice_and_passes_the_checks(program: Program) -> None:
    one, two = compile_workflow(program.definition.ir), compile_workflow(program.definition.ir)
    assert one == two
    assert [str(found) for found in check(one)] == []
    assert one.files.keys() == {one.entry, "frame.json"}


@pytest.mark.parametrize(
    "name",
    [
        "twelve_steps_run_in_order",
        "a_lost_reply_is_asked_for_again_under_the_same_key",
        "compensations_run_in_reverse",
        "a_compensation_gets_input_output_and_key",
        "a_saga_that_waits_compensates_when_cancelled",
        "a_handler_catches_its_code",
    ],
)
def test_the_happy_path_has_a_transition_for_each_effect(name: str) -> None:
    counted = cost(BY_NAME[name].definition.ir)
    waits = sum("waitForTaskToken" in str(state.get("Resource")) for state in states(name).values())
    ends = sum(state["Type"] == "Pass" for state in states(name).values() if "End" in state)
    assert counted.happy <= counted.effects + waits + min(ends, 1)


def test_registering_compensations_costs_no_state() -> None:
    kinds = [state["Type"] for state in states("compensations_run_in_reverse").values()]
    assert kinds.count("Task") == 7
    counted = cost(BY_NAME["compensations_run_in_reverse"].definition.ir)
    assert (counted.happy, counted.effects) == (4, 4)


def test_the_checkout_bills_its_effects_its_choices_and_its_answer() -> None:
    counted = cost(checkout.ir)
    # Beside the effects: three choices, a wait for a card's holder, and the answer.
    assert counted.happy == counted.effects + 5
    assert counted.paths["out_of_stock"] < counted.happy < counted.worst
    cancelled = cost(cancel_order.ir)
    assert (cancelled.happy, cancelled.effects) == (7, 5)


def test_attempts_become_one_retry_fewer_and_cancelled_is_never_retried() -> None:
    (task,) = states("a_star_tries_again_after_any_error").values()
    assert task["Retry"] == [
        {"ErrorEquals": ["Cancelled"], "MaxAttempts": 0},
        {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 3, "BackoffRate": 1},
    ]
    (once,) = states("one_attempt_is_no_retry").values()
    assert "Retry" not in once


def test_a_retry_on_unavailable_is_one_on_the_function_services_errors() -> None:
    (task,) = states("three_attempts_are_three_tries_in_all").values()
    retry = task["Retry"]
    assert isinstance(retry, list)
    (retrier,) = retry
    assert isinstance(retrier, dict)
    listed = retrier["ErrorEquals"]
    assert isinstance(listed, list)
    assert {"Unavailable", "Lambda.TooManyRequestsException", "States.Timeout"} <= set(
        map(str, listed)
    )


def test_text_that_functions_would_misread_is_kept_in_the_frame() -> None:
    compiled = compile_workflow(BY_NAME["literal_strings_are_not_interpreted"].definition.ir)
    started = frame(compiled, "r1", {"id": "x"}, 2)
    assert started["run_id"] == "r1"
    assert started["execution"] == 2
    slots = json.loads(compiled.files["frame.json"])
    assert all(started[name] == value for name, value in slots.items())


def test_a_workflow_of_a_thousand_steps_compiles() -> None:
    ir = BY_NAME["twelve_steps_run_in_order"].definition.ir
    first = ir.body[0]
    many = tuple(first.model_copy(update={"name": f"say_{n}"}) for n in range(1000))
    compiled = compile_workflow(ir.model_copy(update={"body": many}))
    assert len(json.loads(compiled.main)["States"]) == 1000
    assert check(compiled) == ()
