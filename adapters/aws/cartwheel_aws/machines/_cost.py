"""Counts the state transitions that a run bills, on the machine that is deployed.

Every state that is entered is a transition, and so is every retry. A map over a list of unknown
length has as many items as the lint assumes; a poll is counted with one call on the happy path, and
with all of them on the worst.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from cartwheel.workflow import _ir as ir
from cartwheel.workflow._estimate import ASSUMED_ITEMS
from cartwheel.workflow._targets import Cost
from cartwheel_aws.machines._compile import generate
from cartwheel_aws.machines._machine import Label, State, finished


class Way(NamedTuple):
    """Is a way to a machine's end: its transitions, and the tasks among them."""

    transitions: int
    effects: int


NOWHERE = Way(-(10**9), 0)
Out = Callable[[State], Iterator[Label]]


def cost(workflow: ir.Workflow) -> Cost:
    """Count what a run bills; raises BuildError when the workflow has problems of its own."""
    _, start = generate(workflow)
    finished(start)
    happy = _Count(_usual, items=ASSUMED_ITEMS, tries=False)
    best = happy.longest(start)
    if best.transitions < 0:
        best = _Count(_usual, items=ASSUMED_ITEMS, tries=False, failing=True).longest(start)
    worst = _Count(State.targets, items=ASSUMED_ITEMS, tries=True, failing=True).longest(start)
    return Cost(
        target="aws",
        unit="transition",
        happy=best.transitions,
        worst=worst.transitions,
        effects=best.effects,
        paths=_paths(start),
    )


@dataclass(slots=True)
class _Count:
    """Finds the dearest way, over the edges that `out` gives."""

    out: Out
    items: int
    tries: bool
    failing: bool = False

    def longest(self, start: Label) -> Way:
        """Return the dearest way from a label to an end."""
        return self.all_from(start)[id(start.target())]

    def all_from(self, start: Label) -> dict[int, Way]:
        """Return the dearest way from every state to an end, by the state's identity."""
        known: dict[int, Way] = {}
        loops: dict[int, list[State]] = {}
        for state in _last_first(start, self.out):
            targets = [label.target() for label in self.out(state)]
            if state.again is not None:
                # The way leads back; what a round costs is added where it begins.
                loops.setdefault(id(targets[0]), []).append(state)
                known[id(state)] = NOWHERE
                continue
            if state.kind == "Fail" and not self.failing:
                known[id(state)] = NOWHERE
                continue
            after = max((known[id(target)] for target in targets), default=Way(0, 0))
            own = self._own(state)
            way = Way(own.transitions + after.transitions, own.effects + after.effects)
            known[id(state)] = way if after != NOWHERE else NOWHERE
            if self.tries:
                for back in loops.get(id(state), ()):
                    known[id(state)] = self._again(state, back, known[id(state)])
        return known

    def _again(self, top: State, back: State, way: Way) -> Way:
        """Add the rounds of a poll to the way from its task on."""
        around = _Count(_usual_or_back, self.items, tries=True)
        rounds = around.between(top, back)
        again = back.again or 0
        return Way(
            way.transitions + again * rounds.transitions, way.effects + again * rounds.effects
        )

    def between(self, top: State, back: State) -> Way:
        """Return what one round from a poll's task to its way back costs."""
        seen, state, total, effects = set[int](), top, 0, 0
        while id(state) not in seen:
            seen.add(id(state))
            own = self._own(state)
            total, effects = total + own.transitions, effects + own.effects
            if state is back:
                break
            state = next(_usual_or_back(state)).target()
        return Way(total, effects)

    def _own(self, state: State) -> Way:
        """Return what a state itself costs, with the machines inside it."""
        count, effects = 1, 0
        if state.kind == "Task":
            effects = 0 if "waitForTaskToken" in str(state.fields["Resource"]) else 1
            count = 1 + _retries(state) if self.tries else 1
        for branch in state.branches:
            inside = self._inside(branch)
            count, effects = count + inside.transitions, effects + inside.effects
        if state.item is not None:
            inside = self._inside(state.item)
            count += self.items * inside.transitions
            effects += self.items * inside.effects
        return Way(count, effects)

    def _inside(self, start: Label) -> Way:
        found = self.longest(start)
        return found if found != NOWHERE else Way(0, 0)


def _usual(state: State) -> Iterator[Label]:
    """Yield where a state goes while every task succeeds."""
    for label in (state.next, *(to for _, to in state.rules), state.default):
        if label is not None and not label.unusual:
            yield label


def _usual_or_back(state: State) -> Iterator[Label]:
    """Yield where a poll goes while the answer is not there: its choice's last way."""
    if state.kind == "Choice" and state.default is not None:
        yield state.default
    yield from _usual(state)


def _last_first(start: Label, out: Out) -> Iterator[State]:
    """Yield the states of a machine, each after all that it leads to (ways back left out)."""
    seen: set[int] = set()
    todo: list[tuple[State, Iterator[Label]]] = []

    def enter(state: State) -> None:
        seen.add(id(state))
        todo.append((state, iter(()) if state.again is not None else out(state)))

    enter(start.target())
    while todo:
        state, rest = todo[-1]
        following = next((one for one in rest if id(one.target()) not in seen), None)
        if following is None:
            todo.pop()
            yield state
        else:
            enter(following.target())


def _retries(state: State) -> int:
    found = state.fields.get("Retry")
    if found is not None and not isinstance(found, list):
        raise AssertionError("the generator is at fault")
    tries = [one.get("MaxAttempts", 0) for one in found or () if isinstance(one, dict)]
    return max((one for one in tries if isinstance(one, int)), default=0)


def _paths(start: Label) -> dict[str, int]:
    """Count for each declared code the dearest way on which one task refuses with it at once."""
    after = _Count(State.targets, items=ASSUMED_ITEMS, tries=False, failing=True).all_from(start)
    count = _Count(_usual, items=ASSUMED_ITEMS, tries=False)
    before: dict[int, int] = {id(start.target()): 0}
    found: dict[str, int] = {}
    for state in reversed(list(_last_first(start, _usual))):
        here = before.get(id(state), 0) + count._own(state).transitions
        for label in _usual(state):
            key = id(label.target())
            before[key] = max(before.get(key, 0), here)
        for catch in state.catches:
            way = after.get(id(catch.next.target()))
            for code in catch.codes:
                if way is not None and "." not in code and code not in ir.LANGUAGE_ERRORS:
                    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", code).lower()
                    found[name] = max(found.get(name, 0), here + way.transitions)
    return found
