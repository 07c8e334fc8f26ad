"""The runtime of an application that has no workflow engine."""

from __future__ import annotations

from collections.abc import Sequence

from cartwheel.ports import (
    HistoryEntry,
    Json,
    JsonObject,
    Run,
    RunNotFound,
    RunPage,
    RunStatus,
    UnknownWorkflow,
)


class NoWorkflows:
    """Knows no workflow and no run."""

    def start(self, workflow: str, run_id: str, input: JsonObject) -> Run:
        """Refuse: there is no workflow."""
        raise UnknownWorkflow(workflow, ())

    def signal(self, run_id: str, name: str, payload: Json, *, signal_id: str) -> bool:
        """Refuse: there is no run."""
        raise RunNotFound(run_id)

    def cancel(self, run_id: str, reason: str = "") -> None:
        """Refuse: there is no run."""
        raise RunNotFound(run_id)

    def status(self, run_id: str) -> Run:
        """Refuse: there is no run."""
        raise RunNotFound(run_id)

    def history(self, run_id: str) -> Sequence[HistoryEntry]:
        """Refuse: there is no run."""
        raise RunNotFound(run_id)

    def list(
        self,
        *,
        status: RunStatus | None = None,
        workflow: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> RunPage:
        """List no run."""
        return RunPage(())

    def redrive(self, run_id: str) -> Run:
        """Refuse: there is no run."""
        raise RunNotFound(run_id)
