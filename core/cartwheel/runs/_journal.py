"""What a durable run needs to have written: the journal's records, and the port that keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias

from cartwheel.ports import RunStatus

CANCEL = "!cancel"
"""The name of the signal that asks a run to end; no workflow can declare such a name."""


REDRIVE = "!redrive"
"""The name of the signal by which another process says that it wrote a Redriven record."""


def cancel_id(generation: int) -> str:
    """Give the id of the signal that cancels a run's generation."""
    return f"{CANCEL}:{generation}"


def redrive_id(generation: int) -> str:
    """Give the id of the signal that goes with a redriven run's generation."""
    return f"{REDRIVE}:{generation}"


Kind: TypeAlias = Literal["task", "compensation", "timer", "signal"]


class Started(NamedTuple):
    """Begins a run; it keeps the definition with this content hash."""

    run_id: str
    workflow: str
    version: str
    definition: str
    input: bytes
    at: float
    trace: str = ""
    """The traceparent of what started it."""


class Settled(NamedTuple):
    """Answers one effect of a run; `seq` orders a run's answers from 1 over all generations.

    `json` is the value when `ok`, else the error. `signal_id` names the signal that a wait took.
    """

    run_id: str
    generation: int
    seq: int
    effect: str
    kind: Kind
    step: str
    key: str
    task: str
    attempt: int
    ok: bool
    json: bytes
    at: float
    signal_id: str = ""


class Signalled(NamedTuple):
    """Keeps a signal until the run waits for it; a second one of the same id is dropped.

    `after` is the `seq` of the run's latest answer when the signal came, which puts both in one
    order also within an instant; it is -1 when whoever wrote the signal did not know.
    """

    run_id: str
    signal_id: str
    name: str
    payload: bytes
    at: float
    after: int = -1


class Ended(NamedTuple):
    """Ends a run. `result` is the JSON of output, error and compensation failures."""

    run_id: str
    status: RunStatus
    result: bytes
    at: float


class Redriven(NamedTuple):
    """Begins a run's next generation."""

    run_id: str
    generation: int
    at: float


Record: TypeAlias = Started | Settled | Signalled | Ended | Redriven


class RunRow(NamedTuple):
    """Is a run as the journal knows it; `order` is the run's place in the order of starts."""

    order: int
    run_id: str
    workflow: str
    version: str
    definition: str
    input: bytes
    started_at: float
    status: RunStatus
    generation: int
    generation_at: float
    ended_at: float | None
    result: bytes | None
    trace: str = ""


def first_row(order: int, started: Started) -> RunRow:
    """Give the row of a run that has just started."""
    return RunRow(
        order,
        started.run_id,
        started.workflow,
        started.version,
        started.definition,
        started.input,
        started.at,
        RunStatus.RUNNING,
        1,
        started.at,
        None,
        None,
        started.trace,
    )


class Journal(Protocol):
    """Keeps runs. A record that `write` has taken is there after any crash."""

    def write(self, records: Sequence[Record]) -> None:
        """Keep all records, in order, atomically and durably; then return.

        A Started whose run exists already, or a Signalled whose id the run has had, is an error of
        the caller, who asks first.
        """
        ...

    def define(self, definition: str, ir: str) -> None:
        """Keep a workflow's IR as JSON under its content hash; a known hash changes nothing."""
        ...

    def definition(self, definition: str) -> str | None:
        """Give the IR kept under a content hash."""
        ...

    def run(self, run_id: str) -> RunRow | None:
        """Give one run."""
        ...

    def settled(self, run_id: str) -> Sequence[Settled]:
        """Give a run's answers in order, over all generations."""
        ...

    def signals(self, run_id: str) -> Sequence[Signalled]:
        """Give a run's signals in the order in which they came."""
        ...

    def open_runs(self) -> Sequence[RunRow]:
        """Give all runs that have not ended, in the order of their starts."""
        ...

    def runs(
        self, status: RunStatus | None, workflow: str | None, before: int | None, limit: int
    ) -> Sequence[RunRow]:
        """Give at most `limit` runs, newest first, that started before the run of that order."""
        ...

    def signals_since(self, mark: int) -> tuple[int, Sequence[Signalled]]:
        """Give signals kept after a mark, and the next mark; for those that others have written."""
        ...
