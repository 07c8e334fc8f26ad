"""Types of expressions in a place of a workflow:

what is set there, and what is known not to be null.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

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
from cartwheel.workflow._problems import listed
from cartwheel.workflow._types import (
    BOOL,
    INT,
    MAX_INT,
    NEVER,
    NULL,
    STRING,
    BoolType,
    IntType,
    JsonType,
    ListType,
    NullType,
    ObjectType,
    OptionalType,
    StringType,
    Type,
    assignable,
    describe,
    is_nullable,
    join,
    without_null,
)

Path: TypeAlias = tuple[str, ...]
Report: TypeAlias = Callable[[str, str, str], None]
"""Called with what is wrong, what exists, and what to do."""


@dataclass(slots=True)
class Scope:
    """What the steps before a place have made sure of.

    A type of None belongs to a name whose own definition is wrong: reading it reports nothing more.
    """

    types: dict[str, Type | None]
    unsure: dict[str, str] = field(default_factory=dict)
    not_null: set[Path] = field(default_factory=set)
    outer: frozenset[str] = frozenset()

    def copy(self) -> Scope:
        """Return a scope of its own that starts the same."""
        return Scope(dict(self.types), dict(self.unsure), set(self.not_null), self.outer)

    def inner(self) -> Scope:
        """Return the scope of a branch: it sees all names, and may set none of them."""
        scope = self.copy()
        scope.outer = frozenset((*self.types, *self.unsure))
        return scope

    def narrowed(self, paths: set[Path]) -> Scope:
        """Return a scope which also knows that these are not null."""
        scope = self.copy()
        scope.not_null |= paths
        return scope

    def set(self, name: str, of: Type | None, value: Type | None = None) -> None:
        """Set a name; `value` is the type of what it is set to, if that is narrower than the
        name's."""
        self.types[name] = of
        self.unsure.pop(name, None)
        self.not_null = {path for path in self.not_null if path[0] != name}
        if of is not None and is_nullable(of) and value is not None and not is_nullable(value):
            self.not_null.add((name,))


def merge(one: Scope | None, two: Scope | None) -> Scope | None:
    """Return what holds after either of two arms; an arm of None does not come to its end."""
    if one is None or two is None:
        return two if one is None else one
    merged = Scope({}, {**one.unsure, **two.unsure}, one.not_null & two.not_null, one.outer)
    for name in {*one.types, *two.types}:
        if name not in one.types or name not in two.types:
            merged.unsure.setdefault(name, "is set on one way to this place only")
            continue
        left, right = one.types[name], two.types[name]
        joined = None if left is None or right is None else join(left, right)
        if left is not None and right is not None and joined is None:
            reason = (
                f"is {describe(left)} on one way to this place and {describe(right)} on another"
            )
            merged.unsure[name] = reason
            continue
        if name not in merged.unsure:
            merged.types[name] = joined
            for scope, of in ((one, left), (two, right)):
                other = two if scope is one else one
                if of is not None and not is_nullable(of) and (name,) in other.not_null:
                    merged.not_null.add((name,))
    return merged


def facts(condition: Expr, *, holds: bool) -> set[Path]:
    """Return the references that are not null when a condition holds, or does not."""
    match condition:
        case NotExpr(operand=operand):
            return facts(operand, holds=not holds)
        case IsNullExpr(operand=RefExpr(name=name, path=path)) if not holds:
            return {(name, *path)}
        case AndExpr(operands=operands) if holds:
            return set().union(*(facts(operand, holds=True) for operand in operands))
        case OrExpr(operands=operands) if not holds:
            return set().union(*(facts(operand, holds=False) for operand in operands))
        case _:
            return set()


def expect(expr: Expr, target: Type, scope: Scope, report: Report, what: str) -> None:
    """Report what keeps an expression from having a type."""
    inner = target.of if isinstance(target, OptionalType) else target
    if isinstance(expr, ListExpr) and isinstance(inner, ListType):
        for index, item in enumerate(expr.items):
            expect(item, inner.item, scope, report, f"{what}[{index}]")
        return
    if isinstance(expr, ObjectExpr) and isinstance(inner, ObjectType):
        expect_fields(expr.fields, inner, scope, report, what)
        return
    source = type_of(expr, scope, report)
    if source is None or assignable(source, target):
        return
    remedy = ""
    if is_nullable(source) and assignable(without_null(source), target):
        remedy = "use it inside when(not_(is_null(...)))"
    elif isinstance(source, JsonType):
        remedy = "opaque JSON may only be passed on as such: give the task's model a field type"
    report(f"{what} must be {describe(target)}, not {describe(source)}", "", remedy)


def expect_fields(
    fields: dict[str, Expr], target: ObjectType, scope: Scope, report: Report, what: str
) -> None:
    """Report missing, unknown and wrongly typed fields of an object under construction."""
    for name in target.fields.keys() - fields.keys():
        wanted = describe(target.fields[name])
        report(f"{what} lacks the field {name!r} ({wanted})", "", f"give {name}=...")
    for name, value in fields.items():
        if name in target.fields:
            expect(value, target.fields[name], scope, report, f"{what}.{name}")
        else:
            report(f"{what} has no field {name!r}", listed(target.fields, "fields"), "")


