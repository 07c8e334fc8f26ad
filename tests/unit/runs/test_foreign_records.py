"""The runtime over a foreign engine: listings, redriving, histories and what runs wait for."""

from __future__ import annotations

import threading

import pytest

from cartwheel.ports import (
    CartwheelError,
    Run,
    RunConflict,
    RunStatus,
)
from cartwheel.runs import (
    Pause,
)
from cartwheel.testing.faults import Crash, Faults, Recorder
from cartwheel.workflow import Ok
from tests.support.foreign_desk import APPROVAL, DOWN, NO, OK, PLAN, Desk

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
