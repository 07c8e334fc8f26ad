"""Build-time problems: collected over a whole workflow, each with its place and its remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cartwheel.ports import ConfigurationError


@dataclass(slots=True, frozen=True)
class Problem:
    """One thing that is wrong with a workflow: where, what, what exists, and what to do."""

    what: str
    step: str | None = None
    at: str | None = None
    exists: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        where = "" if self.at is None else f"{self.at}: "
        step = "" if self.step is None else f"step {self.step!r}: "
        tail = "".join(f"; {part}" for part in (self.exists, self.remedy) if part)
        return f"{where}{step}{self.what}{tail}"


class BuildError(ConfigurationError):
    """A workflow could not be built; `problems` lists everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem], workflow: str | None = None) -> None:
        self.problems = tuple(problems)
        self.workflow = workflow
        head = "" if workflow is None else f"workflow {workflow!r} does not build: "
        super().__init__(head + "\n".join(str(problem) for problem in self.problems))


def listed(names: Iterable[str], noun: str) -> str:
    """Return what exists, for a message."""
    found = sorted(names)
    return f"there are {noun} {', '.join(found)}" if found else f"there are no {noun}"
