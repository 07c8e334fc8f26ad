"""Programs about parallel branches and maps."""

from __future__ import annotations

from cartwheel.testing.corpus._expected import do, par, seq, tries
from cartwheel.testing.corpus._program import (
    Chapter,
    Given,
    Line,
    fails,
    refused,
    slow,
    succeeds,
    unavailable,
    unexpected,
)
from cartwheel.testing.corpus._rules import Rule
from cartwheel.testing.corpus._tasks import TWICE, Taken, pay, say, take
from cartwheel.workflow import (
    attempt,
    catch,
    fail,
    fmt,
    map_each,
    otherwise,
    parallel,
    variable,
    when,
)

program = Chapter()


@program(
    Rule.PARALLEL_RESULTS,
    succeeds(["one", "id of take", "id of pay"]),
    par(do("say"), do("take"), do("pay")),
    script={"say": slow(1)},
    in_flight=3,
)
def a_parallel_gives_its_results_by_position(cmd: Given) -> list[str]:
    said, taken, paid = parallel(
        lambda: say(text="one"), lambda: take(item=cmd.id), lambda: pay(amount=cmd.count)
    )
    return [said.text, taken.id, paid.id]


@program(
    Rule.PARALLEL_RESULTS,
    succeeds(["g1", "x"]),
    seq(do("before"), par(seq(do("a1"), do("a2", {"text": "before"})), do("b1")), do("after")),
)
def a_branch_sees_the_names_around_it(cmd: Given) -> list[str]:
    before = say(text="before", step="before")

    def one() -> str:
        say(text="a1", step="a1")
        say(text=before.text, step="a2")
        return cmd.id

    first, second = parallel(one, lambda: say(text="x", step="b1").text)
    say(text=first, step="after")
    return [first, second]


@program(
    Rule.PARALLEL_RESULTS,
    succeeds(["a", "b", "c"]),
    par(do("a"), do("b"), do("c")),
)
def parallels_nest(cmd: Given) -> list[str]:
    def inner() -> list[str]:
        one, two = parallel(lambda: say(text="a", step="a"), lambda: say(text="b", step="b"))
        return [one.text, two.text]

    pair, last = parallel(inner, lambda: say(text="c", step="c"))
    words = map_each(pair, lambda word: word)
    first, second = variable("first", list[str]), variable("second", str)
    first.set(words)
    second.set(last.text)
    return ["a", "b", second.value]


@program(
    Rule.PARALLEL_SETTLES,
    fails("Declined", "no"),
    par(do("pay"), seq(do("slow1"), do("slow2"))),
    script={"pay": refused("Declined"), "slow1": slow(1)},
)
def the_other_branches_go_on_after_a_failure(cmd: Given) -> None:
    def long() -> None:
        say(text="1", step="slow1")
        say(text="2", step="slow2")

    parallel(lambda: pay(amount=1), long)
    say(text="not reached", step="rest")


@program(
    Rule.PARALLEL_SETTLES,
    succeeds("Declined"),
    seq(par(do("pay"), seq(do("slow1"), do("slow2"))), do("handled")),
    script={"pay": refused("Declined"), "slow1": slow(1)},
)
def a_parallels_error_is_caught_once_all_have_settled(cmd: Given) -> str:
    code = variable("code", str)
    code.set("none")

    def long() -> None:
        say(text="1", step="slow1")
        say(text="2", step="slow2")

    with attempt():
        parallel(lambda: pay(amount=1), long)
    with catch("Declined") as error:
        code.set(error.code)
        say(text="handled", step="handled")
    return code.value


@program(
    Rule.PARALLEL_ERROR,
    fails("OutOfStock", "first"),
    par(do("say"), do("take"), do("pay"), do("last")),
    script={
        "take": slow(1, refused("OutOfStock", "first")),
        "pay": refused("Declined", "second"),
        "last": unexpected(),
    },
)
def the_lowest_numbered_error_is_raised_though_it_came_last(cmd: Given) -> None:
    parallel(
        lambda: say(text="fine"),
        lambda: take(item=cmd.id),
        lambda: pay(amount=1),
        lambda: say(text="last", step="last"),
    )


