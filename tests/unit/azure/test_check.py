"""The checker finds what the host would refuse and what a replay would misread."""

from __future__ import annotations

import dataclasses

import pytest

from cartwheel.workflow import Compiled
from cartwheel_azure import check, compile_workflow
from cartwheel_workflows.checkout import checkout

GOOD = compile_workflow(checkout.ir)


def changed(old: str, new: str) -> Compiled:
    assert old in GOOD.main
    files = {**GOOD.files, GOOD.entry: GOOD.main.replace(old, new, 1)}
    return dataclasses.replace(GOOD, files=files)


def after_imports(line: str) -> Compiled:
    return changed("\nNAME = ", f"\n{line}\nNAME = ")


def in_steps(line: str) -> Compiled:
    return changed("-> cw.Steps:\n", f"-> cw.Steps:\n    {line}\n")


def test_what_was_compiled_has_no_finding() -> None:
    assert check(GOOD) == ()


@pytest.mark.parametrize(
    ("compiled", "rule"),
    [
        (dataclasses.replace(GOOD, name="Checkout"), "name"),
        (dataclasses.replace(GOOD, name="checkout"), "version"),
        (changed('NAME = "checkout', 'NAME = "check_out'), "name"),
        (after_imports("import random"), "import"),
        (after_imports("from os import environ"), "import"),
        (after_imports("import urllib.request"), "import"),
        (in_steps("now = cw.datetime.now()"), "pure"),
        (in_steps("now = run.context.current_utc_datetime.today()"), "pure"),
        (in_steps("print(input_)"), "pure"),
        (in_steps("seen = {1, 2}"), "pure"),
        (in_steps("seen = set(input_)"), "pure"),
        (in_steps("key = hash(input_)"), "pure"),
        (in_steps("global NAME"), "pure"),
        (in_steps("all_of_them = run.context.task_all([])"), "pure"),
        (in_steps("run.context.call_activity('call_task', '')"), "yielded"),
        (in_steps("timer = run.context.create_timer(None)"), "yielded"),
        (in_steps("run.sleep(1)"), "yielded"),
        (changed("yield from run.call(", "run.call("), "yielded"),
        (changed("def orchestrator(context", "def orchestrator(ctx"), "generator"),
        (changed("def steps(", "async def steps("), "generator"),
        (changed("import cartwheel_runtime_", "import cartwheel_runtime_0"), "runtime"),
        (changed("try:", "try"), "syntax"),
        (in_steps("x = '" + "x" * 1_000_000 + "'"), "size"),
    ],
)
def test_a_fault_is_found(compiled: Compiled, rule: str) -> None:
    found = {finding.rule for finding in check(compiled)}
    assert rule in found, f"{found} does not hold {rule}"


def test_a_finding_names_the_line() -> None:
    (finding,) = check(after_imports("import random"))
    line = GOOD.main.splitlines().index(next(x for x in GOOD.main.splitlines() if "NAME =" in x))
    assert finding.where == f"{GOOD.entry}:{line + 1}"


def test_a_runtime_that_was_changed_is_found() -> None:
    (runtime,) = set(GOOD.files) - {GOOD.entry}
    files = {**GOOD.files, runtime: GOOD.files[runtime] + "\n"}
    assert [finding.rule for finding in check(dataclasses.replace(GOOD, files=files))] == [
        "runtime"
    ]


def test_two_waits_on_one_event_are_found() -> None:
    waits = 'yield from run.wait("s", "a", "Same")\n    yield from run.wait("s", "b", "same")'
    assert [finding.rule for finding in check(in_steps(waits))] == ["event"]


def test_a_branch_that_nobody_awaits_is_found() -> None:
    branch = "def side() -> cw.Steps:\n        yield from run.sleep(1)\n\n    side()"
    (finding,) = check(in_steps(branch))
    assert finding.rule == "yielded"
    assert "side() starts nothing" in finding.what
