"""The runtime beside every orchestrator keeps the language's rules on tries, timers and signals."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cartwheel.workflow import RetryPolicy
from cartwheel_azure._runtime import (
    LONGEST_TIMER,
    MAX_INT,
    Raised,
    Retry,
    Run,
    RunFailed,
    Steps,
    clamp,
    text,
)
from tests.unit.azure._runtime_driver import FakeContext, drive, no, ok

ONCE = Retry(attempts=1, interval=1, rate=2, cap=30, jitter=False, on=())
THRICE = Retry(attempts=3, interval=1, rate=2, cap=30, jitter=False, on=("Unavailable", "Timeout"))
GIVEN = json.dumps({"run_id": "r1", "input": {"n": 1}})

policies = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 100),
    interval=st.integers(0, 1000),
    rate=st.integers(1, 10),
    cap=st.none() | st.integers(0, 10_000),
    jitter=st.just(False),
    on=st.just(("*",)),
)


def retry_of(policy: RetryPolicy, *, jitter: bool) -> Retry:
    return Retry(policy.attempts, policy.interval, policy.rate, policy.cap, jitter, policy.on)


@given(policies, st.integers(1, 100))
def test_the_wait_is_that_of_the_language(policy: RetryPolicy, failures: int) -> None:
    delay = retry_of(policy, jitter=False).delay(failures, "Odd", "r1:step")
    assert delay == (policy.delay(failures) if failures < policy.attempts else None)


@given(policies, st.text(max_size=5))
def test_jitter_shortens_a_wait_and_is_the_same_in_every_replay(
    policy: RetryPolicy, seed: str
) -> None:
    retry = retry_of(policy, jitter=True)
    first, again = retry.delay(1, "Odd", seed), retry.delay(1, "Odd", seed)
    assert first == again
    if policy.attempts > 1:
        assert first is not None
        assert 0 <= first <= policy.delay(1)


def test_jitter_differs_from_call_to_call() -> None:
    retry = Retry(attempts=2, interval=100, rate=1, cap=None, jitter=True, on=("*",))
    assert len({retry.delay(1, "Odd", f"r1:step:{n}") for n in range(50)}) > 45


@pytest.mark.parametrize(("code", "again"), [("Timeout", True), ("Odd", False)])
def test_only_listed_codes_are_tried_again(code: str, again: bool) -> None:
    assert (THRICE.delay(1, code, "") is not None) is again


def test_a_cancelled_call_is_never_tried_again() -> None:
    anything = Retry(attempts=9, interval=1, rate=1, cap=None, jitter=False, on=("*",))
    assert anything.delay(1, "Cancelled", "") is None


@given(st.integers(-(2**60), 2**60))
def test_sums_saturate(number: int) -> None:
    assert abs(clamp(number)) <= MAX_INT
    assert clamp(number) == number or abs(number) > MAX_INT


def test_text_interprets_nothing() -> None:
    assert text("{0} %s ", 3, " {}") == "{0} %s 3 {}"


def test_a_call_is_tried_until_it_succeeds() -> None:
    answers = iter([no("Unavailable"), no("Timeout"), ok({"x": 1})])
    context = FakeContext(lambda call: next(answers), GIVEN)

    def steps(run: Run, given: Any) -> Steps:
        return (yield from run.call("a.b", "b", given, THRICE))

    record = drive(context, steps)
    assert record["status"] == "succeeded"
    assert record["output"] == {"x": 1}
    assert [made.kind for made in context.made] == [*("activity", "timer") * 2, "activity"]
    assert context.passed.total_seconds() == 1 + 2
    assert {made.given["key"] for made in context.made if made.given} == {"r1:b"}


def test_an_activity_that_was_lost_is_unavailable() -> None:
    answers = iter([RuntimeError("the worker died"), ok(7)])
    context = FakeContext(lambda call: next(answers), GIVEN)

    def steps(run: Run, given: Any) -> Steps:
        return (yield from run.call("a.b", "b", given, THRICE))

    assert drive(context, steps)["output"] == 7


def test_a_failed_run_carries_its_record_in_the_error() -> None:
    context = FakeContext(lambda call: no("OutOfStock"), GIVEN)

    def steps(run: Run, given: Any) -> Steps:
        try:
            yield from run.call("a.b", "b", given, ONCE)
        except Raised:
            yield from run.undo("a.undo", "b", {"input": given}, ONCE)
            raise

    with pytest.raises(RunFailed) as caught:
        drive(context, steps)
    record = json.loads(str(caught.value))
    assert record["status"] == "failed"
    assert record["error"]["code"] == "OutOfStock"
    (failure,) = record["compensation_failures"]
    assert (failure["step"], failure["key"]) == ("b", "r1:b.compensate")
    assert [made.given["compensation"] for made in context.made] == [False, True]


def test_a_cancelled_run_says_so() -> None:
    context = FakeContext(lambda call: no("Cancelled"), GIVEN)

    def steps(run: Run, given: Any) -> Steps:
        return (yield from run.call("a.b", "b", given, ONCE))

    with pytest.raises(RunFailed, match='"status": "cancelled"'):
        drive(context, steps)


def test_a_timeout_leaves_no_timer_behind() -> None:
    context = FakeContext(lambda call: ok(), GIVEN)

    def steps(run: Run, given: Any) -> Steps:
        return (yield from run.call("a.b", "b", given, ONCE, timeout=30))

    drive(context, steps)
    (timer,) = (made for made in context.made if made.kind == "timer")
    assert timer.cancelled


def test_a_call_without_a_reply_times_out() -> None:
    context = FakeContext(lambda call: ..., GIVEN)

    def steps(run: Run, given: Any) -> Steps:
        return (yield from run.call("a.b", "b", given, ONCE, timeout=30))

    with pytest.raises(RunFailed, match=r"a\.b did not answer within 30 s"):
        drive(context, steps)
    assert context.passed.total_seconds() == 30


def test_a_long_wait_is_made_of_timers_that_can_be_cancelled() -> None:
    context = FakeContext(lambda call: ok(), GIVEN)

    def steps(run: Run, given: Any) -> Steps:
        yield from run.sleep(10 * 86_400)
        return None

    drive(context, steps)
    assert context.passed.days == 10
    timers = [made.fire_at for made in context.made if made.kind == "timer"]
    assert len(timers) == 4
    assert timers[0] - context.current_utc_datetime < LONGEST_TIMER


def test_a_signal_that_came_just_before_the_timeout_is_not_lost() -> None:
    def answer(call: dict[str, Any]) -> object:
        return ok("late") if call["task"] == "cartwheel.expired" else ok()

    context = FakeContext(answer, GIVEN)

    def steps(run: Run, given: Any) -> Steps:
        return (yield from run.wait("approved", "wait", "wait", timeout=60))

    assert drive(context, steps)["output"] == "late"
    tasks = [made.given["task"] for made in context.made if made.kind == "activity"]
    assert tasks == ["cartwheel.wait", "cartwheel.expired"]
    assert context.made[0].given["input"] == {
        "signal": "approved",
        "token": "i1/wait",
        "timeout": 60,
    }


@pytest.mark.parametrize("time", ["soon", "2026-01-01", "2026-01-01T00:00:00"])
def test_a_time_that_is_none_is_unexpected(time: str) -> None:
    context = FakeContext(lambda call: ok(), GIVEN)

    def steps(run: Run, given: Any) -> Steps:
        yield from run.sleep_until(time)
        return None

    with pytest.raises(RunFailed, match="Unexpected"):
        drive(context, steps)


@pytest.mark.parametrize("reply", ["no text", "[]", "{}", '{"ok": false, "error": {}}', 7, None])
def test_a_reply_that_is_no_envelope_is_unexpected(reply: object) -> None:
    context = FakeContext(lambda call: reply, GIVEN)

    def steps(run: Run, given: Any) -> Steps:
        return (yield from run.call("a.b", "b", given, ONCE))

    with pytest.raises(RunFailed, match="the reply is no envelope"):
        drive(context, steps)


@pytest.mark.parametrize("count", [15, 16, 17, 100, 1000])
def test_many_branches_wait_in_small_groups(count: int) -> None:
    context = FakeContext(lambda call: ok(call["input"]), GIVEN)

    def steps(run: Run, given: Any) -> Steps:
        def item(at: str, value: Any) -> Steps:
            first = yield from run.call("a.b", "b", value, ONCE, at=at)
            return (yield from run.call("a.c", "c", first, ONCE, at=at))

        return (yield from run.map_each(list(range(count)), item))

    assert drive(context, steps)["output"] == list(range(count))
    assert max(context.widths) <= max(16, -(-count // 16))


@pytest.mark.parametrize("limit", [None, 1, 2, 5])
def test_a_map_settles_keeps_positions_and_its_limit(limit: int | None) -> None:
    open_calls: list[int] = []
    context = FakeContext(lambda call: ok(call["input"]), GIVEN)

    def steps(run: Run, given: Any) -> Steps:
        def item(at: str, value: Any) -> Steps:
            result = yield from run.call("a.b", "b", value, ONCE, at=at)
            open_calls.append(sum(made.kind == "activity" for made in context.made))
            return result

        values = yield from run.map_each([5, 6, 7], item, limit=limit)
        nothing = yield from run.map_each([], item, limit=limit)
        return [values, nothing]

    assert drive(context, steps)["output"] == [[5, 6, 7], []]
    # When the first item settles, as many calls have begun as may be under way.
    assert open_calls[0] == min(3, limit or 3)
    assert [made.given["key"] for made in context.made] == [f"r1:b:{n}" for n in range(3)]


def test_the_error_of_the_first_branch_is_raised_once_all_have_settled() -> None:
    def answer(call: dict[str, Any]) -> object:
        return ok() if call["step"] == "c" else no(call["step"].upper())

    context = FakeContext(answer, GIVEN)

    def steps(run: Run, given: Any) -> Steps:
        def branch(step: str) -> Steps:
            yield from run.sleep(1 if step == "a" else 0)
            return (yield from run.call("x.y", step, given, ONCE))

        return (yield from run.parallel(branch("a"), branch("b"), branch("c")))

    with pytest.raises(RunFailed, match='"code": "A"'):
        drive(context, steps)
    assert sorted(m.given["step"] for m in context.made if m.given) == ["a", "b", "c"]
