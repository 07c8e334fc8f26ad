"""The runtime over a foreign engine: looking after all runs, and crashes anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from cartwheel.app import App, Service
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.plugins import load_adapter
from cartwheel.ports import (
    Json,
    Put,
    RunConflict,
    RunStatus,
    Unavailable,
)
from cartwheel.ports._hook import compose
from cartwheel.runs import (
    RUNS,
    ForeignRuntime,
    Launch,
    Seen,
)
from cartwheel.testing._runtime_app import runtime_app
from cartwheel.testing.faults import Crash, Faults, Recorder, When
from cartwheel.workflow import Ok
from tests.support.foreign_desk import APPROVAL, PLAN, Desk

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
