"""The engine of durable runs, over the memory adapter's journal and clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import pytest
from pydantic import BaseModel

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import (
    DomainError,
    PortCall,
    RunConflict,
    RunNotFound,
    RunStatus,
    Unavailable,
    UnknownWorkflow,
    WorkflowRuntime,
)
from cartwheel.runs import WorkerDriver
from cartwheel.workflow import (
    RetryPolicy,
    attempt,
    catch,
    days,
    parallel,
    result,
    saga,
    seconds,
    sleep,
    wait_for,
    workflow,
)
from cartwheel_memory import MemoryDisk, MemoryHost

T = TypeVar("T")


class Number(BaseModel):
    n: int


class Pair(BaseModel):
    a: int
    b: int


class Undo(BaseModel):
    input: Number
    output: Number | None
    key: str


class Refused(DomainError):
    """Says no."""


class World:
    """Is what the tasks of these tests do and note."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.behaviour: dict[str, Callable[[Context], None]] = {}

    def call(self, ctx: Context, name: str) -> None:
        self.calls.append(f"{name}|{ctx.key}")
        behaviour = self.behaviour.get(name)
        if behaviour is not None:
            behaviour(ctx)


def build(world: World) -> App:
    service = Service("test")

    @service.task(errors=[Refused], retry=RetryPolicy(attempts=3, interval=5, jitter=False))
    def add(ctx: Context, cmd: Number) -> Number:
        world.call(ctx, "add")
        return Number(n=cmd.n + 1)

    @service.task(timeout=10, retry=RetryPolicy(attempts=1))
    def slow(ctx: Context, cmd: Number) -> Number:
        world.call(ctx, "slow")
        return cmd

    @service.task()
    def undo(ctx: Context, cmd: Undo) -> Number:
        world.call(ctx, "undo")
        return cmd.input

    @workflow("chain", version="1")
    def chain(cmd: Number) -> Number:
        one = add(n=cmd.n)
        two = add(n=one.n)
        return add(n=two.n)

    @workflow("patient", version="1")
    def patient(cmd: Number) -> Number:
        one = add(n=cmd.n)
        sleep(days(30))
        go = wait_for("go", Number, timeout=seconds(60))
        return result(Number, n=one.n + go.n)

    @workflow("careful", version="1")
    def careful(cmd: Number) -> Number:
        with saga():
            add(n=cmd.n, compensate=undo)
            return slow(n=cmd.n, compensate=undo)

    @workflow("resigned", version="1")
    def resigned(cmd: Number) -> Number:
        undo(input=cmd, output=None, key="none")
        with attempt():
            add(n=cmd.n)
        with catch("Refused"):
            undo(input=cmd, output=None, key="none")
        return slow(n=cmd.n)

    @workflow("wide", version="1")
    def wide(cmd: Number) -> Pair:
        a, b = parallel(lambda: add(n=cmd.n), lambda: slow(n=cmd.n))
        return result(Pair, a=a.n, b=b.n)

    return App("test", services=[service], workflows=[chain, patient, careful, resigned, wide])


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def app(world: World) -> App:
    return build(world)


QUIET = HostOptions(log=discard)


@pytest.fixture
def host(app: App) -> MemoryHost:
    return MemoryHost(app, QUIET)


def test_a_run_goes_to_its_end_in_the_callers_thread(host: MemoryHost) -> None:
    run = host.ports.workflows.start("chain", "r", {"n": 1})
    assert (run.status, run.output) == (RunStatus.SUCCEEDED, {"n": 4})


def test_the_same_start_again_changes_nothing(host: MemoryHost, world: World) -> None:
    first = host.ports.workflows.start("chain", "r", {"n": 1})
    again = host.ports.workflows.start("chain", "r", {"n": 1})
    assert again == first
    assert len(world.calls) == 3


def test_another_input_or_workflow_under_a_taken_id_is_a_conflict(host: MemoryHost) -> None:
    host.ports.workflows.start("chain", "r", {"n": 1})
    with pytest.raises(RunConflict, match="another input"):
        host.ports.workflows.start("chain", "r", {"n": 2})
    with pytest.raises(RunConflict, match="workflow 'chain'"):
        host.ports.workflows.start("wide", "r", {"n": 1})


