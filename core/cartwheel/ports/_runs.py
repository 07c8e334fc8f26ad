"""The workflow runtime: runs of workflows, the same on every adapter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from cartwheel.ports._json import Json, JsonObject


class RunStatus(StrEnum):
    """Says where a run stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class RunError:
    """Is an error as workflows know it: a code, for people a message, and details."""

    code: str
    message: str
    details: Json = None
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class CompensationFailure:
    """Names a compensation that failed for good; somebody has to look at it."""

    step: str
    error: RunError


@dataclass(frozen=True, slots=True)
class Run:
    """Is a run as its caller sees it; times are RFC 3339 UTC."""

    run_id: str
    workflow: str
    version: str
    definition: str
    """The content hash of the definition that the run began with and keeps."""
    status: RunStatus
    input: JsonObject
    started_at: str
    ended_at: str | None = None
    output: Json = None
    error: RunError | None = None
    compensation_failures: tuple[CompensationFailure, ...] = ()
    cancel_requested: bool = False
    waiting_for: tuple[str, ...] = ()
    """What the run waits for now: `signal:<name>`, `sleep:<step> until <time>`, `task:<step>`."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """Is one line of a run's history: a try of a task, a signal that came, a timer that fired.

    `key` is the idempotency key of a task's visit; `attempt` counts its tries from 1.
    """

    kind: Literal["task", "compensation", "signal", "timer", "cancel"]
    step: str
    at: str
    key: str | None = None
    attempt: int = 1
    task: str | None = None
    output: Json = None
    error: RunError | None = None


@dataclass(frozen=True, slots=True)
class RunPage:
    """Is a part of a listing of runs, newest first."""

    runs: tuple[Run, ...]
    next: str | None = None


class WorkflowRuntime(Protocol):
    """Starts runs and looks after them. The meaning of each verb is that of the language."""

    def start(self, workflow: str, run_id: str, input: JsonObject) -> Run:
        """Start a run under an id of our own; the same id with the same input starts nothing new.

        Once this returns the run is not lost. Raises RunConflict for another input or workflow,
        UnknownWorkflow, and ValueError when the input does not fit the workflow's type.
        """
        ...

    def signal(self, run_id: str, name: str, payload: Json, *, signal_id: str) -> bool:
        """Deliver a signal; it is kept until the run waits for it.

        False when the run has had this signal_id before, or has ended. Raises RunNotFound, and
        ValueError for a signal or payload the workflow does not know.
        """
        ...

    def cancel(self, run_id: str, reason: str = "") -> None:
        """Ask the run to end: the next task is refused with Cancelled, and sagas compensate.

        No effect on a run that has ended. Raises RunNotFound.
        """
        ...

    def status(self, run_id: str) -> Run:
        """Give the run as it stands; raises RunNotFound."""
        ...

    def history(self, run_id: str) -> Sequence[HistoryEntry]:
        """Give what has happened so far, oldest first; raises RunNotFound."""
        ...

    def list(
        self,
        *,
        status: RunStatus | None = None,
        workflow: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> RunPage:
        """List runs, newest first; raises ValueError for a cursor that no listing gave."""
        ...

    def redrive(self, run_id: str) -> Run:
        """Execute a run that failed or was cancelled once more, with the same keys.

        What succeeded answers from its record, and so does a declared error that the run went on
        from; the rest is done. Where a saga undid its steps because of a failure that left open
        what had happened, the run can't go on. Raises RunNotFound, and
        RunConflict when the run is still running, has succeeded or was undone.
        """
        ...
