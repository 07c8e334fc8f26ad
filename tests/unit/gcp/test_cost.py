"""What a run bills: one step an effect, and little beside."""

from __future__ import annotations

from cartwheel.testing.corpus._program import Given
from cartwheel.testing.corpus._tasks import pay, pay_back, put_back, say, take
from cartwheel.workflow import _ir as ir
from cartwheel.workflow import attempt, catch, fail, map_each, parallel, saga, when, workflow
from cartwheel_gcp import cost
from cartwheel_workflows.checkout import checkout


@workflow("ten", version="1")
def ten(cmd: Given) -> str:
    with saga():
        taken = take(item=cmd.id, compensate=put_back)
        pay(amount=cmd.count, compensate=pay_back)
        for number in range(8):
            said = say(text=taken.id, step=f"say_{number}")
    return said.text


def test_ten_effects_in_a_saga_take_at_most_twelve_steps() -> None:
    counted = cost(ten.ir)
    assert (counted.effects, counted.happy, counted.unit) == (10, 12, "step")
    assert counted.happy <= 1.2 * counted.effects
    assert counted.other == {"grouping step": 2}


def test_a_checkout_bills_its_effects_its_conditions_its_start_and_its_end() -> None:
    counted = cost(checkout.ir)
    steps = list(ir.walk(checkout.ir.body))
    conditions = sum(isinstance(step, ir.WhenStep) for step in steps)
    # A wait opens an address, registers it, waits, and looks at what came.
    waits = 4 * sum(isinstance(step, ir.WaitStep) for step in steps)
    assert counted.happy == counted.effects + conditions + waits + 2
    assert counted.worst > counted.happy


@workflow("one_task", version="1")
def one_task(cmd: Given) -> str:
    return say(text=cmd.id).text


def test_a_task_alone_is_a_call_and_a_return() -> None:
    assert (cost(one_task.ir).effects, cost(one_task.ir).happy) == (1, 2)


@workflow("arms", version="1")
def arms(cmd: Given) -> None:
    with when(cmd.flag):
        say(text="1", step="one")
        say(text="2", step="two")
    with when(cmd.count > 1):
        fail("TooMany", "more than one")
    with attempt():
        say(text="3", step="three")
    with catch("*"):
        say(text="4", step="four")


def test_the_dearer_arm_counts_and_failing_ones_do_not() -> None:
    counted = cost(arms.ir)
    # Two conditions, the calls one, two and three, and the return.
    assert (counted.effects, counted.happy) == (3, 6)


@workflow("many", version="1")
def many(cmd: Given) -> None:
    map_each(cmd.words, lambda word: say(text=word))
    parallel(lambda: say(text="a", step="a"), lambda: say(text="b", step="b"))


def test_a_list_of_unknown_length_has_a_hundred_items() -> None:
    assert cost(many.ir).effects == 102


def test_each_declared_error_has_a_path_of_its_own() -> None:
    counted = cost(ten.ir)
    assert counted.paths.keys() == {"declined", "out_of_stock"}
    # The first step is refused: nothing is undone. The second: the first step is.
    assert counted.paths["out_of_stock"] < counted.paths["declined"]
    assert max(counted.paths.values()) <= counted.worst


@workflow("beside", version="1")
def beside(cmd: Given) -> list[str]:
    one, two = parallel(lambda: say(text="a", step="a").text, lambda: say(text="b", step="b").text)
    return [one, two]


def test_branches_that_end_with_their_call_take_no_step_for_its_answer() -> None:
    # The start, the parallel, two calls, the look at what failed, and the return.
    assert (cost(beside.ir).effects, cost(beside.ir).happy) == (2, 6)
