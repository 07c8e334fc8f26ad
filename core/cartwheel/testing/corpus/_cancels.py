"""Programs about cancelling and redriving runs."""

from __future__ import annotations

from cartwheel.testing.corpus._expected import do, par, seq, tries
from cartwheel.testing.corpus._program import (
    Cancel,
    Chapter,
    Given,
    Signal,
    cancelled,
    during,
    fails,
    ok,
    refused,
    succeeds,
    unavailable,
    unexpected,
)
from cartwheel.testing.corpus._rules import Rule
from cartwheel.testing.corpus._tasks import look, pay, pay_back, put_back, say, take
from cartwheel.testing.corpus._timing import Word, word
from cartwheel.workflow import (
    RetryPolicy,
    attempt,
    catch,
    map_each,
    parallel,
    poll,
    saga,
    sleep,
    variable,
    wait_for,
)

program = Chapter()


@program(
    Rule.CANCEL_TASK,
    cancelled(),
    do("one"),
    script={"one": during(Cancel())},
)
def a_cancel_during_a_task_refuses_the_next_one(cmd: Given) -> None:
    say(text="1", step="one")
    say(text="2", step="two")
    say(text="3", step="three")


@program(
    Rule.CANCEL_TASK,
    succeeds("1"),
    do("one"),
    script={"one": during(Cancel())},
)
def a_cancel_during_the_last_task_comes_too_late(cmd: Given) -> str:
    return say(text="1", step="one").text


@program(
    Rule.CANCEL_TASK,
    cancelled(),
    do("one"),
    script={"one": during(Cancel())},
)
def all_branches_of_a_cancelled_run_are_refused(cmd: Given) -> None:
    say(text="1", step="one")
    parallel(lambda: say(text="2", step="two"), lambda: pay(amount=1))
    map_each(cmd.words, lambda text: say(text=text, step="never"))


@program(
    Rule.CANCEL_SAGA,
    cancelled(),
    seq(
        do("take"),
        do("pay"),
        do("pay.compensate"),
        do("take.compensate"),
    ),
    script={"pay": during(Cancel())},
    left=(),
)
def a_cancelled_saga_compensates(cmd: Given) -> None:
    with saga():
        take(item=cmd.id, compensate=put_back)
        pay(amount=1, compensate=pay_back)
        say(text="not reached")


@program(
    Rule.CANCEL_SAGA,
    cancelled(),
    seq(
        do("one"),
        do("pay.compensate", {"input": {"amount": 1}, "output": None, "key": "pay"}),
        do("one.compensate"),
    ),
    script={"one": during(Cancel())},
    left=(),
)
def a_refused_step_is_compensated_as_unknown(cmd: Given) -> None:
    with saga():
        take(item=cmd.id, compensate=put_back, step="one")
        pay(amount=1, compensate=pay_back)


@program(
    Rule.CANCEL_WAIT,
    cancelled(),
    do("before"),
    actions=((1, Cancel()),),
    took=1,
)
def a_cancel_wakes_a_wait(cmd: Given) -> None:
    say(text="x", step="before")
    wait_for("greeting", Word, timeout=60)
    say(text="x", step="after")


@program(
    Rule.CANCEL_WAIT,
    cancelled(),
    do("before"),
    script={"before": during(Cancel())},
    took=0,
)
def a_wait_that_begins_after_a_cancel_is_not_begun(cmd: Given) -> None:
    say(text="x", step="before")
    wait_for("greeting", Word)


@program(
    Rule.CANCEL_WAIT,
    cancelled(),
    seq(do("take"), do("take.compensate")),
    actions=((1, Cancel()),),
    left=(),
)
def a_saga_that_waits_compensates_when_cancelled(cmd: Given) -> None:
    with saga():
        take(item=cmd.id, compensate=put_back)
        wait_for("greeting", Word)


@program(
    Rule.CANCEL_SLEEP,
    cancelled(),
    do("meanwhile"),
    script={"meanwhile": during(Cancel())},
    took=1,
)
def a_cancel_does_not_cut_a_sleep_short(cmd: Given) -> None:
    def sleeper() -> None:
        sleep(1)
        say(text="x", step="after")

    parallel(sleeper, lambda: say(text="x", step="meanwhile"))


@program(
    Rule.CANCEL_SLEEP,
    succeeds("slept"),
    do("meanwhile"),
    script={"meanwhile": during(Cancel())},
    took=1,
)
def a_cancelled_run_without_another_task_succeeds(cmd: Given) -> str:
    parallel(lambda: sleep(1), lambda: say(text="x", step="meanwhile"))
    return "slept"


@program(
    Rule.CANCEL_COMPENSATION,
    fails("Declined", "no"),
    seq(
        do("one"),
        do("two"),
        do("pay"),
        tries("two.compensate", 2),
        do("one.compensate"),
    ),
    script={
        "pay": refused("Declined"),
        "two.compensate": (during(Cancel(), answer=unavailable()), ok()),
    },
)
def a_cancel_during_compensation_changes_nothing(cmd: Given) -> None:
    with saga():
        take(item="1", compensate=put_back, step="one")
        take(item="2", compensate=put_back, step="two")
        pay(amount=1)


