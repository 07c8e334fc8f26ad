"""Programs about sagas: what is compensated, when, and with what."""

from __future__ import annotations

from cartwheel.testing.corpus._expected import do, seq, tries
from cartwheel.testing.corpus._program import (
    Chapter,
    Given,
    fails,
    lost,
    ok,
    refused,
    slow,
    succeeds,
    unavailable,
    unexpected,
)
from cartwheel.testing.corpus._rules import Rule
from cartwheel.testing.corpus._tasks import TWICE, pay, pay_back, put_back, say, take
from cartwheel.workflow import attempt, catch, fail, finish, fmt, otherwise, saga, variable, when

program = Chapter()


@program(
    Rule.SAGA_REVERSE,
    fails("Unexpected"),
    seq(
        do("one"),
        do("pay"),
        do("two"),
        do("last"),
        do("two.compensate"),
        do("pay.compensate"),
        do("one.compensate"),
    ),
    script={"last": unexpected()},
    left=(),
    in_flight=1,
)
def compensations_run_in_reverse(cmd: Given) -> None:
    with saga():
        take(item="1", compensate=put_back, step="one")
        pay(amount=1, compensate=pay_back)
        take(item="2", compensate=put_back, step="two")
        say(text="last", step="last")


@program(
    Rule.SAGA_INPUT,
    fails("Declined"),
    seq(
        do("take", {"item": "g1", "count": 3}),
        do("pay", {"amount": 3}),
        do(
            "take.compensate",
            {
                "input": {"item": "g1", "count": 3},
                "output": {"id": "t-1", "count": 2},
                "key": "take",
            },
        ),
    ),
    script={"pay": refused("Declined"), "take": ok(id="t-1", count=2)},
    left=(),
)
def a_compensation_gets_input_output_and_key(cmd: Given) -> None:
    with saga():
        take(item=cmd.id, count=cmd.count, compensate=put_back)
        pay(amount=cmd.count, compensate=pay_back)


@program(
    Rule.SAGA_UNKNOWN,
    fails("Unavailable"),
    seq(
        do("take"),
        do(
            "take.compensate",
            {"input": {"item": "g1", "count": 1}, "output": None, "key": "take"},
        ),
    ),
    script={"take": lost()},
    left=(),
)
def a_step_whose_reply_was_lost_is_compensated(cmd: Given) -> None:
    with saga():
        take(item=cmd.id, compensate=put_back)


@program(
    Rule.SAGA_UNKNOWN,
    fails("Unexpected"),
    seq(do("take"), do("take.compensate")),
    script={"take": unexpected()},
)
def a_step_with_a_bug_is_compensated(cmd: Given) -> None:
    with saga():
        take(item=cmd.id, compensate=put_back)


@program(
    Rule.SAGA_DECLARED,
    fails("OutOfStock", "none", {"item": "g1"}),
    seq(do("one"), do("two"), do("one.compensate")),
    script={"two": refused("OutOfStock", "none", item="g1")},
    left=(),
)
def a_step_with_a_declared_error_did_nothing(cmd: Given) -> None:
    with saga():
        take(item="1", compensate=put_back, step="one")
        take(item="2", compensate=put_back, step="two")
        say(text="not reached")


@program(
    Rule.SAGA_DECLARED,
    fails("OutOfStock"),
    tries("take", 2),
    script={"take": (unavailable(), refused("OutOfStock"))},
    left=(),
)
def a_declared_error_of_a_later_try_did_nothing(cmd: Given) -> None:
    with saga():
        take(item=cmd.id, compensate=put_back, retry=TWICE)


@program(
    Rule.SAGA_REGISTERED,
    fails("Unavailable"),
    seq(tries("take", 2), do("take.compensate")),
    script={"take": (lost(), unavailable())},
    left=(),
)
def a_step_that_may_have_happened_once_is_compensated_once(cmd: Given) -> None:
    with saga():
        take(item=cmd.id, compensate=put_back, retry=TWICE)


@program(
    Rule.SAGA_RETRY,
    fails("Declined", "no"),
    seq(do("take"), do("pay"), tries("take.compensate", 2)),
    script={"pay": refused("Declined"), "take.compensate": (unavailable(), ok())},
)
def a_compensation_is_tried_again(cmd: Given) -> None:
    with saga():
        take(item=cmd.id, compensate=put_back)
        pay(amount=1)


