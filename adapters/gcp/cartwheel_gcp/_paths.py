"""Counts the steps of the ways on which one call fails for good, from the document.

The document is walked with what is known of its variables: which are null, which error was raised.
Where nothing is known of a condition, the arm is taken in which the call lies, or else the dearest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow._estimate import ASSUMED_ITEMS
from cartwheel_gcp._cost import GROUP, ONE, Count, each
from cartwheel_gcp._names import ERROR_OF

Exit: TypeAlias = Literal["through", "returned", "raised"]

_NULL = re.compile(r"\$\{(\w+) (==|!=) null\}\Z")
_CODES = re.compile(r'(\w+)\.code == "([^"]+)"')
_SOME = re.compile(r"\$\{len\((\w+)\) > 0\}\Z")
_NEVER = re.compile(r"\$\{(not \w+\.http_request\.body\.ok|\w+_count > 0)\}\Z")
_RAISED = re.compile(r"\$\{(\w+)\}\Z")
_LOOK = {True: Count(4), False: Count(2)}
"""What it takes to see the error of an answer, and of a map that is an error already: the call of
the routine, and its switches."""


@dataclass(slots=True)
class Known:
    """Is what is known at a place: variables that hold something or not, errors by their variable,
    and whether what was raised last is still an answer.
    """

    holds: dict[str, bool] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    answer: bool = True

    def copy(self) -> Known:
        """Give what one arm may change."""
        return Known(dict(self.holds), set(self.seen), self.answer)


@dataclass(slots=True)
class Way:
    """Is one way through steps: what it costs, how it ends, and whether the call lay on it."""

    known: Known
    count: Count = field(default_factory=Count)
    exit: Exit = "through"
    met: bool = False


def failing(document: JsonObject, step: str, code: str) -> Count | None:
    """Count the way on which the call of a step ends with a code; None when there is no such
    way."""
    walk = _Walk(document, step, code)
    main = document["main"]
    way = walk.steps(main["steps"] if isinstance(main, dict) else None, Way(Known()))
    return way.count if way.met else None


class _Walk:
    def __init__(self, document: JsonObject, step: str, code: str) -> None:
        self._document = document
        self._step = step
        self._code = code

    def steps(self, steps: Json, way: Way) -> Way:
        """Walk through steps until they end."""
        for step in each(steps):
            if way.exit != "through":
                break
            way = self._one(step, way)
        return way

    def _one(self, step: JsonObject, way: Way) -> Way:
        match step:
            case {"try": dict(body)}:
                return self._try(step, body, way)
            case {"call": "http.post"}:
                return self._post(step, way, 1)
            case {"call": name}:
                return self._call(str(name), step, way)
            case {"assign": list(entries)}:
                self._assign(entries, way.known)
                return replace(way, count=way.count + ONE)
            case {"switch": list(arms)}:
                return self._switch(arms, replace(way, count=way.count + ONE))
            case {"for": dict(loop)} | {"parallel": {"for": dict(loop)}}:
                return self._loop(loop, replace(way, count=way.count + ONE))
            case {"parallel": {"branches": branches}}:
                way = replace(way, count=way.count + ONE)
                for branch in each(branches):
                    way = self.steps(branch.get("steps"), way)
                return way
            case {"return": _}:
                return replace(way, count=way.count + ONE, exit="returned")
            case {"raise": raised}:
                return self._raise(raised, way, ONE)
            case _:
                return replace(way, count=way.count + ONE)

    def _post(self, step: JsonObject, way: Way, tries: int) -> Way:
        match step:
            case {"args": {"body": {"step": name, "compensation": False}}}:
                pass
            case _:
                name = None
        if name == self._step and not way.met:
            way.known.answer = True
            return replace(way, count=way.count + ONE.times(tries), exit="raised", met=True)
        if "result" in step:
            way.known.holds[str(step["result"])] = True
        return replace(way, count=way.count + ONE)

    def _call(self, name: str, step: JsonObject, way: Way) -> Way:
        result = str(step.get("result"))
        way.known.holds[result] = True
        if name != ERROR_OF:
            return replace(way, count=way.count + ONE)
        way.known.seen.add(result)
        return replace(way, count=way.count + _LOOK[way.known.answer])

    def _assign(self, entries: list[Json], known: Known) -> None:
        for entry in entries:
            if isinstance(entry, dict):
                for name, value in entry.items():
                    known.holds[name] = value is not None and value != []

    def _raise(self, raised: Json, way: Way, count: Count) -> Way:
        match = _RAISED.match(raised) if isinstance(raised, str) else None
        way.known.answer = match is not None and match[1] not in way.known.seen
        return replace(way, count=way.count + count, exit="raised")

    def _try(self, step: JsonObject, body: JsonObject, way: Way) -> Way:
        if "steps" in body:
            way = self.steps(body["steps"], replace(way, count=way.count + GROUP))
        else:
            tries, judging = self._tries(step.get("retry"))
            met = way.met
            way = self._post(body, way, tries) if "args" in body else self._one(body, way)
            if way.met and not met:
                way = replace(way, count=way.count + judging)
        handler = step.get("except")
        if way.exit != "raised" or not isinstance(handler, dict):
            return way
        return self.steps(handler.get("steps"), replace(way, exit="through"))

    def _tries(self, retry: Json) -> tuple[int, Count]:
        """Give how often the failing call is tried, and what judging each failure takes."""
        match retry:
            case {"predicate": str(predicate), "max_retries": int(most)}:
                routine = str(self._document[predicate[2:-1]])
                listed = f'"{self._code}"' in routine or '.code != "' in routine
                judged = most if listed else 1
                return (most + 1 if listed else 1), (_LOOK[True] + ONE).times(judged)
            case _:
                return 1, Count()

    def _switch(self, arms: list[Json], way: Way) -> Way:
        ways: list[Way] = []
        for arm in arms:
            if not isinstance(arm, dict):
                continue
            holds = self._holds(arm["condition"], way.known)
            if holds is not False:
                ways.append(self._arm(arm, replace(way, known=way.known.copy())))
            if holds is True:
                break
        else:
            ways.append(way)
        return max(ways, key=lambda each: (each.met, each.exit != "raised", each.count.steps))

    def _arm(self, arm: JsonObject, way: Way) -> Way:
        if "raise" in arm:
            return self._raise(arm["raise"], way, Count())
        if "return" in arm:
            return replace(way, exit="returned")
        return self.steps(arm.get("steps"), way)

    def _holds(self, condition: Json, known: Known) -> bool | None:
        """Tell whether a condition holds, None where that is not known."""
        if isinstance(condition, bool):
            return condition
        text = str(condition)
        if null := _NULL.match(text):
            holds = known.holds.get(null[1])
            return None if holds is None else holds is (null[2] == "!=")
        if some := _SOME.match(text):
            return known.holds.get(some[1])
        if _NEVER.match(text):
            return False
        codes = _CODES.findall(text)
        if codes and all(name in known.seen for name, _ in codes):
            return any(code == self._code for _, code in codes)
        return None

    def _loop(self, loop: JsonObject, way: Way) -> Way:
        """Walk through a loop: once where the call lies, and once for all other items."""
        items = loop.get("in")
        times = len(items) if isinstance(items, list) else ASSUMED_ITEMS
        if "range" in loop or "_failures}" in str(items):
            times = 1
        if not times:
            return way
        before, met = way.count, way.met
        way = self.steps(loop["steps"], way)
        if way.met and not met:
            return way
        rest = Count(
            way.count.steps - before.steps,
            way.count.effects - before.effects,
            way.count.grouping - before.grouping,
        )
        return replace(way, count=way.count + rest.times(times - 1))


def named(workflow_codes: Iterator[tuple[str, str]], document: JsonObject) -> dict[str, int]:
    """Count the ways of all calls and codes, by the code in snake case; the dearest counts."""
    found: dict[str, int] = {}
    for step, code in workflow_codes:
        count = failing(document, step, code)
        if count is not None:
            name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", code).lower()
            found[name] = max(found.get(name, 0), count.steps)
    return dict(sorted(found.items()))
