"""The checker finds each planted fault, and nothing in what the compiler makes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from cartwheel.testing.corpus import PROGRAMS, Program
from cartwheel.testing.corpus._program import Given
from cartwheel.testing.corpus._tasks import pay, put_back, say, take
from cartwheel.workflow import Compiled, Unsupported, fmt, map_each, parallel, saga, when, workflow
from cartwheel_gcp import check, compile_workflow
from cartwheel_workflows import shop


@workflow("sample", version="1")
def sample(cmd: Given) -> str:
    with saga():
        taken = take(item=cmd.id, compensate=put_back)
        pay(amount=cmd.count)
        with when(cmd.flag):
            say(text=fmt("{} {}", taken.id, cmd.count), step="told")
        parallel(lambda: say(text="a", step="a"), lambda: say(text="b", step="b"))
        map_each(cmd.words, lambda word: say(text=word, step="each"), concurrency=2)
    return taken.id


Document = dict[str, Any]


def _document() -> Document:
    document: Document = json.loads(compile_workflow(sample.ir).main)
    return document


def _check(document: Document, name: str = "sample") -> list[str]:
    path = "sample.workflow.json"
    compiled = Compiled("gcp", name, {path: json.dumps(document)}, path)
    return [finding.rule for finding in check(compiled)]


def _find(value: Any, name: str) -> Any:
    """Give the step of a name, wherever it is."""
    if isinstance(value, dict):
        if isinstance(value.get(name), dict) and len(value) == 1:
            return value[name]
        value = list(value.values())
    if isinstance(value, list):
        return next((found for each in value if (found := _find(each, name)) is not None), None)
    return None


def _post(document: Document, name: str) -> Document:
    step: Document = _find(document, name)
    call: Document = step.get("try", step)
    return call


def _steps(document: Document) -> list[Any]:
    steps: list[Any] = document["main"]["steps"]
    return steps


def _retry(document: Document) -> Document:
    """Give a step that is tried again: the compensation."""
    step: Document = _find(document, "take_compensate")
    return step


def _deepen(document: Document) -> None:
    inner = copy.deepcopy(_find(document, "parallel"))
    inner["parallel"].pop("shared")
    for number in range(2):
        branches = [
            {f"b_{number}_{n}": {"steps": [{f"s_{number}_{n}": inner if n else {"return": 1}}]}}
            for n in range(2)
        ]
        inner = {"parallel": {"branches": branches}}
    _steps(document).insert(1, {"deep": inner})


Edit = Callable[[Document], object]

FAULTS: dict[str, tuple[str, Edit]] = {
    "no main": ("main", lambda d: d.pop("main")),
    "two parameters of main": ("params", lambda d: d["main"]["params"].append("more")),
    "a step's name twice": (
        "step-name",
        lambda d: _steps(d).append({"begin": {"assign": [{"x": 1}]}}),
    ),
    "a reserved step name": ("step-name", lambda d: _steps(d).append({"end": {"return": 1}})),
    "a step of two names": ("step", lambda d: _steps(d)[0].update(other={"return": 1})),
    "an unknown kind": ("step-kind", lambda d: _steps(d).append({"odd": {"retrun": 1}})),
    "a field that does not fit": ("step-kind", lambda d: _find(d, "begin").update(result="x")),
    "a target that is not there": ("next", lambda d: _find(d, "begin").update(next="nowhere")),
    "break outside a loop": ("next", lambda d: _find(d, "begin").update(next="break")),
    "an unknown function": (
        "expression",
        lambda d: _post(d, "pay")["args"]["body"].update(key="${sum(run)}"),
    ),
    "a broken expression": (
        "expression",
        lambda d: _post(d, "pay")["args"]["body"].update(key="${run.run_id + }"),
    ),
    "text beside an expression": (
        "expression",
        lambda d: _post(d, "pay")["args"]["body"].update(key="key ${run.run_id}"),
    ),
    "a long expression": (
        "expression-length",
        lambda d: _post(d, "pay")["args"]["body"].update(key='${"' + "x" * 400 + '"}'),
    ),
    "an unknown variable": (
        "variable",
        lambda d: _post(d, "pay")["args"]["body"].update(key="${nobody}"),
    ),
    "a variable of a handler outside it": (
        "variable",
        lambda d: _post(d, "told")["args"]["body"].update(key="${pay_raised}"),
    ),
    "an unknown routine": ("call", lambda d: _post(d, "pay").update(call="htttp.post")),
    "an argument too many": (
        "args",
        lambda d: _find(d, "error")["args"].update(more=1),
    ),
    "a timeout above the limit": (
        "timeout",
        lambda d: _post(d, "pay")["args"].update(timeout=1801),
    ),
    "too many assignments": (
        "entries",
        lambda d: _find(d, "begin").update(assign=[{f"x{n}": 1} for n in range(51)]),
    ),
    "no assignment": ("entries", lambda d: _find(d, "begin").update(assign=[])),
    "too many conditions": (
        "entries",
        lambda d: _find(d, "when").update(
            switch=[{"condition": True, "next": "end"} for _ in range(51)]
        ),
    ),
    "a switch arm without effect": (
        "switch",
        lambda d: _find(d, "when").update(switch=[{"condition": True}]),
    ),
    "a try without handler": ("try", lambda d: _find(d, "whole").pop("except")),
    "a predicate that is not there": (
        "retry",
        lambda d: _retry(d)["retry"].update(predicate="${nobody}"),
    ),
    "retries below one": ("retry", lambda d: _retry(d)["retry"].update(max_retries=0)),
    "a negative delay": (
        "retry",
        lambda d: _retry(d)["retry"].update(backoff={"initial_delay": -1}),
    ),
    "one branch": ("branches", lambda d: _find(d, "parallel")["parallel"]["branches"].pop()),
    "too many branches": (
        "branches",
        lambda d: _find(d, "parallel")["parallel"]["branches"].extend(
            {f"more_{n}": {"steps": [{f"m_{n}": {"return": n}}]}} for n in range(9)
        ),
    ),
    "a branch that sets what is not shared": (
        "shared",
        lambda d: _find(d, "parallel")["parallel"].pop("shared"),
    ),
    "something unknown that is shared": (
        "shared",
        lambda d: _find(d, "parallel")["parallel"]["shared"].append("nobody"),
    ),
    "parallels three deep": ("nesting", _deepen),
    "a limit of nothing": (
        "parallel",
        lambda d: _find(d, "map_2")["parallel"].update(concurrency_limit=0),
    ),
    "a loop over two things": (
        "for",
        lambda d: _find(d, "map_2")["parallel"]["for"].update(range=[1, 2]),
    ),
    "a loop without steps": ("steps", lambda d: _find(d, "map_2")["parallel"]["for"].pop("steps")),
    "a float": ("number", lambda d: _post(d, "pay")["args"]["body"].update(input=1.5)),
    "a long string": (
        "string-size",
        lambda d: _post(d, "pay")["args"]["body"].update(input="x" * (256 * 1024 + 1)),
    ),
    "a long source": (
        "source-size",
        lambda d: _post(d, "pay")["args"]["body"].update(input="x" * (128 * 1024)),
    ),
    "a variable named like a module": (
        "variable-name",
        lambda d: _find(d, "begin")["assign"].append({"http": 1}),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str) -> None:
    rule, edit = FAULTS[fault]
    document = _document()
    edit(document)
    assert rule in _check(document)


def test_a_name_that_cant_be_deployed_is_found() -> None:
    assert _check(_document(), "1st") == ["name"]


def test_what_is_no_json_is_found() -> None:
    assert [f.rule for f in check(Compiled("gcp", "a", {"a": "main:"}, "a"))] == ["json"]


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_nothing_is_found_in_a_compiled_program(program: Program) -> None:
    try:
        compiled = compile_workflow(program.definition.ir)
    except Unsupported:
        return  # Which programs that are is told, and held to, by the engine's known gaps.
    assert check(compiled) == ()


def test_nothing_is_found_in_the_shops_workflows() -> None:
    app = shop.shop_app()
    assert app.workflows
    for definition in app.workflows.values():
        assert check(compile_workflow(definition.ir)) == ()