def test_what_does_not_fit_is_refused_by_name(host: MemoryHost) -> None:
    with pytest.raises(UnknownWorkflow, match="careful, chain, patient, resigned, wide"):
        host.ports.workflows.start("nothing", "r", {})
    with pytest.raises(ValueError, match=r"input\.n is str"):
        host.ports.workflows.start("chain", "r", {"n": "1"})
    with pytest.raises(RunNotFound, match="'r'"):
        host.ports.workflows.status("r")
    host.ports.workflows.start("patient", "p", {"n": 1})
    with pytest.raises(ValueError, match="waits for: go"):
        host.ports.workflows.signal("p", "stop", None, signal_id="1")
    with pytest.raises(ValueError, match=r"payload\.n is missing"):
        host.ports.workflows.signal("p", "go", {}, signal_id="1")


def test_a_sleep_of_thirty_days_takes_none(host: MemoryHost) -> None:
    run = host.ports.workflows.start("patient", "r", {"n": 1})
    assert run.waiting_for == ("sleep:sleep until 2026-01-31T00:00:00.000Z",)
    host.ports.workflows.signal("r", "go", {"n": 5}, signal_id="1")
    host.settle(days(30))
    run = host.ports.workflows.status("r")
    assert (run.status, run.output) == (RunStatus.SUCCEEDED, {"n": 7})


def test_a_signal_is_taken_once_by_its_id(host: MemoryHost) -> None:
    host.ports.workflows.start("patient", "r", {"n": 1})
    assert host.ports.workflows.signal("r", "go", {"n": 5}, signal_id="1")
    assert not host.ports.workflows.signal("r", "go", {"n": 6}, signal_id="1")
    host.settle(days(30))
    assert host.ports.workflows.status("r").output == {"n": 7}
    assert not host.ports.workflows.signal("r", "go", {"n": 5}, signal_id="2")


def test_a_wait_without_its_signal_times_out(host: MemoryHost) -> None:
    host.ports.workflows.start("patient", "r", {"n": 1})
    host.settle(days(30) + 61)
    run = host.ports.workflows.status("r")
    assert run.error is not None
    assert (run.status, run.error.code) == (RunStatus.FAILED, "Timeout")


def test_a_host_over_the_same_disk_takes_up_what_waits(app: App, world: World) -> None:
    disk = MemoryDisk()
    MemoryHost(app, QUIET, disk=disk).ports.workflows.start("patient", "r", {"n": 1})
    second = MemoryHost(app, QUIET, disk=disk)
    second.settle(days(30))
    third = MemoryHost(app, QUIET, disk=disk)
    assert third.ports.workflows.status("r").waiting_for == ("signal:go",)
    third.ports.workflows.signal("r", "go", {"n": 5}, signal_id="1")
    assert third.ports.workflows.status("r").output == {"n": 7}
    assert world.calls == ["add|r:add"]


def test_unavailable_is_retried_after_the_policys_delays(host: MemoryHost, world: World) -> None:
    def fail_twice(ctx: Context) -> None:
        if len(world.calls) < 3:
            raise Unavailable("the line is dead")

    world.behaviour["add"] = fail_twice
    host.ports.workflows.start("chain", "r", {"n": 1})
    host.settle(4)
    assert len(world.calls) == 1
    host.settle(11)
    assert host.ports.workflows.status("r").output == {"n": 4}
    assert [(e.kind, e.attempt, e.at[17:19]) for e in host.ports.workflows.history("r")][:5] == [
        ("task", 1, "00"),
        ("timer", 1, "05"),
        ("task", 2, "05"),
        ("timer", 1, "15"),
        ("task", 3, "15"),
    ]


def test_a_declared_error_fails_the_run_at_once(host: MemoryHost, world: World) -> None:
    def refuse(ctx: Context) -> None:
        raise Refused("not today", why="rain")

    world.behaviour["add"] = refuse
    run = host.ports.workflows.start("chain", "r", {"n": 1})
    assert run.error is not None
    assert (run.error.code, run.error.message, run.error.details) == (
        "Refused",
        "not today",
        {"why": "rain"},
    )
    assert len(world.calls) == 1


