"""Compiling for Durable Functions: names, versions, determinism, limits."""

from __future__ import annotations

import ast
import keyword
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cartwheel.testing.corpus import PROGRAMS, Program
from cartwheel.testing.randomly import programs
from cartwheel.workflow import BuildError, Unsupported, Workflow
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import IsNullExpr, NotExpr, RefExpr
from cartwheel.workflow._types import STRING, ObjectType, OptionalType
from cartwheel_azure import check, compile_workflow
from cartwheel_azure._names import FUNCTION_NAME, Names, event_names, function_name
from cartwheel_workflows.checkout import checkout

NOTE = ObjectType(fields={"note": OptionalType(of=STRING)})
TASK = ir.TaskSpec(input=ObjectType(fields={}), output=STRING)


def workflow(*steps: ir.Step, name: str = "made") -> Workflow:
    return Workflow(
        name=name,
        version="1",
        input=NOTE,
        output=OptionalType(of=STRING),
        tasks={"a.b": TASK},
        body=steps,
    )


def calls(count: int) -> tuple[ir.Step, ...]:
    return tuple(ir.TaskStep(name=f"s{n}", task="a.b", result=f"r{n}") for n in range(count))


def renamed(of: Workflow, **update: object) -> Workflow:
    return of.model_copy(update=update)


@pytest.mark.parametrize("name", ["checkout", "cancel_order"])
def test_the_same_workflow_gives_the_same_bytes(name: str) -> None:
    code = (
        f"from cartwheel_workflows.{name} import {name}; from hashlib import sha256;"
        f"from cartwheel_azure import compile_workflow; made = compile_workflow({name}.ir);"
        "print(made.name, sha256(repr(dict(made.files)).encode()).hexdigest())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1")
    }
    assert len(seen) == 1


def test_source_lines_change_comments_only() -> None:
    moved = tuple(step.model_copy(update={"at": "else.py:99"}) for step in checkout.ir.body)
    one, two = compile_workflow(checkout.ir), compile_workflow(renamed(checkout.ir, body=moved))
    assert one.main != two.main
    assert one.name == two.name
    assert ast.dump(ast.parse(one.main)) == ast.dump(ast.parse(two.main))


def test_what_a_run_would_replay_differently_has_another_name() -> None:
    one = compile_workflow(workflow(*calls(1)))
    two = compile_workflow(workflow(*calls(2)))
    assert one.name != two.name
    assert workflow(*calls(1)).content_hash[:12] in one.name


def test_the_name_of_a_runtime_is_its_hash() -> None:
    compiled = compile_workflow(checkout.ir)
    (runtime,) = set(compiled.files) - {compiled.entry}
    assert re.fullmatch(r"cartwheel_runtime_[0-9a-f]{8}\.py", runtime)
    assert f"import {runtime.removesuffix('.py')} as cw" in compiled.main
    assert "cartwheel_azure" not in compiled.files[runtime]


@given(st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]*", fullmatch=True) | st.text("Ab9-", min_size=1))
def test_any_workflow_gets_a_name_that_the_host_takes(name: str) -> None:
    deployed = function_name(name, "0123456789ab", "abcdef")
    assert FUNCTION_NAME.match(deployed)
    assert deployed.endswith("_0123456789ab_abcdef")


@given(
    st.lists(st.sampled_from([*keyword.kwlist, "run", "cw", "x", "x_2", "_", "__debug__", "id"]))
)
def test_names_stay_apart_and_are_identifiers(wanted: list[str]) -> None:
    names = Names()
    found = {name: names.variable(name) for name in wanted}
    assert len(set(found.values())) == len(found)
    assert all(each.isidentifier() and not keyword.iskeyword(each) for each in found.values())
    assert not {"run", "cw", "__debug__"} & set(found.values())


def test_a_name_that_python_keeps_for_itself_may_be_used() -> None:
    steps = tuple(
        ir.TaskStep(name=f"s{n}", task="a.b", result=name)
        for n, name in enumerate(("class", "lambda", "run", "raised", "len", "cw", "steps"))
    )
    end = ir.ReturnStep(name="end", value=RefExpr(name="class"))
    compiled = compile_workflow(workflow(*steps, end))
    assert not check(compiled)
    assert "class_ = yield from run.call(" in compiled.main


def test_events_are_told_apart_without_regard_to_case() -> None:
    assert event_names(["Wait", "wait", "WAIT", "other"]) == {
        "Wait": "wait",
        "wait": "wait_2",
        "WAIT": "wait_3",
        "other": "other",
    }


@pytest.mark.parametrize("depth", [10, 25])
def test_blocks_deeper_than_python_reads_are_refused_by_name(depth: int) -> None:
    body = calls(1)
    for n in range(depth):
        handler = ir.Handler(codes=("Timeout",))
        body = (ir.TryStep(name=f"t{n}", body=body, handlers=(handler,)),)
    deep = workflow(*body)
    if depth == 10:
        assert not check(compile_workflow(deep))
        return
    with pytest.raises(Unsupported, match="nested this deep") as caught:
        compile_workflow(deep)
    assert caught.value.gaps[0].target == "azure"


def test_deep_choices_are_refused_or_read() -> None:
    body: tuple[ir.Step, ...] = calls(1)
    condition = NotExpr(operand=IsNullExpr(operand=RefExpr(name="input", path=("note",))))
    for n in range(120):
        body = (ir.WhenStep(name=f"w{n}", condition=condition, then=body),)
    with pytest.raises(Unsupported, match="nested this deep"):
        compile_workflow(workflow(*body))


def test_a_workflow_with_its_own_problems_is_refused_by_the_checker() -> None:
    with pytest.raises(BuildError, match="nothing is named 'gone'"):
        compile_workflow(workflow(ir.ReturnStep(name="end", value=RefExpr(name="gone"))))


@settings(max_examples=60)
@given(programs(timers=True))
def test_every_random_program_compiles_without_a_finding(program: Program) -> None:
    compiled = compile_workflow(program.definition.ir)
    assert not check(compiled)
    assert compile_workflow(Workflow.from_json(program.definition.ir.to_json())) == compiled


def test_every_program_of_the_corpus_compiles_without_a_finding() -> None:
    for program in PROGRAMS:
        assert not check(compile_workflow(program.definition.ir)), program


def test_the_adapter_imports_no_sdk() -> None:
    code = "import sys, cartwheel_azure; assert 'azure' not in sys.modules, sys.modules['azure']"
    subprocess.run([sys.executable, "-c", code], check=True)
    runtime = Path(sys.modules["cartwheel_azure._runtime"].__file__ or "").read_text("utf-8")
    assert "import azure" not in runtime
