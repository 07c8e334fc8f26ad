"""What a run bills on Durable Functions: two executions per call, and one for the start."""

from __future__ import annotations

import pytest

from cartwheel.testing.corpus import PROGRAMS
from cartwheel.workflow import Workflow
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import ListExpr, LiteralExpr
from cartwheel.workflow._types import NULL, STRING, ObjectType
from cartwheel_azure import cost
from cartwheel_workflows.cancel_order import cancel_order
from cartwheel_workflows.checkout import checkout

PLAIN = ir.RetryPolicy(attempts=1)


def workflow(*steps: ir.Step) -> Workflow:
    spec = ir.TaskSpec(input=ObjectType(fields={}), output=NULL, errors=("Odd",))
    return Workflow(
        name="made",
        version="1",
        input=ObjectType(fields={}),
        output=NULL,
        tasks={"a.b": spec},
        body=steps,
    )


def task(name: str, *, retry: ir.RetryPolicy = PLAIN, timeout: int | None = None) -> ir.TaskStep:
    return ir.TaskStep(name=name, task="a.b", retry=retry, timeout=timeout)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_calls_in_a_row_are_two_each_and_one(count: int) -> None:
    found = cost(workflow(*(task(f"s{n}") for n in range(count))))
    assert found.happy == 2 * count + 1
    assert found.effects == count


@pytest.mark.parametrize("shop", [checkout.ir, cancel_order.ir], ids=["checkout", "cancel_order"])
def test_the_shop_bills_two_for_each_effect_three_for_each_wait_and_one(shop: Workflow) -> None:
    found = cost(shop)
    waits = sum(isinstance(step, ir.WaitStep) for step in ir.walk(shop.body))
    assert (found.target, found.unit) == ("azure", "action")
    assert found.happy == 2 * found.effects + 3 * waits + 1
    assert found.worst > found.happy


def test_a_checkout_without_stock_calls_five_tasks() -> None:
    # Called are validate, reserve (which refuses), abandon, reject and tell.
    assert cost(checkout.ir).paths["out_of_stock"] == 2 * 5 + 1


def test_every_try_its_pause_and_its_timer_count_at_worst() -> None:
    retry = ir.RetryPolicy(attempts=3, interval=1, jitter=False)
    found = cost(workflow(task("s", retry=retry, timeout=30)))
    assert found.happy == 3
    assert found.worst == 1 + 3 * (2 + 1) + 2


def test_a_pause_of_nothing_takes_no_timer() -> None:
    retry = ir.RetryPolicy(attempts=3, interval=0, jitter=False)
    assert cost(workflow(task("s", retry=retry))).worst == 1 + 3 * 2


@pytest.mark.parametrize(("days", "turns"), [(0, 0), (1, 1), (3, 1), (10, 4)])
def test_a_long_sleep_takes_several_timers(days: int, turns: int) -> None:
    sleep = ir.SleepStep(name="s", seconds=LiteralExpr(value=days * 86_400))
    assert cost(workflow(sleep)).happy == 1 + turns


def test_a_wait_is_registered_then_woken_or_asked_about() -> None:
    found = cost(workflow(ir.WaitStep(name="w", signal="s", payload=STRING, timeout=60)))
    assert found.happy == 1 + 2 + 1
    assert found.worst == 1 + 2 + 1 + 2
    assert found.effects == 0


def test_branches_and_items_all_count() -> None:
    branches = tuple(ir.Branch(body=(task(f"b{n}"),)) for n in range(3))
    items = ListExpr(items=tuple(LiteralExpr(value=n) for n in range(4)))
    each = ir.MapStep(name="m", items=items, item="x", body=(task("i"),))
    found = cost(workflow(ir.ParallelStep(name="p", branches=branches), each))
    assert found.effects == 3 + 4
    assert found.happy == 1 + 2 * 7


def test_an_error_that_is_handled_leads_to_its_handler() -> None:
    handler = ir.Handler(codes=("Odd",), body=(task("h1"), task("h2")))
    found = cost(workflow(ir.TryStep(name="t", body=(task("s"),), handlers=(handler,)), task("e")))
    assert found.happy == 1 + 2 * 2
    assert found.paths == {"odd": 1 + 2 * 4}
    assert found.worst == 1 + 2 * 4


def test_every_program_has_a_cost() -> None:
    for program in PROGRAMS:
        found = cost(program.definition.ir)
        assert 0 < found.happy <= found.worst, program
        assert all(1 < count <= found.worst for count in found.paths.values()), program
