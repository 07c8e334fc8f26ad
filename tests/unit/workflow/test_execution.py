"""The interpreter's rules, seen through the effects that it asks for."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from cartwheel.workflow import (
    Call,
    Execution,
    Ok,
    RetryPolicy,
    Sleep,
    Wait,
    attempt,
    catch,
    compile_program,
    fail,
    finish,
    fmt,
    hours,
    map_each,
    minutes,
    parallel,
    poll,
    seconds,
    sleep,
    wait_for,
    when,
    workflow,
)
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import LiteralExpr, RefExpr
from cartwheel.workflow._types import INT, NULL, ObjectType
from tests.unit.workflow.driver import error, play
from tests.unit.workflow.parts import (
    ORDER,
    SCRIPT,
    START,
    ById,
    Held,
    Reserve,
    Text,
    load,
    never,
    reserve,
    say,
    task,
)
from tests.unit.workflow.programs import in_map, in_parallel, nested, straight

PATIENT = RetryPolicy(attempts=4, interval=2, rate=3, cap=10, jitter=False, on=("Unavailable",))


@workflow("one", version="1")
def one(cmd: ById) -> str:
    held = reserve(order_id=cmd.order_id, retry=PATIENT, timeout=seconds(9))
    return held.hold_id


def test_a_call_carries_key_step_input_and_timeout() -> None:
    execution = Execution(one.program, "r1", {"order_id": "o1"})
    assert execution.start(5.0) == [
        Call(
            id="reserve#1",
            key="r1:reserve",
            step="reserve",
            task="stock.reserve",
            input={"order_id": "o1", "sku": "any"},
            attempt=1,
            timeout=9,
            compensation=False,
        )
    ]
    assert list(execution.pending) == ["reserve#1"]


def test_attempts_count_every_try_and_keep_the_key() -> None:
    played = play(one.ir, START, {"stock.reserve": error("Unavailable")})
    assert [call.attempt for call in played.calls] == [1, 2, 3, 4]
    assert {call.key for call in played.calls} == {"run:reserve"}
    assert played.result.error is not None
    assert played.result.error.code == "Unavailable"


def test_the_wait_between_tries_grows_by_rate_up_to_cap() -> None:
    played = play(one.ir, START, {"stock.reserve": error("Unavailable")})
    sleeps = [effect for effect in played.effects if isinstance(effect, Sleep)]
    assert [sleep.id for sleep in sleeps] == ["reserve~1", "reserve~2", "reserve~3"]
    assert [sleep.until for sleep in sleeps] == [1002.0, 1008.0, 1018.0]
    assert all(sleep.retry and sleep.jitter == 0.0 for sleep in sleeps)


def test_full_jitter_is_as_wide_as_the_wait() -> None:
    @workflow("jitter", version="1")
    def jitter(cmd: ById) -> None:
        say(text="x", retry=RetryPolicy(attempts=2, interval=7, on=("*",)))

    played = play(jitter.ir, START, {"say": [error("Unexpected"), Ok(None)]})
    assert played.result.status == "succeeded"
    assert [e.jitter for e in played.effects if isinstance(e, Sleep)] == [7.0]


def test_a_code_that_is_not_listed_is_not_retried() -> None:
    played = play(one.ir, START, {"stock.reserve": error("Unexpected")})
    assert len(played.calls) == 1


def test_cancelled_is_never_retried_and_ends_the_run_as_cancelled() -> None:
    @workflow("cancelled", version="1")
    def cancelled(cmd: ById) -> None:
        say(text="x", retry=RetryPolicy(on=("*",)))

    played = play(cancelled.ir, START, {"say": error("Cancelled")})
    assert len(played.calls) == 1
    assert played.result.status == "cancelled"


def test_every_visit_of_a_task_has_its_own_counter() -> None:
    @workflow("visits", version="1")
    def visits(cmd: ById) -> None:
        policy = RetryPolicy(attempts=2, on=("*",))
        say(text="1", retry=policy)
        say(text="2", retry=policy)

    played = play(visits.ir, START, {"say": [error("Unavailable"), Ok(None)]})
    assert [(call.step, call.attempt) for call in played.calls] == [
        ("say", 1),
        ("say", 2),
        ("say_2", 1),
        ("say_2", 2),
    ]


def test_a_repeated_or_unknown_outcome_changes_nothing() -> None:
    execution = Execution(one.program, "r1", {"order_id": "o1"})
    execution.start(0.0)
    assert execution.deliver("nobody#1", Ok(None), 1.0) == []
    assert execution.deliver("reserve#1", Ok({"hold_id": "h"}), 1.0) == []
    assert execution.result is not None
    assert execution.result.output == "h"
    assert execution.deliver("reserve#1", Ok({"hold_id": "z"}), 2.0) == []
    assert execution.start(3.0) == []
    assert execution.result.output == "h"


def test_all_branches_start_at_once_and_settle_before_the_first_error_is_raised() -> None:
    execution = Execution(in_parallel.program, "r", {"order_id": "o1"})
    execution.start(0.0)
    started = execution.deliver("first#1", Ok({"hold_id": "h"}), 0.0)
    assert [effect.id for effect in started] == ["x1#1", "charge#1"]
    assert execution.deliver("charge#1", error("Declined", "second"), 0.0) == []
    assert [e.id for e in execution.deliver("x1#1", Ok({"hold_id": "h"}), 0.0)] == ["x2#1"]
    undo = execution.deliver("x2#1", error("OutOfStock", "first"), 0.0)
    assert [effect.id for effect in undo] == ["x1.compensate#1"]
    execution.deliver("x1.compensate#1", Ok(None), 0.0)
    execution.deliver("first.compensate#1", Ok(None), 0.0)
    assert execution.result is not None
    assert execution.result.error is not None
    assert execution.result.error.message == "first"


def test_a_maps_items_have_their_position_in_key_and_id() -> None:
    played = play(in_map.ir, START, SCRIPT)
    assert played.keys[1:4] == ["run:reserve:0", "run:reserve:1", "run:reserve:2"]
    assert [call.id for call in played.calls[1:4]] == [
        "reserve:0#1",
        "reserve:1#1",
        "reserve:2#1",
    ]
    assert played.result.output == ["h", "h", "h"]


def test_a_map_never_runs_more_items_than_its_limit() -> None:
    execution = Execution(in_map.program, "r", {"order_id": "o1"})
    execution.start(0.0)
    first = execution.deliver("load#1", Ok(ORDER), 0.0)  # type: ignore[arg-type]  # plain JSON
    assert [effect.id for effect in first] == ["reserve:0#1", "reserve:1#1"]
    following = execution.deliver("reserve:1#1", error("OutOfStock"), 0.0)
    assert [effect.id for effect in following] == ["reserve:2#1"]
    assert execution.deliver("reserve:2#1", Ok({"hold_id": "h"}), 0.0) == []


def test_a_map_over_nothing_gives_an_empty_list() -> None:
    played = play(in_map.ir, START, {**SCRIPT, "orders.load": {**ORDER, "lines": []}})
    assert played.result.output == []


def test_results_are_by_position_whatever_comes_first() -> None:
    @workflow("positions", version="1")
    def positions(cmd: ById) -> list[str]:
        return map_each(["a", "b", "c"], lambda sku: reserve(order_id="x", sku=sku).hold_id)

    execution = Execution(positions.program, "r", {"order_id": "o1"})
    calls = execution.start(0.0)
    for call in reversed(calls):
        assert isinstance(call, Call)
        execution.deliver(call.id, Ok({"hold_id": f"for {call.input['sku']}"}), 0.0)
    assert execution.result is not None
    assert execution.result.output == ["for a", "for b", "for c"]


def test_a_handler_sees_the_error_and_the_first_that_lists_the_code_wins() -> None:
    @workflow("handlers", version="1")
    def handlers(cmd: ById) -> str:
        with attempt():
            load(order_id=cmd.order_id)
        with catch("Timeout"):
            finish("late")
        with catch("NoOrder", "Unexpected") as known:
            finish(fmt("{}: {}", known.code, known.message))
        with catch():
            finish("else")
        return "fine"

    def output(code: str) -> object:
        return play(handlers.ir, START, {"orders.load": error(code, "gone")}).result.output

    assert output("NoOrder") == "NoOrder: gone"
    assert output("Timeout") == "late"
    assert output("Cancelled") == "else"
    assert play(handlers.ir, START, SCRIPT).result.output == "fine"


def test_an_uncaught_error_ends_the_run_with_its_code_message_and_details() -> None:
    @workflow("failing", version="1")
    def failing(cmd: ById) -> None:
        fail("Nope", fmt("not {}", cmd.order_id), {"id": cmd.order_id})

    result = play(failing.ir, START).result
    assert result.status == "failed"
    assert result.error is not None
    assert result.error.to_json() == {
        "code": "Nope",
        "message": "not o1",
        "details": {"id": "o1"},
        "retryable": False,
    }


def test_a_sleep_ends_after_its_seconds_and_the_past_does_not_wait() -> None:
    class Long(BaseModel):
        n: int

    @workflow("sleepy", version="1")
    def sleepy(cmd: Long) -> None:
        sleep(hours(1))
        sleep(cmd.n)
        sleep(until="2026-01-01T00:00:00Z")

    played = play(sleepy.ir, {"n": -5})
    assert [e.until for e in played.effects if isinstance(e, Sleep)] == [
        4600.0,
        4600.0,
        1767225600.0,
    ]


def test_a_time_that_is_none_is_an_unexpected_error() -> None:
    @workflow("misled", version="1")
    def misled(cmd: Text) -> None:
        sleep(until=cmd.text)

    result = play(misled.ir, {"text": "tomorrow"}).result
    assert result.error is not None
    assert result.error.code == "Unexpected"
    assert "'tomorrow'" in result.error.message


@workflow("waiting", version="1")
def waiting(cmd: ById) -> str:
    with attempt():
        answer = wait_for("approval", Text, timeout=minutes(2))
        finish(answer.text)
    with catch("Timeout"):
        pass
    return "nobody"


def test_a_signal_answers_a_wait_with_its_payload() -> None:
    played = play(waiting.ir, START, signals={"approval": {"text": "yes"}})
    assert played.effects == [Wait("wait_approval", "wait_approval", "approval", 1120.0)]
    assert played.result.output == "yes"


def test_a_wait_that_nobody_answers_raises_timeout() -> None:
    assert play(waiting.ir, START).result.output == "nobody"


@workflow("polling", version="1")
def polling(cmd: ById) -> int:
    order = poll(
        load,
        until=lambda order: order.total > 2,
        interval=30,
        attempts=3,
        order_id=cmd.order_id,
    )
    return order.total


def test_a_poll_asks_until_its_condition_holds_each_time_under_a_new_key() -> None:
    script = {"load:0": {**ORDER, "total": 1}, "load:1": {**ORDER, "total": 5}}
    played = play(polling.ir, START, dict(script))
    assert played.keys == ["run:load:0", "run:load:1"]
    assert [(e.id, e.until) for e in played.effects if isinstance(e, Sleep)] == [("load:0", 1030.0)]
    assert played.result.output == 5


def test_a_poll_that_is_exhausted_raises_timeout() -> None:
    played = play(polling.ir, START, {"orders.load": {**ORDER, "total": 1}})
    assert len(played.calls) == 3
    assert played.result.error is not None
    assert played.result.error.code == "Timeout"


def test_polls_in_a_map_have_position_and_count_in_their_keys() -> None:
    @workflow("polls", version="1")
    def polls(cmd: ById) -> None:
        map_each(
            ["a", "b"],
            lambda sku: poll(
                load, until=lambda o: o.total > 2, interval=1, attempts=1, order_id=sku
            ),
        )

    assert play(polls.ir, START, SCRIPT).keys == ["run:load:0:0", "run:load:1:0"]


def test_an_answer_of_the_wrong_shape_is_unexpected_and_still_undone() -> None:
    script = {**SCRIPT, "pay.charge": {"hold_id": "p"}, "stock.reserve": Ok(None)}
    played = play(in_parallel.ir, START, script)
    assert played.result.error is not None
    assert played.result.error.code == "Unexpected"
    assert [c.step for c in played.calls if c.compensation] == [
        "charge.compensate",
        "x2.compensate",
        "x1.compensate",
        "first.compensate",
    ]


@pytest.mark.parametrize(
    "definition", [straight, nested, in_parallel, in_map], ids=lambda d: d.name
)
def test_a_journal_delivered_up_to_any_point_rebuilds_the_same_state(definition: object) -> None:
    program = compile_program(definition.ir)  # type: ignore[attr-defined]  # several result types
    script = {**SCRIPT, "say": error("Timeout"), "reserve:2": error("Unexpected")}
    journal = play(program.workflow, START, script).journal
    for crash in range(len(journal) + 1):
        twins = [Execution(program, "run", {"order_id": "o1"}) for _ in range(2)]
        for twin in twins:
            twin.start(1000.0)
            for effect_id, outcome, now in journal[:crash]:
                twin.deliver(effect_id, outcome, now)
        assert twins[0].pending == twins[1].pending
        for effect_id, outcome, now in journal[crash:]:
            twins[1].deliver(effect_id, outcome, now)
        assert twins[1].result == play(program.workflow, START, script).result


def long_workflow(steps: int) -> ir.Workflow:
    spec = ir.TaskSpec(input=ObjectType(fields={"n": INT}), output=ObjectType(fields={"n": INT}))
    first = ir.TaskStep(name="s0", task="t", input={"n": LiteralExpr(value=1)}, result="r")
    rest = [
        ir.TaskStep(name=f"s{n}", task="t", input={"n": RefExpr(name="r", path=("n",))}, result="r")
        for n in range(1, steps)
    ]
    return ir.Workflow(
        name="long",
        version="1",
        input=ObjectType(),
        output=NULL,
        tasks={"t": spec},
        body=(first, *rest),
    )


def test_ten_thousand_steps_do_not_recurse() -> None:
    execution = Execution(compile_program(long_workflow(10_000)), "run", {})
    effects = execution.start(0.0)
    count = 0
    while effects:
        effects = execution.deliver(effects[0].id, Ok({"n": 1}), 0.0)
        count += 1
    assert count == 10_000
    assert execution.result is not None
    assert execution.result.status == "succeeded"


def test_a_map_of_ten_thousand_items_without_effects_does_not_recurse() -> None:
    class Many(BaseModel):
        items: list[int]

    @workflow("many", version="1")
    def many(cmd: Many) -> list[int]:
        return map_each(cmd.items, lambda n: n + 1, concurrency=1)

    assert play(many.ir, {"items": [1] * 10_000}).result.output == [2] * 10_000


def test_equal_content_is_compiled_once() -> None:
    one_way = compile_program(long_workflow(3))
    assert compile_program(long_workflow(3)) is one_way
    assert compile_program(long_workflow(4)) is not one_way


def test_integers_saturate() -> None:
    class Big(BaseModel):
        n: int

    @workflow("big", version="1")
    def big(cmd: Big) -> list[int]:
        return [cmd.n + 1, 0 - cmd.n - 1, cmd.n - 1]

    top = 2**53 - 1
    assert play(big.ir, {"n": top}).result.output == [top, -top, top - 1]


def test_strings_are_ordered_by_code_point() -> None:
    @workflow("order", version="1")
    def order(cmd: Text) -> bool:
        return cmd.text < "a"

    assert play(order.ir, {"text": "B"}).result.output is True
    assert play(order.ir, {"text": "é"}).result.output is False


def test_parallel_gives_values_of_different_types_by_position() -> None:
    @workflow("pair", version="1")
    def pair(cmd: ById) -> str:
        held, order, nothing = parallel(
            lambda: reserve(order_id=cmd.order_id),
            lambda: load(order_id=cmd.order_id),
            lambda: say(text="x"),
        )
        assert nothing is None
        return fmt("{}/{}", held.hold_id, order.total)

    assert play(pair.ir, START, SCRIPT).result.output == "h/3"


def test_task_defaults_fill_what_a_step_does_not_say() -> None:
    slow = task("slow", Reserve, Held, retry=None, timeout=4)

    @workflow("defaults", version="1")
    def defaults(cmd: ById) -> None:
        with when(cmd.order_id != "x"):
            slow(order_id=cmd.order_id)

    (step,) = [s for s in ir.walk(defaults.ir.body) if isinstance(s, ir.TaskStep)]
    assert step.retry == RetryPolicy(
        attempts=3, interval=1, rate=2, cap=30, jitter=True, on=("Unavailable", "Timeout")
    )
    assert step.timeout == 4
    assert step.result is None
    assert slow.handler is never