def test_a_task_beyond_its_timeout_is_compensated_like_an_unknown(
    host: MemoryHost, world: World
) -> None:
    world.behaviour["slow"] = lambda ctx: ctx.ports.clock.sleep(11)
    run = host.ports.workflows.start("careful", "r", {"n": 1})
    assert run.error is not None
    assert run.error.code == "Timeout"
    assert world.calls == [
        "add|r:add",
        "slow|r:slow",
        "undo|r:slow.compensate",
        "undo|r:add.compensate",
    ]


def test_cancel_refuses_the_next_task_and_compensates(host: MemoryHost, world: World) -> None:
    world.behaviour["add"] = lambda ctx: ctx.ports.workflows.cancel("r", "changed my mind")
    run = host.ports.workflows.start("careful", "r", {"n": 1})
    assert run.status is RunStatus.CANCELLED
    assert "slow|r:slow" not in world.calls
    assert world.calls[-1] == "undo|r:add.compensate"
    kinds = [entry.kind for entry in host.ports.workflows.history("r")]
    assert kinds[0] == "cancel"


def test_cancel_wakes_a_wait_but_not_a_sleep(host: MemoryHost) -> None:
    host.ports.workflows.start("patient", "r", {"n": 1})
    host.ports.workflows.cancel("r")
    assert host.ports.workflows.status("r").status is RunStatus.RUNNING
    assert host.ports.workflows.status("r").cancel_requested
    host.settle(days(30))
    assert host.ports.workflows.status("r").status is RunStatus.CANCELLED


def test_a_redriven_run_does_only_what_was_not_done(host: MemoryHost, world: World) -> None:
    def fail_last(ctx: Context) -> None:
        if ctx.key == "r:add_3":
            raise ValueError("a bug")

    world.behaviour["add"] = fail_last
    assert host.ports.workflows.start("chain", "r", {"n": 1}).status is RunStatus.FAILED
    world.behaviour.clear()
    world.calls.clear()
    run = host.ports.workflows.redrive("r")
    assert (run.status, run.output) == (RunStatus.SUCCEEDED, {"n": 4})
    assert world.calls == ["add|r:add_3"]
    with pytest.raises(RunConflict, match="has succeeded"):
        host.ports.workflows.redrive("r")


def test_a_run_that_was_undone_after_an_open_failure_is_not_redriven(
    host: MemoryHost, world: World
) -> None:
    def break_down(ctx: Context) -> None:
        raise ValueError("a bug")

    world.behaviour["slow"] = break_down
    assert host.ports.workflows.start("careful", "r", {"n": 1}).status is RunStatus.FAILED
    assert "undo|r:add.compensate" in world.calls
    world.behaviour.clear()
    with pytest.raises(RunConflict, match="undid its steps after 'slow' failed"):
        host.ports.workflows.redrive("r")


def test_a_redriven_run_takes_the_path_of_a_handled_error_again(
    host: MemoryHost, world: World
) -> None:
    def refuse(ctx: Context) -> None:
        raise Refused("no")

    def break_down(ctx: Context) -> None:
        raise ValueError("a bug")

    world.behaviour["add"] = refuse
    world.behaviour["slow"] = break_down
    assert host.ports.workflows.start("resigned", "r", {"n": 1}).status is RunStatus.FAILED
    world.behaviour.clear()
    world.calls.clear()
    run = host.ports.workflows.redrive("r")
    assert (run.status, run.output) == (RunStatus.SUCCEEDED, {"n": 1})
    assert world.calls == ["slow|r:slow"]


def test_runs_are_listed_newest_first_in_pages(host: MemoryHost) -> None:
    for i in range(5):
        host.ports.workflows.start("chain", f"r{i}", {"n": i})
    page = host.ports.workflows.list(limit=3)
    assert [run.run_id for run in page.runs] == ["r4", "r3", "r2"]
    page = host.ports.workflows.list(limit=3, cursor=page.next)
    assert ([run.run_id for run in page.runs], page.next) == (["r1", "r0"], None)
    assert host.ports.workflows.list(status=RunStatus.FAILED).runs == ()


class _Crash(BaseException):
    pass


class _CrashAt:
    """Ends the process, as far as a test can, before or after the n-th port call."""

    def __init__(self, number: int, *, after: bool) -> None:
        self.number, self.after, self.count = number, after, 0

    def __call__(self, call: PortCall, invoke: Callable[[], T]) -> T:
        self.count += 1
        hit = self.count == self.number
        if hit and not self.after:
            raise _Crash
        value = invoke()
        if hit:
            raise _Crash
        return value


