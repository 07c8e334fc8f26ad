"""Writes the language's expressions in the expression language of Workflows.

Data stays data: lists, maps and constants are written as they are, only what must be computed
becomes a `${...}` of its own. An expression is one line of at most 400 characters; what is longer,
or holds a text with signs that need quoting, takes parts from variables that are set before.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

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
    KnownExpr,
    LengthExpr,
    ListExpr,
    LiteralExpr,
    NotExpr,
    ObjectExpr,
    OrExpr,
    RefExpr,
)
from cartwheel_gcp._block import Block
from cartwheel_gcp._names import LONGEST, RUN, Fresh, field
from cartwheel_gcp._scope import Scope

_OR, _AND, _NOT, _COMPARE, _SUM, _ATOM = range(1, 7)
_PLAIN = re.compile(r"[^\x00-\x1f\x7f\"\\{}$]{0,200}\Z")
_LARGEST = t.MAX_INT
_SMALL = 2**40
"""Sums of two such numbers can't leave the range, and need no bounds."""


@dataclass(frozen=True, slots=True)
class _Text:
    text: str
    level: int = _ATOM

    def at(self, level: int) -> str:
        """Give the text with parentheses where a tighter place needs them."""
        return self.text if self.level >= level else f"({self.text})"


@dataclass(slots=True)
class Expressions:
    """Writes expressions of one list of steps; `block` takes the variables that they need."""

    scope: Scope
    block: Block
    fresh: Fresh
    too_long: Callable[[str], None]

    def value(self, expr: Expr) -> Json:
        """Write an expression where data stands."""
        match expr:
            case LiteralExpr(value=value):
                if isinstance(value, str) and "${" in value:
                    return self.computed(self._literal(value).text)
                return value
            case ListExpr(items=items):
                return [self.value(item) for item in items]
            case ObjectExpr(fields=fields):
                return {name: self.value(given) for name, given in fields.items()}
            case KnownExpr(operand=operand):
                return self.value(operand)
            case _:
                return self.computed(self.text(expr))

    def computed(self, text: str) -> str:
        """Wrap the text of an expression; reports one that stays too long."""
        if len(text) > LONGEST:
            self.too_long(text)
        return "${" + text + "}"

    def condition(self, expr: Expr) -> Json:
        """Write an expression where a condition stands."""
        if isinstance(expr, LiteralExpr):
            return expr.value
        return self.computed(self.text(expr))

    def text(self, expr: Expr) -> str:
        """Write the text of an expression, without `${}`; long parts go to variables before."""
        written = self._text(expr)
        if len(written.text) <= LONGEST:
            return written.text
        return self._shorter(expr).text

    def _text(self, expr: Expr) -> _Text:
        match expr:
            case LiteralExpr(value=value):
                return self._literal(value)
            case RefExpr(name=name, path=path):
                return _Text(self.scope.place(name).text + "".join(map(field, path)))
            case ListExpr(items=items):
                return self._data(expr)
            case ObjectExpr():
                return self._data(expr)
            case CompareExpr():
                return self._compare(expr)
            case AndExpr(operands=operands):
                return self._joined(operands, " and ", _AND, "true")
            case OrExpr(operands=operands):
                return self._joined(operands, " or ", _OR, "false")
            case NotExpr(operand=operand):
                return self._not(operand)
            case IsNullExpr(operand=operand):
                return self._is_null(operand, "==")
            case LengthExpr(operand=ListExpr(items=items)):
                return _Text(str(len(items)))
            case LengthExpr(operand=operand):
                return _Text(f"len({self._text(operand).text})")
            case FormatExpr(parts=parts):
                return self._format(parts)
            case ArithExpr():
                return self._arith(expr)
            case KeyExpr(step=step):
                return _Text(self.key(step), _SUM)
            case KnownExpr(operand=operand):
                return self._text(operand)
            case _ as never:
                assert_never(never)

    def key(self, step: str, *more: str) -> str:
        """Write the key of a step at this position, with further indexes behind."""
        parts = [f'{RUN}.run_id + ":{step}']
        for index in (*self.scope.position, *more):
            parts[-1] += ':"'
            parts += [f"string({index})", '"']
        if parts[-1] == '"':
            return " + ".join(parts[:-1])
        return " + ".join(parts) + '"'

    def _literal(self, value: bool | int | str | None) -> _Text:
        match value:
            case None:
                return _Text("null")
            case bool():
                return _Text("true" if value else "false")
            case int():
                return _Text(str(value), _ATOM if value >= 0 else _SUM)
            case str() if _PLAIN.match(value):
                return _Text(f'"{value}"')
            case str() if "${" in value:
                # A text with this sign would be read as an expression: keep its halves apart.
                pieces = value.replace("${", "$\0{").split("\0")
                name = self._keep([*pieces])
                indexes = (f"{name}[{index}]" for index in range(len(pieces)))
                return _Text(" + ".join(indexes), _SUM)
            case str():
                return _Text(self._keep(value))

    def _data(self, expr: Expr) -> _Text:
        return _Text(self._keep(self.value(expr)))

    def _keep(self, value: Json) -> str:
        name = self.fresh("kept")
        self.block.assign(name, [{name: value}])
        return name

    def _compare(self, expr: CompareExpr) -> _Text:
        left, right = expr.left, expr.right
        if isinstance(left, LiteralExpr) and not isinstance(right, LiteralExpr):
            turned = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
            op, left, right = turned.get(expr.op, expr.op), right, left
        else:
            op = str(expr.op)
        truth = isinstance(right, LiteralExpr) and isinstance(right.value, bool)
        if truth and isinstance(right, LiteralExpr) and self.scope.type_of(left) == t.BOOL:
            same = (op == "==") is right.value
            return self._text(left) if same else self._not(left)
        one, two = self._text(left), self._text(right)
        return _Text(f"{one.at(_SUM)} {op} {two.at(_SUM)}", _COMPARE)

    def _joined(self, operands: tuple[Expr, ...], by: str, level: int, empty: str) -> _Text:
        if not operands:
            return _Text(empty)
        parts = [self._text(operand) for operand in operands]
        if len(parts) == 1:
            return parts[0]
        return _Text(by.join(part.at(level + 1) for part in parts), level)

    def _not(self, operand: Expr) -> _Text:
        match operand:
            case IsNullExpr(operand=inner):
                return self._is_null(inner, "!=")
            case NotExpr(operand=inner):
                return self._text(inner)
            case LiteralExpr(value=value):
                return self._literal(not value)
            case _:
                return _Text(f"not ({self._text(operand).text})", _NOT)

    def _is_null(self, operand: Expr, op: str) -> _Text:
        while isinstance(operand, KnownExpr):
            operand = operand.operand
        if isinstance(operand, RefExpr):
            return _Text(f"{self._text(operand).text} {op} null", _COMPARE)
        holds = isinstance(operand, LiteralExpr) and operand.value is None
        return _Text("true" if holds == (op == "==") else "false")

    def _format(self, parts: tuple[Expr, ...]) -> _Text:
        texts = [self._piece(part) for part in parts]
        if not texts:
            return _Text('""')
        return _Text(" + ".join(texts), _SUM if len(texts) > 1 else _ATOM)

    def _piece(self, part: Expr) -> str:
        if isinstance(part, LiteralExpr):
            return self._literal(str(part.value)).text
        written = self._text(part)
        if isinstance(self.scope.type_of(part), t.IntType):
            return f"string({written.text})"
        return written.at(_SUM)

    def _arith(self, expr: ArithExpr) -> _Text:
        one, two = self._text(expr.left), self._text(expr.right)
        right = two.at(_ATOM) if expr.op == "-" else two.at(_SUM)
        total = f"{one.at(_SUM)} {expr.op} {right}"
        if _is_small(expr.left) and _is_small(expr.right):
            return _Text(total, _SUM)
        return _Text(f"math.max(-{_LARGEST}, math.min({_LARGEST}, {total}))")

    def _shorter(self, expr: Expr) -> _Text:
        """Write an expression that is too long in pieces, each kept in a variable."""
        match expr:
            case FormatExpr(parts=parts):
                return self._chunks([self._piece(part) for part in parts])
            case AndExpr(operands=operands):
                return self._guarded(operands, stop=False)
            case OrExpr(operands=operands):
                return self._guarded(operands, stop=True)
            case NotExpr(operand=operand):
                return _Text(f"not {self._shorter(operand).text}", _NOT)
            case CompareExpr(op=op, left=left, right=right):
                one, two = self._variable(left), self._variable(right)
                return _Text(f"{one} {op} {two}", _COMPARE)
            case ArithExpr(op=op, left=left, right=right):
                total = f"{self._variable(left)} {op} {self._variable(right)}"
                return _Text(f"math.max(-{_LARGEST}, math.min({_LARGEST}, {total}))")
            case KnownExpr(operand=operand):
                return self._shorter(operand)
            case _:
                return self._text(expr)

    def _chunks(self, texts: list[str]) -> _Text:
        name = self.fresh("kept")
        chunk = ""
        for text in texts:
            longer = f"{chunk} + {text}" if chunk else text
            if chunk and len(longer) > LONGEST:
                self.block.assign(name, [{name: self.computed(chunk)}])
                longer = f"{name} + {text}"
            chunk = longer
        return _Text(chunk, _SUM)

    def _variable(self, expr: Expr) -> str:
        if isinstance(expr, LiteralExpr) and not isinstance(expr.value, str):
            return self._literal(expr.value).text
        name = self.fresh("kept")
        self.block.assign(name, [{name: self.value(expr)}])
        return name

    def _guarded(self, operands: tuple[Expr, ...], *, stop: bool) -> _Text:
        """Evaluate operands one after the other, each only if those before did not decide."""
        name = self.fresh("kept")
        self.block.assign(name, [{name: self.value(operands[0])}])
        going = f"not {name}" if stop else name
        for operand in operands[1:]:
            inner = self.block.inner()
            nested = Expressions(self.scope, inner, self.fresh, self.too_long)
            inner.assign(name, [{name: nested.value(operand)}])
            entry: Json = {"condition": self.computed(going), "steps": inner.steps}
            self.block.add(f"{name}_so_far", {"switch": [entry]})
        return _Text(name)


def _is_small(expr: Expr) -> bool:
    match expr:
        case LiteralExpr(value=int() as value):
            return abs(value) < _SMALL
        case LengthExpr():
            return True
        case _:
            return False
