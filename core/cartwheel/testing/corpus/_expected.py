"""What calls a program makes: a series-parallel pattern, so that any engine's order can be judged.

`seq` promises an order, `par` promises none between its parts. A pattern is matched call by call by
what may still follow.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cartwheel.ports import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Called:
    """Is a call as it was seen: the key without the run's id, and which try of that key it is."""

    task: str
    key: str
    input: JsonObject
    attempt: int

    def __str__(self) -> str:
        return f"{self.key}#{self.attempt} {self.task} {_text(self.input)}"


@dataclass(frozen=True, slots=True)
class Do:
    """Expects one call; an `input` of None leaves the input open."""

    key: str
    attempt: int
    input: str | None

    def __str__(self) -> str:
        return f"{self.key}#{self.attempt} {self.input or ''}".rstrip()

    def takes(self, call: Called) -> bool:
        """Tell whether this is the expected call."""
        return (
            call.key == self.key
            and call.attempt == self.attempt
            and (self.input is None or self.input == _text(call.input))
        )


@dataclass(frozen=True, slots=True)
class Seq:
    """Expects its parts one after the other."""

    parts: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Par:
    """Expects its parts in any interleaving."""

    parts: tuple[Pattern, ...]


Pattern: TypeAlias = Do | Seq | Par


def do(key: str, input: JsonObject | None = None, *, attempt: int = 1) -> Do:
    """Expect a call under a key (without the run's id)."""
    return Do(key, attempt, None if input is None else _text(input))


def tries(key: str, count: int, input: JsonObject | None = None) -> Seq:
    """Expect so many tries under one key."""
    return Seq(tuple(do(key, input, attempt=number) for number in range(1, count + 1)))


def seq(*parts: Pattern) -> Seq:
    """Expect parts in order."""
    return Seq(parts)


def par(*parts: Pattern) -> Par:
    """Expect parts in any interleaving."""
    return Par(parts)


def first_difference(pattern: Pattern, calls: Sequence[Called]) -> str | None:
    """Say where calls leave a pattern, None when they are one of its interleavings."""
    states: set[Pattern] = {pattern}
    for number, call in enumerate(calls, 1):
        following = {rest for state in states for rest in _after(state, call)}
        if not following:
            return f"call {number} is {call}; {_next(states)}"
        states = following
    if any(_is_done(state) for state in states):
        return None
    return f"after {len(calls)} calls nothing more came; {_next(states)}"


def _next(states: Iterable[Pattern]) -> str:
    wanted = sorted({str(each) for state in states for each in _heads(state)})
    return "expected " + (" or ".join(wanted) if wanted else "no further call")


def _heads(pattern: Pattern) -> Iterator[Do]:
    """Yield the calls which may come next."""
    match pattern:
        case Do():
            yield pattern
        case Par(parts=parts):
            for part in parts:
                yield from _heads(part)
        case Seq(parts=parts):
            for part in parts:
                yield from _heads(part)
                if not _is_done(part):
                    return


def _is_done(pattern: Pattern) -> bool:
    return not isinstance(pattern, Do) and all(_is_done(part) for part in pattern.parts)


def _after(pattern: Pattern, call: Called) -> Iterator[Pattern]:
    """Yield what may remain of a pattern once it has taken a call."""
    match pattern:
        case Do():
            if pattern.takes(call):
                yield Seq(())
        case Par(parts=parts):
            for index, part in enumerate(parts):
                for rest in _after(part, call):
                    yield Par((*parts[:index], rest, *parts[index + 1 :]))
        case Seq(parts=parts):
            for index, part in enumerate(parts):
                for rest in _after(part, call):
                    yield Seq((rest, *parts[index + 1 :]))
                if not _is_done(part):
                    return


def _text(value: Json) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
