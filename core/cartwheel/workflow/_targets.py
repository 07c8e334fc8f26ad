"""What a compiler for a workflow engine gives and says, the same for every target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from cartwheel.ports import ConfigurationError

Unit = Literal["transition", "step", "action"]
"""What an engine bills: of Step Functions, GCP Workflows, Durable Functions, in this order."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """Is a workflow in the form that a target's engine runs.

    `name` is the name to deploy it under: it contains the content hash where the engine replays
    new code. `files` maps relative paths with `/` to text, the same byte for byte for the same
    workflow. `entry` is the path of the file that the engine runs.
    """

    target: str
    name: str
    files: Mapping[str, str]
    entry: str

    def __post_init__(self) -> None:
        """Keep the files in the order of their paths; raises ValueError for an absent entry."""
        if self.entry not in self.files:
            raise ValueError(f"entry {self.entry!r} is not among the files {sorted(self.files)}")
        ordered = {path: self.files[path] for path in sorted(self.files)}
        object.__setattr__(self, "files", MappingProxyType(ordered))

    @property
    def main(self) -> str:
        """Return the text of the entry file."""
        return self.files[self.entry]


@dataclass(frozen=True, slots=True)
class Finding:
    """Is one thing that a target's engine would refuse or misread in a compiled workflow.

    `rule` is a stable short name, `where` the place in the artefact (a state, a step, a line).
    """

    rule: str
    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        tail = f"; {self.remedy}" if self.remedy else ""
        return f"{self.where}: {self.what}{tail} [{self.rule}]"


@dataclass(frozen=True, slots=True)
class Gap:
    """Is one feature of a workflow that a target can't express: where, what, why, what to do."""

    step: str | None
    feature: str
    target: str
    limit: str
    remedy: str

    def __str__(self) -> str:
        step = "" if self.step is None else f"step {self.step!r}: "
        return (
            f"{step}{self.feature} can't be expressed on {self.target}: {self.limit}; {self.remedy}"
        )


class Unsupported(ConfigurationError):
    """A target can't express a workflow; `gaps` lists everything that stands in the way."""

    def __init__(self, gaps: Iterable[Gap], workflow: str | None = None) -> None:
        self.gaps = tuple(gaps)
        self.workflow = workflow
        head = "" if workflow is None else f"workflow {workflow!r} does not compile: "
        super().__init__(head + "\n".join(str(gap) for gap in self.gaps))


@dataclass(frozen=True, slots=True)
class Cost:
    """Is what one run bills, in the target's unit.

    `happy` counts the longest path on which every task succeeds at its first try, `worst` the
    dearest path with every retry used. `paths` counts named paths, such as `out_of_stock`.
    `other` counts what is billed beside the unit on the happy path, such as `external step`.
    `effects` counts the task calls of the happy path, to compare with.
    """

    target: str
    unit: Unit
    happy: int
    worst: int
    effects: int = 0
    paths: Mapping[str, int] = field(default_factory=dict)
    other: Mapping[str, int] = field(default_factory=dict)
