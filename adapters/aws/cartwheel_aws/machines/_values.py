"""What an expression has become at a place of a state machine: a constant, a path of the frame, or
something still to compute.

Names of a workflow are not kept in the frame one by one: the generator knows what each stands for,
so that an assignment costs no state. Values are hashable, so that equal places can be shared.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, assert_never

from cartwheel.workflow import _expr as ex
from cartwheel.workflow import _types as t

Step: TypeAlias = str | int
Path: TypeAlias = tuple[Step, ...]
Env: TypeAlias = Mapping[str, "Value"]

RAW = t.ObjectType(fields={"Error": t.STRING, "Cause": t.STRING})
"""The type of an error as the engine gave it, in a settled record; absent where there is none."""


@dataclass(frozen=True, slots=True)
class Lit:
    """A constant; `kind` keeps true and 1 apart."""

    value: ex.Scalar
    kind: str


@dataclass(frozen=True, slots=True)
class At:
    """What lies at a path of the frame."""

    path: Path
    type: t.Type | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Obj:
    """An object under construction."""

    fields: tuple[tuple[str, Value], ...]

    def get(self, name: str) -> Value:
        """Return a field; null when there is none."""
        return next((value for key, value in self.fields if key == name), NULL)


@dataclass(frozen=True, slots=True)
class Lst:
    """A list under construction."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Cmp:
    """A comparison."""

    op: ex.CompareOp
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class All:
    """True when all parts are."""

    parts: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """True when one part is."""

    parts: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    of: Value


@dataclass(frozen=True, slots=True)
class IsNull:
    """Whether something is null; for an error that may be absent, whether it is."""

    of: Value


@dataclass(frozen=True, slots=True)
class Len:
    """The length of a list."""

    of: Value


@dataclass(frozen=True, slots=True)
class Fmt:
    """A text put together."""

    parts: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum or difference that saturates."""

    op: ex.ArithOp
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class Once:
    """A value once a slot is filled, null before."""

    slot: At
    value: Value


@dataclass(frozen=True, slots=True)
class Caught:
    """An error as the engine gave it, `{Error, Cause}`, at a slot of the frame.

    `codes` are all that it can have, None for any. A `settled` one comes from a branch, which may
    have put the error beside it already.
    """

    slot: str
    codes: frozenset[str] | None = field(default=None, compare=False)
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A field of a caught error."""

    of: Caught
    name: str


@dataclass(frozen=True, slots=True)
class MaybeCaught:
    """An error in a settled record, absent where there is none."""

    path: Path


Value: TypeAlias = (
    Lit
    | At
    | Obj
    | Lst
    | Cmp
    | All
    | Some
    | Not
    | IsNull
    | Len
    | Fmt
    | Sum
    | Once
    | Caught
    | Part
    | MaybeCaught
)


def lit(value: ex.Scalar) -> Lit:
    """Return a constant."""
    return Lit(value, type(value).__name__)


NULL = lit(None)
TRUE = lit(True)
FALSE = lit(False)

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def evaluate(expr: ex.Expr, env: Env, key: Callable[[str], Value]) -> Value:
    """Return what an expression is here; `key` gives the idempotency key of a step."""

    def go(part: ex.Expr) -> Value:
        match part:
            case ex.LiteralExpr(value=value):
                return lit(value)
            case ex.RefExpr(name=name, path=path):
                found = env[name]
                for one in path:
                    found = select(found, one)
                return found
            case ex.ListExpr(items=items):
                return Lst(tuple(map(go, items)))
            case ex.ObjectExpr(fields=fields):
                return Obj(tuple((name, go(value)) for name, value in fields.items()))
            case ex.CompareExpr(op=op, left=left, right=right):
                return compare(op, go(left), go(right))
            case ex.AndExpr(operands=operands):
                return every(tuple(map(go, operands)))
            case ex.OrExpr(operands=operands):
                return negate(every(tuple(negate(go(one)) for one in operands)))
            case ex.NotExpr(operand=operand):
                return negate(go(operand))
            case ex.IsNullExpr(operand=operand):
                return is_null(go(operand))
            case ex.LengthExpr(operand=operand):
                of = go(operand)
                return lit(len(of.items)) if isinstance(of, Lst) else Len(of)
            case ex.FormatExpr(parts=parts):
                return text(map(go, parts))
            case ex.ArithExpr(op=op, left=left, right=right):
                return add(op, go(left), go(right))
            case ex.KnownExpr(operand=operand):
                return go(operand)
            case ex.KeyExpr(step=step):
                return key(step)
            case _:
                assert_never(part)

    return go(expr)


