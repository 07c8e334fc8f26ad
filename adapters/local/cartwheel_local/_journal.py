"""The journal of runs, in the data folder's SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import cast

from cartwheel.ports import RunStatus
from cartwheel.runs import Ended, Record, Redriven, RunRow, Settled, Signalled, Started
from cartwheel_local._database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    workflow TEXT NOT NULL,
    version TEXT NOT NULL,
    definition TEXT NOT NULL,
    input TEXT NOT NULL,
    started_at REAL NOT NULL,
    status TEXT NOT NULL,
    generation INTEGER NOT NULL,
    generation_at REAL NOT NULL,
    ended_at REAL,
    result TEXT
);
CREATE INDEX IF NOT EXISTS open_runs ON runs (place) WHERE status = 'running';
CREATE TABLE IF NOT EXISTS run_answers (
    run_id TEXT NOT NULL,
    generation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    effect TEXT NOT NULL,
    kind TEXT NOT NULL,
    step TEXT NOT NULL,
    key TEXT NOT NULL,
    task TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    json TEXT NOT NULL,
    at REAL NOT NULL,
    signal_id TEXT NOT NULL,
    PRIMARY KEY (run_id, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run_signals (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL,
    signal_id TEXT NOT NULL,
    name TEXT NOT NULL,
    payload TEXT NOT NULL,
    at REAL NOT NULL,
    after INTEGER NOT NULL,
    UNIQUE (run_id, signal_id)
);
CREATE TABLE IF NOT EXISTS run_traces (
    run_id TEXT PRIMARY KEY,
    trace TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run_definitions (
    hash TEXT PRIMARY KEY,
    ir TEXT NOT NULL
) WITHOUT ROWID;
"""

_RUN = (
    "place, run_id, workflow, version, definition, input, started_at, status, generation, "
    "generation_at, ended_at, result, "
    "coalesce((SELECT trace FROM run_traces WHERE run_traces.run_id = runs.run_id), '')"
)
_SIGNAL = "run_id, signal_id, name, payload, at, after"
_CHUNKS = (32, 8, 1)
"""Rows in one INSERT: few enough sizes for the statement cache, and one call into SQLite each."""


class SqliteJournal:
    """Keeps runs in SQLite; a batch of records is one commit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, records: Sequence[Record]) -> None:
        """Keep all records; see Journal."""
        self._database.writer.run(lambda connection: _write(connection, records))

    def define(self, definition: str, ir: str) -> None:
        """Keep a definition."""
        if self.definition(definition) is None:
            sql = "INSERT OR IGNORE INTO run_definitions VALUES (?, ?)"
            self._database.writer.run(lambda connection: connection.execute(sql, (definition, ir)))

    def definition(self, definition: str) -> str | None:
        """Give a definition."""
        sql = "SELECT ir FROM run_definitions WHERE hash = ?"
        rows = self._database.rows(sql, (definition,))
        return str(rows[0][0]) if rows else None

    def run(self, run_id: str) -> RunRow | None:
        """Give a run."""
        rows = self._runs("WHERE run_id = ?", (run_id,))
        return rows[0] if rows else None

    def settled(self, run_id: str) -> Sequence[Settled]:
        """Give a run's answers."""
        sql = "SELECT * FROM run_answers WHERE run_id = ? ORDER BY seq"
        return [_settled(row) for row in self._database.rows(sql, (run_id,))]

    def signals(self, run_id: str) -> Sequence[Signalled]:
        """Give a run's signals."""
        sql = f"SELECT {_SIGNAL} FROM run_signals WHERE run_id = ? ORDER BY place"  # noqa: S608  # constants
        return [_signalled(row) for row in self._database.rows(sql, (run_id,))]

    def open_runs(self) -> Sequence[RunRow]:
        """Give the runs that have not ended."""
        return self._runs("WHERE status = 'running' ORDER BY place", ())

    def runs(
        self, status: RunStatus | None, workflow: str | None, before: int | None, limit: int
    ) -> Sequence[RunRow]:
        """List runs, newest first."""
        return self._runs(
            "WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR workflow = ?2) "
            "AND (?3 IS NULL OR place < ?3) ORDER BY place DESC LIMIT ?4",
            (None if status is None else status.value, workflow, before, limit),
        )

    def signals_since(self, mark: int) -> tuple[int, Sequence[Signalled]]:
        """Give the signals written after a mark, by whichever process."""
        sql = f"SELECT place, {_SIGNAL} FROM run_signals WHERE place > ? ORDER BY place"  # noqa: S608  # constants
        rows = self._database.rows(sql, (mark,))
        following = int(cast("int", rows[-1][0])) if rows else mark
        return following, [_signalled(row[1:]) for row in rows]

    def _runs(self, where: str, parameters: Sequence[object]) -> list[RunRow]:
        sql = f"SELECT {_RUN} FROM runs {where}"  # noqa: S608  # constants of this module
        return [_row(row) for row in self._database.rows(sql, parameters)]


