"""A body that is read once is read as by the longer way, whatever is in it."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from cartwheel.http import Body, InvalidJson, InvalidRequest
from cartwheel.http._bodies import BodyReader
from cartwheel.ports import Json
from tests.unit.http.world import NewOrder

SERVICES = (
    *("analytics", "carts", "catalog", "inventory", "notifications", "orders", "payments", "users"),
)


class Part(Body):
    """Has nothing that may be left out."""

    name: str
    count: Annotated[int, Field(ge=0, le=99)]


class Extra(Body):
    """Has something that may be left out."""

    name: str
    more: str | None = None
    price: int = 0


class Whole(Body):
    """Has all that a plain model may have."""

    kind: Literal["small", "large"] = "small"
    main: Part
    parts: list[Part] = Field(default_factory=list)
    extras: list[Extra]
    spare: Extra | None = None
    other: Part | None = None
    rows: list[list[Part]] | None = None
    gift: bool = False
    label: str = Field("", alias="the-label")


class Defaulted(Body):
    """Has a part of its own when none is sent."""

    part: Part = Part(name="a", count=1)
    word: str = ""


class Filled(Body):
    """Takes a field that nobody sent."""

    word: str
    more: str = ""

    @model_validator(mode="before")
    @classmethod
    def fill(cls, given: Any) -> Any:
        """Add a field."""
        return {**given, "more": "x"} if isinstance(given, dict) else given


class Made(Body):
    """Makes its part from a text."""

    part: Part | None = None
    word: str = ""

    @field_validator("part", mode="before")
    @classmethod
    def make(cls, given: Any) -> Any:
        """Make the part."""
        return {"name": given, "count": 1} if isinstance(given, str) else given


class Touched(Body):
    """Sets a field after it was read."""

    word: str
    more: str = ""

    def model_post_init(self, context: Any) -> None:
        """Set what nobody sent."""
        self.__pydantic_fields_set__.add("more")


class Lax(Body):
    """Takes a number that is not written as one."""

    count: Annotated[int, Field(strict=False)]


class LaxWhole(Body):
    """Takes numbers for texts."""

    model_config = ConfigDict(strict=False, coerce_numbers_to_str=True)

    name: str
    count: int


class Mapped(Body):
    """Has names of the caller's."""

    words: dict[str, str]


class Deep(Body):
    """Has itself within itself."""

    within: list[Deep] | None = None


class Numbered(Body):
    """Has numbers to choose from."""

    count: Literal[1, 2]


class Tree(Body):
    """Has itself within itself, twice."""

    left: Tree | None = None
    right: Tree | None = None


MODELS: tuple[type[BaseModel], ...] = (
    *(Part, Extra, Whole, Defaulted, Filled, Made, Touched, Lax, LaxWhole, Mapped, Deep, NewOrder),
    *(Numbered, Tree),
)
PART = '{"name":"a","count":1}'
BODIES = (
    *(PART, '{"name":"a","name":"b","count":1}', '{"name":"a","count":1,"count":1}'),
    *(
        '{"name":"\\udc00","count":1}',
        '{"name":"\\ud83d\\ude00","count":1}',
        '{"name":"\\"","count":1}',
    ),
    *('{"name":"a","n\\u0061me":"b","count":1}', '{"name":"a","count":1,"c\\u006funt":1}'),
    *('{"name":"a:b","count":1}', '{"name":"a\\u003ab","count":1}', '{"n\\u0061me":"a","count":1}'),
    *('{"name":"a","count":1.0}', '{"name":"a","count":1e1}', '{"name":"\\ud800","count":1}'),
    *('{"name":"a"}', '{"name":"a","name":"b"}', '{"name":"a","more":null,"more":"b"}'),
    *('{"name":"a","price":9007199254740991}', '{"name":"a","price":9007199254740992}'),
    *('{"name":"a","price":-9007199254740992}', '{"name":"9007199254740992"}'),
    *('{"name":1,"count":"1"}', '{"count":1.0}', '{"count":"1"}', '{"count":1}'),
    *("{}", '{"word":""}', '{"word":"","word":""}', '{"word":"","word":"","word":""}'),
    *('{"part":"a"}', '{"part":"a","part":"a"}', '{"part":"a","part":"a","part":"b"}'),
    *('{"words":{}}', '{"words":{"a":"b"}}', '{"words":{"a":"b","a":"c"}}'),
    *('{"within":[{"within":[]}]}', '{"within":null,"within":null}', '{"within":[{}]}'),
    '{"within":[' * 20 + "]}" * 20,
    f'{{"main":{PART},"extras":[]}}',
    f'{{"main":{PART},"main":{PART},"extras":[]}}',
    f'{{"main":{PART},"extras":[{{"name":"a"}},{{"name":"b","more":"c"}}],"rows":[[{PART}],[]]}}',
    f'{{"main":{PART},"extras":[{{"name":"a","name":"a"}}],"other":{PART},"the-label":"x"}}',
    f'{{"main":{PART},"extras":[],"other":{{"name":"a","count":1,"count":2}}}}',
    f'{{"main":{PART},"extras":[],"rows":[[{{"name":"a","name":"b","count":1}}]]}}',
    f'{{"main":{PART},"extras":[],"parts":[{PART},{PART}],"kind":"large","spare":null}}',
    f'{{"main":{PART},"extras":[],"label":"x"}}',
    *("", " ", "null", "[]", "NaN", "\ufeff{}", f"{PART} ", f"{PART}{PART}", '{"name":"a\n"}'),
)
PIECES = ('"name"', '"count"', '"more"', '"price"', '"word"', '"main"', '"extras"', '"parts"', ":")
MORE = ("{", "}", "[", "]", ",", '"a:b"', '"\\u0041"', "1", "1.5", "9" * 16, "-9007199254740991")