@program(
    Rule.CANCEL_COMPENSATION,
    cancelled(not_undone=(("one", "Unexpected"),)),
    seq(do("one"), tries("one.compensate", 2)),
    script={"one": during(Cancel()), "one.compensate": unexpected()},
)
def a_cancelled_runs_failed_compensation_is_recorded(cmd: Given) -> None:
    with saga():
        take(item="1", compensate=put_back, step="one")
        say(text="not reached")


@program(
    Rule.CANCEL_CAUGHT,
    succeeds("Cancelled"),
    do("one"),
    script={"one": during(Cancel())},
)
def a_cancel_may_be_caught(cmd: Given) -> str:
    found = variable("found", str)
    found.set("none")
    with attempt():
        say(text="1", step="one")
        say(text="2", step="two")
    with catch("Cancelled") as error:
        found.set(error.code)
    return found.value


@program(
    Rule.CANCEL_CAUGHT,
    cancelled(),
    do("one"),
    script={"one": during(Cancel())},
)
def a_handler_of_a_cancelled_run_is_refused_too(cmd: Given) -> None:
    with attempt():
        say(text="1", step="one")
        say(text="2", step="two")
    with catch("*"):
        say(text="3", step="three")


@program(
    Rule.CANCEL_CAUGHT,
    cancelled(),
    do("one"),
    script={"one": during(Cancel())},
    took=0,
)
def a_refused_task_is_not_tried_again(cmd: Given) -> None:
    say(text="1", step="one")
    say(text="2", step="two", retry=RetryPolicy(attempts=5, interval=9, jitter=False, on=("*",)))


@program(
    Rule.CANCEL_CAUGHT,
    cancelled(),
    do("one"),
    script={"one": during(Cancel(), answer=unavailable())},
)
def a_cancel_during_a_try_ends_the_tries(cmd: Given) -> None:
    say(text="1", step="one", retry=RetryPolicy(attempts=3, interval=0, jitter=False))


@program(
    Rule.CANCEL_TASK,
    cancelled(),
    do("look:0"),
    script={"look:0": during(Cancel())},
    took=1,
)
def a_cancelled_poll_asks_no_more(cmd: Given) -> None:
    poll(look, until=lambda seen: seen.status == "done", interval=1, attempts=9, id=cmd.id)


@program(
    Rule.REDRIVE,
    succeeds("id of take"),
    seq(do("take"), do("pay", attempt=1), do("pay", attempt=2), do("after")),
    script={"pay": (unavailable(), ok())},
    redrives=1,
)
def a_redriven_run_does_what_was_not_done(cmd: Given) -> str:
    taken = take(item=cmd.id)
    pay(amount=1)
    say(text=taken.id, step="after")
    return taken.id


@program(
    Rule.REDRIVE,
    fails("Declined", "second"),
    seq(do("take"), tries("pay", 2)),
    script={"pay": (unavailable(), refused("Declined", "second"))},
    redrives=1,
)
def a_redriven_run_may_fail_again(cmd: Given) -> None:
    take(item=cmd.id)
    pay(amount=1)


@program(
    Rule.REDRIVE,
    succeeds(["a", "b", "c"]),
    seq(
        par(do("say:0"), do("say:1"), do("say:2")),
        do("say:1", attempt=2),
        do("say:1", attempt=3),
    ),
    script={"say:1": (unexpected(), unexpected(), ok())},
    redrives=2,
)
def a_redriven_map_does_the_missing_item_only(cmd: Given) -> list[str]:
    return map_each(cmd.words, lambda text: say(text=text).text)


@program(
    Rule.REDRIVE,
    succeeds("none"),
    seq(do("look"), do("after"), tries("pay", 2)),
    script={"look": (refused("NotFound"), ok()), "pay": (unavailable(), ok())},
    redrives=1,
)
def a_redriven_run_takes_the_same_path_again(cmd: Given) -> str:
    found = variable("found", str)
    with attempt():
        found.set(look(id=cmd.id).status)
    with catch("NotFound"):
        found.set("none")
    say(text=found.value, step="after")
    pay(amount=1)
    return found.value


@program(
    Rule.REDRIVE,
    succeeds(["one", "two"]),
    seq(do("before"), tries("pay", 2)),
    script={
        "before": during(
            Signal("greeting", word("one"), "s1"), Signal("greeting", word("two"), "s2")
        ),
        "pay": (unavailable(), ok()),
    },
    redrives=1,
)
def a_redriven_run_hears_the_same_signals_again(cmd: Given) -> list[str]:
    say(text="x", step="before")
    one = wait_for("greeting", Word, timeout=1)
    two = wait_for("greeting", Word, timeout=1)
    pay(amount=1)
    return [one.word, two.word]