def _write(connection: sqlite3.Connection, records: Sequence[Record]) -> None:
    started: list[tuple[object, ...]] = []
    traced: list[tuple[object, ...]] = []
    settled: list[tuple[object, ...]] = []
    signalled: list[tuple[object, ...]] = []
    ended: list[tuple[object, ...]] = []
    for record in records:
        match record:
            case Settled():
                settled.append((*record[:9], int(record.ok), record.json.decode(), *record[11:]))
            case Started():
                started.append((*record[:4], record.input.decode(), record.at, record.at))
                if record.trace:
                    traced.append((record.run_id, record.trace))
            case Signalled():
                signalled.append((*record[:3], record.payload.decode(), *record[4:]))
            case Ended():
                ended.append(
                    (record.status.value, record.at, record.result.decode(), record.run_id)
                )
            case Redriven():
                connection.execute(
                    "UPDATE runs SET status = 'running', generation = ?, generation_at = ?, "
                    "ended_at = NULL, result = NULL WHERE run_id = ?",
                    (record.generation, record.at, record.run_id),
                )
    _insert(
        connection,
        "INSERT INTO runs (run_id, workflow, version, definition, input, started_at, "
        "generation_at, status, generation) VALUES ",
        "(?, ?, ?, ?, ?, ?, ?, 'running', 1)",
        started,
    )
    _insert(connection, "INSERT INTO run_traces VALUES ", "(?, ?)", traced)
    _insert(
        connection,
        "INSERT INTO run_answers VALUES ",
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        settled,
    )
    _insert(
        connection,
        "INSERT INTO run_signals (run_id, signal_id, name, payload, at, after) VALUES ",
        "(?, ?, ?, ?, ?, ?)",
        signalled,
    )
    connection.executemany(
        "UPDATE runs SET status = ?, ended_at = ?, result = ? WHERE run_id = ?", ended
    )


def _insert(
    connection: sqlite3.Connection, head: str, row: str, rows: Sequence[tuple[object, ...]]
) -> None:
    at = 0
    for size in _CHUNKS:
        while len(rows) - at >= size:
            parameters = [value for values in rows[at : at + size] for value in values]
            connection.execute(head + ", ".join([row] * size), parameters)
            at += size


def _row(row: Iterable[object]) -> RunRow:
    values = RunRow._make(row)
    return values._replace(
        input=str(values.input).encode(),
        status=RunStatus(values.status),
        result=None if values.result is None else str(values.result).encode(),
    )


def _settled(row: Iterable[object]) -> Settled:
    values = Settled._make(row)
    return values._replace(ok=bool(values.ok), json=str(values.json).encode())


def _signalled(row: Iterable[object]) -> Signalled:
    values = Signalled._make(row)
    return values._replace(payload=str(values.payload).encode())
