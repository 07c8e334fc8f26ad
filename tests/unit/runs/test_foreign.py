"""The runtime over a foreign engine: starts, ends and old definitions, with crashes and races."""

from __future__ import annotations

import threading

import pytest

from cartwheel.ports import (
    ConfigurationError,
    Run,
    RunConflict,
    RunNotFound,
    RunStatus,
    Unavailable,
)
from cartwheel.runs import (
    RUNS,
)
from cartwheel.runs._shelf import Shelf
from cartwheel.testing._runtime_app import runtime_app
from cartwheel.testing.faults import Crash, Faults
from cartwheel.trace import begun, within
from tests.support.foreign_desk import APPROVAL, PLAN, Desk

# Starting.


def test_the_engine_is_given_the_input_and_the_form_of_the_definition(desk: Desk) -> None:
    run = desk.runtime.start("kit_greet", "r", {"name": "x"})
    ((launch, given),) = desk.engine.started
    assert (launch.run_id, launch.number, launch.workflow) == ("r", 1, "kit_greet")
    assert (launch.definition, given) == (run.definition, {"name": "x"})
    assert launch.form == {"of": "7", "mark": ""}


def test_a_run_that_a_crash_left_at_the_gate_is_started_by_the_next_tick(desk: Desk) -> None:
    faults = Faults()
    faults.fail("engine.start", Crash)
    with pytest.raises(Crash):
        desk.over(faults)[0].start("kit_wait", "r", PLAN)
    assert desk.started == []
    assert desk.runtime.settle_runs() == 0
    assert desk.started == [("r", 1)]


@pytest.mark.parametrize("ask", ["start", "status"])
def test_a_run_that_a_crash_left_at_the_gate_is_started_by_whoever_asks(
    desk: Desk, ask: str
) -> None:
    faults = Faults()
    faults.fail("engine.start", Unavailable)
    with pytest.raises(Unavailable):
        desk.over(faults)[0].start("kit_wait", "r", PLAN)
    runtime = desk.runtime
    run = runtime.start("kit_wait", "r", PLAN) if ask == "start" else runtime.status("r")
    assert run.status is RunStatus.RUNNING
    assert desk.started == [("r", 1)]


def test_a_start_whose_reply_was_lost_is_the_same_run(desk: Desk) -> None:
    faults = Faults()
    faults.fail("engine.start", Unavailable, when="after")
    runtime, _ = desk.over(faults)
    with pytest.raises(Unavailable):
        runtime.start("kit_wait", "r", PLAN)
    assert runtime.start("kit_wait", "r", PLAN).status is RunStatus.RUNNING
    with pytest.raises(RunConflict, match="another input"):
        runtime.start("kit_wait", "r", {**PLAN, "pause": 1})
    assert desk.started == [("r", 1)]


def test_an_input_that_the_engine_never_takes_ends_the_run_as_failed(desk: Desk) -> None:
    desk.engine.refuses = "an execution takes 5 bytes"
    run = desk.runtime.start("kit_wait", "r", PLAN)
    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert (run.error.code, run.error.message) == ("Unexpected", "an execution takes 5 bytes")
    assert desk.runtime.settle_runs() == 0


def test_a_definition_that_was_not_deployed_begins_nothing(desk: Desk) -> None:
    desk.engine.forms.clear()
    with pytest.raises(ConfigurationError, match="not known"):
        desk.runtime.start("kit_wait", "r", PLAN)
    with pytest.raises(RunNotFound):
        desk.runtime.status("r")


def test_tasks_are_called_within_the_trace_of_what_started_the_run(desk: Desk) -> None:
    trace = begun("a request")
    with within(trace):
        desk.runtime.start("kit_wait", "r", PLAN)
    desk.call("r", "one")
    assert desk.traces == [trace]


# Ends.


def test_an_end_is_noted_once(desk: Desk) -> None:
    desk.runtime.start("kit_wait", "r", PLAN)
    desk.engine.ends("r", output=APPROVAL, at=1_007.5)
    first = desk.runtime.note_end("r")
    desk.engine.ends("r", output={"by": "somebody else", "amount": 1}, at=2_000)
    assert desk.runtime.note_end("r") == desk.runtime.status("r") == first
    assert (first.output, first.ended_at) == (APPROVAL, "1970-01-01T00:16:47.500Z")


