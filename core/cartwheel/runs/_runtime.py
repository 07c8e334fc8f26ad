"""The WorkflowRuntime over the engine: what callers may ask, checked and answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic_core import to_json

from cartwheel.ports import (
    Clock,
    HistoryEntry,
    Json,
    JsonObject,
    Run,
    RunConflict,
    RunNotFound,
    RunPage,
    RunStatus,
)
from cartwheel.runs._active import undone_after
from cartwheel.runs._definitions import Definitions
from cartwheel.runs._engine import Engine
from cartwheel.runs._journal import CANCEL, Journal, RunRow, Started, cancel_id, first_row
from cartwheel.runs._views import history_of, run_of
from cartwheel.trace import current
from cartwheel.workflow._values import mismatch

LONGEST_CURSOR = 18
"""Digits of the place of a run in its listing; no journal counts beyond 2^63."""


class DurableRuntime:
    """Is a WorkflowRuntime whose runs are kept in a journal and driven by an engine."""

    def __init__(
        self, definitions: Definitions, engine: Engine, journal: Journal, clock: Clock
    ) -> None:
        self._definitions = definitions
        self._engine = engine
        self._journal = journal
        self._clock = clock

    def start(self, workflow: str, run_id: str, input: JsonObject) -> Run:
        """Start a run; see WorkflowRuntime."""
        (run,) = self.start_many(workflow, {run_id: input})
        return run

    def start_many(self, workflow: str, inputs: Mapping[str, JsonObject]) -> Sequence[Run]:
        """Start several runs in one commit: their inputs by run id; otherwise as `start`."""
        definition = self._definitions.current(workflow)
        for value in inputs.values():
            problem = mismatch(value, definition.ir.input)
            if problem:
                raise ValueError(f"workflow '{workflow}': {problem}")
        content, now = self._definitions.hash_of(definition), self._clock.now()
        wanted = [
            Started(run_id, workflow, definition.version, content, to_json(value), now, current())
            for run_id, value in inputs.items()
        ]
        return [self._begun(each) for each in self._engine.admit(wanted, definition.program)]

    def _begun(self, started: Started) -> Run:
        """Show a run that was just asked for, without reading what the engine knows better."""
        glance = self._engine.look(started.run_id)
        if glance is None or glance.generation > 1:
            return self.status(started.run_id)
        return run_of(
            first_row(0, started),
            cancel_requested=glance.cancel_requested,
            waiting_for=glance.waiting_for,
        )

    def signal(self, run_id: str, name: str, payload: Json, *, signal_id: str) -> bool:
        """Deliver a signal; see WorkflowRuntime."""
        row = self._row(run_id)
        expected = self._definitions.signals(row.definition, row.workflow)
        if name not in expected:
            listed = ", ".join(sorted(expected)) or "none"
            raise ValueError(
                f"workflow '{row.workflow}' waits for no signal '{name}'; it waits for: {listed}"
            )
        problem = mismatch(payload, expected[name], "payload")
        if problem:
            raise ValueError(f"signal '{name}': {problem}")
        return self._engine.keep_signal(run_id, name, to_json(payload), signal_id)

    def cancel(self, run_id: str, reason: str = "") -> None:
        """Ask a run to end; see WorkflowRuntime."""
        row = self._row(run_id)
        self._engine.keep_signal(run_id, CANCEL, to_json(reason), cancel_id(row.generation))

    def status(self, run_id: str) -> Run:
        """Give a run; see WorkflowRuntime."""
        row = self._row(run_id)
        glance = self._engine.look(run_id)
        if glance is None or row.status is not RunStatus.RUNNING:
            return run_of(row)
        return run_of(row, cancel_requested=glance.cancel_requested, waiting_for=glance.waiting_for)

    def history(self, run_id: str) -> Sequence[HistoryEntry]:
        """Give a run's history; see WorkflowRuntime."""
        self._row(run_id)
        return history_of(self._journal.settled(run_id), self._journal.signals(run_id))

    def list(
        self,
        *,
        status: RunStatus | None = None,
        workflow: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> RunPage:
        """List runs; see WorkflowRuntime."""
        if cursor is not None and not (cursor.isdecimal() and len(cursor) <= LONGEST_CURSOR):
            raise ValueError(f"'{cursor}' is no cursor of this listing")
        before = None if cursor is None else int(cursor)
        rows = self._journal.runs(status, workflow, before, limit + 1)
        following = str(rows[limit - 1].order) if len(rows) > limit else None
        return RunPage(tuple(run_of(row) for row in rows[:limit]), following)

    def redrive(self, run_id: str) -> Run:
        """Execute an ended run once more; see WorkflowRuntime."""
        row = self._row(run_id)
        if row.status in {RunStatus.RUNNING, RunStatus.SUCCEEDED}:
            raise RunConflict(run_id, f"has {row.status}: only failed and cancelled runs go on")
        undone = undone_after(self._journal.settled(run_id), row.generation)
        if undone is not None:
            raise RunConflict(run_id, f"undid its steps after '{undone}' failed: it can't go on")
        self._engine.redrive(row)
        return self.status(run_id)

    def _row(self, run_id: str) -> RunRow:
        row = self._journal.run(run_id)
        if row is None:
            raise RunNotFound(run_id)
        return row
