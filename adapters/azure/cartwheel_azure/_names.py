"""Names for what a workflow is made of: Python identifiers, function names, event names."""

from __future__ import annotations

import hashlib
import keyword
import re
from collections.abc import Iterable

LONGEST_NAME = 128
FUNCTION_NAME = re.compile(r"^[a-z][a-z0-9_-]{0,127}$")
"""What the host takes for the name of a function."""

VERSION_ENDING = re.compile(r"_[0-9a-f]{12}_[0-9a-f]{6}$")
"""How the name of an orchestrator ends: the definition's hash and the code's."""

# Not dir(builtins): the names must be the same on every version of Python.
_BUILTINS = ("input", "id", "len", "list", "map", "max", "min", "next", "object", "range", "type")
_OWN = ("NAME", "_", "context", "cw", "orchestrator", "raised", "run", "steps")


class Names:
    """Gives each thing of a workflow an identifier of its own, as near to its name as can be."""

    def __init__(self) -> None:
        self._reserved = frozenset((*keyword.kwlist, *keyword.softkwlist, *_BUILTINS, *_OWN))
        self._taken = set(self._reserved)
        self._of: dict[str, str] = {}

    def variable(self, name: str) -> str:
        """Return the identifier of a workflow's name."""
        if name not in self._of:
            self._of[name] = self.fresh(name)
        return self._of[name]

    def fresh(self, wanted: str) -> str:
        """Return an identifier that nothing else has."""
        base = re.sub(r"[^A-Za-z0-9_]", "_", wanted)
        if base.startswith("__"):
            base = f"name{base}"
        found, number = base if base not in self._reserved else f"{base}_", 1
        while found in self._taken:
            number += 1
            found = f"{base}_{number}"
        self._taken.add(found)
        return found


def function_name(workflow: str, *digests: str) -> str:
    """Return the name to deploy an orchestrator under; the digests tell versions apart."""
    ending = "".join(f"_{digest}" for digest in digests)
    base = re.sub(r"[^a-z0-9_-]", "-", workflow.lower())
    if not base[0].isalpha():
        base = f"w{base}"
    return base[: LONGEST_NAME - len(ending)] + ending


def event_names(steps: Iterable[str]) -> dict[str, str]:
    """Name the event of each waiting step; events are told apart without regard to case."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for step in steps:
        name, number = step.lower(), 2
        while name in taken:
            name, number = f"{step.lower()}_{number}", number + 1
        taken.add(name)
        found[step] = name
    return found


def digest(text: str, length: int) -> str:
    """Return the first hex digits of a text's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]
