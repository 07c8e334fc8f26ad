"""Symbolic values: they look like what they stand for, and record what is done with them."""

from __future__ import annotations

import contextlib
import enum
import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path, PurePath
from typing import NoReturn, TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticUndefined

from cartwheel.workflow._expr import (
    ArithExpr,
    ArithOp,
    CompareExpr,
    CompareOp,
    Expr,
    IsNullExpr,
    ListExpr,
    LiteralExpr,
    NotExpr,
    ObjectExpr,
    RefExpr,
)
from cartwheel.workflow._problems import BuildError, Problem, listed
from cartwheel.workflow._python_types import UnsupportedType, type_from
from cartwheel.workflow._types import (
    BOOL,
    INT,
    NEVER,
    NULL,
    IntType,
    JsonType,
    ListType,
    Node,
    ObjectType,
    OptionalType,
    StringType,
    Type,
    describe,
    join,
)

N = TypeVar("N", bound=Node)
_INSIDE = (str(Path(__file__).parent), contextlib.__file__)


def source_line() -> str:
    """Return `file.py:LINE` of the nearest caller outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_INSIDE):
        frame = frame.f_back
    return f"{PurePath(frame.f_code.co_filename).name}:{frame.f_lineno}"


def refuse(what: str, *, exists: str = "", remedy: str = "", step: str | None = None) -> NoReturn:
    """Raise a BuildError for the user's current line."""
    raise refusal(what, exists=exists, remedy=remedy, step=step)


def refusal(
    what: str, *, exists: str = "", remedy: str = "", step: str | None = None
) -> BuildError:
    """Return a BuildError for the user's current line."""
    return BuildError([Problem(what, step, source_line(), exists, remedy)])


def made(node: type[N], **fields: object) -> N:
    """Return a node of the intermediate form, or refuse the user's line for what it was given."""
    try:
        return node(**fields)
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, one['loc']))} {one['input']!r}: {one['msg']}"
            for one in error.errors(include_url=False)
        )
        name = fields.get("name")
        raise refusal("; ".join(problems), step=None if name is None else str(name)) from None


class Symbol:
    """A value that a run will have: an expression and its type.

    A pydantic field never starts with an underscore, so none is hidden by the two slots.
    """

    __slots__ = ("_expr", "_type")
    __hash__ = None  # type: ignore[assignment]  # == makes an expression

    _expr: Expr
    _type: Type

    def __init__(self, expr: Expr, of: Type) -> None:
        object.__setattr__(self, "_expr", expr)
        object.__setattr__(self, "_type", of)

    def __repr__(self) -> str:
        return f"<{show(self._expr)}: {describe(self._type)}>"

    def __getattr__(self, name: str) -> Symbol:
        if name.startswith("_"):
            raise AttributeError(name)
        of = self._type.of if isinstance(self._type, OptionalType) else self._type
        shown = show(self._expr)
        if isinstance(of, JsonType):
            remedy = "opaque JSON may only be passed on: give the model a typed field"
            refuse(f"{shown} has no field {name!r}", remedy=remedy)
        if not isinstance(of, ObjectType):
            refuse(f"{shown} is {describe(of)} and has no field {name!r}")
        if name not in of.fields:
            refuse(f"{shown} has no field {name!r}", exists=listed(of.fields, "fields"))
        match self._expr:
            case RefExpr(name=root, path=path):
                return Symbol(RefExpr(name=root, path=(*path, name)), of.fields[name])
            case ObjectExpr(fields=fields):
                return Symbol(fields[name], of.fields[name])
            case _:
                refuse(f"{shown} has no fields")

    def __setattr__(self, name: str, value: object) -> None:
        refuse(f"{show(self._expr)}.{name} cannot be set", remedy="build a new value: result(...)")

    def __bool__(self) -> bool:
        raise refusal(
            f"{show(self._expr)} has no truth value while the workflow is built",
            remedy="use with when(...): for `if`, and_, or_ and not_ for `and`, `or` and `not`",
        )

    def __iter__(self) -> NoReturn:
        remedy = "use map_each(items, fn)"
        refuse(f"{show(self._expr)} cannot be iterated over at build time", remedy=remedy)

    def __contains__(self, item: object) -> bool:
        remedy = "compare with ==, or let a task decide"
        refuse(f"`in` does not work on {show(self._expr)}", remedy=remedy)

    def __len__(self) -> int:
        raise refusal(f"len() does not work on {show(self._expr)}", remedy="use length(...)")

    def __getitem__(self, item: object) -> NoReturn:
        remedy = "use map_each for all items, or let a task choose one"
        refuse(f"{show(self._expr)} cannot be indexed", remedy=remedy)

    def __str__(self) -> str:
        raise refusal(f"{show(self._expr)} is no text yet", remedy="use fmt('... {}', value)")

    def __format__(self, spec: str) -> str:
        remedy = "use fmt('... {}', value) in place of an f-string"
        refuse(f"{show(self._expr)} is no text yet", remedy=remedy)

    def __int__(self) -> int:
        refuse(f"{show(self._expr)} is no number yet", remedy="use it as it is")

    __index__ = __int__

    def __eq__(self, other: object) -> Symbol:  # type: ignore[override]  # a comparison to be
        if other is None:
            return Symbol(IsNullExpr(operand=self._expr), BOOL)
        return _comparison("==", self, other)

    def __ne__(self, other: object) -> Symbol:  # type: ignore[override]  # a comparison to be
        if other is None:
            return Symbol(NotExpr(operand=IsNullExpr(operand=self._expr)), BOOL)
        return _comparison("!=", self, other)

    def __lt__(self, other: object) -> Symbol:
        return _comparison("<", self, other)

    def __le__(self, other: object) -> Symbol:
        return _comparison("<=", self, other)

    def __gt__(self, other: object) -> Symbol:
        return _comparison(">", self, other)

    def __ge__(self, other: object) -> Symbol:
        return _comparison(">=", self, other)

    def __add__(self, other: object) -> Symbol:
        return _arithmetic("+", self, other)

    def __radd__(self, other: object) -> Symbol:
        return _arithmetic("+", other, self)

    def __sub__(self, other: object) -> Symbol:
        return _arithmetic("-", self, other)

    def __rsub__(self, other: object) -> Symbol:
        return _arithmetic("-", other, self)

    def _no_arithmetic(self, other: object) -> NoReturn:
        refuse("a workflow only adds and subtracts integers", remedy="let a task calculate")

    __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __floordiv__ = __mod__ = _no_arithmetic


