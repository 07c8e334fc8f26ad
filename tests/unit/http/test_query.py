"""How query strings become models."""

from __future__ import annotations

import enum
from typing import Literal

import pytest
from pydantic import BaseModel

from cartwheel.http import Body, InvalidRequest, Query
from cartwheel.http._binding import MAX_ERRORS, QueryReader, check_strict, pointer
from cartwheel.http._bodies import BodyReader
from cartwheel.ports import ConfigurationError, Json
from tests.unit.http.world import Filter, Loose, NewOrder

READER = QueryReader("here", Filter)

READ: dict[str, tuple[dict[str, tuple[str, ...]], dict[str, object]]] = {
    "nothing": ({}, {"limit": 20, "tag": ()}),
    "an int": ({"limit": ("100",)}, {"limit": 100}),
    "a negative int": ({"min_price": ("-5",)}, {"min_price": -5}),
    "the largest int": ({"min_price": ("9" * 16,)}, {"min_price": 9999999999999999}),
    "a bool": ({"available": ("true",)}, {"available": True}),
    "a list of texts": ({"tag": ("1", "b")}, {"tag": ("1", "b")}),
    "a list of ints": ({"number": ("1", "2")}, {"number": [1, 2]}),
    "an enum": ({"colour": ("red",)}, {"colour": "red"}),
    "a date by alias": ({"from": ("2026-01-02",)}, {}),
    "a text of digits": ({"q": ("12",)}, {"q": "12"}),
    "an empty text": ({"q": ("",)}, {"q": ""}),
}

REFUSED: dict[str, tuple[dict[str, tuple[str, ...]], str, str]] = {
    "an unknown parameter": ({"limt": ("1",)}, "limt", "extra_forbidden"),
    "a field's name beside its alias": ({"since": ("2026-01-02",)}, "since", "extra_forbidden"),
    "a parameter given twice": ({"limit": ("1", "1")}, "limit", "repeated"),
    "a float": ({"limit": ("1.0",)}, "limit", "int_type"),
    "a plus": ({"limit": ("+1",)}, "limit", "int_type"),
    "a blank": ({"limit": (" 1",)}, "limit", "int_type"),
    "an underscore": ({"limit": ("1_0",)}, "limit", "int_type"),
    "other digits": ({"limit": ("\u0661",)}, "limit", "int_type"),
    "17 digits": ({"min_price": ("1" * 17,)}, "min_price", "int_type"),
    "no digits": ({"limit": ("",)}, "limit", "int_type"),
    "out of range": ({"limit": ("101",)}, "limit", "less_than_equal"),
    "another word for true": ({"available": ("1",)}, "available", "bool_type"),
    "True": ({"available": ("True",)}, "available", "bool_type"),
    "an unknown colour": ({"colour": ("green",)}, "colour", "enum"),
    "one bad number of two": ({"number": ("1", "x")}, "number", "int_type"),
    "no date": ({"from": ("2026-02-30",)}, "from", "date_parsing"),
    "half a surrogate pair": ({"q": ("\ud800",)}, "", "json_invalid"),
}


@pytest.mark.parametrize("what", READ)
def test_a_query_in_exact_form_is_read(what: str) -> None:
    query, expected = READ[what]
    read = READER.read(query)
    assert {name: getattr(read, name) for name in expected} == expected


@pytest.mark.parametrize("what", REFUSED)
def test_a_query_in_another_form_is_refused(what: str) -> None:
    query, parameter, code = REFUSED[what]
    with pytest.raises(InvalidRequest) as caught:
        READER.read(query)
    assert [(error["parameter"], error["code"]) for error in _errors(caught.value)] == [
        (parameter, code)
    ]


class Mixed(Query):
    value: int | str = 0


class Floating(Query):
    value: float = 0


class Nested(Query):
    value: Body | None = None


class Holder(Body):
    parts: dict[str, list[Loose | None]]


@pytest.mark.parametrize("model", [Mixed, Floating, Nested, Loose])
def test_a_query_that_text_cannot_say_is_refused_when_the_gateway_is_built(
    model: type[BaseModel],
) -> None:
    with pytest.raises(ConfigurationError, match="here: "):
        QueryReader("here", model)


def test_a_body_with_a_loose_part_is_refused_when_the_gateway_is_built() -> None:
    with pytest.raises(ConfigurationError, match=r"world\.Loose lets unknown fields pass"):
        check_strict("here", Holder)


def test_int_enums_and_literals_are_read_by_their_values() -> None:
    class Size(enum.IntEnum):
        SMALL = 1

    class Sized(Query):
        size: Size
        depth: Literal[1, 2]
        sort: Literal["up", "down"] | None = None

    read = QueryReader("here", Sized).read({"size": ("1",), "depth": ("2",), "sort": ("up",)})
    assert read == Sized(size=Size.SMALL, depth=2, sort="up")


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ((), "#"),
        (("items", 0, "quantity"), "#/items/0/quantity"),
        (("a/b~c", "é x%"), "#/a~1b~0c/%C3%A9%20x%25"),
    ],
)
def test_a_pointer_is_written_as_a_fragment(location: tuple[int | str, ...], expected: str) -> None:
    assert pointer(location) == expected


@pytest.mark.parametrize(
    ("body", "place", "code"),
    [
        (b"[]", "#", "model_type"),
        (b"{}", "#/items", "missing"),
        (b'{"items":{}}', "#/items", "tuple_type"),
        (b'{"items":[{"product_id":"a","quantity":"1"}]}', "#/items/0/quantity", "int_type"),
        (b'{"items":[{"product_id":"a","quantity":true}]}', "#/items/0/quantity", "int_type"),
        (b'{"items":[{"product_id":1,"quantity":1}]}', "#/items/0/product_id", "string_type"),
        (
            b'{"items":[{"product_id":"a","quantity":0}]}',
            "#/items/0/quantity",
            "greater_than_equal",
        ),
        (b'{"items":[],"gift":1}', "#/gift", "bool_type"),
        (b'{"items":[],"gift":null}', "#/gift", "bool_type"),
        (b'{"items":[],"colour":"green"}', "#/colour", "enum"),
        (b'{"items":[],"due":20260102}', "#/due", "date_type"),
        (b'{"items":[],"extra":1}', "#/extra", "extra_forbidden"),
    ],
)
def test_a_body_is_read_strictly(body: bytes, place: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        BodyReader("here", NewOrder).read(body)
    assert [(error["pointer"], error["code"]) for error in _errors(caught.value)] == [(place, code)]


def test_an_answer_lists_a_bounded_number_of_short_errors() -> None:
    names = ",".join(f'"{"n" * 1000}{number}":1' for number in range(100))
    with pytest.raises(InvalidRequest) as caught:
        BodyReader("here", NewOrder).read(f'{{"items":[],{names}}}'.encode())
    errors = _errors(caught.value)
    assert len(errors) == MAX_ERRORS
    assert all(len(error["pointer"]) <= 200 for error in errors)
    assert caught.value.message.startswith("100 invalid fields")


def _errors(error: InvalidRequest) -> list[dict[str, str]]:
    listed: Json = error.details["errors"]
    assert isinstance(listed, list)
    return [
        {name: str(value) for name, value in item.items()}
        for item in listed
        if isinstance(item, dict)
    ]
