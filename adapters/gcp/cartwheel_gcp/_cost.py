"""Counts the steps that a run bills on Workflows, from the document that is deployed.

Each named step that does something is one: a call, an assignment step, a switch, a loop, a
parallel, a return, a raise, and each step of a routine that is called; a retry counts its call
again. Steps that only group others (`try`, `steps`) are told apart: Google's pricing does not say
that they are free. A loop over a list of unknown length has as many items as the lint assumes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow._estimate import ASSUMED_ITEMS
from cartwheel_gcp._calls import RUNTIME

GROUPING = "grouping step"


@dataclass(frozen=True, slots=True)
class Count:
    """Is what lies on a way through steps."""

    steps: int = 0
    effects: int = 0
    grouping: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(
            self.steps + other.steps,
            self.effects + other.effects,
            self.grouping + other.grouping,
        )

    def times(self, count: int) -> Count:
        """Repeat it."""
        return Count(self.steps * count, self.effects * count, self.grouping * count)


ONE = Count(1)
GROUP = Count(0, 0, 1)


@dataclass(slots=True)
class Ways:
    """Is the dearest way to the end of some steps, and to the end of the run; None if there is
    none."""

    through: Count | None = field(default_factory=Count)
    ended: Count | None = None

    def then(self, other: Ways) -> Ways:
        """Go on after the end of these steps."""
        if self.through is None:
            return self
        through = None if other.through is None else self.through + other.through
        ended = None if other.ended is None else self.through + other.ended
        return Ways(through, dearer(self.ended, ended))

    def beside(self, other: Ways) -> Ways:
        """Go one way or the other."""
        return Ways(dearer(self.through, other.through), dearer(self.ended, other.ended))


def dearer(one: Count | None, two: Count | None) -> Count | None:
    """Give the dearer of two ways."""
    if one is None or two is None:
        return one or two
    return max(one, two, key=lambda count: (count.steps, count.effects))


def happy(document: JsonObject) -> Count:
    """Count the dearest way on which every call succeeds at its first try."""
    ways = _steps(_routine(document["main"]))
    return dearer(ways.through, ways.ended) or Count()


def worst(document: JsonObject) -> int:
    """Give a bound for the steps of a run: every retry used, every handler run."""
    return _worst(_routine(document["main"]), document)


def _routine(routine: Json) -> Json:
    return routine["steps"] if isinstance(routine, dict) else []


def _steps(steps: Json) -> Ways:
    ways = Ways()
    for step in each(steps):
        ways = ways.then(_step(step))
    return ways


def _step(step: JsonObject) -> Ways:
    match step:
        case {"call": "http.post", "args": {"body": {"task": str(task)}}}:
            effect = 0 if task.startswith(f"{RUNTIME}.") else 1
            return Ways(Count(1, effect))
        case {"raise": _}:
            return Ways(None)
        case {"return": _}:
            return Ways(None, ONE)
        case {"switch": list(arms)}:
            return Ways(ONE).then(_switch(arms))
        case {"try": {"steps": steps}}:
            return Ways(GROUP).then(_steps(steps))
        case {"try": dict(call)}:
            return _step(call)
        case {"steps": steps}:
            return Ways(GROUP).then(_steps(steps))
        case {"for": dict(loop)}:
            return _loop(loop)
        case {"parallel": {"for": dict(loop)}}:
            return _loop(loop)
        case {"parallel": {"branches": list(branches)}}:
            ways = Ways(ONE)
            for branch in each(branches):
                ways = ways.then(_steps(branch["steps"]))
            return ways
        case _:
            return Ways(ONE)


def _switch(arms: list[Json]) -> Ways:
    ways = Ways(None)
    falls = True
    for arm in arms:
        if not isinstance(arm, dict):
            continue
        falls = falls and arm["condition"] is not True
        if "next" in arm:
            ways = ways.beside(Ways())
        elif "steps" in arm:
            ways = ways.beside(_steps(arm["steps"]))
        elif "return" in arm:
            ways = ways.beside(Ways(None, Count()))
    return ways.beside(Ways()) if falls else ways


def _loop(loop: JsonObject) -> Ways:
    inside = _steps(loop["steps"])
    items = loop.get("in")
    # A poll is a loop over a range, and is answered at its first call.
    times = len(items) if isinstance(items, list) else 1 if "range" in loop else ASSUMED_ITEMS
    return Ways(None if inside.through is None else ONE + inside.through.times(times))


def _worst(steps: Json, document: JsonObject) -> int:
    return sum(_worst_step(step, document) for step in each(steps))


def _worst_step(step: JsonObject, document: JsonObject) -> int:
    match step:
        case {"call": str(name)} if name in document:
            return 1 + _longest(document[name])
        case {"switch": list(arms)}:
            inner = [_worst(arm.get("steps"), document) for arm in arms if isinstance(arm, dict)]
            return 1 + max(inner, default=0)
        case {"try": dict(body)}:
            return _worst_try(step, body, document)
        case {"for": dict(loop)} | {"parallel": {"for": dict(loop)}}:
            return 1 + _times(loop) * _worst(loop["steps"], document)
        case {"parallel": {"branches": branches}}:
            return 1 + sum(_worst(inner["steps"], document) for inner in each(branches))
        case {"steps": steps}:
            return _worst(steps, document)
        case _:
            return 1


def _worst_try(step: JsonObject, body: JsonObject, document: JsonObject) -> int:
    inside = _worst(body["steps"], document) if "steps" in body else _worst_step(body, document)
    match step.get("retry"):
        case {"max_retries": int(most), "predicate": str(predicate)}:
            judging = _worst(_routine(document[predicate[2:-1]]), document)
            inside = (most + 1) * inside + most * judging
        case _:
            pass
    match step.get("except"):
        case {"steps": handler}:
            return inside + _worst(handler, document)
        case _:
            return inside


def _times(loop: JsonObject) -> int:
    match loop:
        case {"in": list(items)}:
            return len(items)
        case {"range": [int(first), int(last)]}:
            return last - first + 1
        case _:
            return ASSUMED_ITEMS


def _longest(routine: Json) -> int:
    """Count the steps of a routine, each at most once."""
    return len(each(_routine(routine)))


def each(steps: Json) -> list[JsonObject]:
    """Give the steps of a list without their names."""
    found: list[JsonObject] = []
    for step in steps if isinstance(steps, list) else []:
        if isinstance(step, dict):
            found += [inside for inside in step.values() if isinstance(inside, dict)]
    return found
