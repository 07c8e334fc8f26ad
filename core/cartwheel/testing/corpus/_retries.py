"""Programs about retries and timeouts."""

from __future__ import annotations

from cartwheel.testing.corpus._expected import do, seq, tries
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
from cartwheel.testing.corpus._tasks import ONCE, TWICE, ask, pay, say, take
from cartwheel.workflow import RetryPolicy, attempt, catch, variable

program = Chapter()
THRICE = RetryPolicy(attempts=3, interval=0, jitter=False)


@program(
    Rule.RETRY_ATTEMPTS,
    fails("Unavailable"),
    tries("say", 3),
    script={"say": unavailable()},
)
def three_attempts_are_three_tries_in_all(cmd: Given) -> None:
    say(text="x", retry=THRICE)


@program(Rule.RETRY_ATTEMPTS, fails("Unavailable"), do("say"), script={"say": unavailable()})
def one_attempt_is_no_retry(cmd: Given) -> None:
    say(text="x", retry=ONCE)


@program(
    Rule.RETRY_ATTEMPTS,
    succeeds("x"),
    seq(tries("say", 3, {"text": "x"}), do("after")),
    script={"say": (unavailable(), unavailable(), ok())},
)
def the_last_try_may_succeed(cmd: Given) -> str:
    said = say(text="x", retry=THRICE)
    say(text="after", step="after")
    return said.text


@program(
    Rule.RETRY_DELAY,
    succeeds(),
    tries("say", 2),
    script={"say": (unavailable(), ok())},
    took=1,
)
def a_retry_waits_its_interval(cmd: Given) -> None:
    say(text="x", retry=RetryPolicy(attempts=2, interval=1, jitter=False))


@program(
    Rule.RETRY_DELAY,
    fails("Unavailable"),
    tries("say", 6),
    script={"say": unavailable()},
    took=2 + 6 + 18 + 20 + 20,
    long=True,
)
def waits_grow_by_the_rate_up_to_the_cap(cmd: Given) -> None:
    say(text="x", retry=RetryPolicy(attempts=6, interval=2, rate=3, cap=20, jitter=False))


@program(
    Rule.RETRY_DELAY,
    fails("Unavailable"),
    tries("say", 5),
    script={"say": unavailable()},
    took=1 + 2 + 4 + 8,
    long=True,
)
def waits_without_a_cap_go_on_growing(cmd: Given) -> None:
    say(text="x", retry=RetryPolicy(attempts=5, interval=1, rate=2, cap=None, jitter=False))


@program(
    Rule.RETRY_DELAY,
    fails("Unavailable"),
    tries("say", 4),
    script={"say": unavailable()},
    took=9,
    long=True,
)
def a_rate_of_one_keeps_the_interval(cmd: Given) -> None:
    say(text="x", retry=RetryPolicy(attempts=4, interval=3, rate=1, cap=30, jitter=False))


@program(
    Rule.RETRY_JITTER,
    succeeds(),
    tries("say", 4),
    script={"say": (unavailable(), unavailable(), unavailable(), ok())},
    took=(0, 3),
)
def jitter_never_makes_a_wait_longer(cmd: Given) -> None:
    say(text="x", retry=RetryPolicy(attempts=4, interval=1, rate=1, jitter=True))


@program(
    Rule.RETRY_CODES,
    fails("Declined", "no"),
    tries("pay", 3),
    script={"pay": refused("Declined")},
)
def a_declared_code_is_tried_again_when_listed(cmd: Given) -> None:
    pay(amount=1, retry=RetryPolicy(attempts=3, interval=0, jitter=False, on=("Declined",)))


@program(
    Rule.RETRY_CODES,
    fails("Unavailable"),
    do("pay"),
    script={"pay": unavailable()},
)
def a_code_that_is_not_listed_is_not_tried_again(cmd: Given) -> None:
    pay(amount=1, retry=RetryPolicy(attempts=3, interval=0, jitter=False, on=("Declined",)))


@program(
    Rule.RETRY_CODES,
    fails("Declined"),
    tries("pay", 2),
    script={"pay": (unavailable(), refused("Declined"), ok())},
)
def tries_end_at_a_code_that_is_not_listed(cmd: Given) -> None:
    pay(amount=1, retry=RetryPolicy(attempts=5, interval=0, jitter=False))


@program(
    Rule.RETRY_CODES,
    succeeds("id of take"),
    tries("take", 4),
    script={"take": (unexpected(), refused("OutOfStock"), unavailable(), ok())},
)
def a_star_tries_again_after_any_error(cmd: Given) -> str:
    return take(item=cmd.id, retry=RetryPolicy(attempts=4, interval=0, jitter=False, on=("*",))).id


@program(
    Rule.RETRY_COUNTER,
    fails("Unavailable"),
    tries("pay", 3),
    script={"pay": (unavailable(), refused("Declined"), unavailable(), ok())},
)
def different_errors_share_one_counter(cmd: Given) -> None:
    codes = ("Unavailable", "Declined")
    pay(amount=1, retry=RetryPolicy(attempts=3, interval=0, jitter=False, on=codes))


@program(
    Rule.RETRY_COUNTER,
    succeeds(),
    seq(tries("one", 2), tries("two", 2)),
    script={"one": (unavailable(), ok()), "two": (unavailable(), ok())},
)
def each_step_counts_its_own_tries(cmd: Given) -> None:
    say(text="1", step="one", retry=TWICE)
    say(text="2", step="two", retry=TWICE)


@program(
    Rule.RETRY_DEFAULT,
    fails("Unavailable"),
    tries("ask", 3),
    script={"ask": unavailable()},
    took=(0, 3),
)
def the_default_is_three_tries(cmd: Given) -> None:
    ask(text="x")


@program(Rule.RETRY_DEFAULT, fails("Unexpected"), do("ask"), script={"ask": unexpected()})
def by_default_a_bug_is_not_tried_again(cmd: Given) -> None:
    ask(text="x")


@program(
    Rule.TIMEOUT,
    fails("Timeout"),
    do("say"),
    script={"say": slow(2)},
    took=1,
)
def a_task_that_takes_too_long_times_out(cmd: Given) -> None:
    say(text="x", timeout=1)


@program(Rule.TIMEOUT, succeeds("x"), do("say"), script={"say": slow(1)}, took=1)
def a_slow_task_in_time_is_no_error(cmd: Given) -> str:
    return say(text="x", timeout=5).text


@program(
    Rule.TIMEOUT_TRY,
    succeeds("x"),
    tries("say", 3),
    script={"say": (slow(2), slow(2), ok())},
    took=2,
)
def every_try_has_the_whole_timeout(cmd: Given) -> str:
    return say(text="x", timeout=1, retry=THRICE).text


@program(
    Rule.TIMEOUT,
    succeeds("Timeout"),
    seq(do("say"), do("after")),
    script={"say": slow(2)},
)
def a_late_answer_is_not_taken(cmd: Given) -> str:
    found = variable("found", str)
    with attempt():
        found.set(say(text="late", timeout=1).text)
    with catch("Timeout") as error:
        found.set(error.code)
    say(text="after", step="after")
    return found.value