def select(value: Value, name: str) -> Value:
    """Return a field of a value."""
    match value:
        case Obj():
            return value.get(name)
        case Once(value=inner):
            return select(inner, name)  # Whoever reads a field has ruled null out.
        case Caught():
            return Part(value, name)
        case At(path=path, type=of):
            known = None if of is None else t.without_null(of)
            inside = known.fields.get(name) if isinstance(known, t.ObjectType) else None
            if inside is not None and t.without_null(inside) == RAW:
                return MaybeCaught((*path, name))
            return At((*path, name), inside)
        case _:
            return NULL


def compare(op: ex.CompareOp, left: Value, right: Value) -> Value:
    """Return a comparison, done if both sides are constants."""
    if isinstance(left, Lit) and isinstance(right, Lit):
        if left.kind != right.kind:
            return lit(op == "!=")
        return lit(_COMPARE[op](left.value, right.value))
    if op == "!=":
        return Not(Cmp("==", left, right))
    return Cmp(op, left, right)


def negate(value: Value) -> Value:
    """Return the opposite of a value."""
    match value:
        case Lit(value=known):
            return lit(not known)
        case Not(of=of):
            return of
        case All(parts=parts):
            return Some(tuple(map(negate, parts)))
        case Some(parts=parts):
            return All(tuple(map(negate, parts)))
        case _:
            return Not(value)


def every(parts: tuple[Value, ...]) -> Value:
    """Return a conjunction without what is known to be true."""
    kept: list[Value] = []
    for part in parts:
        if part == FALSE:
            return FALSE
        if isinstance(part, All):
            kept.extend(part.parts)
        elif part != TRUE:
            kept.append(part)
    if not kept:
        return TRUE
    return kept[0] if len(kept) == 1 else All(tuple(kept))


def is_null(value: Value) -> Value:
    """Return whether a value is null, where that is known already."""
    match value:
        case Lit(value=known):
            return lit(known is None)
        case At(type=of):
            known_type = of is not None and not t.is_nullable(of)
            return FALSE if known_type else IsNull(value)
        case Once(slot=slot):
            return IsNull(slot)
        case MaybeCaught() | Part():
            return IsNull(value)
        case _:
            return FALSE


def text(parts: Iterator[Value]) -> Value:
    """Return a text with neighbouring constants joined."""
    joined: list[Value] = []
    for part in parts:
        for one in part.parts if isinstance(part, Fmt) else (part,):
            new = lit(str(one.value)) if isinstance(one, Lit) else one
            last = joined[-1] if joined else None
            if isinstance(new, Lit) and isinstance(last, Lit):
                joined[-1] = lit(f"{last.value}{new.value}")
            else:
                joined.append(new)
    if not joined:
        return lit("")
    return joined[0] if len(joined) == 1 and isinstance(joined[0], Lit) else Fmt(tuple(joined))


def add(op: ex.ArithOp, left: Value, right: Value) -> Value:
    """Return a sum or difference, done if both sides are constants."""
    if isinstance(left, Lit) and isinstance(right, Lit):
        one, two = _int(left), _int(right)
        return lit(saturated(one + two if op == "+" else one - two))
    return Sum(op, left, right)


def saturated(number: int) -> int:
    """Keep a number within what every engine holds exactly."""
    return max(-t.MAX_INT, min(t.MAX_INT, number))


