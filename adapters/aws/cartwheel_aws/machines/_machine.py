"""The state machine while it is built: states that point to labels, and the one writer at the end.

A label is a place that may be jumped to before it is known what stands there. It ends up bound to a
state, or as another name of a label.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from cartwheel.ports import Json, JsonObject

LONGEST_NAME = 80


class Label:
    """Is a place in a machine."""

    __slots__ = ("_to", "state", "unusual")

    def __init__(self, *, unusual: bool = False) -> None:
        self.unusual = unusual
        """Whether nothing leads here while every task succeeds at once."""
        self.state: State | None = None
        self._to: Label | None = None

    def bind(self, state: State) -> None:
        """Put a state here."""
        if self.state is not None:
            raise AssertionError("the generator is at fault")
        if self._to is not None:
            raise AssertionError("the generator is at fault")
        self.state = state

    def alias(self, to: Label) -> None:
        """Make this another name of a label."""
        if self.state is not None:
            raise AssertionError("the generator is at fault")
        if self._to is not None:
            raise AssertionError("the generator is at fault")
        self._to = to

    def end(self) -> Label:
        """Return the label that this is a name of."""
        found = self
        while found._to is not None:
            found = found._to
        return found

    def target(self) -> State:
        """Return the state that stands here."""
        state = self.end().state
        if state is None:
            raise AssertionError("a label without a state")
        while state.same is not None:
            state = state.same.target()
        return state


@dataclass(eq=False, slots=True)
class Catch:
    """Sends some errors on, with the error at a path of the frame."""

    codes: tuple[str, ...]
    slot: str
    next: Label


@dataclass(eq=False, slots=True)
class State:
    """Is one state: its fields, and where it goes."""

    name: str
    fields: JsonObject
    next: Label | None = None
    rules: list[tuple[JsonObject, Label]] = field(default_factory=list)
    default: Label | None = None
    catches: list[Catch] = field(default_factory=list)
    branches: list[Label] = field(default_factory=list)
    item: Label | None = None
    again: int | None = None
    """How often the way through this state may lead back to where it began; None: it does not."""
    same: Label | None = None
    """The place of a state that does the very same."""

    @property
    def kind(self) -> str:
        """Return the state's type."""
        return str(self.fields["Type"])

    def targets(self) -> Iterator[Label]:
        """Yield where the state may go in its own machine, its usual way first."""
        if self.next is not None:
            yield self.next
        for _, target in self.rules:
            yield target
        if self.default is not None:
            yield self.default
        for catch in self.catches:
            yield catch.next

    def machines(self) -> Iterator[Label]:
        """Yield where the machines inside the state begin."""
        yield from self.branches
        if self.item is not None:
            yield self.item


def reachable(start: Label) -> list[State]:
    """Return the states of one machine in reading order: each way down before the next."""
    found: list[State] = []
    seen: set[int] = set()
    todo = [start]
    while todo:
        state = todo.pop().target()
        if id(state) in seen:
            continue
        seen.add(id(state))
        found.append(state)
        # Errors last: what usually happens is read first.
        todo.extend(reversed(list(state.targets())))
    return found


def fold_choices(start: Label) -> None:
    """Let a choice that leads straight to another one hold that one's rules too."""
    for state in reachable(start):
        seen = {id(state)}
        while state.default is not None:
            following = state.default.target()
            if following.kind != "Choice" or id(following) in seen or following.again is not None:
                break
            seen.add(id(following))
            state.rules.extend(following.rules)
            state.default = following.default
        for machine in state.machines():
            fold_choices(machine)


def merge_equal(start: Label) -> None:
    """Let states that do the same and go the same way be one."""
    known: dict[tuple[object, ...], Label] = {}
    for state in reversed(reachable(start)):
        for machine in state.machines():
            merge_equal(machine)
        if state.branches or state.item is not None:
            continue
        own = json.dumps(state.fields, sort_keys=True)
        rules = json.dumps([rule for rule, _ in state.rules], sort_keys=True)
        catches = tuple((catch.codes, catch.slot) for catch in state.catches)
        targets = tuple(id(label.end().target()) for label in state.targets())
        known_label = known.setdefault((own, rules, catches, targets), _at(state))
        if known_label.state is not state:
            state.same = known_label


def _at(state: State) -> Label:
    label = Label()
    label.bind(state)
    return label


def finished(start: Label) -> None:
    """Bring a machine into the form in which it is written."""
    fold_choices(start)
    merge_equal(start)


def write(start: Label) -> JsonObject:
    """Write a machine as data, with every name unique in it."""
    finished(start)
    names: dict[int, str] = {}
    _give_names(start, names, set())
    return _write(start, names)


def _give_names(start: Label, names: dict[int, str], taken: set[str]) -> None:
    for state in reachable(start):
        names[id(state)] = _unique(state.name, taken)
        for machine in state.machines():
            _give_names(machine, names, taken)


def _unique(wanted: str, taken: set[str]) -> str:
    base = re.sub(r"[^\w .,:()-]", "_", wanted)
    if len(base) > LONGEST_NAME:
        digest = hashlib.sha256(base.encode("utf-8")).hexdigest()[:8]
        base = f"{base[: LONGEST_NAME - 13]}~{digest}"
    name, number = base, 2
    while name in taken:
        name, number = f"{base} {number}", number + 1
    taken.add(name)
    return name


def _write(start: Label, names: dict[int, str]) -> JsonObject:
    def name(label: Label) -> str:
        return names[id(label.target())]

    states: JsonObject = {}
    for state in reachable(start):
        written: JsonObject = dict(state.fields)
        if state.rules:
            written["Choices"] = [{**rule, "Next": name(to)} for rule, to in state.rules]
        if state.default is not None:
            written["Default"] = name(state.default)
        if state.branches:
            written["Branches"] = [_write(branch, names) for branch in state.branches]
        if state.item is not None:
            processor: Json = {"ProcessorConfig": {"Mode": "INLINE"}, **_write(state.item, names)}
            written["ItemProcessor"] = processor
        if state.catches:
            written["Catch"] = [
                {
                    "ErrorEquals": list(catch.codes),
                    "ResultPath": f"$.{catch.slot}",
                    "Next": name(catch.next),
                }
                for catch in state.catches
            ]
        if state.next is not None:
            written["Next"] = name(state.next)
        elif state.kind not in ("Choice", "Fail", "Succeed"):
            written["End"] = True
        states[names[id(state)]] = written
    return {"StartAt": name(start), "States": states}