@pytest.mark.parametrize("name", ["chain", "wide", "careful"])
def test_a_run_survives_a_crash_at_every_call(name: str) -> None:
    count = _CrashAt(0, after=False)
    world = World()
    MemoryHost(build(world), HostOptions(hook=count, log=discard)).ports.workflows.start(
        name, "r", {"n": 1}
    )
    points = 0
    for number in range(1, count.count + 1):
        for after in (False, True):
            world, disk = World(), MemoryDisk()
            hook = _CrashAt(number, after=after)
            with pytest.raises(_Crash):
                MemoryHost(
                    build(world), HostOptions(hook=hook, log=discard), disk=disk
                ).ports.workflows.start(name, "r", {"n": 1})
            host = MemoryHost(build(world), QUIET, disk=disk)
            run = host.ports.workflows.start(name, "r", {"n": 1})
            assert run.status is RunStatus.SUCCEEDED, (number, after)
            assert len(set(world.calls)) == (3 if name == "chain" else 2)
            points += 1
    assert points == 2 * count.count >= 10


def threaded(
    app: App, disk: MemoryDisk, failures: list[BaseException]
) -> tuple[WorkflowRuntime, WorkerDriver]:
    host = MemoryHost(app, QUIET, disk=disk)
    runtime = host.ports.workflows
    return runtime, WorkerDriver(host.engine, RealClock(), on_failure=failures.append, workers=4)


class RealClock:
    """Is real time."""

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def test_threads_finish_many_runs_at_once(app: App) -> None:
    failures: list[BaseException] = []
    engine, driver = threaded(app, MemoryDisk(), failures)
    starters = [
        threading.Thread(
            target=lambda n=n: [engine.start("chain", f"r{n}-{i}", {"n": i}) for i in range(25)]
        )
        for n in range(8)
    ]
    for thread in starters:
        thread.start()
    for thread in starters:
        thread.join()
    deadline = time.monotonic() + 10
    while engine.list(status=RunStatus.RUNNING).runs and time.monotonic() < deadline:
        time.sleep(0.01)
    assert driver.close()
    assert failures == []
    outputs = [engine.status(f"r{n}-{i}").output for n in range(8) for i in range(25)]
    assert outputs == [{"n": i + 3} for _ in range(8) for i in range(25)]


class BrokenJournal:
    """Refuses the n-th write, before or after it was applied; a hook."""

    def __init__(self, number: int, *, after: bool) -> None:
        self.number, self.after, self.writes = number, after, 0

    def __call__(self, call: PortCall, invoke: Callable[[], T]) -> T:
        if str(call) != "journal.write()":
            return invoke()
        self.writes += 1
        if self.writes != self.number:
            return invoke()
        if self.after:
            invoke()
        raise Unavailable("the disk is full")


@pytest.mark.parametrize("after", [False, True])
def test_a_journal_that_fails_for_a_while_costs_no_run(after: bool) -> None:
    for number in range(1, 5):
        world = World()
        host = MemoryHost(
            build(world), HostOptions(hook=BrokenJournal(number, after=after), log=discard)
        )
        with pytest.raises(Unavailable):
            host.ports.workflows.start("chain", "r", {"n": 1})
        run = host.ports.workflows.start("chain", "r", {"n": 1})
        assert (run.status, run.output) == (RunStatus.SUCCEEDED, {"n": 4})
        assert len(set(world.calls)) == 3


def test_threads_go_on_after_the_journal_failed_for_a_while(app: App) -> None:
    failures: list[BaseException] = []
    hook = BrokenJournal(5, after=False)
    host = MemoryHost(app, HostOptions(hook=hook, log=discard), disk=MemoryDisk())
    engine = host.ports.workflows
    driver = WorkerDriver(host.engine, RealClock(), on_failure=failures.append, workers=2)
    for number in range(6):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                engine.start("chain", f"r{number}", {"n": number})
                break
            except Unavailable:
                time.sleep(0.01)
    deadline = time.monotonic() + 10
    while engine.list(status=RunStatus.RUNNING).runs and time.monotonic() < deadline:
        time.sleep(0.01)
    assert driver.close()
    assert [engine.status(f"r{n}").output for n in range(6)] == [{"n": n + 3} for n in range(6)]
    assert hook.writes > 5
