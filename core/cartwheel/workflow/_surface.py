"""The words of a workflow function that are not blocks: waiting, failing, building values."""

from __future__ import annotations

import string
from datetime import datetime
from typing import Generic, TypeVar, cast

from pydantic import BaseModel

from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import (
    AndExpr,
    Expr,
    FormatExpr,
    IsNullExpr,
    LengthExpr,
    LiteralExpr,
    NotExpr,
    ObjectExpr,
    OrExpr,
)
from cartwheel.workflow._recorder import named, recorder
from cartwheel.workflow._symbol import (
    Symbol,
    condition,
    derive,
    expression,
    kind,
    made,
    model_fields,
    refuse,
    source_line,
)
from cartwheel.workflow._types import BOOL, INT, STRING, ListType, Type, describe

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


def seconds(number: int) -> int:
    """Return a duration in seconds."""
    return number


def minutes(number: int) -> int:
    """Return a duration of so many minutes, in seconds."""
    return number * 60


def hours(number: int) -> int:
    """Return a duration of so many hours, in seconds."""
    return number * 3600


def days(number: int) -> int:
    """Return a duration of so many days, in seconds."""
    return number * 86_400


def sleep(
    duration: int | None = None,
    *,
    until: str | datetime | None = None,
    step: str | None = None,
) -> None:
    """Sleep for some seconds, or until a time; what has passed does not wait."""
    current = recorder("sleep")
    by_time = not isinstance(until, type(None))
    if by_time == (not isinstance(duration, type(None))):
        refuse("sleep takes either a duration or until=", remedy="for example sleep(minutes(5))")
    current.add(
        made(
            ir.SleepStep,
            name=current.step_name(step, "sleep"),
            at=source_line(),
            seconds=None if by_time else expression(duration),
            until=expression(until) if by_time else None,
        )
    )


def wait_for(
    signal: str, payload: type[T], *, timeout: int | None = None, step: str | None = None
) -> T:
    """Wait for a named signal and return its payload; after `timeout` seconds raise `Timeout`."""
    current = recorder("wait_for")
    of = derive(payload, f"the payload of signal {signal!r}")
    if not signal.isidentifier():
        refuse(f"the signal name {signal!r} is no identifier", remedy="use letters, digits and _")
    name = current.step_name(step, f"wait_{signal}")
    result = current.value_name(name)
    current.add(
        made(
            ir.WaitStep,
            name=name,
            at=source_line(),
            signal=signal,
            payload=of,
            timeout=timeout,
            result=result,
        )
    )
    return cast("T", named(result, of))


def fail(code: str, message: str, details: object = None, *, step: str | None = None) -> None:
    """Raise an error of the workflow's own; when nothing catches it the run fails with it."""
    current = recorder("fail")
    current.add(
        made(
            ir.FailStep,
            name=current.step_name(step, "fail"),
            at=source_line(),
            code=code,
            message=expression(message),
            details=expression(details),
        )
    )


def finish(value: object = None, *, step: str | None = None) -> None:
    """End the run as succeeded with a value, before the function's end."""
    current = recorder("finish")
    if current.prefix:
        remedy = "let its function return the value in the end"
        refuse("a workflow that is part of another one cannot finish early", remedy=remedy)
    current.add(
        made(
            ir.ReturnStep,
            name=current.step_name(step, "finish"),
            at=source_line(),
            value=expression(value),
        )
    )


class Variable(Generic[T]):
    """A name with a type that steps may set again."""

    __slots__ = ("_name", "_of")

    def __init__(self, name: str, of: Type) -> None:
        self._name = name
        self._of = of

    def set(self, value: T) -> None:
        """Record that the variable gets a value."""
        current = recorder(f"setting {self._name!r}")
        current.add(
            made(
                ir.AssignStep,
                name=current.step_name(None, f"set_{self._name}"),
                at=source_line(),
                variable=self._name,
                value=expression(value),
                type=self._of,
            )
        )

    @property
    def value(self) -> T:
        """The variable's value at this place of the workflow."""
        return cast("T", named(self._name, self._of))


def variable(name: str, type: type[T]) -> Variable[T]:
    """Declare a name with a type, to be set before it is read."""
    recorder("variable").take_name(name)
    return Variable(name, derive(type, f"the variable {name!r}"))


def result(model: type[M], /, **fields: object) -> M:
    """Build an object of a model from values and symbols; constant defaults are filled in."""
    recorder("result")
    of = derive(model, f"the model {model.__name__}")
    return cast("M", Symbol(ObjectExpr(fields=model_fields(model, fields)), of))


def fmt(template: str, *values: object) -> str:
    """Put a string together: each `{}` becomes the next value, a string or an integer."""
    recorder("fmt")
    parts: list[Expr] = []
    given = iter(values)
    used = 0
    for literal, name, spec, conversion in string.Formatter().parse(template):
        if literal:
            parts.append(LiteralExpr(value=literal))
        if name is None:
            continue
        if name or spec or conversion:
            refuse(f"fmt knows plain {{}} only, not {{{name}...}}", remedy="give values in order")
        used += 1
        value = next(given, _MISSING)
        if value is not _MISSING:
            parts.append(expression(value))
    if used != len(values):
        refuse(f"fmt has {used} places {{}} and {len(values)} values")
    return cast("str", Symbol(FormatExpr(parts=tuple(parts)), STRING))


_MISSING = object()


def and_(*conditions: object) -> bool:
    """Return whether all conditions hold; the later ones know what the earlier ones ruled out."""
    operands = tuple(condition(each, "and_") for each in conditions)
    return cast("bool", Symbol(AndExpr(operands=operands), BOOL))


def or_(*conditions: object) -> bool:
    """Return whether one of the conditions holds."""
    operands = tuple(condition(each, "or_") for each in conditions)
    return cast("bool", Symbol(OrExpr(operands=operands), BOOL))


def not_(of: object) -> bool:
    """Return the opposite of a condition."""
    return cast("bool", Symbol(NotExpr(operand=condition(of, "not_")), BOOL))


def is_null(value: object) -> bool:
    """Return whether a value is null."""
    return cast("bool", Symbol(IsNullExpr(operand=expression(value)), BOOL))


def length(items: object) -> int:
    """Return the number of items of a list."""
    of = kind(items)
    if not isinstance(of, ListType):
        refuse(f"length takes a list, not {describe(of)}")
    return cast("int", Symbol(LengthExpr(operand=expression(items)), INT))
