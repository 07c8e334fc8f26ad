"""The expressions of the workflow language: small, and total, so that none can fail at run time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr

from cartwheel.workflow._types import Node

Scalar = StrictBool | StrictInt | StrictStr | None
CompareOp = Literal["==", "!=", "<", "<=", ">", ">="]
ArithOp = Literal["+", "-"]


class LiteralExpr(Node):
    """A constant: null, a boolean, an integer or a string."""

    kind: Literal["literal"] = "literal"
    value: Scalar = None


class RefExpr(Node):
    """The value of a name, or of a field inside it. The run's input is the name `input`."""

    kind: Literal["ref"] = "ref"
    name: str
    path: tuple[str, ...] = ()


class ListExpr(Node):
    """A list made of expressions."""

    kind: Literal["list"] = "list"
    items: tuple[Expr, ...] = ()


class ObjectExpr(Node):
    """An object made of expressions."""

    kind: Literal["object"] = "object"
    fields: dict[str, Expr] = Field(default_factory=dict)


class CompareExpr(Node):
    """A comparison.

    Equality is for scalars of one type, order for two integers or two strings (by code point).
    """

    kind: Literal["compare"] = "compare"
    op: CompareOp
    left: Expr
    right: Expr


class AndExpr(Node):
    """True when all operands are; stops at the first that is not."""

    kind: Literal["and"] = "and"
    operands: tuple[Expr, ...]


class OrExpr(Node):
    """True when one operand is; stops at the first that is."""

    kind: Literal["or"] = "or"
    operands: tuple[Expr, ...]


class NotExpr(Node):
    """The opposite of a boolean."""

    kind: Literal["not"] = "not"
    operand: Expr


class IsNullExpr(Node):
    """Whether a value is null."""

    kind: Literal["is_null"] = "is_null"
    operand: Expr


class LengthExpr(Node):
    """The number of items of a list."""

    kind: Literal["length"] = "length"
    operand: Expr


class FormatExpr(Node):
    """A string put together from strings and integers."""

    kind: Literal["format"] = "format"
    parts: tuple[Expr, ...]


class ArithExpr(Node):
    """A sum or difference of integers, which saturates at plus and minus 2^53 - 1."""

    kind: Literal["arith"] = "arith"
    op: ArithOp
    left: Expr
    right: Expr


class KeyExpr(Node):
    """The idempotency key of a step at this position. Made by the saga lowering only."""

    kind: Literal["key"] = "key"
    step: str


class KnownExpr(Node):
    """A value that is known not to be null here. Made by the saga lowering only."""

    kind: Literal["known"] = "known"
    operand: Expr


Expr = Annotated[
    LiteralExpr
    | RefExpr
    | ListExpr
    | ObjectExpr
    | CompareExpr
    | AndExpr
    | OrExpr
    | NotExpr
    | IsNullExpr
    | LengthExpr
    | FormatExpr
    | ArithExpr
    | KeyExpr
    | KnownExpr,
    Field(discriminator="kind"),
]


def children(expr: Expr) -> tuple[Expr, ...]:
    """Return the direct sub-expressions of an expression, in evaluation order."""
    match expr:
        case LiteralExpr() | RefExpr() | KeyExpr():
            return ()
        case ListExpr(items=items):
            return items
        case ObjectExpr(fields=fields):
            return tuple(fields.values())
        case AndExpr(operands=operands) | OrExpr(operands=operands):
            return operands
        case NotExpr() | IsNullExpr() | LengthExpr() | KnownExpr():
            return (expr.operand,)
        case FormatExpr(parts=parts):
            return parts
        case CompareExpr(left=left, right=right) | ArithExpr(left=left, right=right):
            return (left, right)


def walk_expr(expr: Expr) -> Iterator[Expr]:
    """Yield an expression and everything inside it, outermost first."""
    yield expr
    for child in children(expr):
        yield from walk_expr(child)
