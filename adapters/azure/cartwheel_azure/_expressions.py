"""Turns expressions of the language into Python expressions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import assert_never

from cartwheel.workflow._expr import (
    AndExpr,
    ArithExpr,
    CompareExpr,
    CompareOp,
    Expr,
    FormatExpr,
    IsNullExpr,
    KeyExpr,
    KnownExpr,
    LengthExpr,
    ListExpr,
    LiteralExpr,
    NotExpr,
    ObjectExpr,
    OrExpr,
    RefExpr,
)

RUNTIME = "cw"
"""The name under which an orchestrator knows its runtime."""

_COMPARE: dict[CompareOp, type[ast.cmpop]] = {
    "==": ast.Eq,
    "!=": ast.NotEq,
    "<": ast.Lt,
    "<=": ast.LtE,
    ">": ast.Gt,
    ">=": ast.GtE,
}


def name(identifier: str) -> ast.Name:
    """Read a name."""
    return ast.Name(id=identifier, ctx=ast.Load())


def store(identifier: str) -> ast.Name:
    """Set a name."""
    return ast.Name(id=identifier, ctx=ast.Store())


def constant(value: bool | int | str | None) -> ast.expr:
    """Write a constant; Python has no negative literals, but a sign before them."""
    if type(value) is int and value < 0:
        return ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=-value))
    return ast.Constant(value=value)


def attribute(of: str, field: str) -> ast.Attribute:
    """Read an attribute of a name."""
    return ast.Attribute(value=name(of), attr=field, ctx=ast.Load())


def runtime(function: str) -> ast.Attribute:
    """Name something of the runtime."""
    return attribute(RUNTIME, function)


def call(
    function: ast.expr, *arguments: ast.expr, keywords: dict[str, ast.expr] | None = None
) -> ast.Call:
    """Call a function."""
    named = [ast.keyword(arg=each, value=value) for each, value in (keywords or {}).items()]
    return ast.Call(func=function, args=list(arguments), keywords=named)


class Expressions:
    """Translates the expressions of one line of steps.

    `names` gives the Python name of a workflow's name, `at` the name of the position inside maps.
    """

    def __init__(self, names: Callable[[str], str], at: str | None) -> None:
        self._names = names
        self._at = at

    def of(self, expr: Expr) -> ast.expr:
        """Return the Python expression with an expression's value."""
        match expr:
            case LiteralExpr(value=value):
                return constant(value)
            case RefExpr(name=root, path=path):
                return self._reference(root, path)
            case ListExpr(items=items):
                return ast.List(elts=self._all(items), ctx=ast.Load())
            case ObjectExpr(fields=fields):
                return self.object(fields)
            case CompareExpr(op=op, left=left, right=right):
                return self._compare(_COMPARE[op](), self.of(left), self.of(right))
            case AndExpr(operands=operands):
                return self._logic(ast.And(), operands, empty=True)
            case OrExpr(operands=operands):
                return self._logic(ast.Or(), operands, empty=False)
            case NotExpr(operand=IsNullExpr(operand=operand)):
                return self._is_null(operand, no=True)
            case NotExpr(operand=operand):
                return ast.UnaryOp(op=ast.Not(), operand=self.of(operand))
            case IsNullExpr(operand=operand):
                return self._is_null(operand)
            case LengthExpr(operand=operand):
                return call(name("len"), self.of(operand))
            case FormatExpr(parts=parts):
                return call(runtime("text"), *self._all(parts))
            case ArithExpr(op=op, left=left, right=right):
                sign = ast.Add() if op == "+" else ast.Sub()
                total = ast.BinOp(left=self.of(left), op=sign, right=self.of(right))
                return call(runtime("clamp"), total)
            case KnownExpr(operand=operand):
                return self.of(operand)
            case KeyExpr(step=step):
                return call(attribute("run", "key"), *self._place(step))
            case _:
                assert_never(expr)

    def object(self, fields: dict[str, Expr]) -> ast.Dict:
        """Return the Python expression of an object."""
        keys: list[ast.expr | None] = [constant(field) for field in fields]
        return ast.Dict(keys=keys, values=self._all(fields.values()))

    def _all(self, exprs: Iterable[Expr]) -> list[ast.expr]:
        return [self.of(expr) for expr in exprs]

    def _reference(self, root: str, path: tuple[str, ...]) -> ast.expr:
        value: ast.expr = name(self._names(root))
        for field in path:
            value = ast.Subscript(value=value, slice=constant(field), ctx=ast.Load())
        return value

    def _compare(self, operator: ast.cmpop, left: ast.expr, right: ast.expr) -> ast.expr:
        return ast.Compare(left=left, ops=[operator], comparators=[right])

    def _is_null(self, operand: Expr, *, no: bool = False) -> ast.expr:
        """Compare with None; of what is no reference the answer is known, and Python warns."""
        if isinstance(operand, KnownExpr):
            return self._is_null(operand.operand, no=no)
        if not isinstance(operand, RefExpr):
            null = isinstance(operand, LiteralExpr) and operand.value is None
            return constant(null is not no)
        operator = ast.IsNot() if no else ast.Is()
        return self._compare(operator, self.of(operand), constant(None))

    def _logic(self, op: ast.boolop, operands: tuple[Expr, ...], *, empty: bool) -> ast.expr:
        match operands:
            case ():
                return constant(empty)
            case (only,):
                return self.of(only)
            case _:
                return ast.BoolOp(op=op, values=self._all(operands))

    def _place(self, step: str) -> list[ast.expr]:
        if self._at is None:
            return [constant(step)]
        return [ast.BinOp(left=constant(step), op=ast.Add(), right=name(self._at))]
