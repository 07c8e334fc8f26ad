"""What names mean in a list of steps: where each value lies, of which type, at which position."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

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
from cartwheel_gcp._names import Place


@dataclass(slots=True)
class Scope:
    """Is the names of a line of steps: the run's own, a branch's or an item's.

    `position` holds the index variables of the maps around, `depth` counts parallels around,
    `declared` are the variables that begin as null, `dropped` the steps that only said so, `once`
    the names that one step sets.
    """

    places: dict[str, Place]
    types: dict[str, t.Type]
    outer: Scope | None = None
    position: tuple[str, ...] = ()
    depth: int = 0
    declared: list[str] = field(default_factory=list)
    dropped: frozenset[str] = frozenset()
    once: frozenset[str] = frozenset()

    def place(self, name: str) -> Place:
        """Give the place of a name, of this scope or of one around it."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.places.get(name)
            if found is not None:
                return found
            scope = scope.outer
        raise KeyError(name)

    def declare(self, variable: str) -> str:
        """Have a variable exist, as null, before the first step of this line."""
        if variable not in self.declared:
            self.declared.append(variable)
        return variable

    def learn(self, name: str, of: t.Type) -> None:
        """Note the type of a name; null alone says nothing new."""
        if not isinstance(of, t.NullType) or name not in self.types:
            self.types[name] = of

    def type_of(self, expr: Expr) -> t.Type:
        """Give the type of an expression; what may be null has the type of the rest."""
        match expr:
            case LiteralExpr(value=value):
                return _literal(value)
            case RefExpr(name=name, path=path):
                return self._reference(name, path)
            case ListExpr(items=items):
                return t.ListType(item=self.type_of(items[0]) if items else t.NEVER)
            case ObjectExpr(fields=fields):
                known = {name: self.type_of(given) for name, given in fields.items()}
                return t.ObjectType(fields=known)
            case KnownExpr(operand=operand):
                return t.without_null(self.type_of(operand))
            case LengthExpr() | ArithExpr():
                return t.INT
            case FormatExpr() | KeyExpr():
                return t.STRING
            case CompareExpr() | AndExpr() | OrExpr() | NotExpr() | IsNullExpr():
                return t.BOOL
            case _ as never:
                assert_never(never)

    def _reference(self, name: str, path: tuple[str, ...]) -> t.Type:
        scope: Scope | None = self
        while scope is not None and name not in scope.types:
            scope = scope.outer
        of = t.JSON if scope is None else scope.types[name]
        for part in path:
            of = t.without_null(of)
            of = of.fields.get(part, t.JSON) if isinstance(of, t.ObjectType) else t.JSON
        return of


def _literal(value: bool | int | str | None) -> t.Type:
    match value:
        case None:
            return t.NULL
        case bool():
            return t.BOOL
        case int():
            return t.INT
        case str():
            return t.STRING
