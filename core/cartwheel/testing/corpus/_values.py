"""Programs about values and expressions."""

from __future__ import annotations

from pydantic import BaseModel, JsonValue

from cartwheel.testing.corpus._expected import do, seq
from cartwheel.testing.corpus._program import Chapter, Given, Line, Owner, ok, succeeds
from cartwheel.testing.corpus._rules import Rule
from cartwheel.testing.corpus._tasks import Seen, carry, look, say
from cartwheel.workflow import (
    and_,
    fmt,
    is_null,
    length,
    not_,
    or_,
    otherwise,
    result,
    variable,
    when,
)

program = Chapter()
MAX_INT = 2**53 - 1


class Six(BaseModel):
    """The six comparisons."""

    eq: bool
    ne: bool
    lt: bool
    le: bool
    gt: bool
    ge: bool


class Numbers(BaseModel):
    """Some integers."""

    one: int
    two: int
    three: int
    four: int


class Flags(BaseModel):
    """Some booleans."""

    one: bool
    two: bool
    three: bool
    four: bool


class Parcel(BaseModel):
    """Several kinds of values at once."""

    title: str
    words: list[str]
    line: Line
    note: str | None


AWKWARD = "quotes \" and ', back\\slash, ${x}, $.y, {0}, {}, %s, <b>, new\nline, tab\t, ü, 漢, 😀"
OPAQUE: JsonValue = {
    "null": None,
    "empty": [{}, [], ""],
    "deep": {"a": [{"b": [True, False, MAX_INT, -1]}]},
    "text": AWKWARD,
}


@program(
    Rule.COMPARE,
    succeeds({"eq": False, "ne": True, "lt": True, "le": True, "gt": False, "ge": False}),
)
def integers_compare(cmd: Given) -> Six:
    n = cmd.count
    return result(Six, eq=n == 4, ne=n != 4, lt=n < 4, le=n <= 4, gt=n > 4, ge=n >= 4)


@program(
    Rule.COMPARE,
    succeeds({"eq": True, "ne": False, "lt": False, "le": True, "gt": False, "ge": True}),
)
def equal_integers_compare(cmd: Given) -> Six:
    n = cmd.count
    return result(Six, eq=n == 3, ne=n != 3, lt=n < 3, le=n <= 3, gt=n > 3, ge=n >= 3)


@program(
    Rule.COMPARE,
    succeeds({"one": True, "two": True, "three": True, "four": True}),
    input={"words": [], "id": "Z"},
    script={
        # By UTF-16 units the astral character would come first.
        "look": ok(id="\U00010000", status="\ue000", count=0, note=None, owner=None, lines=[])
    },
    calls=do("look"),
)
def strings_compare_by_code_point(cmd: Given) -> Flags:
    seen = look(id=cmd.id)
    return result(
        Flags,
        one=seen.status < seen.id,
        two=cmd.id < "a",
        three=cmd.id > "Y",
        four=cmd.id < "ZZ",
    )


@program(
    Rule.EQUAL,
    succeeds({"one": True, "two": False, "three": False, "four": True}),
    input={"note": None, "id": ""},
)
def null_equals_no_value(cmd: Given) -> Flags:
    return result(
        Flags, one=cmd.note != "", two=cmd.note == "", three=cmd.id == "a", four=cmd.id == ""
    )


@program(
    Rule.EQUAL,
    succeeds({"one": True, "two": False, "three": True, "four": False}),
    input={"flag": False, "note": "x"},
)
def booleans_and_nullable_strings_are_equal_by_value(cmd: Given) -> Flags:
    return result(
        Flags,
        one=cmd.flag == (cmd.count > 5),
        two=cmd.flag == (cmd.count > 1),
        three=cmd.note == "x",
        four=cmd.note == "X",
    )


@program(Rule.LOGIC, succeeds({"one": True, "two": False, "three": True, "four": False}))
def logic_follows_its_tables(cmd: Given) -> Flags:
    yes, no = cmd.count == 3, cmd.count == 4
    return result(
        Flags,
        one=and_(yes, yes, or_(no, yes)),
        two=and_(yes, no, yes),
        three=or_(no, no, not_(no)),
        four=or_(no, and_(no, yes), not_(yes)),
    )


@program(Rule.LOGIC, succeeds("nobody"), input={"owner": None})
def and_stops_before_a_field_of_null(cmd: Given) -> str:
    found = variable("found", str)
    with when(and_(not_(is_null(cmd.owner)), cmd.owner.name == "eve")):  # type: ignore[union-attr]  # ruled out
        found.set("eve")
    with otherwise():
        found.set("nobody")
    return found.value


@program(Rule.LOGIC, succeeds("missing"), input={"owner": None})
def or_stops_before_a_field_of_null(cmd: Given) -> str:
    found = variable("found", str)
    with when(or_(is_null(cmd.owner), cmd.owner.name == "eve")):  # type: ignore[union-attr]  # ruled out
        found.set("missing")
    with otherwise():
        found.set("other")
    return found.value


@program(
    Rule.NARROWING,
    succeeds("ada"),
    do("say", {"text": "ada"}),
    input={"owner": {"name": "ada", "city": None}},
)
def a_field_is_read_where_null_is_ruled_out(cmd: Given) -> str:
    name = variable("name", str)
    with when(is_null(cmd.owner)):
        name.set("none")
    with otherwise():
        name.set(say(text=cmd.owner.name).text)  # type: ignore[union-attr]  # ruled out
    return name.value


@program(
    Rule.NULLS,
    succeeds({"name": "ada", "city": None}),
    do("carry", {"value": {"name": "ada", "city": None}}),
    input={"owner": {"name": "ada"}},
)
def null_fields_are_present(cmd: Given) -> Owner | None:
    carry(value=cmd.owner)
    return cmd.owner


