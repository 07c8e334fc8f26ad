"""The runtime over a foreign engine: crashes, races, old definitions, listings and histories."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from cartwheel.app import App, DeclaredWorkflow, Service
from cartwheel.dispatch import TaskReply
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.plugins import load_adapter
from cartwheel.ports import (
    CartwheelError,
    ConfigurationError,
    Json,
    JsonObject,
    Put,
    Run,
    RunConflict,
    RunNotFound,
    RunStatus,
    Store,
    Unavailable,
)
from cartwheel.ports._hook import Hook, compose, hooked
from cartwheel.runs import (
    RUNS,
    WAIT,
    ExecutionEngine,
    ForeignRuntime,
    Invocations,
    Launch,
    Pause,
    Seen,
)
from cartwheel.runs._shelf import Shelf
from cartwheel.testing._runtime_app import runtime_app
from cartwheel.testing.faults import Crash, Faults, Recorder, When
from cartwheel.trace import begun, current, within
from cartwheel.workflow import Ok
from tests.support.paper_engine import PaperEngine

PLAN: JsonObject = {"how": "", "pause": 0, "gate": ""}
APPROVAL: JsonObject = {"by": "a person", "amount": 12}
OK = TaskReply(ok=True, json=b'{"n": 1}')
DOWN = TaskReply(ok=False, json=b'{"code": "Unavailable", "message": "down"}')
NO = TaskReply(ok=False, json=b'{"code": "Declined", "message": "no"}')


class Clock:
    def __init__(self) -> None:
        self.time = 1_000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class Desk:
    """Puts runtimes together that share a store, a clock and an engine."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock, self.engine = Clock(), PaperEngine()
        self.engine.knows(runtime_app().workflows)
        self.reply = OK
        self.during: Callable[[], object] | None = None
        """Is done once, while the next task is at work."""
        self.traces: list[str] = []
        self.runtime, self.invocations = self.over()

    def over(
        self, hook: Hook | None = None, workflows: Mapping[str, DeclaredWorkflow] | None = None
    ) -> tuple[ForeignRuntime, Invocations]:
        """Make a runtime as another process would, with a hook on its store and its engine."""
        store = hooked("store", self.store, Store, hook)  # type: ignore[type-abstract]  # a protocol names the methods
        engine = hooked("engine", self.engine, ExecutionEngine, hook)  # type: ignore[type-abstract]  # same
        invocations = Invocations(self._run, store, self.clock, self.engine)
        known = runtime_app().workflows if workflows is None else workflows
        return ForeignRuntime(known, store, invocations, engine, self.clock), invocations

    def _run(self, task: str, key: str, run_id: str, input: bytes) -> TaskReply:
        self.traces.append(current())
        during, self.during = self.during, None
        if during is not None:
            during()
        return self.reply

    def call(self, run_id: str, step: str, reply: TaskReply = OK, *, undo: bool = False) -> None:
        self.reply = reply
        self.clock.sleep(1)
        self.invocations.handle({**_invocation(run_id, "a.task", step, {}), "compensation": undo})

    def wait(self, run_id: str, step: str) -> None:
        given: JsonObject = {"signal": "approval", "token": f"token of {step}", "timeout": None}
        assert self.invocations.handle(_invocation(run_id, WAIT, step, given)) == Ok(None)

    def failed(self, run_id: str, code: str = "Declined") -> Run:
        """Start a run and let it fail."""
        self.runtime.start("kit_wait", run_id, PLAN)
        self.engine.fails(run_id, code=code, at=self.clock.now())
        return self.runtime.status(run_id)

    @property
    def started(self) -> list[tuple[str, int]]:
        return [(launch.run_id, launch.number) for launch, _ in self.engine.started]


def _invocation(run_id: str, task: str, step: str, given: JsonObject) -> JsonObject:
    name = step.partition(":")[0]
    return {"run_id": run_id, "task": task, "step": name, "key": f"{run_id}:{step}", "input": given}


