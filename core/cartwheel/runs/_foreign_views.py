"""A foreign engine's runs in our store: their rows, read and written, and their histories."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Literal, cast

from pydantic_core import to_json

from cartwheel.app import DeclaredWorkflow
from cartwheel.ports import HistoryEntry, Json, JsonObject, Row, RunStatus, rfc3339
from cartwheel.runs._execution import Pause
from cartwheel.runs._invocation import DONE, TRY
from cartwheel.runs._journal import RunRow
from cartwheel.runs._letterbox import CANCEL, LISTED, SIGNAL
from cartwheel.runs._views import error_of

RUN = "run"
"""The key of a run's own row in its partition."""
EVERY = "run"
"""The value by which all runs are listed."""
RECORDED = (DONE, TRY, SIGNAL, CANCEL)
"""The prefixes of the rows that a history is made of."""
MICRO = 1_000_000


def started_row(
    workflow: DeclaredWorkflow, definition: str, input: JsonObject, at: float, trace: str
) -> JsonObject:
    """Write the row of a run that starts, of the definition with this content hash."""
    return {
        LISTED.field: EVERY,
        "order": int(at * MICRO),
        "workflow": workflow.name,
        "version": workflow.version,
        "definition": definition,
        "input": input,
        "trace": trace,
        "status": RunStatus.RUNNING.value,
        "execution": 1,
        "began_at": int(at * MICRO),
        "ended_at": None,
        "result": None,
    }


def redriven_row(row: Row, at: float) -> JsonObject:
    """Write the row of a run that is executed once more."""
    again: JsonObject = {
        "status": RunStatus.RUNNING.value,
        "execution": execution_of(row) + 1,
        "began_at": int(at * MICRO),
        "ended_at": None,
        "result": None,
    }
    return {**row.data, **again}


def ended_row(row: Row, document: JsonObject, at: float) -> JsonObject:
    """Write the row of a run that has ended; by no clock has it ended before it began."""
    result: JsonObject = {
        name: document.get(name) for name in ("output", "error", "compensation_failures")
    }
    ended: JsonObject = {
        "status": RunStatus(str(document["status"])).value,
        "ended_at": max(int(at * MICRO), cast("int", row.data["began_at"])),
        "result": result,
    }
    return {**row.data, **ended}


def execution_of(row: Row) -> int:
    """Give the number of a run's latest execution."""
    return cast("int", row.data["execution"])


def is_open(row: Row) -> bool:
    """Tell whether nobody has noted yet that a run has ended."""
    return row.data["status"] == RunStatus.RUNNING


def same(one: Json, other: Json) -> bool:
    """Tell whether two inputs are the same JSON: True is not 1, the order of fields is nothing."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def row_of(row: Row) -> RunRow:
    """Read a run's row."""
    data = row.data
    ended = cast("int | None", data["ended_at"])
    return RunRow(
        order=cast("int", data["order"]),
        run_id=row.partition,
        workflow=str(data["workflow"]),
        version=str(data["version"]),
        definition=str(data["definition"]),
        input=to_json(data["input"]),
        started_at=cast("int", data["order"]) / MICRO,
        status=RunStatus(str(data["status"])),
        generation=execution_of(row),
        generation_at=cast("int", data["began_at"]) / MICRO,
        ended_at=None if ended is None else ended / MICRO,
        result=None if data["result"] is None else to_json(data["result"]),
        trace=str(data["trace"]),
    )


def recorded_history(rows: Iterable[Row], pauses: Sequence[Pause]) -> tuple[HistoryEntry, ...]:
    """Show tries, signals, cancels and sleeps in the order of their times."""
    entries = [_entry(row) for row in rows]
    for pause in pauses:
        if pause.fired is not None:
            entry = HistoryEntry(kind="timer", step=pause.step, at=rfc3339(pause.fired))
            entries.append((pause.fired * MICRO, entry))
    entries.sort(key=lambda item: item[0])
    return tuple(entry for _, entry in entries)


def _entry(row: Row) -> tuple[float, HistoryEntry]:
    data = row.data
    if row.key.startswith((DONE, TRY)):
        at = cast("int", data["order"])
        return at, _try(row, rfc3339(at / MICRO))
    at = cast("int", data["at"])
    if row.key.startswith(CANCEL):
        reason = data["reason"]
        return at, HistoryEntry(kind="cancel", step="", at=rfc3339(at / MICRO), output=reason)
    name, payload = str(data["name"]), data["payload"]
    return at, HistoryEntry(kind="signal", step=name, at=rfc3339(at / MICRO), output=payload)


def _try(row: Row, at: str) -> HistoryEntry:
    data = row.data
    place = row.key.removeprefix(DONE)
    if row.key.startswith(TRY):
        place = row.key.removeprefix(TRY).rpartition("#")[0]
    kind: Literal["task", "compensation"] = "compensation" if data["compensation"] else "task"
    return HistoryEntry(
        kind=kind,
        step=str(data["step"]),
        at=at,
        key=f"{row.partition}:{place}",
        attempt=cast("int", data["attempt"]),
        task=str(data["task"]),
        output=data["value"] if data["ok"] else None,
        error=None if data["ok"] else error_of(data["value"]),
    )
