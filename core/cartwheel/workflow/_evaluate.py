"""Compiles expressions to closures over the names of a run; nothing is interpreted after that."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

from cartwheel.workflow._expr import (
    AndExpr,
    ArithExpr,
    CompareExpr,
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
from cartwheel.workflow._types import MAX_INT

Env: TypeAlias = dict[str, Any]
Eval: TypeAlias = Callable[[Env], Any]

RUN = "$run"
"""The hidden name of the run's id."""
POSITION = "$position"
"""The hidden name of the position inside maps, as a key's ending: "", ":0", ":0:3" ..."""

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compile_expr(expr: Expr) -> Eval:
    """Return a function from names to the expression's value."""
    match expr:
        case LiteralExpr(value=value):
            return lambda env: value
        case RefExpr(name=name, path=path):
            return _reference(name, path)
        case ListExpr(items=items):
            parts = tuple(map(compile_expr, items))
            return lambda env: [part(env) for part in parts]
        case ObjectExpr(fields=fields):
            return compile_object(fields)
        case CompareExpr(op=op, left=left, right=right):
            return _compare(_COMPARE[op], left, right)
        case AndExpr(operands=operands):
            return _shortcut(operands, stop=False)
        case OrExpr(operands=operands):
            return _shortcut(operands, stop=True)
        case NotExpr(operand=operand):
            inner = compile_expr(operand)
            return lambda env: not inner(env)
        case IsNullExpr(operand=operand):
            tested = compile_expr(operand)
            return lambda env: tested(env) is None
        case LengthExpr(operand=operand):
            items_of = compile_expr(operand)
            return lambda env: len(items_of(env))
        case FormatExpr(parts=texts):
            pieces = tuple(map(compile_expr, texts))
            return lambda env: "".join([str(piece(env)) for piece in pieces])
        case ArithExpr(op=op, left=left, right=right):
            one, two, sign = compile_expr(left), compile_expr(right), 1 if op == "+" else -1
            return lambda env: max(-MAX_INT, min(MAX_INT, one(env) + sign * two(env)))
        case KnownExpr(operand=operand):
            return compile_expr(operand)
        case KeyExpr(step=step):
            return lambda env: f"{env[RUN]}:{step}{env[POSITION]}"


def compile_object(fields: dict[str, Expr]) -> Eval:
    """Return a function from names to a new object."""
    pairs = tuple((name, compile_expr(value)) for name, value in fields.items())
    if len(pairs) == 1:
        ((only, get),) = pairs
        return lambda env: {only: get(env)}
    return lambda env: {name: value(env) for name, value in pairs}


def _reference(name: str, path: tuple[str, ...]) -> Eval:
    if not path:
        return operator.itemgetter(name)
    if len(path) == 1:
        (field,) = path
        return lambda env: env[name][field]

    def follow(env: Env) -> Any:
        value = env[name]
        for field in path:
            value = value[field]
        return value

    return follow


def _compare(test: Callable[[Any, Any], bool], left: Expr, right: Expr) -> Eval:
    one = compile_expr(left)
    if isinstance(right, LiteralExpr):
        constant = right.value
        return lambda env: test(one(env), constant)
    two = compile_expr(right)
    return lambda env: test(one(env), two(env))


def _shortcut(operands: tuple[Expr, ...], *, stop: bool) -> Eval:
    parts = tuple(map(compile_expr, operands))

    def run(env: Env) -> object:
        for part in parts:
            if part(env) is stop:
                return stop
        return not stop

    return run
