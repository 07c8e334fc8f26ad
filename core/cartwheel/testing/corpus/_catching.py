"""Programs about catching errors."""

from __future__ import annotations

from pydantic import BaseModel, JsonValue

from cartwheel.testing.corpus._expected import do, par, seq, tries
from cartwheel.testing.corpus._program import (
    Chapter,
    Given,
    fails,
    ok,
    refused,
    slow,
    succeeds,
    unavailable,
    unexpected,
)
from cartwheel.testing.corpus._rules import Rule
from cartwheel.testing.corpus._tasks import TWICE, look, pay, say, take
from cartwheel.workflow import attempt, catch, fail, fmt, map_each, parallel, variable, when

program = Chapter()
DETAILS: dict[str, JsonValue] = {"missing": ["pen", "ink"], "deep": {"n": 2, "none": None}}


class Caught(BaseModel):
    """An error as a handler saw it."""

    code: str
    message: str
    details: JsonValue
    retryable: bool


@program(
    Rule.CATCH_CODE,
    succeeds("out"),
    seq(do("take"), do("handled")),
    script={"take": refused("OutOfStock")},
)
def a_handler_catches_its_code(cmd: Given) -> str:
    found = variable("found", str)
    with attempt():
        found.set(take(item=cmd.id).id)
        say(text="not reached", step="rest")
    with catch("OutOfStock"):
        say(text="handled", step="handled")
        found.set("out")
    return found.value


@program(Rule.CATCH_CODE, succeeds("id of take"), do("take"))
def without_an_error_no_handler_runs(cmd: Given) -> str:
    found = variable("found", str)
    with attempt():
        found.set(take(item=cmd.id).id)
    with catch("OutOfStock"):
        found.set("out")
    with catch("*"):
        found.set("any")
    return found.value


@program(
    Rule.CATCH_CODE,
    succeeds("gone"),
    do("look"),
    script={"look": refused("Gone")},
)
def one_handler_may_list_several_codes(cmd: Given) -> str:
    found = variable("found", str)
    with attempt():
        found.set(look(id=cmd.id).status)
    with catch("NotFound", "Gone"):
        found.set("gone")
    with catch("Unexpected"):
        found.set("bug")
    return found.value


@program(
    Rule.CATCH_ORDER,
    succeeds("second"),
    do("look"),
    script={"look": refused("Gone")},
)
def the_first_handler_with_the_code_is_taken(cmd: Given) -> str:
    found = variable("found", str)
    with attempt():
        found.set(look(id=cmd.id).status)
    with catch("NotFound"):
        found.set("first")
    with catch("Gone"):
        found.set("second")
    with catch("*"):
        found.set("any")
    return found.value


@program(
    Rule.CATCH_ORDER,
    succeeds("any"),
    do("look"),
    script={"look": unexpected()},
)
def any_error_comes_last(cmd: Given) -> str:
    found = variable("found", str)
    with attempt():
        found.set(look(id=cmd.id).status)
    with catch("NotFound"):
        found.set("first")
    with catch("*"):
        found.set("any")
    return found.value


@program(
    Rule.CATCH_SEES,
    succeeds(
        {"code": "OutOfStock", "message": "none left", "details": DETAILS, "retryable": False}
    ),
    do("take"),
    script={"take": refused("OutOfStock", "none left", **DETAILS)},
)
def a_handler_sees_the_whole_error(cmd: Given) -> Caught:
    seen = variable("seen", Caught)
    with attempt():
        take(item=cmd.id)
        fail("Never", "not reached")
    with catch("*") as error:
        seen.set(error)  # type: ignore[arg-type]  # the same fields
    return seen.value


@program(
    Rule.CATCH_PASSES,
    succeeds("outer"),
    seq(do("take"), do("outer")),
    script={"take": refused("OutOfStock")},
)
def an_error_nobody_lists_goes_to_the_outer_attempt(cmd: Given) -> str:
    found = variable("found", str)
    with attempt(step="around"):
        with attempt(step="inside"):
            found.set(take(item=cmd.id).id)
        with catch("Unavailable"):
            found.set("inner")
        say(text="not reached", step="rest")
    with catch("OutOfStock"):
        found.set(say(text="outer", step="outer").text)
    return found.value


@program(
    Rule.CATCH_PASSES,
    fails("OutOfStock", "no", {}),
    do("take"),
    script={"take": refused("OutOfStock")},
)
def an_uncaught_error_fails_the_run(cmd: Given) -> None:
    with attempt():
        take(item=cmd.id)
    with catch("Timeout", "Unexpected"):
        say(text="not reached")


