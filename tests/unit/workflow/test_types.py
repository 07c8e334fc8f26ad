"""Which Python types have a place in a workflow, and what the language makes of them."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType, Optional
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, JsonValue, computed_field

from cartwheel.workflow import UnsupportedType
from cartwheel.workflow._python_types import object_type, type_from
from cartwheel.workflow._symbol import expression
from cartwheel.workflow._types import (
    BOOL,
    INT,
    JSON,
    NEVER,
    NULL,
    STRING,
    ListType,
    ObjectType,
    OptionalType,
    StringType,
    Type,
    assignable,
    describe,
    join,
    optional,
)

Sku = NewType("Sku", str)


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Money(BaseModel):
    amount: int
    currency: Literal["EUR", "USD"] = "EUR"


class Basket(BaseModel):
    total: Money
    note: str | None = None


MONEY = ObjectType(fields={"amount": INT, "currency": StringType(enum=("EUR", "USD"))})

KNOWN: list[tuple[object, Type]] = [
    (None, NULL),
    (bool, BOOL),
    (int, INT),
    (str, STRING),
    (datetime, STRING),
    (date, STRING),
    (UUID, STRING),
    (Decimal, STRING),
    (Sku, STRING),
    (Color, StringType(enum=("red", "blue"))),
    (Literal["a", "b"], StringType(enum=("a", "b"))),
    (Literal[1, 2], INT),
    (Literal["a", None], OptionalType(of=StringType(enum=("a",)))),
    (Annotated[int, Field(gt=0)], INT),
    (int | None, OptionalType(of=INT)),
    (Optional[str], OptionalType(of=STRING)),  # noqa: UP045  # the older spelling counts too
    (list[int], ListType(item=INT)),
    (tuple[str, ...], ListType(item=STRING)),
    (Sequence[bool], ListType(item=BOOL)),
    (Any, JSON),
    (JsonValue, JSON),
    (Money, MONEY),
    (Basket, ObjectType(fields={"total": MONEY, "note": OptionalType(of=STRING)})),
    (list[Money | None], ListType(item=OptionalType(of=MONEY))),
]


@pytest.mark.parametrize(("annotation", "of"), KNOWN, ids=lambda value: str(value)[:40])
def test_a_python_type_has_a_workflow_type(annotation: object, of: Type) -> None:
    assert type_from(annotation) == of


class Tree(BaseModel):
    children: list[Tree]


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")


class Renamed(BaseModel):
    order_id: str = Field(alias="orderId")


class Computing(BaseModel):
    n: int

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own advice
    @property
    def double(self) -> int:
        return 2 * self.n


class Priced(BaseModel):
    price: float


REFUSED: list[tuple[object, str]] = [
    (float, "this value is a float; use an int in a small unit, such as cents"),
    (bytearray, "this value has the type bytearray"),
    (dict[str, int], "this value is a dict with unknown keys; use a model, or JsonValue"),
    (int | str, "this value is int | str; a value has one type, or that type and None"),
    (set[int], "this value has the type set"),
    (Literal["a", 1], "lists values of several kinds"),
    (Tree, "Tree contains itself"),
    (Loose, "Loose allows extra fields"),
    (Renamed, "Renamed.order_id has an alias"),
    (Computing, "Computing has computed fields (double)"),
    (Priced, "Priced.price is a float"),
    (list[float], "an item of this value is a float"),
]


@pytest.mark.parametrize(("annotation", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_type_without_a_place_is_refused_by_name(annotation: object, message: str) -> None:
    with pytest.raises(UnsupportedType) as caught:
        type_from(annotation)
    assert message in str(caught.value)


def test_a_models_type_is_derived_once() -> None:
    assert object_type(Basket) is object_type(Basket)


def test_a_model_with_a_name_that_is_defined_nowhere_is_refused() -> None:
    class Broken(BaseModel):
        other: Missing  # type: ignore[name-defined]  # noqa: F821  # on purpose

    with pytest.raises(UnsupportedType, match="Broken names a type that is not defined: Missing"):
        type_from(Broken)


ASSIGNABLE: list[tuple[Type, Type, bool]] = [
    (INT, INT, True),
    (BOOL, INT, False),
    (NULL, optional(INT), True),
    (INT, optional(INT), True),
    (optional(INT), INT, False),
    (STRING, StringType(enum=("a",)), True),
    (StringType(enum=("a",)), STRING, True),
    (StringType(enum=("a",)), StringType(enum=("a", "b")), True),
    (StringType(enum=("c",)), StringType(enum=("a", "b")), False),
    (MONEY, JSON, True),
    (JSON, MONEY, False),
    (JSON, JSON, True),
    (ListType(item=NEVER), ListType(item=MONEY), True),
    (ListType(item=INT), ListType(item=STRING), False),
    (ObjectType(fields={"a": INT}), ObjectType(fields={"a": optional(INT)}), True),
    (ObjectType(fields={"a": INT, "b": INT}), ObjectType(fields={"a": INT}), False),
    (ObjectType(fields={}), ObjectType(fields={"a": optional(INT)}), False),
]


@pytest.mark.parametrize(("source", "target", "fits"), ASSIGNABLE, ids=lambda v: str(v)[:30])
def test_a_value_fits_where_its_type_allows(source: Type, target: Type, fits: bool) -> None:
    assert assignable(source, target) is fits


JOINED: list[tuple[Type, Type, Type | None]] = [
    (INT, INT, INT),
    (INT, STRING, None),
    (INT, NULL, optional(INT)),
    (NULL, NULL, NULL),
    (NULL, JSON, JSON),
    (NEVER, INT, INT),
    (StringType(enum=("b",)), StringType(enum=("a",)), StringType(enum=("a", "b"))),
    (StringType(enum=("b",)), STRING, STRING),
    (ListType(item=NEVER), ListType(item=INT), ListType(item=INT)),
    (
        ObjectType(fields={"a": NULL}),
        ObjectType(fields={"a": INT}),
        ObjectType(fields={"a": optional(INT)}),
    ),
    (ObjectType(fields={"a": INT}), ObjectType(fields={"b": INT}), None),
]


@pytest.mark.parametrize(("one", "two", "both"), JOINED, ids=lambda v: str(v)[:30])
def test_two_types_join_in_the_narrowest_that_holds_both(
    one: Type, two: Type, both: Type | None
) -> None:
    assert join(one, two) == both
    assert join(two, one) == both


def test_a_type_reads_as_its_user_would_write_it() -> None:
    of = ObjectType(fields={"lines": ListType(item=optional(STRING)), "status": type_from(Color)})
    assert describe(of) == "{lines: list[str | None], status: one of 'red', 'blue'}"


def test_models_and_times_become_constants() -> None:
    written = expression(Basket(total=Money(amount=3)))
    assert written == expression({"total": {"amount": 3, "currency": "EUR"}, "note": None})
    assert expression(Color.RED) == expression("red")
    assert expression(datetime(2026, 1, 2, tzinfo=UTC)) == expression("2026-01-02T00:00:00+00:00")
