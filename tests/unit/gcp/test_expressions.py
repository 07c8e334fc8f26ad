"""Expressions keep to what Workflows documents: one line, 400 characters, quoted where needed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cartwheel.ports import Json
from cartwheel.workflow import _types as t
from cartwheel.workflow._expr import (
    AndExpr,
    ArithExpr,
    CompareExpr,
    Expr,
    FormatExpr,
    IsNullExpr,
    KeyExpr,
    LengthExpr,
    ListExpr,
    LiteralExpr,
    NotExpr,
    ObjectExpr,
    OrExpr,
    RefExpr,
)
from cartwheel_gcp._block import Block
from cartwheel_gcp._expressions import Expressions
from cartwheel_gcp._grammar import parse
from cartwheel_gcp._names import Fresh, Place
from cartwheel_gcp._scope import Scope

COUNT = RefExpr(name="input", path=("count",))
FLAG = RefExpr(name="input", path=("flag",))
MAYBE = RefExpr(name="input", path=("maybe",))
NOTE = RefExpr(name="answer", path=("note",))
WORDS = RefExpr(name="input", path=("words",))
INPUT = t.ObjectType(
    fields={
        "count": t.INT,
        "flag": t.BOOL,
        "maybe": t.OptionalType(of=t.BOOL),
        "words": t.ListType(item=t.STRING),
        "keys": t.STRING,
    }
)


def lit(value: bool | int | str | None) -> LiteralExpr:
    return LiteralExpr(value=value)


class Writing:
    """Writes expressions, and keeps the steps that they need."""

    def __init__(self) -> None:
        places = {"input": Place("run", ".input"), "answer": Place("answer", ".body")}
        types: dict[str, t.Type] = {
            "input": INPUT,
            "answer": t.ObjectType(fields={"note": t.STRING}),
        }
        scope = Scope(places, types, position=("outer", "inner"))
        self.block = Block(Fresh())
        self.too_long: list[str] = []
        self.write = Expressions(scope, self.block, Fresh(), self.too_long.append)


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (lit(None), None),
        (lit(3), 3),
        (lit("plain } text"), "plain } text"),
        (COUNT, "${run.input.count}"),
        (NOTE, "${answer.body.note}"),
        (RefExpr(name="input", path=("keys",)), '${run.input["keys"]}'),
        (ListExpr(items=(COUNT, lit(1))), ["${run.input.count}", 1]),
        (ObjectExpr(fields={"a": COUNT, "b": lit(None)}), {"a": "${run.input.count}", "b": None}),
        (CompareExpr(op="<", left=COUNT, right=lit(-3)), "${run.input.count < -3}"),
        (CompareExpr(op="<", left=lit(3), right=COUNT), "${run.input.count > 3}"),
        (CompareExpr(op="==", left=FLAG, right=lit(True)), "${run.input.flag}"),
        (CompareExpr(op="!=", left=FLAG, right=lit(True)), "${not (run.input.flag)}"),
        (CompareExpr(op="==", left=MAYBE, right=lit(True)), "${run.input.maybe == true}"),
        (IsNullExpr(operand=MAYBE), "${run.input.maybe == null}"),
        (NotExpr(operand=IsNullExpr(operand=MAYBE)), "${run.input.maybe != null}"),
        (
            AndExpr(operands=(OrExpr(operands=(FLAG, FLAG)), FLAG)),
            "${(run.input.flag or run.input.flag) and run.input.flag}",
        ),
        (LengthExpr(operand=WORDS), "${len(run.input.words)}"),
        (LengthExpr(operand=ListExpr(items=(COUNT, COUNT))), "${2}"),
        (
            FormatExpr(parts=(lit("n "), COUNT, NOTE)),
            '${"n " + string(run.input.count) + answer.body.note}',
        ),
        (
            ArithExpr(op="-", left=LengthExpr(operand=WORDS), right=lit(1)),
            "${len(run.input.words) - 1}",
        ),
        (KeyExpr(step="take"), '${run.run_id + ":take:" + string(outer) + ":" + string(inner)}'),
    ],
)
def test_an_expression_is_written_as_expected(expr: Expr, expected: Json) -> None:
    writing = Writing()
    assert writing.write.value(expr) == expected
    assert writing.block.steps == []


def test_sums_stay_within_the_range_of_integers() -> None:
    text = Writing().write.text(ArithExpr(op="+", left=COUNT, right=lit(1)))
    bounds = "math.max(-9007199254740991, math.min(9007199254740991, run.input.count + 1))"
    assert text == bounds


@pytest.mark.parametrize("text", ['a "quote"', "brace }", "back\\slash", "line\nbreak", "é" * 300])
def test_a_text_that_needs_quoting_comes_from_a_variable(text: str) -> None:
    writing = Writing()
    condition = writing.write.value(CompareExpr(op="==", left=NOTE, right=lit(text)))
    assert condition == "${answer.body.note == kept}"
    assert writing.block.steps == [{"kept": {"assign": [{"kept": text}]}}]


def test_a_text_with_the_sign_of_expressions_stays_a_text() -> None:
    writing = Writing()
    assert writing.write.value(lit("a ${b} c")) == "${kept[0] + kept[1]}"
    assert writing.block.steps == [{"kept": {"assign": [{"kept": ["a $", "{b} c"]}]}}]


LONG = FormatExpr(parts=tuple(part for n in range(60) for part in (lit(f"part {n} "), NOTE)))
ANY = tuple(CompareExpr(op="==", left=NOTE, right=lit(f"value {n} of many")) for n in range(40))


@pytest.mark.parametrize(
    "expr",
    [
        LONG,
        OrExpr(operands=ANY),
        AndExpr(operands=ANY),
        NotExpr(operand=OrExpr(operands=ANY)),
        AndExpr(operands=(FLAG, OrExpr(operands=ANY), NotExpr(operand=AndExpr(operands=ANY)))),
        CompareExpr(op="==", left=LONG, right=NOTE),
    ],
)
def test_a_long_expression_is_split_into_short_ones(expr: Expr) -> None:
    writing = Writing()
    value = writing.write.value(expr)
    texts = list(_texts([value, *writing.block.steps]))
    assert len(texts) > 1
    for text in texts:
        assert len(text) <= 397
        parse(text)
    assert writing.too_long == []


def test_what_can_not_be_split_is_reported() -> None:
    writing = Writing()
    writing.write.value(RefExpr(name="input", path=tuple(f"field_{n}" for n in range(60))))
    assert len(writing.too_long) == 1


def _texts(value: Json) -> Iterator[str]:
    match value:
        case str() if value.startswith("${"):
            yield value[2:-1]
        case list():
            for each in value:
                yield from _texts(each)
        case dict():
            for each in value.values():
                yield from _texts(each)
        case _:
            assert "${" not in json.dumps(value)
