"""Programs about sagas around branches, items and sub-workflows."""

from __future__ import annotations

from cartwheel.testing.corpus._expected import do, par, seq, tries
from cartwheel.testing.corpus._program import (
    Chapter,
    Given,
    Line,
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
from cartwheel.workflow import attempt, catch, map_each, parallel, saga, variable, when, workflow

program = Chapter()


@program(
    Rule.SAGA_BRANCHES,
    fails("Declined"),
    seq(
        do("first"),
        par(seq(do("a1"), do("a2")), do("pay")),
        seq(do("a2.compensate"), do("a1.compensate")),
        do("first.compensate"),
    ),
    script={"pay": refused("Declined"), "a1": slow(1)},
    left=(),
)
def branches_are_compensated_once_all_have_settled(cmd: Given) -> None:
    def two() -> None:
        take(item="a1", compensate=put_back, step="a1")
        take(item="a2", compensate=put_back, step="a2")

    with saga():
        take(item="1", compensate=put_back, step="first")
        parallel(two, lambda: pay(amount=1, compensate=pay_back))


@program(
    Rule.SAGA_BRANCHES,
    fails("Unexpected"),
    seq(
        par(do("take"), do("pay")),
        do("last"),
        par(do("take.compensate"), do("pay.compensate")),
    ),
    script={"last": unexpected()},
    left=(),
)
def a_later_failure_compensates_all_branches(cmd: Given) -> None:
    with saga():
        parallel(
            lambda: take(item="1", compensate=put_back),
            lambda: pay(amount=1, compensate=pay_back),
        )
        say(text="last", step="last")


@program(
    Rule.SAGA_BRANCHES,
    fails("OutOfStock", "one"),
    seq(
        par(do("take:0"), do("take:1"), do("take:2")),
        par(
            do(
                "take.compensate:0",
                {
                    "input": {"item": "a", "count": 1},
                    "output": {"id": "id of take:0", "count": 1},
                    "key": "take:0",
                },
            ),
            do(
                "take.compensate:2",
                {"input": {"item": "c", "count": 1}, "output": None, "key": "take:2"},
            ),
        ),
    ),
    script={"take:1": refused("OutOfStock", "one"), "take:2": lost()},
    left=(),
)
def items_are_compensated_each_by_what_became_of_it(cmd: Given) -> None:
    with saga():
        map_each(cmd.words, lambda word: take(item=word, compensate=put_back))


@program(
    Rule.SAGA_BRANCHES,
    fails("Declined"),
    seq(
        *(do(f"take:{index}") for index in range(3)),
        do("pay"),
        par(*(do(f"take.compensate:{index}") for index in range(3))),
    ),
    script={"pay": refused("Declined")},
    left=(),
    in_flight=1,
)
def items_are_compensated_one_after_the_other(cmd: Given) -> None:
    with saga():
        map_each(cmd.words, lambda word: take(item=word, compensate=put_back), concurrency=1)
        pay(amount=1)


@program(
    Rule.SAGA_BRANCHES,
    fails("Unexpected"),
    seq(
        par(
            *(do(f"take:{outer}:{inner}") for outer in range(2) for inner in range(2)),
            do("pay:0"),
            do("pay:1"),
        ),
        do("last"),
        par(
            *(do(f"take.compensate:{outer}:{inner}") for outer in range(2) for inner in range(2)),
            do("pay.compensate:0"),
            do("pay.compensate:1"),
        ),
    ),
    input={"words": ["x", "y"]},
    script={"last": unexpected()},
    left=(),
)
def a_map_beside_a_branch_in_a_map_in_a_saga(cmd: Given) -> None:
    def each(line: Line) -> None:
        parallel(
            lambda: map_each(
                cmd.words, lambda word: take(item=word, compensate=put_back), step="words"
            ),
            lambda: pay(amount=line.count, compensate=pay_back),
        )

    with saga():
        map_each(cmd.lines, each, step="lines")
        say(text="last", step="last")


@program(
    Rule.SAGA_BRANCHES,
    succeeds(["kept", "undone"]),
    par(do("take:0"), do("pay:0"), seq(do("take:1"), do("pay:1"), do("take.compensate:1"))),
    script={"pay:1": refused("Declined")},
    left=("pay:0", "take:0"),
)
def each_item_may_have_a_saga_of_its_own(cmd: Given) -> list[str]:
    def each(line: Line) -> str:
        found = variable("found", str)
        found.set("undone")
        with attempt():
            with saga():
                take(item=line.item, compensate=put_back)
                pay(amount=line.count, compensate=pay_back)
            found.set("kept")
        with catch("Declined"):
            found.set("undone")
        return found.value

    return map_each(cmd.lines, each)


@program(
    Rule.SAGA_NESTED,
    fails("Unexpected"),
    seq(
        par(seq(do("take:0"), do("say:0")), seq(do("take:1"), do("say:1"))),
        do("last"),
        par(do("take.compensate:0"), do("take.compensate:1")),
    ),
    script={"last": unexpected()},
    left=("say:0", "say:1"),
)
def sagas_of_items_are_undone_by_the_saga_around_the_map(cmd: Given) -> None:
    def each(line: Line) -> None:
        with saga(step="inside"):
            take(item=line.item, compensate=put_back)
            say(text=line.item)

    with saga(step="around"):
        map_each(cmd.lines, each)
        say(text="last", step="last")


@program(
    Rule.SAGA_BRANCHES,
    fails("Declined"),
    seq(
        par(tries("take", 2), do("pay")),
        do(
            "take.compensate",
            {
                "input": {"item": "g1", "count": 1},
                "output": {"id": "id of take", "count": 1},
                "key": "take",
            },
        ),
    ),
    script={"take": (unavailable(), ok()), "pay": refused("Declined")},
    left=(),
)
def a_branch_that_is_still_retrying_is_awaited(cmd: Given) -> None:
    with saga():
        parallel(
            lambda: take(item=cmd.id, compensate=put_back, retry=TWICE),
            lambda: pay(amount=1, compensate=pay_back),
        )


@program(
    Rule.SAGA_BRANCHES,
    fails("Declined"),
    seq(do("take:1"), do("pay"), do("take.compensate:1")),
    script={"pay": refused("Declined")},
    left=(),
)
def items_that_took_nothing_are_not_compensated(cmd: Given) -> None:
    def each(line: Line) -> None:
        with when(line.count > 3):
            take(item=line.item, compensate=put_back)

    with saga():
        map_each(cmd.lines, each)
        pay(amount=1)


@program(
    Rule.SAGA_FAILURE,
    fails("Declined", not_undone=(("take", "Unexpected"),)),
    seq(
        par(do("take:0"), do("take:1")),
        do("pay"),
        par(tries("take.compensate:0", 2), do("take.compensate:1")),
    ),
    script={"pay": refused("Declined"), "take.compensate:0": unexpected()},
    left=("take:0",),
)
def one_items_failed_compensation_stops_no_others(cmd: Given) -> None:
    with saga():
        map_each(cmd.lines, lambda line: take(item=line.item, compensate=put_back))
        pay(amount=1)


@workflow("hold", version="1")
def hold(cmd: Line) -> str:
    with saga():
        taken = take(item=cmd.item, count=cmd.count, compensate=put_back)
        pay(amount=cmd.count, compensate=pay_back)
    return taken.id


@program(
    Rule.SUBWORKFLOW,
    fails("Unexpected"),
    seq(
        do("hold.take", {"item": "g1", "count": 3}),
        do("hold.pay"),
        do("last", {"text": "id of hold.take"}),
        do("hold.pay.compensate"),
        do("hold.take.compensate"),
    ),
    script={"last": unexpected()},
    left=(),
)
def a_sub_workflows_saga_is_undone_by_the_one_around_it(cmd: Given) -> None:
    with saga():
        held = hold(item=cmd.id, count=cmd.count)
        say(text=held, step="last")
