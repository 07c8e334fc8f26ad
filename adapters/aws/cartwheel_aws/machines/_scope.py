"""Where a step stands: what is known there, what comes after it, and who catches its errors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cartwheel.ports import Json
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import Expr, RefExpr, walk_expr
from cartwheel_aws.machines._machine import Label
from cartwheel_aws.machines._values import Value

if TYPE_CHECKING:
    from cartwheel_aws.machines._generate import Generator

Steps = tuple[ir.Step, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at a place.

    `env` says what each name stands for. The errors in the slots `normal` have the language's
    codes, those in `read` have been taken apart. The slots in `done` have been filled since the
    last fork. With `undone`, compensations may have been tried.
    """

    env: Mapping[str, Value]
    normal: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()
    done: frozenset[str] = frozenset()
    undone: bool = False

    def knowing(self, name: str | None, value: Value) -> Facts:
        """Return the facts with a name set."""
        return self if name is None else replace(self, env={**self.env, name: value})


@dataclass(eq=False, slots=True)
class Frame:
    """What the states of one machine, and of the branches in it, keep their values in."""

    in_map: bool = False
    initial: dict[str, Json] = field(default_factory=dict)
    """The slots that are read perhaps before they are filled, with what they hold until then."""
    owned: set[str] = field(default_factory=set)


@dataclass(eq=False, slots=True, frozen=True)
class Pos:
    """Is a place in a body; `rest` is where it goes on after the body's end."""

    steps: Steps
    index: int
    rest: Pos | None

    @property
    def step(self) -> ir.Step:
        """Return the step at this place."""
        return self.steps[self.index]


class Context(ABC):
    """Takes the errors that are raised at a place."""

    @abstractmethod
    def live(self, name: str) -> bool:
        """Tell whether a name may be read because of an error."""


@dataclass(eq=False, slots=True)
class Root(Context):
    """Takes what nobody caught: of the run, or of a branch, which then settles.

    `steps` is all that runs there.
    """

    frame: Frame
    steps: Steps
    settles: bool
    raised: bool = False
    ends: dict[tuple[Value, bool], Label] = field(default_factory=dict)

    def live(self, name: str) -> bool:
        """Tell that nothing is read."""
        return False


@dataclass(eq=False, slots=True)
class Guard(Context):
    """Takes the errors that its handlers list; they go on after the attempt."""

    handlers: tuple[ir.Handler, ...]
    after: Continuation
    outer: Context

    def live(self, name: str) -> bool:
        """Tell whether a handler, or what follows one, reads a name."""
        for handler in self.handlers:
            if name != handler.error and name in reads(handler.body):
                return True
        if not all(ends(handler.body) for handler in self.handlers) and self.after.live(name):
            return True
        return self.outer.live(name)


class Continuation(ABC):
    """Says what happens at the end of a line of steps."""

    terminal = True
    """Whether it is short, and may be written once for each way that leads to it."""

    @abstractmethod
    def enter(self, generator: Generator, facts: Facts, here: Label) -> None:
        """Go on from a label."""

    @abstractmethod
    def live(self, name: str) -> bool:
        """Tell whether a name may be read from here on."""


@dataclass(eq=False, slots=True)
class Join(Continuation):
    """Collects the ways that lead to one place."""

    at: Pos | None
    place: Place
    exits: list[tuple[Facts, Label]] = field(default_factory=list)
    terminal = False

    def enter(self, generator: Generator, facts: Facts, here: Label) -> None:
        """Note a way."""
        self.exits.append((facts, here))

    def live(self, name: str) -> bool:
        """Tell whether a name is read after the place."""
        return live(name, self.at, self.place)


@dataclass(eq=False, slots=True)
class Resume(Continuation):
    """Goes on at a place, once for each way."""

    at: Pos | None
    place: Place

    def enter(self, generator: Generator, facts: Facts, here: Label) -> None:
        """Go on there."""
        generator.line(self.at, facts, self.place, here, shared=True)

    def live(self, name: str) -> bool:
        """Tell whether a name is read there."""
        return live(name, self.at, self.place)


@dataclass(eq=False, slots=True, frozen=True)
class Place:
    """What surrounds a line of steps."""

    frame: Frame
    context: Context
    after: Continuation

    @property
    def root(self) -> Root:
        """Return what takes the errors that nobody catches."""
        found = self.context
        while isinstance(found, Guard):
            found = found.outer
        if not isinstance(found, Root):
            raise AssertionError("the generator is at fault")
        return found


def live(name: str, at: Pos | None, place: Place) -> bool:
    """Tell whether a name may be read at a place or after it."""
    while at is not None:
        if last_reads(at.steps).get(name, -1) >= at.index:
            return True
        if ends(at.steps):
            return place.context.live(name)
        at = at.rest
    return place.after.live(name) or place.context.live(name)


_reads: dict[int, tuple[Steps, dict[str, int]]] = {}
_MOST_CACHED = 4096


def last_reads(steps: Steps) -> dict[str, int]:
    """Return for each name the last step of a body that reads it."""
    known = _reads.get(id(steps))
    if known is not None and known[0] is steps:
        return known[1]
    found: dict[str, int] = {}
    for index, step in enumerate(steps):
        for name in _read_by(step):
            found[name] = index
    if len(_reads) >= _MOST_CACHED:
        _reads.clear()
    _reads[id(steps)] = (steps, found)
    return found


def reads(steps: Steps) -> Mapping[str, int]:
    """Return the names that a body reads."""
    return last_reads(steps)


_ends: dict[int, tuple[Steps, bool]] = {}


def ends(steps: Steps) -> bool:
    """Tell whether the end of a body is never reached."""
    known = _ends.get(id(steps))
    if known is not None and known[0] is steps:
        return known[1]
    found = any(
        isinstance(step, ir.FailStep | ir.ReturnStep | ir.RaiseStep)
        or (isinstance(step, ir.WhenStep | ir.TryStep) and all(map(ends, ir.bodies(step))))
        for step in steps
    )
    if len(_ends) >= _MOST_CACHED:
        _ends.clear()
    _ends[id(steps)] = (steps, found)
    return found


def names_in(expr: Expr) -> Iterator[str]:
    """Yield the names that an expression reads."""
    for part in walk_expr(expr):
        if isinstance(part, RefExpr):
            yield part.name


def _read_by(step: ir.Step) -> Iterator[str]:
    for inner in ir.walk((step,)):
        for expr in ir.expressions(inner):
            yield from names_in(expr)


def own_steps(steps: Steps) -> Iterator[ir.Step]:
    """Yield the steps that run in one machine: those in branches and items left out."""
    for step in steps:
        yield step
        if not isinstance(step, ir.ParallelStep | ir.MapStep):
            for body in ir.bodies(step):
                yield from own_steps(body)


def compensates(steps: Steps) -> bool:
    """Tell whether a body holds a compensating step."""
    return any(
        isinstance(step, ir.TaskStep) and step.compensates is not None for step in ir.walk(steps)
    )