@program(
    Rule.PARALLEL_ERROR,
    fails("Inner", "2"),
    par(do("a"), do("b"), do("c")),
    script={"c": unexpected()},
)
def a_nested_parallels_error_takes_its_branchs_place(cmd: Given) -> None:
    def inner() -> None:
        def failing() -> None:
            say(text="b", step="b")
            with when(cmd.flag):
                fail("Inner", "2")

        parallel(lambda: say(text="a", step="a"), failing)

    parallel(inner, lambda: say(text="c", step="c"))


@program(
    Rule.PARALLEL_SETTLES,
    succeeds(["none", "id of pay"]),
    par(seq(do("take"), do("handled")), do("pay")),
    script={"take": refused("OutOfStock")},
)
def a_branch_may_catch_its_own_error(cmd: Given) -> list[str]:
    def careful() -> str:
        found = variable("found", str)
        with attempt():
            found.set(take(item=cmd.id).id)
        with catch("OutOfStock"):
            say(text="x", step="handled")
            found.set("none")
        return found.value

    one, two = parallel(careful, lambda: pay(amount=1))
    return [one, two.id]


@program(
    Rule.RETRY_COUNTER,
    succeeds(),
    par(tries("one", 2), tries("two", 2), tries("three", 2)),
    script={"corpus.say": (unavailable(), slow(0))},
)
def each_branch_counts_its_own_tries(cmd: Given) -> None:
    parallel(
        lambda: say(text="1", step="one", retry=TWICE),
        lambda: say(text="2", step="two", retry=TWICE),
        lambda: say(text="3", step="three", retry=TWICE),
    )


@program(
    Rule.MAP_RESULTS,
    succeeds(["a!", "b!", "c!"]),
    par(
        do("say:0", {"text": "a!"}),
        do("say:1", {"text": "b!"}),
        do("say:2", {"text": "c!"}),
    ),
    script={"say:0": slow(1)},
)
def a_map_gives_its_results_by_position(cmd: Given) -> list[str]:
    return map_each(cmd.words, lambda word: say(text=fmt("{}!", word)).text)


@program(
    Rule.MAP_RESULTS,
    succeeds([{"id": "id of take:0", "count": 2}, {"id": "id of take:1", "count": 5}]),
    par(do("take:0", {"item": "pen", "count": 2}), do("take:1", {"item": "ink", "count": 5})),
)
def a_map_goes_over_objects(cmd: Given) -> list[Taken]:
    return map_each(cmd.lines, lambda line: take(item=line.item, count=line.count))


@program(
    Rule.MAP_RESULTS,
    succeeds(["id of take:0", "id of take:1"]),
    seq(
        par(do("take:0"), do("take:1")),
        par(do("say:0", {"text": "id of take:0"}), do("say:1", {"text": "id of take:1"})),
    ),
)
def a_map_goes_over_another_maps_results(cmd: Given) -> list[str]:
    taken = map_each(cmd.lines, lambda line: take(item=line.item))
    return map_each(taken, lambda one: say(text=one.id).text)


@program(Rule.MAP_EMPTY, succeeds([]), do("after"), input={"lines": []})
def a_map_over_nothing_gives_nothing(cmd: Given) -> list[str]:
    ids = map_each(cmd.lines, lambda line: take(item=line.item).id)
    say(text="after", step="after")
    return ids


@program(
    Rule.MAP_EMPTY,
    succeeds([[], []]),
    par(do("say:0"), do("say:1")),
    input={"words": [], "lines": [{"item": "x", "count": 1}, {"item": "y", "count": 1}]},
)
def a_map_over_nothing_inside_a_map(cmd: Given) -> list[list[str]]:
    def each(line: Line) -> list[str]:
        say(text=line.item)
        return map_each(cmd.words, lambda word: say(text=word, step="never").text)

    return map_each(cmd.lines, each)


@program(
    Rule.MAP_LIMIT,
    succeeds(["1", "2", "3", "4", "5"]),
    par(*(do(f"say:{index}") for index in range(5))),
    input={"words": ["1", "2", "3", "4", "5"]},
    in_flight=2,
)
def a_map_keeps_to_its_limit(cmd: Given) -> list[str]:
    return map_each(cmd.words, lambda word: say(text=word).text, concurrency=2)