def outcome(read: Any, body: bytes) -> object:
    """Give the model, or what is refused and where."""
    try:
        return read(body)
    except (InvalidJson, InvalidRequest) as error:
        return type(error), error.message, error.details


def check(model: type[BaseModel], body: bytes) -> None:
    """Compare the two ways."""
    reader = BodyReader("here", model)
    once = outcome(reader.read, body)
    assert once == outcome(lambda given: reader.read_both(given)[1], body)
    if isinstance(once, BaseModel):
        twice = reader.read_both(body)[1]
        assert once.model_fields_set == twice.model_fields_set


@pytest.mark.parametrize("model", MODELS)
def test_the_short_way_is_the_long_way(model: type[BaseModel]) -> None:
    for body in BODIES:
        check(model, body.encode("utf-8", "surrogatepass"))


@settings(max_examples=1500)
@given(
    st.sampled_from(MODELS),
    st.sampled_from(BODIES),
    st.lists(
        st.tuples(
            st.integers(0, 400), st.integers(0, 12), st.sampled_from((*PIECES, *MORE)) | st.text()
        ),
        max_size=3,
    ),
)
def test_a_body_that_was_tampered_with(
    model: type[BaseModel], body: str, changes: list[tuple[int, int, str]]
) -> None:
    for place, length, put in changes:
        at = place % (len(body) + 1)
        body = body[:at] + put + body[at + length :]
    check(model, body.encode("utf-8", "surrogatepass"))


NESTED = st.recursive(
    st.sampled_from(["a", "a:b", 1, 9007199254740992, 1.5, True, None, "\\", "é"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "count", "more", "price", "main", "extras", "rows"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@settings(max_examples=500)
@given(st.sampled_from(MODELS), NESTED)
def test_any_json(model: type[BaseModel], value: Json) -> None:
    check(model, json.dumps(value).encode())


@pytest.mark.parametrize("model", [Part, Extra, Whole])
def test_a_plain_model_is_read_once(
    model: type[BaseModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice(reader: BodyReader, body: bytes) -> None:
        raise AssertionError("the longer way was taken")

    reader = BodyReader("here", model)
    monkeypatch.setattr(BodyReader, "read_both", twice)
    taken = {Part: PART, Extra: '{"name":"a","price":7}', Whole: f'{{"main":{PART},"extras":[]}}'}
    assert reader.read(taken[model].encode())


@pytest.mark.parametrize(
    "model", [Defaulted, Filled, Made, Touched, Mapped, Deep, Numbered, Tree, NewOrder]
)
def test_any_other_model_is_read_twice(
    model: type[BaseModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bytes] = []

    def twice(reader: BodyReader, body: bytes) -> tuple[None, bytes]:
        taken.append(body)
        return None, body

    monkeypatch.setattr(BodyReader, "read_both", twice)
    BodyReader("here", model).read(b"{}")
    assert taken == [b"{}"]


def test_every_body_of_the_shop_is_read_once() -> None:
    bodies = [
        each
        for name in SERVICES
        for each in vars(import_module(f"cartwheel_shop.{name}.api")).values()
        if isinstance(each, type) and issubclass(each, Body) and each is not Body
    ]
    assert len(bodies) > 15
    assert [each for each in bodies if BodyReader("here", each)._names is None] == []