def test_of_many_that_note_an_end_at_once_one_writes_it(desk: Desk) -> None:
    desk.runtime.start("kit_wait", "r", PLAN)
    desk.engine.ends("r", output=APPROVAL, at=1_001)
    found: list[Run] = []
    threads = [
        threading.Thread(target=lambda: found.append(desk.runtime.note_end("r"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert {run.ended_at for run in found} == {"1970-01-01T00:16:41.000Z"}
    row = desk.store.get(RUNS.name, "r", "run")
    assert row is not None
    assert row.version == 2


def test_no_run_ends_before_it_began_whatever_the_engines_clock_says(desk: Desk) -> None:
    desk.runtime.start("kit_wait", "r", PLAN)
    desk.engine.ends("r", output=APPROVAL, at=3.0)
    run = desk.runtime.status("r")
    assert run.ended_at == run.started_at


def test_an_output_that_no_row_holds_leaves_the_run_succeeded_and_is_said(desk: Desk) -> None:
    desk.runtime.start("kit_wait", "r", PLAN)
    desk.engine.ends("r", output={"by": "x" * 300_000, "amount": 1}, at=1_001)
    run = desk.runtime.status("r")
    assert (run.status, run.output) == (RunStatus.SUCCEEDED, None)
    assert run.error is not None
    assert "can't be kept" in run.error.message


def test_the_end_of_an_execution_that_was_redriven_meanwhile_is_not_the_runs(desk: Desk) -> None:
    desk.runtime.start("kit_wait", "r", PLAN)
    desk.engine.fails("r", at=1_001)

    def meanwhile() -> None:
        other, _ = desk.over()
        other.note_end("r")
        other.redrive("r")

    desk.engine.before_look = meanwhile
    assert desk.runtime.note_end("r").status is RunStatus.RUNNING
    assert desk.started == [("r", 1), ("r", 2)]


def test_a_signal_between_the_look_and_the_end_is_true_and_one_after_it_false(desk: Desk) -> None:
    desk.runtime.start("kit_wait", "r", PLAN)
    desk.engine.ends("r", output=APPROVAL, at=1_001)
    sent: list[bool] = []

    def meanwhile() -> None:
        _, invocations = desk.over()
        sent.append(invocations.signal("r", "approval", APPROVAL, signal_id="s1"))

    desk.engine.before_look = meanwhile
    desk.runtime.note_end("r")
    assert sent == [True]
    assert not desk.runtime.signal("r", "approval", APPROVAL, signal_id="s2")
    assert [entry.kind for entry in desk.runtime.history("r")] == ["signal"]


def test_a_signal_that_meets_the_end_is_false(desk: Desk) -> None:
    desk.runtime.start("kit_wait", "r", PLAN)

    def meanwhile() -> None:
        desk.engine.ends("r", output=APPROVAL, at=1_001)
        desk.over()[0].note_end("r")

    desk.engine.before_look = meanwhile
    assert not desk.runtime.signal("r", "approval", APPROVAL, signal_id="s1")
    assert desk.runtime.history("r") == ()


@pytest.mark.parametrize("verb", ["signal", "cancel"])
def test_a_run_whose_end_nobody_has_noted_takes_no_signal_and_no_cancel(
    desk: Desk, verb: str
) -> None:
    desk.runtime.start("kit_wait", "r", PLAN)
    desk.engine.ends("r", output=APPROVAL, at=1_001)
    if verb == "signal":
        assert not desk.runtime.signal("r", "approval", APPROVAL, signal_id="s")
    else:
        desk.runtime.cancel("r")
    assert desk.runtime.history("r") == ()


# Definitions.


def test_an_old_run_keeps_its_definition_when_the_application_has_another(desk: Desk) -> None:
    first = desk.failed("old")
    desk.failed("other")
    desk.engine.forms.clear()
    changed = runtime_app(changed=True).workflows
    desk.engine.knows(changed)
    runtime, _ = desk.over(workflows=changed)
    assert runtime.start("kit_wait", "new", PLAN).definition != first.definition
    with pytest.raises(ValueError, match="waits for: something_else"):
        runtime.signal("new", "approval", APPROVAL, signal_id="s")
    again = runtime.redrive("old")
    assert (again.definition, again.version) == (first.definition, "1")
    launch, _ = desk.engine.started[-1]
    assert (launch.definition, launch.form) == (first.definition, {"of": "1", "mark": ""})
    assert runtime.signal("old", "approval", APPROVAL, signal_id="s")
    with pytest.raises(ValueError, match="waits for: approval"):
        runtime.signal("old", "something_else", {"name": "x"}, signal_id="t")


def test_a_newer_compilers_form_takes_the_place_of_the_one_that_is_kept(desk: Desk) -> None:
    desk.failed("r")
    desk.engine.knows(runtime_app().workflows, mark="newer")
    runtime, _ = desk.over()
    runtime.start("kit_wait", "another", PLAN)
    desk.engine.forms.clear()
    desk.over()[0].redrive("r")
    assert [launch.form["mark"] for launch, _ in desk.engine.started] == ["", "newer", "newer"]


@pytest.mark.parametrize(
    "text", ["", "short", "x" * 20_000, '"\\\n' * 40_000, "😀ü" * 50_000], ids=len
)
def test_a_definition_of_any_length_is_kept_as_it_is(desk: Desk, text: str) -> None:
    desk.engine.forms["content"] = {}
    Shelf(desk.store, desk.engine).define("content", text)
    Shelf(desk.store, desk.engine).define("content", text)
    assert Shelf(desk.store, desk.engine).definition("content") == (text or None)
    assert Shelf(desk.store, desk.engine).definition("another") is None


def test_a_run_may_be_called_as_a_definition_is(desk: Desk) -> None:
    content = desk.runtime.start("kit_wait", "r", PLAN).definition
    desk.runtime.start("kit_wait", content, PLAN)
    desk.runtime.signal(content, "approval", APPROVAL, signal_id="s")
    runtime, _ = desk.over()
    assert runtime.status(content).status is RunStatus.RUNNING
    assert runtime.signal("r", "approval", APPROVAL, signal_id="s")
