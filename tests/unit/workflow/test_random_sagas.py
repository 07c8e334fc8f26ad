"""Random workflows under random failures: the lowered one does what the native one does."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from cartwheel.workflow import (
    Call,
    Err,
    Ok,
    Outcome,
    WorkflowDefinition,
    attempt,
    catch,
    fail,
    find_problems,
    finish,
    lower_saga,
    map_each,
    otherwise,
    parallel,
    saga,
    when,
    workflow,
)
from cartwheel.workflow._ir import MapStep, Workflow, walk
from tests.unit.workflow.driver import Played, error, play
from tests.unit.workflow.parts import START, ById, charge, refund, release, reserve

CODES = ("Timeout", "OutOfStock", "Declined", "Unexpected", "Cancelled")
KINDS = ("task", "task", "saga", "when", "parallel", "map", "try", "try", "fail", "finish")
DEEPEST = 4


class Author:
    """Writes a random workflow; the same seed writes the same one."""

    def __init__(self, seed: int, cmd: ById) -> None:
        self._random = random.Random(seed)
        self._cmd = cmd

    def block(self, depth: int, *, in_saga: bool, in_branch: bool) -> None:
        for _ in range(self._random.randint(1, 3)):
            kind = self._random.choice(KINDS) if depth < DEEPEST else "task"
            self._step(kind, depth, in_saga=in_saga, in_branch=in_branch)

    def _step(self, kind: str, depth: int, *, in_saga: bool, in_branch: bool) -> None:
        def inside(*, saga: bool = in_saga, branch: bool = in_branch) -> None:
            self.block(depth + 1, in_saga=saga, in_branch=branch)

        def branch_of(value: object) -> object:
            inside(branch=True)
            return value

        chance = self._random.random()
        if kind == "task":
            self._task(undo=in_saga and chance < 0.8)
        elif kind == "saga":
            with saga():
                inside(saga=True)
        elif kind == "when":
            with when(self._cmd.order_id == self._random.choice(["o1", "o2"])):
                inside()
            if chance < 0.5:
                with otherwise():
                    inside()
        elif kind == "parallel":
            branches: list[Callable[[], object]] = [lambda: branch_of(None)] * 2
            parallel(*branches)
        elif kind == "map":
            map_each(["a", "b"], branch_of)
        elif kind == "try":
            with attempt():
                inside()
            with catch():
                inside()
        elif kind == "fail" and chance < 0.2:
            with when(self._cmd.order_id == "o1"):
                fail("Own", "by itself")
        elif kind == "finish" and chance < 0.3 and not in_branch:
            with when(self._cmd.order_id == "o1"):
                finish()

    def _task(self, *, undo: bool) -> None:
        if self._random.random() < 0.5:
            reserve(order_id="x", compensate=release if undo else None)
        else:
            charge(order_id="y", compensate=refund if undo else None)


def written(seed: int) -> WorkflowDefinition[ById, None]:
    @workflow("random", version="1")
    def randomly(cmd: ById) -> None:
        with saga():
            Author(seed, cmd).block(0, in_saga=True, in_branch=False)

    return randomly


def failures(seed: int) -> Callable[[Call], Outcome]:
    """Return a world in which a key always fares the same, whoever asks when."""
    rate = random.Random(seed).choice([0.05, 0.15, 0.4])

    def answer(call: Call) -> Outcome:
        fate = random.Random(f"{seed} {call.key}")
        if fate.random() < rate:
            failed: Err = error(fate.choice(CODES))
            return failed
        return Ok(None if call.compensation else {"hold_id": f"of {call.key}"})

    return answer


def told(played: Played) -> object:
    calls = sorted(
        f"{call.key} {call.id} {call.task} {call.input} {call.compensation}"
        for call in played.calls
    )
    result = played.result
    return result.status, result.output, result.error, sorted(result.compensation_failures), calls


def runs(workflow: Workflow, seed: int) -> Played:
    world = failures(seed)
    tasks = ("stock.reserve", "stock.release", "pay.charge", "pay.refund")
    return play(workflow, START, dict.fromkeys(tasks, world))


@pytest.mark.parametrize("seed", range(16))
def test_a_random_workflow_does_the_same_when_it_is_lowered(seed: int) -> None:
    native = written(seed).ir
    lowered = lower_saga(native)
    assert find_problems(lowered) == ()
    in_order = not any(isinstance(step, MapStep) for step in walk(native.body))
    for world in range(4):
        one, two = runs(native, seed * 10 + world), runs(lowered, seed * 10 + world)
        assert told(two) == told(one)
        if in_order:
            assert two.keys == one.keys


def test_the_random_workflows_are_undone_often_enough_to_mean_something() -> None:
    undone = sum(
        call.compensation
        for seed in range(16)
        for world in range(4)
        for call in runs(written(seed).ir, seed * 10 + world).calls
    )
    assert undone > 100
