"""Random expressions of a wanted type over the names that are known in a place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cartwheel.workflow._expr import (
    AndExpr,
    ArithExpr,
    CompareExpr,
    Expr,
    FormatExpr,
    IsNullExpr,
    LengthExpr,
    ListExpr,
    LiteralExpr,
    NotExpr,
    ObjectExpr,
    OrExpr,
    RefExpr,
)
from cartwheel.workflow._types import (
    BOOL,
    INT,
    JSON,
    MAX_INT,
    STRING,
    ListType,
    ObjectType,
    OptionalType,
    Type,
)

Pick = Callable[[int], int]
"""Gives a number from 0 to one less than its argument; smaller ones are simpler."""

WORDS = ListType(item=STRING)
NOTE = OptionalType(of=STRING)
CAUGHT = ObjectType(fields={"code": STRING})
"""What random programs read of a caught error: messages of the language's own are not promised."""

TEXTS = (
    "a",
    "",
    "b c",
    "it's",
    'say "hi"',
    "{}",
    "${x}",
    "$.x",
    "\\",
    "two\nlines",
    "é",
    "🙂",
    "10%",
)
INTEGERS = (0, 1, 2, 7, -1, -3, 100, MAX_INT, -MAX_INT, MAX_INT - 1)
ORDER = ("<", "<=", ">", ">=", "==", "!=")
DEEPEST = 2


@dataclass(slots=True)
class Names:
    """Is what is known in a place; `mine` are the names that this line of steps may set."""

    types: dict[str, Type] = field(default_factory=dict)
    mine: set[str] = field(default_factory=set)
    not_null: frozenset[tuple[str, ...]] = frozenset()

    def copy(self) -> Names:
        """Give names that start the same."""
        return Names(dict(self.types), set(self.mine), self.not_null)

    def inner(self) -> Names:
        """Give the names of a branch, which may set none of those around it."""
        return Names(dict(self.types), set(), self.not_null)

    def set(self, name: str, of: Type) -> None:
        """Set a name."""
        self.types[name] = of
        self.mine.add(name)
        self.not_null = frozenset(path for path in self.not_null if path[0] != name)

    def references(self) -> Iterator[tuple[RefExpr, Type]]:
        """Yield all references that may be read, with their types."""
        for name, of in self.types.items():
            yield from self._inside((name,), of)

    def _inside(self, path: tuple[str, ...], of: Type) -> Iterator[tuple[RefExpr, Type]]:
        if isinstance(of, OptionalType) and path in self.not_null:
            of = of.of
        yield RefExpr(name=path[0], path=path[1:]), of
        if isinstance(of, ObjectType):
            for name, inner in of.fields.items():
                yield from self._inside((*path, name), inner)


class Values:
    """Makes expressions; what they mean is settled by their type alone."""

    def __init__(self, pick: Pick) -> None:
        self.pick = pick

    def one_of(self, *makers: Callable[[], Expr]) -> Expr:
        """Make one of several, the first being the simplest."""
        return makers[self.pick(len(makers))]()

    def make(self, of: Type, names: Names, depth: int = 0) -> Expr:
        """Make an expression of a type."""
        known = [ref for ref, found in names.references() if found == of]
        refs = [lambda: known[self.pick(len(known))]] if known else []
        if of == STRING:
            return self.one_of(*refs, self._text, *self._deeper(depth, lambda: self.format(names)))
        if of == INT:
            sums = self._deeper(depth, lambda: self._sum(names, depth), lambda: self._count(names))
            return self.one_of(*refs, self._integer, *sums)
        if of == BOOL:
            return self.one_of(*refs, lambda: self.condition(names, depth))
        if of == JSON:
            kinds = (STRING, INT, WORDS)
            some = lambda: self.make(kinds[self.pick(3)], names, 1)  # noqa: E731  # one of several
            return self.one_of(some, *refs, lambda: LiteralExpr(value=None))
        match of:
            case OptionalType(of=inner):
                some = lambda: self.make(inner, names, depth)  # noqa: E731  # one of several makers
                return self.one_of(*refs, lambda: LiteralExpr(value=None), some)
            case ListType(item=item):
                listed = lambda: self._list(item, names)  # noqa: E731  # same
                return self.one_of(*refs, listed)
            case ObjectType(fields=fields):
                made = {name: self.make(inner, names, depth + 1) for name, inner in fields.items()}
                return self.one_of(*refs, lambda: ObjectExpr(fields=made))
            case _:
                raise AssertionError(f"no expression of type {of} is made")

    def condition(self, names: Names, depth: int = 0) -> Expr:
        """Make a condition."""
        nullable = [ref for ref, of in names.references() if isinstance(of, OptionalType)]
        more: list[Callable[[], Expr]] = []
        if nullable:
            more.append(lambda: IsNullExpr(operand=nullable[self.pick(len(nullable))]))
        if depth < DEEPEST:
            more.append(lambda: NotExpr(operand=self.condition(names, depth + 1)))
            more.append(lambda: AndExpr(operands=self._two(names, depth)))
            more.append(lambda: OrExpr(operands=self._two(names, depth)))
        return self.one_of(
            lambda: self._compare(INT, names), lambda: self._compare(STRING, names), *more
        )

    def format(self, names: Names) -> Expr:
        """Make a text out of parts; its type is never narrower than a string's."""
        kinds = [(STRING, INT)[self.pick(2)] for _ in range(1 + self.pick(3))]
        return FormatExpr(parts=tuple(self.make(kind, names, DEEPEST) for kind in kinds))

    def _deeper(self, depth: int, *makers: Callable[[], Expr]) -> tuple[Callable[[], Expr], ...]:
        return makers if depth < DEEPEST else ()

    def _two(self, names: Names, depth: int) -> tuple[Expr, Expr]:
        return self.condition(names, depth + 1), self.condition(names, depth + 1)

    def _compare(self, of: Type, names: Names) -> Expr:
        # A known text on one side and a computed one on the other: two known ones, neither of
        # which can equal the other, would be refused.
        left = self.format(names) if of == STRING else self.make(INT, names, 1)
        op = ORDER[self.pick(len(ORDER))]
        return CompareExpr(op=op, left=left, right=self.make(of, names, DEEPEST))

    def _text(self) -> Expr:
        return LiteralExpr(value=TEXTS[self.pick(len(TEXTS))])

    def _integer(self) -> Expr:
        return LiteralExpr(value=INTEGERS[self.pick(len(INTEGERS))])

    def _sum(self, names: Names, depth: int) -> Expr:
        left, right = self.make(INT, names, depth + 1), self.make(INT, names, depth + 1)
        return ArithExpr(op="-" if self.pick(2) else "+", left=left, right=right)

    def _count(self, names: Names) -> Expr:
        lists = [ref for ref, of in names.references() if isinstance(of, ListType)]
        if not lists:
            return self._integer()
        return LengthExpr(operand=lists[self.pick(len(lists))])

    def _list(self, item: Type, names: Names) -> Expr:
        return ListExpr(items=tuple(self.make(item, names, 1) for _ in range(self.pick(4))))
