"""Runs as the command line shows them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

from cartwheel.ports import (
    HistoryEntry,
    Json,
    JsonObject,
    Run,
    RunError,
    RunStatus,
    from_rfc3339,
)
from shopctl._output import progress, say, table

WIDEST = 100
"""Characters of a value in a timeline; --json has all of it."""


def run_json(run: Run, history: Sequence[HistoryEntry]) -> JsonObject:
    """Give a run with its history as one document."""
    return {"run": summary(run), "history": [_entry(entry) for entry in history]}


def summary(run: Run) -> JsonObject:
    """Give a run as JSON."""
    return {
        "run_id": run.run_id,
        "workflow": run.workflow,
        "version": run.version,
        "definition": run.definition,
        "status": run.status.value,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "input": run.input,
        "output": run.output,
        "error": _error(run.error),
        "compensation_failures": [
            {"step": failure.step, "error": _error(failure.error)}
            for failure in run.compensation_failures
        ],
        "cancel_requested": run.cancel_requested,
        "waiting_for": [*run.waiting_for],
    }


def _entry(entry: HistoryEntry) -> JsonObject:
    return {
        "kind": entry.kind,
        "step": entry.step,
        "at": entry.at,
        "key": entry.key,
        "attempt": entry.attempt,
        "task": entry.task,
        "output": entry.output,
        "error": _error(entry.error),
    }


def _error(error: RunError | None) -> JsonObject | None:
    if error is None:
        return None
    return {
        "code": error.code,
        "message": error.message,
        "details": error.details,
        "retryable": error.retryable,
    }


def show_run(run: Run, history: Sequence[HistoryEntry]) -> None:
    """Print a run and its timeline."""
    say(f"{run.run_id}: {run.workflow} version {run.version}")
    say(f"  input    {_short(run.input)}")
    say(f"  started  {run.started_at}")
    say()
    began = from_rfc3339(run.started_at)
    table(
        ("after", "what", "step", "try", "outcome"),
        [
            (
                _after(from_rfc3339(entry.at) - began),
                entry.kind,
                entry.step,
                str(entry.attempt) if entry.task else "",
                _outcome(entry),
            )
            for entry in history
        ],
        empty="nothing has happened yet",
    )
    say()
    _ending(run)


def _ending(run: Run) -> None:
    began = from_rfc3339(run.started_at)
    ended = f" after {_after(from_rfc3339(run.ended_at) - began)}" if run.ended_at else ""
    say(f"{run.status.value}{ended}")
    if run.output is not None:
        say(f"  output   {_short(run.output)}")
    if run.error is not None:
        say(f"  error    {run.error.code}: {run.error.message}")
    for failure in run.compensation_failures:
        say(f"  NOT UNDONE  {failure.step}: {failure.error.code}: {failure.error.message}")
    if run.cancel_requested and run.ended_at is None:
        say("  asked to cancel")
    for what in run.waiting_for:
        say(f"  waits for {what}")


def _outcome(entry: HistoryEntry) -> str:
    if entry.error is not None:
        return f"{entry.error.code}: {entry.error.message}"
    return "done" if entry.output is None else _short(entry.output)


def _short(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."


def _after(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.3f} s"
    whole = int(seconds)
    days, rest = divmod(whole, 86_400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days} d {clock}" if days else clock


def watch_run(look: Callable[[], tuple[Run, Sequence[HistoryEntry]]], seconds: float) -> None:
    """Print a run's timeline as it grows, until it has ended; looks each so many seconds."""
    run, history = look()
    progress(f"{run.run_id}: {run.workflow} version {run.version}")
    began = from_rfc3339(run.started_at)
    shown: list[HistoryEntry] = []
    waits: tuple[str, ...] = ()
    while True:
        # A signal's place can turn out to be before what was shown already.
        for entry in _new(history, shown):
            after = _after(from_rfc3339(entry.at) - began)
            tried = f" (try {entry.attempt})" if entry.attempt > 1 else ""
            progress(f"{after:>12}  {entry.kind} {entry.step}{tried}: {_outcome(entry)}")
            shown.append(entry)
        if run.status is not RunStatus.RUNNING:
            break
        if run.waiting_for != waits:
            waits = run.waiting_for
            progress(f"{'':12}  waits for {', '.join(waits) or 'nothing'}")
        time.sleep(seconds)
        run, history = look()
    _ending(run)


def _new(history: Sequence[HistoryEntry], shown: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    """Give the entries that were not shown yet; of two equal ones each counts."""
    left = list(shown)
    found: list[HistoryEntry] = []
    for entry in history:
        if entry in left:
            left.remove(entry)
        else:
            found.append(entry)
    return found
