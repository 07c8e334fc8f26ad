"""A foreign engine's invocations: records, cancels, signals and waits, over the store alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cartwheel.app import App, Service
from cartwheel.dispatch import TaskReply
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.plugins import load_adapter
from cartwheel.ports import Json, JsonObject, RunConflict, RunNotFound, Store, Unavailable
from cartwheel.ports._hook import compose, hooked
from cartwheel.runs import EXPIRED, RUNS, WAIT, Invocations, envelope, problem, task_error
from cartwheel.testing.faults import Crash, Faults, Recorder, When
from cartwheel.workflow import Err, Error, Ok, Outcome

OK = TaskReply(ok=True, json=b'{"n": 1}')


class Clock:
    def __init__(self) -> None:
        self.time = 1_000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class Engine:
    """Is woken, and remembers by what; tokens in `gone` have nobody waiting behind them."""

    def __init__(self) -> None:
        self.woken: list[tuple[str, Outcome]] = []
        self.gone: set[str] = set()

    def wake(self, token: str, outcome: Outcome) -> bool:
        if token in self.gone:
            return False
        self.woken.append((token, outcome))
        return True


class Desk:
    """Puts invocations together with a store, a clock, an engine and a task."""

    def __init__(self, store: Store, run_id: str = "r") -> None:
        self.run_id = run_id
        self.clock, self.engine = Clock(), Engine()
        self.calls: list[str] = []
        self.reply = OK
        self.store = store
        self.invocations = self.over(store)

    def over(self, store: Store) -> Invocations:
        return Invocations(self._run, store, self.clock, self.engine)

    def _run(self, task: str, key: str, run_id: str, input: bytes) -> TaskReply:
        self.calls.append(key)
        return self.reply

    def call(self, step: str, *, undo: bool = False) -> Outcome:
        return self.invocations.handle(self.given("a.task", step, {"x": 1}, undo=undo))

    def given(self, task: str, step: str, given: JsonObject, *, undo: bool = False) -> JsonObject:
        made = invocation(task, step, given, undo=undo)
        return {**made, "run_id": self.run_id, "key": f"{self.run_id}:{step}"}

    def wait(self, step: str, signal: str = "paid", timeout: int | None = None) -> Outcome:
        given: JsonObject = {"signal": signal, "token": f"token of {step}", "timeout": timeout}
        return self.invocations.handle(self.given(WAIT, step, given))

    def expired(self, step: str) -> Outcome:
        return self.invocations.handle(self.given(EXPIRED, step, {"signal": "paid"}))

    def signal(self, payload: Json, id: str, name: str = "paid") -> bool:
        return self.invocations.signal(self.run_id, name, payload, signal_id=id)


def invocation(task: str, step: str, given: JsonObject, *, undo: bool = False) -> JsonObject:
    return {
        "run_id": "r",
        "task": task,
        "step": step.partition(":")[0],
        "key": f"r:{step}",
        "input": given,
        "compensation": undo,
    }


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
    made = Desk(store)
    made.invocations.begin("r")
    return made


def test_a_tasks_output_is_the_reply(desk: Desk) -> None:
    assert desk.call("one") == Ok({"n": 1})
    assert desk.calls == ["r:one"]


def test_a_redriven_run_answers_from_what_an_earlier_execution_did(desk: Desk) -> None:
    desk.call("one")
    desk.reply = TaskReply(ok=False, json=b'{"code": "Declined", "message": "no"}')
    assert desk.call("two") == Err(Error("Declined", "no"))
    desk.invocations.begin("r", 2)
    assert desk.call("one") == Ok({"n": 1})
    desk.reply = OK
    assert desk.call("two") == Ok({"n": 1})
    assert desk.calls == ["r:one", "r:two", "r:two"]


def test_a_redriven_run_takes_the_same_path_again(desk: Desk) -> None:
    declared = TaskReply(ok=False, json=b'{"code": "NotFound", "message": "gone"}')
    unavailable = TaskReply(ok=False, json=b'{"code": "Unavailable", "message": "down"}')
    for step, reply in (("handled", declared), ("after", OK), ("last", declared)):
        desk.reply = reply
        desk.call(step)
    desk.reply = unavailable
    desk.call("open")
    desk.invocations.begin("r", 2)
    desk.reply = OK
    assert desk.call("handled") == Err(Error("NotFound", "gone"))
    assert desk.call("after") == desk.call("last") == desk.call("open") == Ok({"n": 1})
    assert desk.calls[4:] == ["r:last", "r:open"]


def test_a_run_that_was_undone_for_an_open_failure_cant_go_on(desk: Desk) -> None:
    desk.call("take")
    desk.reply = TaskReply(ok=False, json=b'{"code": "Unavailable", "message": "down"}')
    desk.call("pay")
    desk.reply = OK
    desk.call("take.compensate", undo=True)
    with pytest.raises(RunConflict, match="undid its steps after 'pay' failed"):
        desk.invocations.begin("r", 2)


def test_a_cancelled_run_is_refused_its_tasks_but_not_its_compensations(desk: Desk) -> None:
    assert desk.invocations.cancel("r")
    refused = desk.call("one")
    assert isinstance(refused, Err)
    assert refused.error.code == "Cancelled"
    assert desk.call("one.compensate", undo=True) == Ok({"n": 1})
    assert desk.calls == ["r:one.compensate"]


def test_a_redrive_is_not_cancelled_any_more(desk: Desk) -> None:
    desk.invocations.cancel("r")
    desk.invocations.begin("r", 2)
    desk.invocations.begin("r", 1)
    assert desk.call("one") == Ok({"n": 1})


def test_a_signal_wakes_the_wait_that_came_first(desk: Desk) -> None:
    assert desk.wait("first") == Ok(None)
    assert desk.wait("second") == Ok(None)
    assert desk.signal("a", "s1")
    assert desk.engine.woken == [("token of first", Ok("a"))]
    assert desk.signal("b", "s2")
    assert desk.engine.woken[1:] == [("token of second", Ok("b"))]


def test_early_signals_are_kept_in_their_order_and_told_apart_by_name(desk: Desk) -> None:
    assert desk.signal("other", "s0", name="shipped")
    assert desk.signal("a", "s1")
    assert desk.signal("b", "s2")
    assert not desk.signal("again", "s1")
    desk.wait("one")
    desk.wait("two")
    assert [outcome for _, outcome in desk.engine.woken] == [Ok("a"), Ok("b")]


def test_a_wait_registered_again_is_woken_by_its_new_token(desk: Desk) -> None:
    desk.wait("one")
    given: JsonObject = {"signal": "paid", "token": "newer", "timeout": None}
    desk.invocations.handle(invocation(WAIT, "one", given))
    desk.signal("a", "s1")
    assert desk.engine.woken == [("newer", Ok("a"))]
    desk.wait("one")
    assert desk.engine.woken[1:] == [("token of one", Ok("a"))]


def test_a_cancel_wakes_the_waits_that_are_there_and_those_that_come(desk: Desk) -> None:
    desk.wait("one", timeout=1)
    desk.clock.sleep(5)
    desk.invocations.cancel("r")
    desk.wait("two")
    codes = [out.error.code for _, out in desk.engine.woken if isinstance(out, Err)]
    assert codes == ["Cancelled", "Cancelled"]


def test_a_signal_is_not_given_to_a_wait_whose_time_is_over(desk: Desk) -> None:
    desk.wait("one", timeout=10)
    desk.clock.sleep(10)
    desk.signal("a", "s1")
    assert desk.engine.woken == []
    desk.wait("two")
    assert desk.engine.woken == [("token of two", Ok("a"))]


def test_the_signal_of_a_wait_that_is_gone_goes_to_the_next(desk: Desk) -> None:
    desk.wait("one")
    desk.engine.gone.add("token of one")
    assert desk.signal("a", "s1")
    assert desk.engine.woken == []
    desk.wait("two")
    assert desk.engine.woken == [("token of two", Ok("a"))]


def test_a_wait_that_the_engine_ended_gets_what_came_just_before(desk: Desk) -> None:
    desk.wait("one", timeout=10)
    desk.signal("a", "s1")
    assert desk.expired("one") == Ok("a")
    desk.wait("two", timeout=10)
    timeout = desk.expired("two")
    assert isinstance(timeout, Err)
    assert timeout.error.code == "Timeout"
    assert desk.expired("two") == timeout
    desk.signal("b", "s2")
    desk.wait("three")
    assert desk.engine.woken[-1] == ("token of three", Ok("b"))


def test_a_redriven_runs_wait_takes_the_signals_from_the_first(desk: Desk) -> None:
    desk.wait("one")
    desk.signal("a", "s1")
    desk.invocations.begin("r", 2)
    desk.wait("one")
    assert [outcome for _, outcome in desk.engine.woken] == [Ok("a"), Ok("a")]


def test_an_ended_run_takes_no_signal_and_no_cancel(desk: Desk) -> None:
    desk.invocations.end("r")
    assert not desk.signal("a", "s1")
    assert not desk.invocations.cancel("r")


def test_a_run_that_nobody_began_is_not_found(desk: Desk) -> None:
    with pytest.raises(RunNotFound):
        desk.invocations.signal("nobody", "paid", None, signal_id="s")
    with pytest.raises(RunNotFound):
        desk.invocations.cancel("nobody")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"run_id": ""}, "run_id"),
        ({"task": 5}, "task"),
        ({"key": "other:one"}, "does not begin"),
        ({"input": [1]}, "input"),
        ({"compensation": "yes"}, "compensation"),
    ],
)
def test_a_malformed_invocation_is_unexpected_and_calls_nothing(
    desk: Desk, change: JsonObject, says: str
) -> None:
    outcome = desk.invocations.handle({**invocation("a.task", "one", {}), **change})
    assert isinstance(outcome, Err)
    assert outcome.error.code == "Unexpected"
    assert says in outcome.error.message
    assert desk.calls == []


def test_an_output_too_big_for_a_record_is_said_so(desk: Desk) -> None:
    desk.reply = TaskReply(ok=True, json=json.dumps({"text": "x" * 300_000}).encode())
    outcome = desk.call("one")
    assert isinstance(outcome, Err)
    assert "can't be kept" in outcome.error.message


def test_each_engines_form_of_an_outcome_says_the_same() -> None:
    error = Error("OutOfStock", "none left", {"item": "pen"})
    fields: JsonObject = dict(error.to_json())
    assert envelope(Ok(1)) == {"ok": True, "value": 1}
    assert envelope(Err(error)) == {"ok": False, "error": fields}
    assert problem(Ok([1])) == (200, [1])
    assert problem(Err(error)) == (422, fields)
    assert problem(Err(Error("Unavailable", "", retryable=True)))[0] == 503
    raised = task_error(error)
    assert type(raised).__name__ == "OutOfStock"
    assert json.loads(str(raised)) == fields


def play(desk: Desk) -> Iterator[Callable[[], object]]:
    """Yield what a run meets, each to be done again when it was cut off."""
    yield lambda: desk.invocations.begin(desk.run_id)
    yield lambda: desk.call("task")
    yield lambda: desk.signal("early", "s1")
    yield lambda: desk.wait("a")
    yield lambda: desk.wait("b")
    yield lambda: desk.wait("gone")
    yield lambda: desk.signal("for b", "s2")
    yield lambda: desk.signal("for c", "s3")
    yield lambda: desk.wait("c")
    yield lambda: desk.wait("d")
    yield lambda: desk.invocations.cancel(desk.run_id)
    yield lambda: desk.call("task.compensate", undo=True)


@pytest.mark.parametrize("error", [Crash, Unavailable])
def test_cut_off_at_any_store_call_it_ends_as_if_it_had_not_been(
    store: Store, error: type[BaseException]
) -> None:
    def run(fail_at: int, when: When) -> tuple[int, dict[str, Outcome]]:
        faults, record = Faults(), Recorder()
        desk = Desk(store, f"r-{when}-{fail_at}")
        desk.engine.gone.add("token of gone")
        hook = hooked("store", store, Store, compose(record, faults))  # type: ignore[type-abstract]  # a protocol names the methods
        if fail_at:
            faults.fail("store", error, when=when, nth=fail_at)
        for step in play(desk):
            desk.invocations = desk.over(hook)
            try:
                again = isinstance(done := step(), Err) and done.error.code == "Unavailable"
            except (Crash, Unavailable):
                again = True
            if again:
                desk.invocations = desk.over(hook)
                step()
        answers: dict[str, set[str]] = {}
        for token, outcome in desk.engine.woken:
            answers.setdefault(token, set()).add(repr(outcome))
        assert all(len(each) == 1 for each in answers.values()), answers
        return len(record.calls), dict(desk.engine.woken)

    count, expected = run(0, "before")
    assert expected["token of a"] == Ok("early")
    assert expected["token of b"] == Ok("for b")
    assert expected["token of c"] == Ok("for c")
    assert isinstance(expected["token of d"], Err)
    assert count > 40
    whens: tuple[When, ...] = ("before", "after")
    points = [(number, when) for number in range(1, count + 1) for when in whens]
    for number, when in points:
        assert run(number, when)[1] == expected, f"{when} call {number}"
    print(f"{len(points)} points")


def test_signals_and_waits_from_many_threads_meet_one_to_one(desk: Desk) -> None:
    def signals(start: int) -> None:
        for number in range(start, start + 5):
            desk.signal(number, f"s{number}")

    def waits(start: int) -> None:
        for number in range(start, start + 5):
            desk.wait(f"w{number}")

    threads = [
        threading.Thread(target=work, args=(n * 5,)) for work in (signals, waits) for n in (0, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    desk.invocations.letters.resume("r")
    answers = dict(desk.engine.woken)
    assert len(answers) == 10
    assert sorted(str(out) for out in answers.values()) == sorted(str(Ok(n)) for n in range(10))