@program(
    Rule.CATCH_HANDLER,
    fails("Second", "from OutOfStock"),
    do("take"),
    script={"take": refused("OutOfStock")},
)
def an_error_of_a_handler_is_not_caught_beside_it(cmd: Given) -> None:
    with attempt():
        take(item=cmd.id)
    with catch("OutOfStock") as error:
        fail("Second", fmt("from {}", error.code))
    with catch("*"):
        say(text="not reached")


@program(
    Rule.CATCH_HANDLER,
    succeeds("Declined"),
    seq(do("take"), do("pay")),
    script={"take": refused("OutOfStock"), "pay": refused("Declined")},
)
def an_error_of_a_handler_goes_to_the_outer_attempt(cmd: Given) -> str:
    found = variable("found", str)
    found.set("none")
    with attempt(step="around"):
        with attempt(step="inside"):
            take(item=cmd.id)
        with catch("OutOfStock"):
            pay(amount=1)
    with catch("Declined") as error:
        found.set(error.code)
    return found.value


@program(
    Rule.CATCH_HANDLER,
    succeeds("third"),
    seq(do("take"), do("pay"), do("third")),
    script={"take": refused("OutOfStock"), "pay": refused("Declined")},
)
def a_handler_may_attempt_something_else(cmd: Given) -> str:
    found = variable("found", str)
    found.set("none")
    with attempt(step="around"):
        take(item=cmd.id)
    with catch("OutOfStock"):
        with attempt(step="inside"):
            pay(amount=1)
        with catch("Declined"):
            found.set(say(text="third", step="third").text)
    return found.value


@program(
    Rule.CATCH_LANGUAGE,
    succeeds(["Unavailable", "Unexpected", "Timeout"]),
    seq(do("one"), do("two"), do("three")),
    script={"one": unavailable(), "two": unexpected(), "three": slow(2)},
)
def the_languages_own_errors_are_caught_by_code(cmd: Given) -> list[str]:
    one, two, three = variable("a", str), variable("b", str), variable("c", str)
    for each in (one, two, three):
        each.set("none")
    with attempt():
        say(text="1", step="one")
    with catch("Unexpected", "Timeout"):
        one.set("wrong")
    with catch("Unavailable") as error:
        one.set(error.code)
    with attempt():
        say(text="2", step="two")
    with catch("Unavailable", "Timeout"):
        two.set("wrong")
    with catch("Unexpected") as error:
        two.set(error.code)
    with attempt():
        say(text="3", step="three", timeout=1)
    with catch("Unavailable", "Unexpected"):
        three.set("wrong")
    with catch("Timeout") as error:
        three.set(error.code)
    return [one.value, two.value, three.value]


@program(
    Rule.CATCH_LANGUAGE,
    succeeds(True),
    do("say"),
    script={"say": unavailable()},
)
def unavailable_says_that_it_is_retryable(cmd: Given) -> bool:
    seen = variable("seen", bool)
    seen.set(cmd.count == 4)
    with attempt():
        say(text="x")
    with catch("Unavailable") as error:
        seen.set(error.retryable)
    return seen.value


@program(
    Rule.CATCH_CODE,
    succeeds("caught"),
    seq(tries("pay", 2), do("after")),
    script={"pay": refused("Declined")},
)
def what_retries_give_up_on_is_caught(cmd: Given) -> str:
    found = variable("found", str)
    with attempt():
        pay(amount=1, retry=TWICE)
        found.set("paid")
    with catch("Declined"):
        found.set("caught")
    say(text="after", step="after")
    return found.value


@program(
    Rule.ERROR_DETAILS,
    fails("OutOfStock", "none left", DETAILS),
    par(do("take:0"), seq(do("take:1"), do("other:1"))),
    input={"words": ["a", "b"]},
    script={"take:0": refused("OutOfStock", "none left", **DETAILS)},
)
def an_error_keeps_its_details_through_every_level(cmd: Given) -> None:
    def each(word: str) -> None:
        def branch() -> None:
            with when(cmd.flag):
                take(item=word)
            say(text=word, step="other")

        parallel(branch)

    with attempt():
        map_each(cmd.words, each)
    with catch("Unavailable"):
        say(text="not reached", step="rest")


@program(
    Rule.CATCH_CODE,
    succeeds("second"),
    seq(do("take"), do("pay")),
    script={"pay": refused("Declined"), "take": ok()},
)
def what_was_set_before_the_error_is_kept(cmd: Given) -> str:
    step = variable("stage", str)
    step.set("first")
    with attempt():
        take(item=cmd.id)
        step.set("second")
        pay(amount=1)
        step.set("third")
    with catch("Declined"):
        say_nothing = step.value
        step.set(say_nothing)
    return step.value