def bounds(value: Value) -> tuple[int, int]:
    """Return the least and the largest number that a value can be."""
    match value:
        case Lit():
            return _int(value), _int(value)
        case Len():
            return 0, 256 * 1024
        case Sum(op=op, left=left, right=right):
            (a, b), (c, d) = bounds(left), bounds(right)
            low, high = (a + c, b + d) if op == "+" else (a - d, b - c)
            return saturated(low), saturated(high)
        case _:
            return -t.MAX_INT, t.MAX_INT


def overflows(value: Sum) -> bool:
    """Tell whether a sum can leave the range of exact numbers."""
    (a, b), (c, d) = bounds(value.left), bounds(value.right)
    low, high = (a + c, b + d) if value.op == "+" else (a - d, b - c)
    return low < -t.MAX_INT or high > t.MAX_INT


def type_of(value: Value) -> t.Type:
    """Return a value's type; what nobody knows is opaque."""
    match value:
        case Lit(value=None):
            return t.NULL
        case Lit(value=bool()) | Cmp() | All() | Some() | Not() | IsNull():
            return t.BOOL
        case Lit(value=int()) | Len() | Sum():
            return t.INT
        case Lit() | Fmt():
            return t.STRING
        case At(type=of):
            return t.JSON if of is None else of
        case Obj(fields=fields):
            return t.ObjectType(fields={name: type_of(inner) for name, inner in fields})
        case Lst(items=items):
            item: t.Type = t.NEVER
            for one in items:
                item = joined(item, type_of(one))
            return t.ListType(item=item)
        case Once(value=inner):
            return t.optional(type_of(inner))
        case Caught() | MaybeCaught():
            return RAW
        case Part(name=name):
            return t.ERROR_TYPE.fields[name]
        case _:
            assert_never(value)


def joined(one: t.Type, two: t.Type) -> t.Type:
    """Return a type for both; opaque when they have nothing in common."""
    match one, two:
        case t.ObjectType(), t.ObjectType() if one.fields.keys() == two.fields.keys():
            fields = {name: joined(of, two.fields[name]) for name, of in one.fields.items()}
            return t.ObjectType(fields=fields)
        case _:
            return t.join(one, two) or t.JSON


def inside(value: Value) -> tuple[Value, ...]:
    """Return the values directly inside a value."""
    match value:
        case Obj(fields=fields):
            return tuple(inner for _, inner in fields)
        case Lst(items=parts) | All(parts=parts) | Some(parts=parts) | Fmt(parts=parts):
            return parts
        case Cmp() | Sum():
            return (value.left, value.right)
        case Not(of=of) | IsNull(of=of) | Len(of=of):
            return (of,)
        case Once(slot=slot, value=inner):
            return (slot, inner)
        case Part(of=caught):
            return (caught,)
        case Lit() | At() | Caught() | MaybeCaught():
            return ()
        case _:
            assert_never(value)


def everything(value: Value) -> Iterator[Value]:
    """Yield a value and all that is inside it."""
    yield value
    for part in inside(value):
        yield from everything(part)


def size(value: Value) -> int:
    """Count the values that a value is made of."""
    return sum(1 for _ in everything(value))


def relative(value: Value, slot: str) -> Value | None:
    """Return a value with paths as seen from what lies in a slot; None if it needs more."""
    match value:
        case At(path=path, type=of):
            return At(path[1:], of) if path[0] == slot else None
        case Lit():
            return value
        case Obj(fields=fields):
            parts = [(name, relative(part, slot)) for name, part in fields]
            kept = tuple((name, part) for name, part in parts if part is not None)
            return Obj(kept) if len(kept) == len(parts) else None
        case Lst(items=items) | Fmt(parts=items):
            found = [relative(part, slot) for part in items]
            kept_items = tuple(part for part in found if part is not None)
            if len(kept_items) < len(found):
                return None
            return Lst(kept_items) if isinstance(value, Lst) else replace(value, parts=kept_items)
        case Len(of=of):
            part = relative(of, slot)
            return None if part is None else Len(part)
        case _:
            return None


def _int(value: Lit) -> int:
    if not isinstance(value.value, int):
        raise AssertionError("the generator is at fault")
    return value.value