@pytest.fixture(params=["memory", "local"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    service = Service("cloud")
    service.collections.append(RUNS)
    data: Path = tmp_path_factory.mktemp("data")
    options = HostOptions(data=data, log=discard)
    with load_adapter(request.param).open(App("cloud", services=[service]), options) as host:
        yield host.ports.store


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


@pytest.fixture
def in_memory() -> Iterator[Desk]:
    """Give a desk for tests with many runs."""
    service = Service("cloud")
    service.collections.append(RUNS)
    options = HostOptions(log=discard)
    with load_adapter("memory").open(App("cloud", services=[service]), options) as host:
        yield Desk(host.ports.store)


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


# Looking after all.


def test_settling_costs_one_query_when_nothing_runs(desk: Desk) -> None:
    desk.failed("r")
    recorder = Recorder()
    runtime, _ = desk.over(recorder)
    assert runtime.settle_runs() == 0
    assert recorder.names() == ["store.query(runs)"]


def test_settling_notes_ends_and_wakes_waits_that_a_crash_left(desk: Desk) -> None:
    for run_id in ("ends", "waits"):
        desk.runtime.start("kit_wait", run_id, PLAN)
    desk.engine.ends("ends", output=APPROVAL, at=1_001)
    desk.wait("waits", "approval")
    faults = Faults()
    faults.fail("store.commit", Crash, when="after")
    with pytest.raises(Crash):
        desk.over(faults)[0].signal("waits", "approval", APPROVAL, signal_id="s")
    assert desk.engine.woken == []
    assert desk.runtime.settle_runs() == 1
    assert desk.engine.woken == [("token of approval", Ok(APPROVAL))]
    assert desk.runtime.list(status=RunStatus.SUCCEEDED).runs[0].run_id == "ends"


def test_a_run_that_can_not_be_settled_stands_in_no_others_way(desk: Desk) -> None:
    for run_id in ("a", "b", "c"):
        desk.runtime.start("kit_wait", run_id, PLAN)
        desk.engine.ends(run_id, output=APPROVAL, at=1_001)
        desk.clock.sleep(1)
    faults = Faults()
    faults.fail("engine.look", Unavailable)
    with pytest.raises(Unavailable):
        desk.over(faults)[0].settle_runs()
    listed = desk.runtime.list(status=RunStatus.SUCCEEDED)
    assert [run.run_id for run in listed.runs] == ["c", "b"]
    assert desk.runtime.settle_runs() == 1


def test_a_signal_to_a_run_that_waits_for_it_asks_the_engine_nothing_but_to_wake(
    desk: Desk,
) -> None:
    desk.runtime.start("kit_wait", "r", PLAN)
    desk.wait("r", "approval")
    looks = desk.engine.looks
    assert desk.runtime.signal("r", "approval", APPROVAL, signal_id="s")
    assert desk.engine.looks == looks
    assert desk.engine.woken == [("token of approval", Ok(APPROVAL))]
    assert desk.runtime.signal("r", "approval", APPROVAL, signal_id="t")
    assert desk.engine.looks == looks + 1


@pytest.mark.parametrize("most", [7, 50, 110])
def test_many_open_runs_take_turns_and_each_gets_its_own(in_memory: Desk, most: int) -> None:
    desk = in_memory
    for number in range(120):
        desk.runtime.start("kit_nothing", f"n{number:03d}", {})
        desk.clock.sleep(0.5)
    looked: list[str] = []
    look = desk.engine.look

    class Noting:
        form, start, pauses = desk.engine.form, desk.engine.start, desk.engine.pauses

        @staticmethod
        def look(launch: Launch) -> Seen | None:
            looked.append(launch.run_id)
            return look(launch)

    workflows, turns = runtime_app().workflows, -(-120 // most)
    for _ in range(2):
        runtime = ForeignRuntime(workflows, desk.store, desk.invocations, Noting(), desk.clock)
        for _ in range(turns):
            runtime.settle_runs(most)
    everyone = [f"n{number:03d}" for number in range(120)]
    assert looked == everyone * 2


def test_a_round_that_meets_an_old_cursor_begins_anew(desk: Desk) -> None:
    for number in range(3):
        desk.runtime.start("kit_nothing", f"n{number}", {})
        desk.clock.sleep(1)
    desk.store.commit(RUNS.name, "round", [Put("round", {"after": "an old cursor"}, 0)])
    looks = desk.engine.looks
    desk.runtime.settle_runs(2)
    desk.runtime.settle_runs(2)
    assert desk.engine.looks == looks + 3


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


# Listings.


@pytest.mark.parametrize("limit", [1, 2, 7, 150])
@pytest.mark.parametrize("status", [None, RunStatus.RUNNING])
def test_the_runs_of_one_workflow_are_picked_page_by_page(
    desk: Desk, limit: int, status: RunStatus | None
) -> None:
    for number in range(9):
        desk.runtime.start("kit_wait", f"w{number}", PLAN)
        desk.clock.sleep(1)
        for other in range(number % 3):
            desk.runtime.start("kit_nothing", f"n{number}{other}", {})
            desk.clock.sleep(1)
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = desk.runtime.list(status=status, workflow="kit_wait", cursor=cursor, limit=limit)
        assert len(page.runs) == limit or page.next is None
        found += [run.run_id for run in page.runs]
        cursor = page.next
        if cursor is None:
            break
    assert found == [f"w{number}" for number in range(8, -1, -1)]


def test_more_runs_than_a_page_of_the_store_are_listed(in_memory: Desk) -> None:
    desk = in_memory
    for number in range(130):
        desk.runtime.start("kit_nothing", f"n{number:03d}", {})
        desk.clock.sleep(1)
    desk.runtime.start("kit_wait", "last", PLAN)
    assert len(desk.runtime.list(limit=500).runs) == 131
    found = desk.runtime.list(workflow="kit_nothing", limit=125)
    assert [run.run_id for run in found.runs] == [f"n{n:03d}" for n in range(129, 4, -1)]
    rest = desk.runtime.list(workflow="kit_nothing", limit=125, cursor=found.next)
    assert [run.run_id for run in rest.runs] == [f"n{n:03d}" for n in range(4, -1, -1)]


def test_a_cursor_of_another_listing_is_a_value_error(desk: Desk) -> None:
    for number in range(3):
        desk.runtime.start("kit_nothing", f"n{number}", {})
    cursor = desk.runtime.list(limit=1).next
    assert cursor is not None
    with pytest.raises(ValueError, match="cursor"):
        desk.runtime.list(status=RunStatus.RUNNING, cursor=cursor)


# Redriving.


def test_a_redrive_beside_another_one_is_a_conflict_and_starts_nothing(desk: Desk) -> None:
    desk.failed("r")
    conflicts: list[CartwheelError] = []
    started: list[Run] = []
    together = threading.Barrier(4)

    def redrive() -> None:
        runtime, _ = desk.over()
        together.wait()
        try:
            started.append(runtime.redrive("r"))
        except RunConflict as error:
            conflicts.append(error)

    threads = [threading.Thread(target=redrive) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(started), len(conflicts)) == (1, 3)
    assert desk.started == [("r", 1), ("r", 2)]


def test_a_redriven_run_that_a_crash_left_at_the_gate_is_started_by_the_next_tick(
    desk: Desk,
) -> None:
    failed = desk.failed("r")
    faults = Faults()
    faults.fail("engine.start", Crash)
    with pytest.raises(Crash):
        desk.over(faults)[0].redrive("r")
    with pytest.raises(RunConflict, match="running"):
        desk.runtime.redrive("r")
    desk.runtime.settle_runs()
    assert desk.started == [("r", 1), ("r", 2)]
    run = desk.runtime.status("r")
    assert (run.status, run.error, run.ended_at) == (RunStatus.RUNNING, None, None)
    assert run.started_at == failed.started_at


def test_a_run_that_was_undone_is_not_redriven(desk: Desk) -> None:
    desk.runtime.start("kit_wait", "r", PLAN)
    desk.call("r", "take")
    desk.call("r", "pay", DOWN)
    desk.call("r", "take.compensate", undo=True)
    desk.engine.fails("r", code="Unavailable", at=desk.clock.now())
    with pytest.raises(RunConflict, match="undid its steps after 'pay' failed"):
        desk.runtime.redrive("r")
    assert desk.runtime.status("r").status is RunStatus.FAILED
    assert desk.runtime.signal("r", "approval", APPROVAL, signal_id="s") is False


def test_a_redriven_run_takes_signals_and_cancels_again(desk: Desk) -> None:
    desk.runtime.start("kit_wait", "r", PLAN)
    desk.runtime.cancel("r", "first")
    desk.engine.fails("r", code="Cancelled", at=desk.clock.now())
    assert desk.runtime.status("r").status is RunStatus.CANCELLED
    desk.runtime.cancel("r", "too late")
    assert not desk.runtime.redrive("r").cancel_requested
    desk.clock.sleep(1)
    assert desk.runtime.signal("r", "approval", APPROVAL, signal_id="s")
    desk.clock.sleep(1)
    desk.runtime.cancel("r", "second")
    desk.runtime.cancel("r", "third")
    told = [(entry.kind, entry.output) for entry in desk.runtime.history("r")]
    assert told == [("cancel", "first"), ("signal", APPROVAL), ("cancel", "second")]
    assert desk.runtime.status("r").cancel_requested


# Histories and what runs wait for.


def test_the_history_keeps_each_try_and_counts_them_anew_in_each_execution(desk: Desk) -> None:
    desk.runtime.start("kit_wait", "r", PLAN)
    for reply in (DOWN, DOWN, NO):
        desk.call("r", "pay", reply)
    desk.engine.fails("r", at=desk.clock.now())
    desk.runtime.redrive("r")
    for reply in (DOWN, OK):
        desk.call("r", "pay", reply)
    desk.call("r", "pay.compensate", undo=True)
    told = [
        (entry.kind, entry.attempt, entry.error.code if entry.error else entry.output)
        for entry in desk.runtime.history("r")
    ]
    assert told == [
        ("task", 1, "Unavailable"),
        ("task", 2, "Unavailable"),
        ("task", 3, "Declined"),
        ("task", 1, "Unavailable"),
        ("task", 2, {"n": 1}),
        ("compensation", 1, {"n": 1}),
    ]
    history = desk.runtime.history("r")
    assert {entry.key for entry in history} == {"r:pay", "r:pay.compensate"}
    assert {entry.task for entry in history} == {"a.task"}
    assert [entry.at for entry in history] == sorted(entry.at for entry in history)


def test_a_late_answer_of_an_execution_before_counts_and_takes_no_try_away(desk: Desk) -> None:
    desk.runtime.start("kit_wait", "r", PLAN)
    desk.call("r", "pay", DOWN)

    def meanwhile() -> None:
        desk.engine.fails("r", at=desk.clock.now())
        desk.runtime.redrive("r")
        desk.call("r", "pay", NO)
        desk.reply = OK

    desk.during = meanwhile
    desk.call("r", "pay")
    desk.call("r", "pay", DOWN)
    told = [entry.error.code if entry.error else "" for entry in desk.runtime.history("r")]
    assert sorted(told) == ["", "Declined", "Unavailable"]


def test_a_tasks_first_try_costs_one_read_and_one_write(desk: Desk) -> None:
    desk.runtime.start("kit_wait", "r", PLAN)
    recorder = Recorder()
    desk.invocations = desk.over(recorder)[1]
    desk.call("r", "one")
    assert recorder.names() == ["store.get(runs)", "store.commit(runs)"]


def test_sleeps_come_from_the_engine_of_every_execution(desk: Desk) -> None:
    desk.runtime.start("kit_wait", "r", PLAN)
    desk.call("r", "one")
    desk.engine.sleeps["r", 1] = [Pause("nap", 1_002, 1_003.5), Pause("long", 1_010)]
    told = desk.runtime.status("r").waiting_for
    assert told == ("sleep:long until 1970-01-01T00:16:50.000Z",)
    desk.engine.fails("r", at=1_004)
    desk.runtime.status("r")
    desk.runtime.redrive("r")
    desk.engine.sleeps["r", 2] = [Pause("nap", 1_005, 1_006)]
    told_in_order = [(entry.kind, entry.step, entry.at[-9:]) for entry in desk.runtime.history("r")]
    assert told_in_order == [
        ("task", "one", "6:41.000Z"),
        ("timer", "nap", "6:43.500Z"),
        ("timer", "nap", "6:46.000Z"),
    ]


def test_a_run_waits_for_its_signals_in_the_order_of_its_waits(desk: Desk) -> None:
    desk.runtime.start("kit_two_waits", "r", {})
    desk.wait("r", "second")
    assert desk.runtime.status("r").waiting_for == ("signal:approval",)
    desk.wait("r", "first")
    assert desk.runtime.status("r").waiting_for == ("signal:approval",) * 2
    desk.runtime.signal("r", "approval", APPROVAL, signal_id="s")
    assert desk.engine.woken == [("token of second", Ok(APPROVAL))]
    assert desk.runtime.status("r").waiting_for == ("signal:approval",)


# Crashes anywhere.


def live(desk: Desk, runtime: Callable[[], ForeignRuntime]) -> Iterator[Callable[[], object]]:
    """Yield what a run meets, each to be asked again when it was cut off."""
    yield lambda: runtime().start("kit_wait", "r", PLAN)
    yield lambda: desk.wait("r", "approval")
    yield lambda: runtime().cancel("r", "why")
    desk.engine.fails("r", code="Cancelled", at=1_010)
    yield lambda: runtime().note_end("r")
    yield lambda: runtime().redrive("r")
    yield lambda: desk.wait("r", "approval")
    yield lambda: runtime().signal("r", "approval", APPROVAL, signal_id="s")
    yield lambda: runtime().settle_runs()
    desk.engine.ends("r", 2, output=APPROVAL, at=1_020)
    yield lambda: runtime().settle_runs()


@pytest.mark.parametrize("error", [Crash, Unavailable])
@pytest.mark.parametrize("kind", ["store", "engine"])
def test_cut_off_at_any_call_a_run_ends_as_if_it_had_not_been(
    error: type[BaseException], kind: str
) -> None:
    def play(fail_at: int, when: When) -> tuple[int, Json]:
        service = Service("cloud")
        service.collections.append(RUNS)
        options = HostOptions(log=discard)
        with load_adapter("memory").open(App("cloud", services=[service]), options) as host:
            desk, faults, record = Desk(host.ports.store), Faults(), Recorder()
            hook = compose(record, faults)
            if fail_at:
                faults.fail(kind, error, when=when, nth=fail_at)
            for step in live(desk, lambda: desk.over(hook)[0]):
                desk.clock.sleep(1)
                for work in (step, desk.over(hook)[0].settle_runs):
                    try:
                        work()
                    except (Crash, Unavailable):
                        # A redrive that was cut off after its commit is under way already.
                        with suppress(RunConflict):
                            work()
            assert not fail_at or faults.unfired == ()
            run = desk.runtime.status("r")
            assert desk.started == [("r", 1), ("r", 2)]
            # A wait may be woken twice, if always by the same.
            answers = list(dict.fromkeys(repr(outcome) for _, outcome in desk.engine.woken))
            assert [answer.partition("(")[0] for answer in answers] == ["Err", "Ok"]
            history = [(one.kind, one.output) for one in desk.runtime.history("r")]
            return len(record.names(kind)), [run.status, run.output, run.ended_at, repr(history)]

    count, expected = play(0, "before")
    assert isinstance(expected, list)
    assert expected[:2] == ["succeeded", APPROVAL]
    assert count > 5
    whens: tuple[When, ...] = ("before", "after")
    for number in range(1, count + 1):
        for when in whens:
            assert play(number, when)[1] == expected, f"{when} {kind} call {number}"
