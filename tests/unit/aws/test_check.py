"""One fault at a time in a definition that passes, and the rule that finds it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow import Compiled
from cartwheel_aws import check

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
INVOKE = "arn:aws:states:::lambda:invoke"


def sound() -> JsonObject:
    """Give a definition that has one state of each kind."""
    inner: JsonObject = {"StartAt": "in", "States": {"in": {"Type": "Pass", "End": True}}}
    rule: Json = {"Variable": "$.input.n", "NumericEquals": 1, "Next": "wait"}
    states: JsonObject = {
        "ask": {
            "Type": "Task",
            "Resource": FUNCTION,
            "Parameters": {"key.$": "States.Format('{}:ask', $.run_id)"},
            "TimeoutSeconds": 5,
            "Retry": [
                {"ErrorEquals": ["A"], "IntervalSeconds": 1, "MaxDelaySeconds": 9},
                {"ErrorEquals": ["States.ALL"], "MaxAttempts": 1, "JitterStrategy": "FULL"},
            ],
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "fail"}],
            "ResultPath": "$.answer",
            "Next": "which",
        },
        "which": {"Type": "Choice", "Choices": [rule], "Default": "map"},
        "wait": {"Type": "Wait", "SecondsPath": "$.answer.n", "Next": "map"},
        "map": {
            "Type": "Map",
            "ItemsPath": "$.input.list",
            "ItemSelector": {"one.$": "$$.Map.Item.Value"},
            "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **inner},
            "ResultSelector": {"values.$": "$[*].value"},
            "End": True,
        },
        "fail": {"Type": "Fail", "ErrorPath": "$.error.Error", "Cause": "it"},
    }
    return {"StartAt": "ask", "States": states}


def found(machine: Json) -> set[str]:
    """Give the rules that a definition breaks."""
    compiled = Compiled("aws", "m", {"m.json": json.dumps(machine)}, "m.json")
    return {one.rule for one in check(compiled)}


def test_a_sound_definition_passes() -> None:
    assert found(sound()) == set()


Change = Callable[[dict[str, dict[str, Json]]], None]


def put(state: str, key: str, value: Json) -> Change:
    """Set a field of a state."""

    def change(states: dict[str, dict[str, Json]]) -> None:
        states[state][key] = value

    return change


def drop(state: str, key: str) -> Change:
    """Take a field of a state away."""

    def change(states: dict[str, dict[str, Json]]) -> None:
        del states[state][key]

    return change


ALL: Json = {"ErrorEquals": ["States.ALL"], "Next": "fail"}
A: Json = {"ErrorEquals": ["A"], "Next": "fail"}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (put("ask", "Next", "nowhere"), "target"),
        (put("which", "Default", "nowhere"), "target"),
        (put("ask", "End", True), "flow"),
        (drop("wait", "Next"), "flow"),
        (put("fail", "Next", "map"), "flow"),
        (drop("which", "Default"), "flow"),
        (put("ask", "Type", "Job"), "type"),
        (put("ask", "Iterations", 3), "field"),
        (put("wait", "Seconds", 3), "field"),
        (put("fail", "CausePath", "$.error.Cause"), "field"),
        (drop("map", "ItemProcessor"), "field"),
        (put("which", "Choices", []), "field"),
        (put("ask", "Catch", [ALL, A]), "error"),
        (put("ask", "Catch", [{"ErrorEquals": ["A", "States.ALL"], "Next": "fail"}]), "error"),
        (put("ask", "Catch", [A, A]), "error"),
        (put("ask", "Catch", [{"ErrorEquals": [], "Next": "fail"}]), "error"),
        (put("fail", "Error", "States.Mine"), "error"),
        (put("ask", "Retry", [{"ErrorEquals": ["A"], "IntervalSeconds": 0}]), "number"),
        (put("ask", "Retry", [{"ErrorEquals": ["A"], "BackoffRate": 0.5}]), "number"),
        (put("ask", "Retry", [{"ErrorEquals": ["A"], "MaxDelaySeconds": 1}]), "number"),
        (put("ask", "Retry", [{"ErrorEquals": ["A"], "JitterStrategy": "SOME"}]), "field"),
        (put("ask", "TimeoutSeconds", 0), "number"),
        (put("ask", "Resource", "f"), "resource"),
        (put("ask", "Resource", INVOKE), "function"),
        (put("ask", "Resource", f"{INVOKE}.waitForTaskToken"), "token"),
        (put("ask", "ResultPath", "answer"), "path"),
        (put("wait", "SecondsPath", "$.answer[*]"), "path"),
        (put("wait", "SecondsPath", "$.nobody.n"), "slot"),
        (put("ask", "Parameters", {"a.$": "States.Format('{}', $.x"}), "expression"),
        (put("ask", "Parameters", {"a.$": "States.Nothing($.run_id)"}), "expression"),
        (put("ask", "Parameters", {"a.$": "States.ArrayLength()"}), "expression"),
        (put("ask", "Parameters", {"a.$": "$.run_id", "a": 1}), "expression"),
        (put("fail", "Cause", "x" * 40_000), "size"),
    ],
)
def test_a_fault_is_found_by_its_rule(change: Change, rule: str) -> None:
    machine = sound()
    states = machine["States"]
    change(states)  # type: ignore[arg-type]  # objects by name
    assert rule in found(machine)


def test_names_are_unique_short_and_reached() -> None:
    machine = sound()
    states = machine["States"]
    assert isinstance(states, dict)
    states["in"] = {"Type": "Succeed"}
    states["n" * 81] = {"Type": "Succeed"}
    assert found(machine) == {"name", "unreachable"}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"States": {}}'])
def test_what_is_no_definition_is_said_to_be_none(text: str) -> None:
    compiled = Compiled("aws", "m", {"m.json": text}, "m.json")
    assert [one.rule for one in check(compiled)] in (["json"], ["states"])


def test_a_definition_larger_than_a_mebibyte_is_refused() -> None:
    machine = sound()
    machine["Comment"] = "x" * 1024 * 1024
    assert found(machine) == {"size"}
