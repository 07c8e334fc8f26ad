"""The scopes of variables in Workflows: a routine, a loop, an except block, a branch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cartwheel.ports import Json, JsonObject


@dataclass(slots=True)
class Variables:
    """Is the variables of one scope.

    What a scope makes is gone after it. A branch may set what is around it only when it is shared.
    """

    names: set[str] = field(default_factory=set)
    outer: Variables | None = None
    shared: frozenset[str] | None = None
    """What a branch may set of the scopes around it; None where this is no branch."""

    def inner(self, names: set[str]) -> Variables:
        """Begin a loop or an except block."""
        return Variables(set(names), self)

    def branch(self, shared: frozenset[str]) -> Variables:
        """Begin a branch."""
        return Variables(set(), self, shared)

    def declare(self, steps: Iterable[JsonObject]) -> None:
        """Note the variables that a list of steps makes here."""
        for name in _made(steps):
            if not self.knows(name):
                self.names.add(name)

    def knows(self, name: str) -> bool:
        """Tell whether a variable can be read here."""
        return name in self.names or (self.outer is not None and self.outer.knows(name))

    def is_locked(self, name: str) -> bool:
        """Tell whether a variable of the scopes around must not be set here."""
        if name in self.names or self.outer is None:
            return False
        if self.shared is not None and name not in self.shared and self.outer.knows(name):
            return True
        return self.outer.is_locked(name)


def assigned_root(target: str) -> str:
    """Give the variable in the target of an assignment, such as `a` in `a[0].b`."""
    return re.split(r"[.\[]", target, maxsplit=1)[0]


def _made(steps: Iterable[JsonObject]) -> Iterator[str]:
    """Yield the variables which steps make in their own scope."""
    for step in steps:
        if "result" in step:
            yield str(step["result"])
        for entry in _list(step.get("assign")):
            if isinstance(entry, dict):
                yield from map(assigned_root, entry)
        body = step.get("try")
        if isinstance(body, dict):
            yield from _made([body])
        yield from _made(_steps(step.get("steps")))
        for arm in _list(step.get("switch")):
            if isinstance(arm, dict):
                yield from _made([arm])


def _steps(steps: Json) -> Iterator[JsonObject]:
    for each in _list(steps):
        if isinstance(each, dict):
            for step in each.values():
                if isinstance(step, dict):
                    yield step


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
