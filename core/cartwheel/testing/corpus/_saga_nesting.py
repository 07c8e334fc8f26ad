"""Programs about sagas in sagas, and about errors caught inside sagas."""

from __future__ import annotations

from cartwheel.testing.corpus._expected import do, seq
from cartwheel.testing.corpus._program import (
    Chapter,
    Given,
    fails,
    lost,
    refused,
    succeeds,
    unexpected,
)
from cartwheel.testing.corpus._rules import Rule
from cartwheel.testing.corpus._tasks import pay, pay_back, put_back, say, take
from cartwheel.workflow import attempt, catch, saga, variable

program = Chapter()


@program(
    Rule.SAGA_NESTED,
    fails("Unexpected"),
    seq(
        do("outer"),
        do("inner"),
        do("last"),
        do("inner.compensate"),
        do("outer.compensate"),
    ),
    script={"last": unexpected()},
    left=(),
)
def an_inner_saga_is_undone_by_the_outer_one(cmd: Given) -> None:
    with saga(step="around"):
        take(item="1", compensate=put_back, step="outer")
        with saga(step="inside"):
            take(item="2", compensate=put_back, step="inner")
        say(text="last", step="last")


@program(
    Rule.SAGA_NESTED,
    fails("Declined"),
    seq(
        do("outer"),
        do("inner"),
        do("pay"),
        do("inner.compensate"),
        do("outer.compensate"),
    ),
    script={"pay": refused("Declined")},
    left=(),
)
def an_inner_saga_that_failed_is_undone_once(cmd: Given) -> None:
    with saga(step="around"):
        take(item="1", compensate=put_back, step="outer")
        with saga(step="inside"):
            take(item="2", compensate=put_back, step="inner")
            pay(amount=1)


@program(
    Rule.SAGA_NESTED,
    succeeds("undone"),
    seq(do("outer"), do("inner"), do("pay"), do("inner.compensate"), do("after")),
    script={"pay": refused("Declined")},
    left=("after", "outer"),
)
def an_inner_failure_that_is_caught_undoes_the_inner_saga_only(cmd: Given) -> str:
    with saga(step="around"):
        take(item="1", compensate=put_back, step="outer")
        with attempt(), saga(step="inside"):
            take(item="2", compensate=put_back, step="inner")
            pay(amount=1)
        with catch("Declined"):
            say(text="x", step="after")
    return "undone"


@program(
    Rule.SAGA_NESTED,
    fails("Unexpected"),
    seq(
        do("outer"),
        do("inner"),
        do("pay"),
        do("inner.compensate"),
        do("again"),
        do("last"),
        do("again.compensate"),
        do("outer.compensate"),
    ),
    script={"pay": refused("Declined"), "last": unexpected()},
    left=(),
)
def what_an_inner_saga_undid_is_not_undone_again(cmd: Given) -> None:
    with saga(step="around"):
        take(item="1", compensate=put_back, step="outer")
        with attempt(), saga(step="inside"):
            take(item="2", compensate=put_back, step="inner")
            pay(amount=1)
        with catch("Declined"):
            take(item="3", compensate=put_back, step="again")
        say(text="last", step="last")


@program(
    Rule.SAGA_CAUGHT,
    succeeds("paid later"),
    seq(do("take"), do("pay"), do("after")),
    script={"pay": refused("Declined")},
    left=("after", "take"),
)
def a_caught_error_inside_a_saga_undoes_nothing(cmd: Given) -> str:
    found = variable("found", str)
    with saga():
        take(item="1", compensate=put_back)
        with attempt():
            found.set(pay(amount=1, compensate=pay_back).id)
        with catch("Declined"):
            found.set("paid later")
        say(text="after", step="after")
    return found.value


@program(
    Rule.SAGA_CAUGHT,
    fails("Unexpected"),
    seq(
        do("take"),
        do("pay"),
        do("after"),
        do("pay.compensate", {"input": {"amount": 1}, "output": None, "key": "pay"}),
        do("take.compensate"),
    ),
    script={"pay": lost(), "after": unexpected()},
    left=(),
)
def a_caught_unknown_is_compensated_when_the_saga_fails_later(cmd: Given) -> None:
    with saga():
        take(item="1", compensate=put_back)
        with attempt():
            pay(amount=1, compensate=pay_back)
        with catch("Unavailable"):
            say(text="x", step="after")


@program(
    Rule.SAGA_CAUGHT,
    fails("Unexpected"),
    seq(do("take"), do("pay"), do("after"), do("take.compensate")),
    script={"pay": refused("Declined"), "after": unexpected()},
    left=(),
)
def a_caught_refusal_is_never_compensated(cmd: Given) -> None:
    with saga():
        take(item="1", compensate=put_back)
        with attempt():
            pay(amount=1, compensate=pay_back)
        with catch("Declined"):
            say(text="x", step="after")
