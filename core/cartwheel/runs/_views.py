"""Runs and their histories as callers see them, from the journal's rows."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_core import from_json

from cartwheel.ports import (
    CompensationFailure,
    HistoryEntry,
    Json,
    JsonObject,
    Run,
    RunError,
    rfc3339,
)
from cartwheel.runs._journal import CANCEL, REDRIVE, RunRow, Settled, Signalled


def run_of(
    row: RunRow, *, cancel_requested: bool = False, waiting_for: tuple[str, ...] = ()
) -> Run:
    """Show a run."""
    result: JsonObject = from_json(row.result) if row.result is not None else {}
    failures = result.get("compensation_failures")
    return Run(
        run_id=row.run_id,
        workflow=row.workflow,
        version=row.version,
        definition=row.definition,
        status=row.status,
        input=from_json(row.input),
        started_at=rfc3339(row.started_at),
        ended_at=None if row.ended_at is None else rfc3339(row.ended_at),
        output=result.get("output"),
        error=error_of(result.get("error")),
        compensation_failures=_failures(failures),
        cancel_requested=cancel_requested,
        waiting_for=waiting_for,
    )


def history_of(
    settled: Sequence[Settled], signals: Sequence[Signalled]
) -> tuple[HistoryEntry, ...]:
    """Show a run's answers and signals in the order in which they came."""
    entries = [(answer.seq, 0, _answer(answer)) for answer in settled if not answer.signal_id]
    entries += [
        (_place(signal, settled), 1 + i, _signal(signal))
        for i, signal in enumerate(signals)
        if signal.name != REDRIVE
    ]
    return tuple(entry for *_, entry in sorted(entries, key=lambda item: item[:2]))


def _place(signal: Signalled, settled: Sequence[Settled]) -> int:
    """Give the answer after which a signal came; by its time when its writer did not know."""
    if signal.after >= 0:
        return signal.after
    return max((answer.seq for answer in settled if answer.at <= signal.at), default=0)


def _answer(answer: Settled) -> HistoryEntry:
    value: Json = from_json(answer.json)
    return HistoryEntry(
        kind=answer.kind,
        step=answer.step,
        at=rfc3339(answer.at),
        key=answer.key or None,
        attempt=answer.attempt,
        task=answer.task or None,
        output=value if answer.ok else None,
        error=None if answer.ok else error_of(value),
    )


def _signal(signal: Signalled) -> HistoryEntry:
    payload: Json = from_json(signal.payload)
    if signal.name == CANCEL:
        return HistoryEntry(kind="cancel", step="", at=rfc3339(signal.at), output=payload)
    return HistoryEntry(kind="signal", step=signal.name, at=rfc3339(signal.at), output=payload)


def error_of(value: Json) -> RunError | None:
    """Read an error; None for what is none."""
    if not isinstance(value, dict):
        return None
    return RunError(
        code=str(value["code"]),
        message=str(value.get("message") or ""),
        details=value.get("details"),
        retryable=bool(value.get("retryable")),
    )


def _failures(value: Json) -> tuple[CompensationFailure, ...]:
    if not isinstance(value, list):
        return ()
    found: list[CompensationFailure] = []
    for item in value:
        if isinstance(item, dict) and (error := error_of(item.get("error"))) is not None:
            found.append(CompensationFailure(str(item["step"]), error))
    return tuple(found)
