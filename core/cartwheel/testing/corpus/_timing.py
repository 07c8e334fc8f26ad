"""Programs about sleeping, waiting for signals, and polling."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from cartwheel.ports import JsonObject
from cartwheel.testing.corpus._expected import do, par, seq, tries
from cartwheel.testing.corpus._program import (
    Chapter,
    Given,
    Signal,
    during,
    fails,
    ok,
    refused,
    succeeds,
    unavailable,
)
from cartwheel.testing.corpus._rules import Rule
from cartwheel.testing.corpus._tasks import TWICE, look, pay, pay_back, put_back, say, take
from cartwheel.workflow import (
    attempt,
    catch,
    days,
    map_each,
    parallel,
    poll,
    saga,
    sleep,
    variable,
    wait_for,
)

program = Chapter()


class Word(BaseModel):
    """The payload of a signal."""

    model_config = ConfigDict(extra="forbid")

    word: str
    note: str | None


def word(text: str) -> JsonObject:
    """Give a payload."""
    return {"word": text, "note": None}


READY = ok(id="g1", status="done", count=1, note=None, owner=None, lines=[])


@program(Rule.SLEEP, succeeds(), seq(do("before"), do("after")), took=1)
def a_sleep_lasts_its_seconds(cmd: Given) -> None:
    say(text="x", step="before")
    sleep(1)
    say(text="x", step="after")


@program(Rule.SLEEP, succeeds(), do("after"), took=2, input={"count": 2})
def a_sleep_lasts_as_long_as_an_expression_says(cmd: Given) -> None:
    sleep(cmd.count)
    say(text="x", step="after")


@program(Rule.SLEEP, succeeds(), do("after"), took=0, input={"count": 0})
def a_sleep_of_nothing_or_less_does_not_wait(cmd: Given) -> None:
    sleep(cmd.count)
    sleep(cmd.count - 5)
    say(text="x", step="after")


@program(Rule.SLEEP, succeeds(), do("after"), took=0, input={"id": "2020-02-29T12:00:00Z"})
def a_time_that_has_passed_does_not_wait(cmd: Given) -> None:
    sleep(until=cmd.id)
    sleep(until="2001-01-01T00:00:00.250+02:00")
    say(text="x", step="after")


@program(
    Rule.SLEEP,
    succeeds(),
    do("after"),
    took=3600,
    long=True,
    input={"id": "2026-01-01T03:00:00+02:00"},
)
def a_sleep_lasts_until_a_time(cmd: Given) -> None:
    sleep(until=cmd.id)
    say(text="x", step="after")


@program(Rule.SLEEP, succeeds(), do("after"), took=86_400, long=True)
def a_sleep_may_last_a_day(cmd: Given) -> None:
    sleep(days(1))
    say(text="x", step="after")


@program(Rule.SLEEP, succeeds(), par(do("a"), do("b"), do("c")), took=1)
def sleeps_of_branches_pass_together(cmd: Given) -> None:
    def one() -> None:
        sleep(1)
        say(text="x", step="a")

    def two() -> None:
        sleep(1)
        say(text="x", step="b")

    parallel(one, two, lambda: say(text="x", step="c"))


@program(
    Rule.SLEEP,
    succeeds(),
    par(*(seq(do(f"before:{n}"), do(f"after:{n}")) for n in range(3))),
    took=1,
)
def sleeps_of_items_pass_together(cmd: Given) -> None:
    def each(text: str) -> None:
        say(text=text, step="before")
        sleep(1)
        say(text=text, step="after")

    map_each(cmd.words, each)


@program(
    Rule.WAIT,
    succeeds({"word": "hi", "note": "there"}),
    seq(do("before"), do("after", {"text": "hi"})),
    actions=((1, Signal("greeting", {"word": "hi", "note": "there"})),),
    took=1,
)
def a_wait_gives_the_signals_payload(cmd: Given) -> Word:
    say(text="x", step="before")
    greeting = wait_for("greeting", Word)
    say(text=greeting.word, step="after")
    return greeting


@program(
    Rule.WAIT,
    succeeds(["no", "yes"]),
    actions=(
        (1, Signal("second", word("yes"), "s1")),
        (1, Signal("first", word("no"), "s2")),
    ),
)
def signals_are_told_apart_by_name(cmd: Given) -> list[str]:
    first = wait_for("first", Word)
    second = wait_for("second", Word)
    return [first.word, second.word]


@program(
    Rule.WAIT,
    succeeds(["hi", "id of pay"]),
    par(do("pay"), do("said", {"text": "hi"})),
    actions=((1, Signal("greeting", word("hi"))),),
)
def a_branch_may_wait_while_others_work(cmd: Given) -> list[str]:
    def waiting() -> str:
        return say(text=wait_for("greeting", Word, timeout=60).word, step="said").text

    said, paid = parallel(waiting, lambda: pay(amount=1).id)
    return [said, paid]


@program(
    Rule.WAIT_EARLY,
    succeeds("early"),
    seq(do("before"), do("after")),
    script={"before": during(Signal("greeting", word("early")))},
    took=0,
)
def a_signal_that_came_before_the_wait_is_kept(cmd: Given) -> str:
    say(text="x", step="before")
    say(text="x", step="after")
    return wait_for("greeting", Word, timeout=1).word


@program(
    Rule.WAIT_EARLY,
    succeeds(["one", "two"]),
    do("before"),
    script={
        "before": during(
            Signal("greeting", word("one"), "s1"), Signal("greeting", word("two"), "s2")
        )
    },
)
def early_signals_are_taken_in_their_order(cmd: Given) -> list[str]:
    say(text="x", step="before")
    one = wait_for("greeting", Word, timeout=1)
    two = wait_for("greeting", Word, timeout=1)
    return [one.word, two.word]


@program(
    Rule.WAIT_DUPLICATE,
    succeeds(["one", "two"]),
    actions=(
        (1, Signal("greeting", word("one"), "s1")),
        (1, Signal("greeting", word("again"), "s1", accepted=False)),
        (1, Signal("greeting", word("two"), "s2")),
    ),
)
def a_signal_with_a_known_id_is_dropped(cmd: Given) -> list[str]:
    one = wait_for("greeting", Word)
    two = wait_for("greeting", Word)
    return [one.word, two.word]


@program(
    Rule.WAIT_DUPLICATE,
    succeeds(["one", "Timeout"]),
    do("before"),
    script={
        "before": during(
            Signal("greeting", word("one"), "s1"), Signal("greeting", word("again"), "s1")
        )
    },
    took=1,
)
def an_early_duplicate_is_dropped_too(cmd: Given) -> list[str]:
    found = variable("found", str)
    say(text="x", step="before")
    one = wait_for("greeting", Word, timeout=1)
    with attempt():
        found.set(wait_for("greeting", Word, timeout=1).word)
    with catch("Timeout") as error:
        found.set(error.code)
    return [one.word, found.value]


@program(Rule.WAIT_TIMEOUT, fails("Timeout"), do("before"), took=1)
def a_wait_that_nobody_answers_times_out(cmd: Given) -> None:
    say(text="x", step="before")
    wait_for("greeting", Word, timeout=1)
    say(text="x", step="after")


@program(
    Rule.WAIT_TIMEOUT,
    fails("Timeout"),
    seq(do("take"), do("take.compensate")),
    took=1,
    left=(),
)
def a_wait_that_times_out_fails_the_saga(cmd: Given) -> None:
    with saga():
        take(item=cmd.id, compensate=put_back)
        wait_for("greeting", Word, timeout=1)


@program(
    Rule.WAIT_TIMEOUT,
    succeeds("Timeout"),
    do("after"),
    script={"after": during(Signal("greeting", word("late")))},
    took=1,
)
def a_late_signal_changes_nothing(cmd: Given) -> str:
    found = variable("found", str)
    with attempt():
        found.set(wait_for("greeting", Word, timeout=1).word)
    with catch("Timeout") as error:
        found.set(error.code)
    say(text="x", step="after")
    return found.value


@program(
    Rule.POLL,
    succeeds("done"),
    seq(do("look:0", {"id": "g1"}), do("look:1"), do("look:2")),
    script={"look:2": READY},
)
def a_poll_asks_until_its_condition_holds(cmd: Given) -> str:
    return poll(look, until=lambda r: r.status == "done", interval=0, attempts=5, id=cmd.id).status


@program(Rule.POLL, succeeds("done"), do("look:0"), script={"look:0": READY}, took=0)
def a_poll_that_holds_at_once_asks_once(cmd: Given) -> str:
    return poll(look, until=lambda r: r.status == "done", interval=1, attempts=5, id=cmd.id).status


@program(
    Rule.POLL,
    succeeds("done"),
    seq(do("look:0"), do("look:1"), do("look:2")),
    script={"look:2": READY},
    took=2,
)
def a_poll_waits_its_interval_between_calls(cmd: Given) -> str:
    return poll(look, until=lambda r: r.status == "done", interval=1, attempts=3, id=cmd.id).status


@program(
    Rule.POLL,
    succeeds("done"),
    seq(tries("look:0", 2), tries("look:1", 2)),
    script={"look:0": (unavailable(), ok()), "look:1": (unavailable(), READY)},
)
def each_call_of_a_poll_has_its_own_tries(cmd: Given) -> str:
    return poll(
        look,
        until=lambda r: r.status == "done",
        interval=0,
        attempts=3,
        retry=TWICE,
        id=cmd.id,
    ).status


@program(
    Rule.POLL,
    succeeds(["done", "done"]),
    par(seq(do("look:0:0"), do("look:0:1")), do("look:1:0")),
    script={"look:0:1": READY, "look:1:0": READY},
)
def a_poll_in_a_map_has_both_indexes_in_its_keys(cmd: Given) -> list[str]:
    return map_each(
        cmd.lines,
        lambda line: (
            poll(
                look, until=lambda r: r.status == "done", interval=0, attempts=3, id=line.item
            ).status
        ),
    )


@program(
    Rule.POLL_BOUND,
    fails("Timeout"),
    seq(do("look:0"), do("look:1"), do("look:2")),
)
def a_poll_asks_so_often_at_most(cmd: Given) -> None:
    poll(look, until=lambda r: r.status == "done", interval=0, attempts=3, id=cmd.id)


@program(
    Rule.POLL_BOUND,
    fails("Gone", "it went"),
    seq(do("look:0"), do("look:1")),
    script={"look:1": refused("Gone", "it went")},
)
def an_error_ends_a_poll(cmd: Given) -> None:
    poll(look, until=lambda r: r.status == "done", interval=0, attempts=3, id=cmd.id)


@program(
    Rule.POLL_BOUND,
    fails("Timeout"),
    seq(do("pay"), do("look:0"), do("look:1"), do("pay.compensate")),
    left=("look:0", "look:1"),
)
def a_poll_that_gives_up_fails_the_saga(cmd: Given) -> None:
    with saga():
        pay(amount=1, compensate=pay_back)
        poll(look, until=lambda r: r.status == "done", interval=0, attempts=2, id=cmd.id)