@program(
    Rule.MAP_LIMIT,
    succeeds(),
    seq(do("a:0"), do("b:0"), do("a:1"), do("b:1"), do("a:2"), do("b:2")),
    in_flight=1,
)
def a_limit_of_one_is_one_after_the_other(cmd: Given) -> None:
    def each(word: str) -> None:
        say(text=word, step="a")
        say(text=word, step="b")

    map_each(cmd.words, each, concurrency=1)


@program(
    Rule.MAP_SETTLES,
    fails("OutOfStock", "one"),
    par(do("take:0"), do("take:1"), do("take:2")),
    script={
        "take:1": slow(1, refused("OutOfStock", "one")),
        "take:2": refused("OutOfStock", "two"),
    },
)
def a_map_raises_the_first_items_error(cmd: Given) -> None:
    map_each(cmd.words, lambda word: take(item=word))


@program(
    Rule.MAP_SETTLES,
    fails("OutOfStock", "zero"),
    seq(do("take:0"), do("take:1"), do("say:1"), do("take:2"), do("say:2")),
    script={"take:0": refused("OutOfStock", "zero")},
)
def items_behind_a_limit_still_start_after_a_failure(cmd: Given) -> None:
    def each(word: str) -> None:
        take(item=word)
        say(text=word)

    map_each(cmd.words, each, concurrency=1)


@program(
    Rule.TASK_KEY,
    succeeds([["a", "b"], ["a", "b"]]),
    par(
        *(do(f"say:{outer}:{inner}") for outer in range(2) for inner in range(2)),
        do("line:0"),
        do("line:1"),
    ),
    input={"words": ["a", "b"]},
)
def maps_nest_and_keys_have_both_indexes(cmd: Given) -> list[list[str]]:
    def each(line: Line) -> list[str]:
        words = map_each(cmd.words, lambda word: say(text=word).text, step="words")
        say(text=line.item, step="line")
        return words

    return map_each(cmd.lines, each, step="lines")


@program(
    Rule.MAP_RESULTS,
    succeeds(["big ink", "small"]),
    par(do("big:0"), do("small:1")),
    input={"lines": [{"item": "ink", "count": 9}, {"item": "pen", "count": 1}]},
)
def each_item_takes_its_own_way(cmd: Given) -> list[str]:
    def each(line: Line) -> str:
        found = variable("found", str)
        with when(line.count > 5):
            found.set(say(text=fmt("big {}", line.item), step="big").text)
        with otherwise():
            found.set(say(text="small", step="small").text)
        return found.value

    return map_each(cmd.lines, each)


@program(
    Rule.MAP_RESULTS,
    succeeds(["id of take:0", "id of take:1"]),
    par(do("take:0"), do("pay:0"), do("take:1"), do("pay:1")),
    script={"pay:1": slow(1)},
)
def a_parallel_runs_for_each_item(cmd: Given) -> list[str]:
    def each(line: Line) -> str:
        taken, _ = parallel(lambda: take(item=line.item), lambda: pay(amount=line.count))
        return taken.id

    return map_each(cmd.lines, each)


@program(
    Rule.RETRY_COUNTER,
    succeeds(),
    seq(tries("say:0", 2), tries("say:1", 2), tries("say:2", 2)),
    script={"corpus.say": (unavailable(), slow(0))},
)
def each_item_counts_its_own_tries(cmd: Given) -> None:
    map_each(cmd.words, lambda word: say(text=word, retry=TWICE), concurrency=1)


@program(
    Rule.MAP_SETTLES,
    succeeds(["ok", "none", "ok"]),
    par(do("take:0"), do("take:1"), do("take:2")),
    script={"take:1": refused("OutOfStock")},
)
def an_item_may_catch_its_own_error(cmd: Given) -> list[str]:
    def each(word: str) -> str:
        found = variable("found", str)
        with attempt():
            take(item=word)
            found.set("ok")
        with catch("OutOfStock"):
            found.set("none")
        return found.value

    return map_each(cmd.words, each)