def show(expr: Expr) -> str:
    """Return an expression as a user would name it."""
    match expr:
        case RefExpr(name=name, path=path):
            return ".".join((name, *path))
        case LiteralExpr(value=value):
            return repr(value)
        case _:
            return f"this {expr.kind} expression"


def _comparison(op: CompareOp, left: object, right: object) -> Symbol:
    return Symbol(CompareExpr(op=op, left=lift(left)._expr, right=lift(right)._expr), BOOL)


def _arithmetic(op: ArithOp, left: object, right: object) -> Symbol:
    one, two = lift(left), lift(right)
    for side in (one, two):
        if not isinstance(side._type, IntType):
            remedy = "use fmt(...)" if isinstance(side._type, StringType) else "let a task do it"
            refuse(f"{op} takes integers, not {describe(side._type)}", remedy=remedy)
    return Symbol(ArithExpr(op=op, left=one._expr, right=two._expr), INT)


def lift(value: object) -> Symbol:
    """Return a Python value, possibly with symbols inside, as one symbol."""
    match value:
        case Symbol():
            return value
        case enum.Enum():
            return lift(value.value)
        case None:
            return Symbol(LiteralExpr(value=None), NULL)
        case bool():
            return Symbol(LiteralExpr(value=value), BOOL)
        case int():
            return Symbol(LiteralExpr(value=value), INT)
        case str():
            return Symbol(LiteralExpr(value=str(value)), StringType(enum=(str(value),)))
        case float():
            refuse(f"{value!r} is a float", remedy="use an int in a small unit, such as cents")
        case datetime() | date():
            return _time(value)
        case BaseModel():
            return lift(value.model_dump(mode="json"))
        case dict():
            return _object(cast("dict[object, object]", value))
        case list() | tuple():
            return _list(value)
        case _:
            kind = type(value).__name__
            refuse(f"a {kind} is no workflow value", remedy="use JSON values, models and symbols")


def _time(value: datetime | date) -> Symbol:
    if isinstance(value, datetime) and value.tzinfo is None:
        refuse(f"{value!r} has no time zone", remedy="give it one: tzinfo=UTC")
    return lift(value.isoformat())


def _object(value: dict[object, object]) -> Symbol:
    parts: dict[str, Symbol] = {}
    for name, item in value.items():
        if not isinstance(name, str):
            refuse(f"{name!r} is no field name", remedy="field names are strings")
        parts[name] = lift(item)
    return Symbol(
        ObjectExpr(fields={name: part._expr for name, part in parts.items()}),
        ObjectType(fields={name: part._type for name, part in parts.items()}),
    )


def _list(value: Sequence[object]) -> Symbol:
    parts = [lift(item) for item in value]
    item: Type = NEVER
    for part in parts:
        joined = join(item, part._type)
        if joined is None:
            refuse(f"a list holds both {describe(item)} and {describe(part._type)}")
        item = joined
    return Symbol(ListExpr(items=tuple(part._expr for part in parts)), ListType(item=item))


def expression(value: object) -> Expr:
    """Return a Python value, possibly with symbols inside, as an expression."""
    return lift(value)._expr


def kind(value: object) -> Type:
    """Return the workflow type of a Python value, possibly with symbols inside."""
    return lift(value)._type


def condition(value: object, where: str) -> Expr:
    """Return a condition as an expression; a plain bool is a mistake."""
    if isinstance(value, bool):
        refuse(
            f"{where} got a plain {value}, which was decided when the workflow was built",
            remedy="compare symbols; for `is None` use is_null(...)",
        )
    return expression(value)


def derive(annotation: object, where: str) -> Type:
    """Return the workflow type of an annotation, or refuse the user's line."""
    try:
        return type_from(annotation, where)
    except UnsupportedType as error:
        refuse(str(error))


def model_fields(model: type[BaseModel], given: dict[str, object]) -> dict[str, Expr]:
    """Return the fields of an object of this model, in its order, with its constant defaults.

    Unknown fields are kept, and missing ones left out, for the checker to report.
    """
    fields: dict[str, Expr] = {}
    for name, field in model.model_fields.items():
        if name in given:
            fields[name] = expression(given[name])
        elif field.default is not PydanticUndefined:
            fields[name] = expression(field.default)
        elif field.default_factory in (list, tuple):
            fields[name] = ListExpr()
    for name, value in given.items():
        if name not in fields:
            fields[name] = expression(value)
    return fields