@program(
    Rule.SAGA_FAILURE,
    fails("Declined", "no", not_undone=(("two", "Unexpected"),)),
    seq(
        do("one"),
        do("two"),
        do("pay"),
        tries("two.compensate", 2),
        do("one.compensate"),
    ),
    script={"pay": refused("Declined"), "two.compensate": unexpected()},
)
def a_compensation_that_fails_for_good_stops_no_other(cmd: Given) -> None:
    with saga():
        take(item="1", compensate=put_back, step="one")
        take(item="2", compensate=put_back, step="two")
        pay(amount=1)


@program(
    Rule.SAGA_FAILURE,
    fails("Unavailable", not_undone=(("pay", "Unavailable"), ("take", "Unexpected"))),
    seq(do("take"), do("pay"), do("say"), do("pay.compensate"), tries("take.compensate", 2)),
    script={
        "say": unavailable(),
        "pay.compensate": unavailable(),
        "take.compensate": unexpected(),
    },
)
def all_failed_compensations_are_recorded(cmd: Given) -> None:
    with saga():
        take(item="1", compensate=put_back)
        pay(amount=1, compensate=pay_back)
        say(text="x")


@program(
    Rule.SAGA_FAILURE,
    fails("Unavailable", not_undone=(("pay", "Timeout"),)),
    seq(do("take"), do("pay"), do("say"), do("pay.compensate"), do("take.compensate")),
    script={"say": unavailable(), "pay.compensate": slow(2)},
)
def a_compensation_may_time_out(cmd: Given) -> None:
    with saga():
        take(item="1", compensate=put_back)
        pay(amount=1, compensate=pay_back)
        say(text="x")


@program(
    Rule.SAGA_FIRST_ERROR,
    succeeds("Declined: card", not_undone=(("take", "Unexpected"),)),
    seq(do("take"), do("pay"), tries("take.compensate", 2), do("handled")),
    script={"pay": refused("Declined", "card"), "take.compensate": unexpected()},
)
def what_is_caught_after_compensation_is_the_first_error(cmd: Given) -> str:
    found = variable("found", str)
    found.set("none")
    with attempt(), saga():
        take(item="1", compensate=put_back)
        pay(amount=1)
    with catch("*") as error:
        say(text=error.code, step="handled")
        found.set(fmt("{}: {}", error.code, error.message))
    return found.value


@program(
    Rule.SAGA_SUCCESS,
    succeeds("id of take"),
    seq(do("take"), do("pay"), do("after")),
    left=("after", "pay", "take"),
)
def a_saga_that_succeeds_undoes_nothing(cmd: Given) -> str:
    found = variable("found", str)
    with saga():
        found.set(take(item="1", compensate=put_back).id)
        pay(amount=1, compensate=pay_back)
    say(text="after", step="after")
    return found.value


@program(
    Rule.SAGA_SUCCESS,
    fails("Unexpected"),
    seq(do("take"), do("after")),
    script={"after": unexpected()},
    left=("take",),
)
def a_failure_after_a_saga_undoes_nothing(cmd: Given) -> None:
    with saga():
        take(item="1", compensate=put_back)
    say(text="after", step="after")


@program(
    Rule.SAGA_SUCCESS,
    succeeds("early"),
    do("take"),
    left=("take",),
)
def a_return_inside_a_saga_is_success(cmd: Given) -> str:
    with saga():
        take(item="1", compensate=put_back)
        with when(cmd.flag):
            finish("early")
        pay(amount=1, compensate=pay_back)
    return "late"


@program(
    Rule.SAGA_REVERSE,
    fails("TooMany", "3"),
    seq(do("take"), do("take.compensate")),
    left=(),
)
def fail_inside_a_saga_compensates(cmd: Given) -> None:
    with saga():
        take(item="1", compensate=put_back)
        with when(cmd.count == 3):
            fail("TooMany", "3")
        pay(amount=1, compensate=pay_back)


@program(
    Rule.SAGA_REVERSE,
    fails("Declined"),
    seq(do("one"), do("small"), do("pay"), do("small.compensate"), do("one.compensate")),
    script={"pay": refused("Declined")},
    left=(),
)
def only_the_arm_that_ran_is_compensated(cmd: Given) -> None:
    with saga():
        take(item="1", compensate=put_back, step="one")
        with when(cmd.count > 5):
            take(item="big", compensate=put_back, step="big")
        with otherwise():
            take(item="small", compensate=put_back, step="small")
        pay(amount=1)


@program(
    Rule.TIMEOUT_LATE,
    fails("Timeout"),
    seq(
        do("take"),
        do("take.compensate", {"input": {"item": "g1", "count": 1}, "output": None, "key": "take"}),
    ),
    script={"take": slow(2)},
    left=(),
)
def a_late_success_is_compensated(cmd: Given) -> None:
    with saga():
        take(item=cmd.id, compensate=put_back, timeout=1)
