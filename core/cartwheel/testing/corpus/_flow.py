"""Programs about tasks, sequence, choices and ends."""

from __future__ import annotations

from cartwheel.testing.corpus._expected import do, seq, tries
from cartwheel.testing.corpus._program import Chapter, Given, Line, fails, lost, ok, succeeds
from cartwheel.testing.corpus._rules import Rule
from cartwheel.testing.corpus._tasks import TWICE, look, say, take
from cartwheel.workflow import (
    attempt,
    catch,
    fail,
    finish,
    fmt,
    map_each,
    otherwise,
    variable,
    when,
    workflow,
)

program = Chapter()


@program(
    Rule.TASK_TYPED,
    succeeds("id of take"),
    seq(do("take", {"item": "g1", "count": 1}), do("say", {"text": "id of take"})),
)
def one_tasks_output_is_anothers_input(cmd: Given) -> str:
    taken = take(item=cmd.id)
    return say(text=taken.id).text


@program(
    Rule.TASK_KEY,
    succeeds(),
    seq(do("say", {"text": "1"}), do("say_2", {"text": "2"}), do("third", {"text": "3"})),
)
def each_step_has_a_key_of_its_own(cmd: Given) -> None:
    say(text="1")
    say(text="2")
    say(text="3", step="third")


@program(
    Rule.TASK_ONCE,
    succeeds("id of take"),
    tries("take", 2, {"item": "g1", "count": 1}),
    script={"take": (lost(), ok())},
    left=("take",),
)
def a_lost_reply_is_asked_for_again_under_the_same_key(cmd: Given) -> str:
    return take(item=cmd.id, retry=TWICE).id


@program(Rule.SEQUENCE, succeeds(), seq(*(do(f"say_{n}") for n in range(1, 13))))
def twelve_steps_run_in_order(cmd: Given) -> None:
    for number in range(1, 13):
        say(text=fmt("{}", number), step=f"say_{number}")


@program(Rule.WHEN, succeeds(), do("then"))
def a_true_condition_runs_the_first_arm(cmd: Given) -> None:
    with when(cmd.count == 3):
        say(text="then", step="then")
    with otherwise():
        say(text="otherwise", step="otherwise")


@program(Rule.WHEN, succeeds(), seq(do("otherwise"), do("after")), input={"count": 4})
def a_false_condition_runs_the_other_arm(cmd: Given) -> None:
    with when(cmd.count == 3):
        say(text="then", step="then")
    with otherwise():
        say(text="otherwise", step="otherwise")
    say(text="after", step="after")


@program(Rule.WHEN, succeeds(), do("after"), input={"flag": False})
def a_when_without_otherwise_may_do_nothing(cmd: Given) -> None:
    with when(cmd.flag):
        say(text="then", step="then")
    say(text="after", step="after")


@program(Rule.WHEN, succeeds("middle"), do("middle"), input={"count": 5})
def choices_nest(cmd: Given) -> str:
    found = variable("found", str)
    with when(cmd.count < 4):
        found.set("low")
    with otherwise():
        with when(cmd.count < 8):
            found.set(say(text="middle", step="middle").text)
        with otherwise():
            found.set("high")
    return found.value


@program(
    Rule.WHEN_NAMES,
    succeeds("small"),
    do("say", {"text": "small"}),
)
def both_arms_set_the_same_name(cmd: Given) -> str:
    size = variable("size", str)
    with when(cmd.count > 10):
        size.set("big")
    with otherwise():
        size.set("small")
    return say(text=size.value).text


@program(
    Rule.WHEN_NAMES,
    succeeds("id of take"),
    do("take", {"item": "g1", "count": 4}),
)
def an_arm_sets_again_what_was_set_before(cmd: Given) -> str:
    found = variable("found", str)
    found.set("none")
    with when(cmd.count == 3):
        found.set(take(item=cmd.id, count=cmd.count + 1).id)
    return found.value


@program(
    Rule.FAIL,
    fails("TooMany", "3 of g1", {"count": 3, "words": ["a", "b", "c"]}),
    do("before"),
)
def fail_ends_the_run_with_its_error(cmd: Given) -> None:
    say(text="before", step="before")
    with when(cmd.count > 2):
        fail(
            "TooMany", fmt("{} of {}", cmd.count, cmd.id), {"count": cmd.count, "words": cmd.words}
        )
    say(text="after", step="after")


@program(Rule.FAIL, succeeds("TooMany: no"), do("say", {"text": "TooMany: no"}))
def an_error_of_its_own_may_be_caught(cmd: Given) -> str:
    told = variable("told", str)
    with attempt():
        with when(cmd.flag):
            fail("TooMany", "no")
        told.set("nothing")
    with catch("TooMany") as error:
        told.set(say(text=fmt("{}: {}", error.code, error.message)).text)
    return told.value


@program(Rule.RETURN, succeeds("early"), do("before"))
def an_early_return_skips_the_rest(cmd: Given) -> str:
    say(text="before", step="before")
    with when(cmd.flag):
        finish("early")
    say(text="after", step="after")
    return "late"


@program(Rule.RETURN, succeeds("late"), seq(do("before"), do("after")), input={"flag": False})
def a_return_not_taken_goes_on(cmd: Given) -> str:
    say(text="before", step="before")
    with when(cmd.flag):
        finish("early")
    say(text="after", step="after")
    return "late"


@program(Rule.RETURN, succeeds("handled"), do("look"), script={"look": ok()})
def a_return_inside_an_attempt_is_no_error(cmd: Given) -> str:
    with attempt():
        look(id=cmd.id)
        with when(cmd.flag):
            finish("handled")
        say(text="not reached")
    with catch("*"):
        say(text="not caught")
    return "late"


@program(Rule.RETURN, succeeds(None), do("say"))
def a_run_may_end_without_a_result(cmd: Given) -> None:
    say(text="x")


@workflow("greet", version="1")
def greet(cmd: Line) -> str:
    first = say(text=fmt("hello {}", cmd.item))
    with when(cmd.count > 1):
        say(text="again")
    return first.text


@program(
    Rule.SUBWORKFLOW,
    succeeds("hello g1"),
    seq(
        do("greet.say", {"text": "hello g1"}),
        do("greet.say_2", {"text": "again"}),
        do("say", {"text": "hello g1"}),
    ),
)
def a_sub_workflow_is_inlined_under_its_name(cmd: Given) -> str:
    said = greet(item=cmd.id, count=cmd.count)
    return say(text=said).text


@program(
    Rule.SUBWORKFLOW,
    succeeds(["hello one", "hello two"]),
    seq(do("one.say"), do("two.say"), do("two.say_2")),
)
def a_sub_workflow_may_be_called_twice(cmd: Given) -> list[str]:
    one = greet(item="one", count=1, step="one")
    two = greet(item="two", count=2, step="two")
    return [one, two]


@program(
    Rule.SUBWORKFLOW,
    succeeds(["hello pen", "hello ink"]),
    seq(
        do("greet.say:0", {"text": "hello pen"}),
        do("greet.say:1", {"text": "hello ink"}),
        do("greet.say_2:1", {"text": "again"}),
    ),
    input={"lines": [{"item": "pen", "count": 1}, {"item": "ink", "count": 2}]},
)
def a_sub_workflow_may_be_called_in_a_map(cmd: Given) -> list[str]:
    return map_each(cmd.lines, lambda line: greet(item=line.item, count=line.count), concurrency=1)
