"""When steps are undone, in which order, and with what."""

from __future__ import annotations

from cartwheel.workflow import RetryPolicy, Task, saga, workflow
from cartwheel.workflow._effects import CompensationFailure, Error
from tests.unit.workflow.driver import Played, error, play
from tests.unit.workflow.parts import SCRIPT, START, ById, release, reserve, say
from tests.unit.workflow.programs import (
    caught_inside,
    caught_outside,
    in_map,
    in_parallel,
    in_when,
    map_in_map,
    nested,
    returns_inside,
    saga_in_map,
    saga_in_map_in_saga,
    straight,
)


def undone(played: Played) -> list[str]:
    return [call.key.removeprefix("run:") for call in played.calls if call.compensation]


def run(definition: object, **failures: object) -> Played:
    script = {**SCRIPT, **{key.replace("__", "."): value for key, value in failures.items()}}
    return play(definition.ir, START, script)  # type: ignore[attr-defined]  # several result types


def test_a_run_that_succeeds_undoes_nothing() -> None:
    assert undone(run(straight)) == []


def test_registered_steps_are_undone_in_reverse() -> None:
    played = run(straight, say=error("Unexpected"))
    assert undone(played) == ["charge.compensate", "reserve.compensate"]
    assert played.result.status == "failed"
    assert played.result.error == Error("Unexpected", "no")


def test_a_compensation_gets_input_output_and_key_of_the_step() -> None:
    played = run(straight, say=error("Unexpected"))
    assert played.calls[-1].task == "stock.release"
    assert played.calls[-1].input == {
        "input": {"order_id": "o1", "sku": "any"},
        "output": {"hold_id": "h"},
        "key": "run:reserve",
    }


def test_a_step_that_failed_with_an_error_it_declares_is_not_undone() -> None:
    assert undone(run(straight, charge=error("Declined"))) == ["reserve.compensate"]


def test_a_step_whose_outcome_is_unknown_is_undone_without_output() -> None:
    for code in ("Timeout", "Unavailable", "Unexpected", "Cancelled", "OutOfStock"):
        played = run(straight, charge=error(code))
        assert undone(played) == ["charge.compensate", "reserve.compensate"]
        assert played.calls[-2].input["output"] is None


def test_a_cancelled_run_is_undone_and_ends_as_cancelled() -> None:
    played = run(straight, say=error("Cancelled"))
    assert undone(played) == ["charge.compensate", "reserve.compensate"]
    assert played.result.status == "cancelled"


def test_a_failed_compensation_is_recorded_and_the_others_still_run() -> None:
    played = run(straight, say=error("Timeout", "first"), pay__refund=error("Unexpected", "stuck"))
    assert undone(played) == ["charge.compensate", "reserve.compensate"]
    assert played.result.error == Error("Timeout", "first")
    assert played.result.compensation_failures == (
        CompensationFailure("charge", "run:charge.compensate", Error("Unexpected", "stuck")),
    )


def test_a_compensation_is_retried_by_its_own_policy() -> None:
    patient = Task(
        "stock.release_slowly",
        release.handler,
        release.input_model,
        release.output_model,
        (),
        RetryPolicy(attempts=3, on=("*",)),
    )

    @workflow("retried", version="1")
    def retried(cmd: ById) -> None:
        with saga():
            reserve(order_id=cmd.order_id, compensate=patient)
            say(text="x")

    script = {"say": error("Timeout"), "stock.release_slowly": error("Unavailable")}
    played = run(retried, **script)
    assert [call.attempt for call in played.calls if call.compensation] == [1, 2, 3]
    assert len(played.result.compensation_failures) == 1


def test_only_the_arm_that_ran_is_undone() -> None:
    played = run(in_when, say=error("Timeout"))
    assert undone(played) == ["reserve.compensate"]
    assert played.calls[-1].input["input"] == {"order_id": "big", "sku": "any"}


def test_a_parallel_is_undone_from_its_highest_branch_down() -> None:
    assert undone(run(in_parallel, say=error("Timeout"))) == [
        "charge.compensate",
        "x2.compensate",
        "x1.compensate",
        "first.compensate",
    ]


def test_a_failed_branch_undoes_the_others_once_all_have_settled() -> None:
    played = run(in_parallel, x1=error("OutOfStock"))
    assert undone(played) == ["charge.compensate", "first.compensate"]
    assert played.tasks.index("pay.charge") < played.tasks.index("pay.refund")


def test_a_map_is_undone_from_its_last_item_down_under_the_items_keys() -> None:
    assert undone(run(in_map, **{"reserve:1": error("Unexpected")})) == [
        "reserve.compensate:2",
        "reserve.compensate:1",
        "reserve.compensate:0",
    ]


def test_a_map_in_a_map_is_undone_under_both_positions() -> None:
    played = run(map_in_map, say=error("Timeout"))
    assert undone(played)[:4] == [
        "reserve.compensate:2:2",
        "reserve.compensate:2:1",
        "reserve.compensate:2:0",
        "reserve.compensate:1:2",
    ]
    assert played.calls[-1].input["key"] == "run:reserve:0:0"


def test_what_an_inner_saga_did_is_undone_by_the_outer_one() -> None:
    assert undone(run(nested, say_outer=error("Timeout"))) == ["two.compensate", "one.compensate"]


def test_what_an_inner_saga_has_undone_is_not_undone_again() -> None:
    assert undone(run(nested, say_inner=error("Timeout"))) == ["two.compensate", "one.compensate"]


def test_an_error_caught_inside_leaves_what_was_done_outside_registered() -> None:
    played = run(caught_inside, charge=error("Declined"), say_outer=error("Timeout"))
    assert undone(played) == ["one.compensate", "two.compensate"]


def test_an_error_caught_outside_the_saga_is_caught_after_it_was_undone() -> None:
    played = run(caught_outside, charge=error("Declined"))
    assert undone(played) == ["reserve.compensate"]
    assert played.result.output == "Declined"


def test_an_early_return_is_a_success() -> None:
    played = run(returns_inside)
    assert undone(played) == []
    assert played.result.output == "early"


def test_a_saga_inside_a_map_undoes_its_own_item_only() -> None:
    script = {"say:1": error("Timeout")}
    assert undone(run(saga_in_map, **script)) == ["reserve.compensate:1"]


def test_an_item_undone_by_its_own_saga_is_not_undone_by_the_outer_one() -> None:
    script = {"inside:1": error("Timeout")}
    assert undone(run(saga_in_map_in_saga, **script)) == [
        "reserve.compensate:1",
        "charge.compensate",
        "reserve.compensate:2",
        "reserve.compensate:0",
    ]
