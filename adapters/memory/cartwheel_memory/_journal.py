"""The journal of runs, on the memory adapter's disk."""

from __future__ import annotations

from collections.abc import Sequence

from cartwheel.ports import RunStatus
from cartwheel.runs import (
    Ended,
    Record,
    Redriven,
    RunRow,
    Settled,
    Signalled,
    Started,
    first_row,
)
from cartwheel_memory._disk import MemoryDisk


class MemoryJournal:
    """Keeps runs in the disk's lists and dictionaries."""

    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk

    def write(self, records: Sequence[Record]) -> None:
        """Keep all records; see Journal."""
        disk = self._disk
        with disk.lock:
            for record in records:
                kind = type(record)
                if kind is Settled:
                    disk.settled[record.run_id].append(record)  # type: ignore[arg-type]  # by kind
                elif kind is Signalled:
                    disk.signals.append(record)  # type: ignore[arg-type]  # by kind
                elif isinstance(record, Started):
                    row = first_row(len(disk.runs) + 1, record)
                    disk.runs[record.run_id] = row
                    disk.settled[record.run_id] = []
                elif isinstance(record, Ended):
                    row = disk.runs[record.run_id]
                    disk.runs[record.run_id] = row._replace(
                        status=record.status, ended_at=record.at, result=record.result
                    )
                elif isinstance(record, Redriven):
                    row = disk.runs[record.run_id]
                    disk.runs[record.run_id] = row._replace(
                        status=RunStatus.RUNNING,
                        generation=record.generation,
                        generation_at=record.at,
                        ended_at=None,
                        result=None,
                    )

    def define(self, definition: str, ir: str) -> None:
        """Keep a definition."""
        self._disk.definitions.setdefault(definition, ir)

    def definition(self, definition: str) -> str | None:
        """Give a definition."""
        return self._disk.definitions.get(definition)

    def run(self, run_id: str) -> RunRow | None:
        """Give a run."""
        return self._disk.runs.get(run_id)

    def settled(self, run_id: str) -> Sequence[Settled]:
        """Give a run's answers."""
        with self._disk.lock:
            return tuple(self._disk.settled[run_id])

    def signals(self, run_id: str) -> Sequence[Signalled]:
        """Give a run's signals."""
        with self._disk.lock:
            return tuple(s for s in self._disk.signals if s.run_id == run_id)

    def open_runs(self) -> Sequence[RunRow]:
        """Give the runs that have not ended."""
        with self._disk.lock:
            return tuple(r for r in self._disk.runs.values() if r.status is RunStatus.RUNNING)

    def runs(
        self, status: RunStatus | None, workflow: str | None, before: int | None, limit: int
    ) -> Sequence[RunRow]:
        """List runs, newest first."""
        with self._disk.lock:
            found = [
                row
                for row in self._disk.runs.values()
                if status in {None, row.status}
                and workflow in {None, row.workflow}
                and (before is None or row.order < before)
            ]
        return tuple(sorted(found, key=lambda row: -row.order)[:limit])

    def signals_since(self, mark: int) -> tuple[int, Sequence[Signalled]]:
        """Give the signals after a mark; nobody else writes here, so the engine knows them all."""
        with self._disk.lock:
            return len(self._disk.signals), tuple(self._disk.signals[mark:])