@program(Rule.NULLS, succeeds({"one": False, "two": True, "three": False, "four": False}))
def is_null_tells_null_from_empty(cmd: Given) -> Flags:
    return result(
        Flags,
        one=is_null(cmd.words),
        two=is_null(cmd.note),
        three=is_null(cmd.id),
        four=is_null(cmd.count),
    )


@program(
    Rule.INTEGERS,
    succeeds({"one": 5, "two": 1, "three": -4, "four": 3}),
)
def integers_add_and_subtract(cmd: Given) -> Numbers:
    n = cmd.count
    return result(Numbers, one=n + 2, two=4 - n, three=-1 - n, four=n + 0 - 0)


@program(
    Rule.INTEGERS,
    succeeds({"one": MAX_INT, "two": MAX_INT - 1, "three": -MAX_INT, "four": MAX_INT}),
    do("look"),
    input={"count": MAX_INT},
    script={
        "look": ok(id="x", status="s", count=-MAX_INT, note=None, owner=None, lines=[]),
    },
)
def arithmetic_saturates(cmd: Given) -> Numbers:
    low = look(id="x").count
    return result(
        Numbers,
        one=cmd.count + cmd.count,
        two=cmd.count + 1 - 1,
        three=low - 7,
        four=cmd.count - low,
    )


@program(
    Rule.INTEGERS,
    succeeds(MAX_INT),
    do("carry", {"value": MAX_INT}),
    input={"count": MAX_INT},
)
def the_largest_integer_is_exact(cmd: Given) -> int:
    carry(value=cmd.count)
    return cmd.count


@program(Rule.LENGTH, succeeds({"one": 3, "two": 2, "three": 0, "four": 6}), do("look"))
def length_counts_items(cmd: Given) -> Numbers:
    nothing = look(id="x").lines
    words, lines = length(cmd.words), length(cmd.lines)
    return result(Numbers, one=words, two=lines, three=length(nothing), four=words + words)


@program(
    Rule.FORMAT,
    succeeds("order g1 has 3 of {x}, -4 left"),
    do("say", {"text": "order g1 has 3 of {x}, -4 left"}),
)
def formatting_puts_strings_and_integers_together(cmd: Given) -> str:
    return say(
        text=fmt("order {} has {} of {{x}}, {} left", cmd.id, cmd.count, -1 - cmd.count)
    ).text


@program(
    Rule.FORMAT,
    succeeds(f"<{AWKWARD}>{MAX_INT}"),
    do("say", {"text": f"<{AWKWARD}>{MAX_INT}"}),
    input={"id": AWKWARD, "count": MAX_INT},
)
def formatting_interprets_nothing(cmd: Given) -> str:
    return say(text=fmt("<{}>{}", cmd.id, cmd.count)).text


@program(
    Rule.VALUES,
    succeeds(OPAQUE),
    do("carry", {"value": OPAQUE}),
    input={"extra": OPAQUE},
)
def opaque_json_passes_unchanged(cmd: Given) -> JsonValue:
    return carry(value=cmd.extra).value


@program(
    Rule.VALUES,
    succeeds(AWKWARD),
    do("say", {"text": AWKWARD}),
)
def literal_strings_are_not_interpreted(cmd: Given) -> str:
    say(text=AWKWARD)
    return AWKWARD


@program(
    Rule.CONSTRUCT,
    succeeds(
        {
            "title": "two",
            "words": ["g1", "b", "two"],
            "line": {"item": "ink", "count": 4},
            "note": None,
        }
    ),
    do("carry", {"value": {"lines": [{"item": "a", "count": 3}], "none": None, "yes": True}}),
)
def lists_and_objects_are_built_from_expressions(cmd: Given) -> Parcel:
    carry(value={"lines": [{"item": "a", "count": cmd.count}], "none": None, "yes": True})
    title = fmt("{}", "two")
    return result(
        Parcel,
        title=title,
        words=[cmd.id, "b", title],
        line=result(Line, item="ink", count=cmd.count + 1),
        note=cmd.note,
    )


@program(
    Rule.CONSTRUCT,
    succeeds([]),
    do("carry", {"value": {"list": [], "object": {}}}),
)
def empty_lists_and_objects_stay_empty(cmd: Given) -> list[str]:
    carry(value={"list": [], "object": {}})
    return []


@program(
    Rule.VARIABLE,
    succeeds("b3"),
    seq(do("say", {"text": "a"}), do("say_2", {"text": "b3"})),
)
def a_variable_is_set_again(cmd: Given) -> str:
    word = variable("word", str)
    word.set("a")
    say(text=word.value)
    word.set(fmt("b{}", cmd.count))
    say(text=word.value)
    return word.value


@program(
    Rule.VARIABLE,
    succeeds(13),
)
def a_variable_may_be_set_from_itself(cmd: Given) -> int:
    total = variable("total", int)
    total.set(cmd.count)
    total.set(total.value + 5)
    total.set(total.value + total.value - cmd.count)
    return total.value


@program(
    Rule.TASK_TYPED,
    succeeds(
        {
            "id": "g1",
            "status": "new",
            "count": 2,
            "note": None,
            "owner": {"name": "ada", "city": None},
            "lines": [{"item": "pen", "count": 1}],
        }
    ),
    do("look", {"id": "g1"}),
    script={
        "look": ok(
            id="g1",
            status="new",
            count=2,
            note=None,
            owner={"name": "ada", "city": None},
            lines=[{"item": "pen", "count": 1}],
        )
    },
)
def a_task_gives_its_whole_output(cmd: Given) -> Seen:
    return look(id=cmd.id)
