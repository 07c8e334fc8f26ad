"""Runs in a data folder, read and steered through the journal, beside the server or without it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic_core import from_json, to_json

from cartwheel.ports import (
    HistoryEntry,
    Json,
    Run,
    RunConflict,
    RunNotFound,
    RunPage,
    RunStatus,
    rfc3339,
)
from cartwheel.runs import (
    CANCEL,
    REDRIVE,
    Journal,
    Redriven,
    RunRow,
    Signalled,
    cancel_id,
    redrive_id,
)
from cartwheel.runs._active import undone_after
from cartwheel.runs._views import history_of, run_of
from cartwheel.workflow import (
    Call,
    Err,
    Error,
    Execution,
    Ok,
    Sleep,
    Wait,
    Workflow,
    compile_program,
)
from cartwheel.workflow._values import mismatch, signals_of
from cartwheel_local import _schema
from cartwheel_local._database import Database
from cartwheel_local._journal import SCHEMA, SqliteJournal
from shopctl._apps import find_project, load_project
from shopctl._errors import CliError
from shopctl._files import existing_data
from shopctl._operating import new_signal_id, refuse_ended


class Folder:
    """Is the runs of one data folder. It reads what is written and adds; it executes nothing."""

    taken_up = "a server that is up sees it in a second, else the next start does"
    look_seconds = 0.2

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def list(self, *, status: RunStatus | None, workflow: str | None, limit: int) -> RunPage:
        """List runs, newest first."""
        rows = self._journal.runs(status, workflow, None, limit + 1)
        more = str(rows[limit - 1].order) if len(rows) > limit else None
        return RunPage(tuple(run_of(row) for row in rows[:limit]), more)

    def status(self, run_id: str) -> Run:
        """Give a run, with what it waits for as far as the journal tells; raises RunNotFound."""
        row = self._row(run_id)
        if row.status is not RunStatus.RUNNING:
            return run_of(row)
        cancelled = any(
            signal.name == CANCEL and signal.at >= row.generation_at
            for signal in self._journal.signals(run_id)
        )
        return run_of(row, cancel_requested=cancelled, waiting_for=self._waiting(row))

    def history(self, run_id: str) -> Sequence[HistoryEntry]:
        """Give what has happened to a run; raises RunNotFound."""
        self._row(run_id)
        return history_of(self._journal.settled(run_id), self._journal.signals(run_id))

    def signal(
        self, run_id: str, name: str, payload: Json, signal_id: str | None
    ) -> tuple[str, bool]:
        """Keep a signal for a run; gives its id and whether it is new."""
        row = self._running(run_id, "gets no more signals")
        expected = signals_of(self._definition(row))
        if name not in expected:
            listed = ", ".join(sorted(expected)) or "none"
            raise CliError(
                f"workflow '{row.workflow}' waits for no signal '{name}'; it waits for: {listed}"
            )
        problem = mismatch(payload, expected[name], "payload")
        if problem:
            raise CliError(f"signal '{name}': {problem}", f"shopctl workflow show {row.workflow}")
        used = signal_id or new_signal_id()
        return used, self._keep(run_id, used, name, payload)

    def cancel(self, run_id: str, reason: str) -> bool:
        """Ask a run to end; tells whether nobody had asked before."""
        row = self._running(run_id, "can't be cancelled any more")
        return self._keep(run_id, cancel_id(row.generation), CANCEL, reason)

    def redrive(self, run_id: str) -> None:
        """Open an ended run again; whoever serves it goes on with it."""
        row = self._row(run_id)
        if row.status in {RunStatus.RUNNING, RunStatus.SUCCEEDED}:
            raise RunConflict(run_id, f"has {row.status}: only failed and cancelled runs go on")
        undone = undone_after(self._journal.settled(run_id), row.generation)
        if undone is not None:
            raise RunConflict(run_id, f"undid its steps after '{undone}' failed: it can't go on")
        generation, now = row.generation + 1, time.time()
        told = Signalled(run_id, redrive_id(generation), REDRIVE, b"null", now)
        try:
            self._journal.write([Redriven(run_id, generation, now), told])
        except sqlite3.IntegrityError as error:
            raise RunConflict(run_id, "is being redriven already") from error

    def _keep(self, run_id: str, signal_id: str, name: str, payload: Json) -> bool:
        if self._has(run_id, signal_id):
            return False
        record = Signalled(run_id, signal_id, name, to_json(payload), time.time())
        try:
            self._journal.write([record])
        except sqlite3.IntegrityError:
            # Another process was faster with the same id.
            return False
        return True

    def _has(self, run_id: str, signal_id: str) -> bool:
        return any(signal.signal_id == signal_id for signal in self._journal.signals(run_id))

    def _row(self, run_id: str) -> RunRow:
        row = self._journal.run(run_id)
        if row is None:
            raise RunNotFound(run_id)
        return row

    def _running(self, run_id: str, so: str) -> RunRow:
        row = self._row(run_id)
        refuse_ended(run_of(row), so)
        return row

    def _definition(self, row: RunRow) -> Workflow:
        kept = self._journal.definition(row.definition)
        if kept is None:
            raise CliError(
                f"the definition {row.definition[:12]} of run '{row.run_id}' is not kept"
            )
        return Workflow.from_json(kept)

    def _waiting(self, row: RunRow) -> tuple[str, ...]:
        """Play the run's answers again, without doing anything, to see what it asks for next."""
        program = compile_program(self._definition(row))
        execution = Execution(program, row.run_id, from_json(row.input))
        execution.start(row.generation_at)
        for answer in self._journal.settled(row.run_id):
            if answer.generation == row.generation:
                value = from_json(answer.json)
                outcome = Ok(value) if answer.ok else Err(Error.from_json(value))
                execution.deliver(answer.effect, outcome, answer.at)
        return tuple(_described(effect) for effect in execution.pending.values())


def _described(effect: Call | Sleep | Wait) -> str:
    match effect:
        case Call():
            return f"task:{effect.step}"
        case Sleep():
            return f"sleep:{effect.step} until {rfc3339(effect.until)}"
        case Wait():
            return f"signal:{effect.signal}"


@contextmanager
def open_folder(data: Path | None, app: str | None) -> Iterator[Folder]:
    """Open the runs of a data folder; the application is loaded only for its default folder."""
    if data is None:
        project = find_project(app, Path.cwd())
        path = existing_data(None, project.folder, load_project(project).name)
    else:
        path = existing_data(data, data, "an application")
    database = Database(
        path / "cartwheel.db",
        application=_schema.APPLICATION,
        version=_schema.VERSION,
        schema=_schema.MAIN + SCHEMA,
        what="Cartwheel's data",
    )
    try:
        yield Folder(SqliteJournal(database))
    finally:
        database.close()