def type_of(expr: Expr, scope: Scope, report: Report) -> Type | None:
    """Return the type of an expression, or None after reporting why it has none."""
    match expr:
        case LiteralExpr(value=value):
            return _literal(value, report)
        case RefExpr():
            return _reference(expr, scope, report)
        case ListExpr(items=items):
            return _list(items, scope, report)
        case ObjectExpr(fields=fields):
            types = {name: type_of(value, scope, report) for name, value in fields.items()}
            known = {name: of for name, of in types.items() if of is not None}
            return ObjectType(fields=known) if len(known) == len(types) else None
        case CompareExpr():
            _compare(expr, scope, report)
            return BOOL
        case AndExpr(operands=operands) | OrExpr(operands=operands):
            for operand in operands:
                expect(operand, BOOL, scope, report, "a condition")
                scope = scope.narrowed(facts(operand, holds=isinstance(expr, AndExpr)))
            return BOOL
        case NotExpr(operand=operand):
            expect(operand, BOOL, scope, report, "a condition")
            return BOOL
        case IsNullExpr(operand=operand):
            if isinstance(type_of(operand, scope, report), JsonType):
                report("is_null of opaque JSON", "", "opaque JSON may only be passed on")
            return BOOL
        case LengthExpr(operand=operand):
            of = type_of(operand, scope, report)
            if of is not None and not isinstance(of, ListType):
                report(f"length takes a list, not {describe(of)}", "", "")
            return INT
        case FormatExpr(parts=parts):
            for part in parts:
                of = type_of(part, scope, report)
                if of is not None and not isinstance(of, StringType | IntType):
                    report(f"fmt takes strings and integers, not {describe(of)}", "", "")
            return STRING
        case ArithExpr(left=left, right=right, op=op):
            expect(left, INT, scope, report, f"the left side of {op}")
            expect(right, INT, scope, report, f"the right side of {op}")
            return INT
        case KnownExpr(operand=operand):
            of = type_of(operand, scope, report)
            return None if of is None else without_null(of)
        case KeyExpr():
            return STRING


def _literal(value: bool | int | str | None, report: Report) -> Type:
    match value:
        case None:
            return NULL
        case bool():
            return BOOL
        case int():
            if abs(value) > MAX_INT:
                report(f"the integer {value} is out of range", "", f"|n| <= {MAX_INT}")
            return INT
        case str():
            return StringType(enum=(value,))


def _list(items: tuple[Expr, ...], scope: Scope, report: Report) -> Type | None:
    item: Type = NEVER
    for expr in items:
        of = type_of(expr, scope, report)
        if of is None:
            return None
        joined = join(item, of)
        if joined is None:
            report(f"a list holds both {describe(item)} and {describe(of)}", "", "")
            return None
        item = joined
    return ListType(item=item)


def _reference(ref: RefExpr, scope: Scope, report: Report) -> Type | None:
    if ref.name in scope.unsure:
        remedy = f"set {ref.name!r} before, or on every way with one type"
        report(f"{ref.name!r} {scope.unsure[ref.name]}", "", remedy)
        return None
    if ref.name not in scope.types:
        report(f"nothing is named {ref.name!r} here", listed(scope.types, "names"), "")
        return None
    of = scope.types[ref.name]
    at: Path = (ref.name,)
    for name in (*ref.path, None):
        if of is None:
            return None
        if at in scope.not_null:
            of = without_null(of)
        if name is None:
            break
        shown = ".".join(at)
        if isinstance(of, OptionalType | NullType):
            remedy = f"read it inside when(not_(is_null({shown})))"
            report(f"{shown} may be null, so it has no field {name!r}", "", remedy)
            return None
        if not isinstance(of, ObjectType):
            remedy = "opaque JSON may only be passed on" if isinstance(of, JsonType) else ""
            report(f"{shown} is {describe(of)} and has no field {name!r}", "", remedy)
            return None
        if name not in of.fields:
            report(f"{shown} has no field {name!r}", listed(of.fields, "fields"), "")
            return None
        of = of.fields[name]
        at = (*at, name)
    return of


def _compare(expr: CompareExpr, scope: Scope, report: Report) -> None:
    left, right = type_of(expr.left, scope, report), type_of(expr.right, scope, report)
    if left is None or right is None:
        return
    shown = f"{describe(left)} {expr.op} {describe(right)}"
    if expr.op not in ("==", "!="):
        numbers = isinstance(left, IntType) and isinstance(right, IntType)
        if not numbers and not (isinstance(left, StringType) and isinstance(right, StringType)):
            report(
                f"cannot order {shown}", "", "order is for two integers or two strings, not null"
            )
        return
    if isinstance(left, NullType) or isinstance(right, NullType):
        report(f"cannot compare {shown}", "", "use is_null(...)")
        return
    one, two = without_null(left), without_null(right)
    scalars = isinstance(one, BoolType | IntType | StringType) and one.kind == two.kind
    if not scalars:
        remedy = "equality is for two booleans, two integers or two strings"
        report(f"cannot compare {shown}", "", remedy)
    elif isinstance(one, StringType) and isinstance(two, StringType):
        apart = one.enum is not None and two.enum is not None and not {*one.enum} & {*two.enum}
        both_literal = isinstance(expr.left, LiteralExpr) and isinstance(expr.right, LiteralExpr)
        if apart and not both_literal and not (is_nullable(left) and is_nullable(right)):
            report(f"{shown} can never be equal", "", "mind the spelling")


def merge_value(before: Type | None, after: Type | None) -> Type | None:
    """Return the type of a name that may or may not have been set again."""
    if before is None or after is None:
        return None
    return join(before, after)
