"""What every cloud function does with an invocation by a workflow engine.

A compiled workflow calls one endpoint for everything, with an invocation:

    {"run_id": str, "task": str, "step": str, "key": str, "input": {...}, "compensation": bool}

`task` is a registered task's name, or one of the two that are built in:

- `cartwheel.wait` registers a wait for a signal. Its key is `<run>:<step>[:<index>]`, its input
  `{"signal": str, "token": str, "timeout": int | None}`; the token is whatever the adapter's
  `Wakeup` needs to wake this very wait (a task token, a callback address, an event's name). The
  reply is null; the answer comes through the token, at once when the signal was there before.
- `cartwheel.expired` is for engines whose own timer ended a wait, with the same key and input: it
  replies with the signal that came just before, or with the error Timeout. A signal is lost to no
  wait when the engine asks this; without it the deadline that was registered decides.

The reply is an outcome, which adapters put into the form that their engine reads: `envelope`,
`problem` or `task_error`. Nothing here knows an engine, and every verb may be called twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from pydantic_core import from_json, to_json

from cartwheel.dispatch import TaskReply
from cartwheel.ports import (
    Clock,
    Conflict,
    InvalidWrite,
    Json,
    JsonObject,
    Put,
    Row,
    RunConflict,
    Store,
    Unavailable,
    Write,
)
from cartwheel.runs._letterbox import CANCELLED, RUNS, TRIES, Head, Letterbox, Wakeup
from cartwheel.trace import current, within
from cartwheel.workflow._effects import Err, Error, Ok, Outcome
from cartwheel.workflow._ir import LANGUAGE_ERRORS

WAIT = "cartwheel.wait"
EXPIRED = "cartwheel.expired"
DONE, TRY = "done#", "try#"
_STATUS = {"Unavailable": 503, "Timeout": 504, "Unexpected": 500, "Cancelled": 409}
_DECLARED = 422


@dataclass(frozen=True, slots=True)
class Invocation:
    """Is one call by an engine."""

    run_id: str
    task: str
    step: str
    key: str
    input: JsonObject
    compensation: bool = False

    @classmethod
    def from_json(cls, data: Json) -> Invocation:
        """Read an invocation; raises ValueError that says what is wrong with it."""
        if not isinstance(data, dict):
            raise ValueError(f"an invocation is an object, not {type(data).__name__}")
        for name in ("run_id", "task", "step", "key"):
            if not isinstance(data.get(name), str) or not data[name]:
                raise ValueError(f"an invocation needs the string '{name}', got {data.get(name)!r}")
        given, undo = data.get("input"), data.get("compensation", False)
        if not isinstance(given, dict):
            raise ValueError(f"an invocation's input is an object, not {type(given).__name__}")
        if not isinstance(undo, bool):
            raise ValueError(f"an invocation's compensation is a boolean, not {undo!r}")
        run_id, key = str(data["run_id"]), str(data["key"])
        if not key.startswith(f"{run_id}:"):
            raise ValueError(f"key {key!r} does not begin with the run's id {run_id!r} and a colon")
        return cls(run_id, str(data["task"]), str(data["step"]), key, given, undo)

    @property
    def place(self) -> str:
        """Give the key without the run's id."""
        return self.key[len(self.run_id) + 1 :]


RunTask = Callable[[str, str, str, bytes], TaskReply]
"""Runs a task (`Dispatcher.task`): its name, the key, the run's id and the input as JSON."""


class Invocations:
    """Serves the invocations of runs, and the verbs of a runtime that are not the engine's own.

    It rests on the store alone: cancel, signals, waits and the records that a redriven run answers
    from mean the same on every engine.
    """

    def __init__(self, run_task: RunTask, store: Store, clock: Clock, wakeup: Wakeup) -> None:
        self._run_task = run_task
        self._store = store
        self._clock = clock
        self._order = 0
        self._ordering = threading.Lock()
        self.letters = Letterbox(store, clock, wakeup)

    def begin(self, run_id: str, execution: int = 1, *others: Write) -> bool:
        """Note that an execution begins, before the engine is told to start it.

        What it gives and what `others` are is said by `Letterbox.begin`.

        A redrive (`execution` from 2) takes the same path again: what succeeded answers from its
        record, and so does a declared error that the run went on from. Raises RunConflict when a
        saga undid what was done because of a failure that left open what had happened.
        """
        if execution > 1 and self.letters.head(run_id).execution < execution:
            self._take_up(run_id, execution - 1)
        return self.letters.begin(run_id, execution, *others)

    def end(self, run_id: str) -> None:
        """Note that a run has ended."""
        self.letters.end(run_id)

    def cancel(self, run_id: str, reason: str = "") -> bool:
        """Ask a run to end; see `Letterbox.cancel`."""
        return self.letters.cancel(run_id, reason)

    def signal(self, run_id: str, name: str, payload: Json, *, signal_id: str) -> bool:
        """Deliver a signal; see `Letterbox.signal`."""
        return self.letters.signal(run_id, name, payload, signal_id)

    def handle(self, data: Json) -> Outcome:
        """Answer an invocation; whatever happens the answer is an outcome."""
        try:
            call = Invocation.from_json(data)
        except ValueError as error:
            return Err(Error("Unexpected", str(error)))
        try:
            return self._handle(call)
        except Unavailable as error:
            return Err(Error("Unavailable", str(error), retryable=True))

    def _handle(self, call: Invocation) -> Outcome:
        match call.task:
            case "cartwheel.wait":
                return self._wait(call)
            case "cartwheel.expired":
                signal = str(call.input.get("signal"))
                return self.letters.expire(call.run_id, call.place, signal)
            case _:
                return self._call(call)

    def _wait(self, call: Invocation) -> Outcome:
        signal, token = call.input.get("signal"), call.input.get("token")
        timeout = call.input.get("timeout")
        if not isinstance(signal, str) or not isinstance(token, str):
            return Err(Error("Unexpected", f"{call.key}: a wait needs a signal and a token"))
        until = self._clock.now() + timeout if isinstance(timeout, int) else None
        self.letters.wait(call.run_id, call.place, signal, token, until)
        return Ok(None)

    def _call(self, call: Invocation) -> Outcome:
        head = self.letters.head(call.run_id)
        if head.cancelled and not call.compensation:
            return Err(CANCELLED)
        if head.execution > 1:
            row = self._store.get(RUNS.name, call.run_id, DONE + call.place)
            # This execution's own records are not asked: a task is called once per try, and has
            # one effect per key by itself.
            if row is not None and cast("int", row.data["execution"]) < head.execution:
                if row.data["ok"]:
                    return Ok(row.data["value"])
                if row.data["stands"]:
                    return Err(Error.from_json(cast("dict[str, Json]", row.data["value"])))
        with within(head.trace or current()):
            reply = self._run_task(call.task, call.key, call.run_id, to_json(call.input))
        return self._record(call, head, ok=reply.ok, value=from_json(reply.json))

    def _record(self, call: Invocation, head: Head, *, ok: bool, value: Json) -> Outcome:
        """Keep what a task answered, for the run's later executions and its history.

        The first try is one row. A later one takes its place, and puts it aside in the same commit.
        """
        key = DONE + call.place
        row = None
        data: JsonObject = {
            "task": call.task,
            "step": call.step,
            "execution": head.execution,
            "attempt": 1,
            "compensation": call.compensation,
            "ok": ok,
            "value": value,
            "stands": False,
            "order": self._next(),
        }
        for _ in range(TRIES):
            writes = [Put(key, data, 0)]
            if row is not None:
                before = row.data["execution"] == head.execution
                data["attempt"] = cast("int", row.data["attempt"]) + 1 if before else 1
                # A row's version counts its writes, so no two tries are put aside under one key.
                aside = f"{TRY}{call.place}#{row.version:06d}"
                writes = [Put(key, data, row.version), Put(aside, row.data, 0)]
            try:
                self._store.commit(RUNS.name, call.run_id, writes)
            except Conflict:
                row = self._store.get(RUNS.name, call.run_id, key)
                if row is not None and row.data == data:
                    break
            except InvalidWrite as error:
                return Err(Error("Unexpected", f"the output of {call.task} can't be kept: {error}"))
            else:
                break
        else:
            raise Unavailable(f"{RUNS.name}/{call.run_id} stayed contended for {TRIES} tries")
        return Ok(value) if ok else Err(Error.from_json(cast("dict[str, Json]", value)))

    def _take_up(self, run_id: str, execution: int) -> None:
        """Say of an execution's failures which of them stand when the run goes on."""
        rows = [
            row for row in self.letters.rows(run_id, DONE) if row.data["execution"] == execution
        ]
        failed = [row for row in rows if not row.data["ok"]]
        opened = [row for row in failed if _is_open(row) and not row.data["compensation"]]
        if opened:
            first = min(opened, key=_order_of)
            undone = [r for r in rows if r.data["compensation"] and _order_of(r) > _order_of(first)]
            if undone:
                step = first.key[len(DONE) :]
                raise RunConflict(run_id, f"undid its steps after '{step}' failed: it can't go on")
        last_ok = max((_order_of(row) for row in rows if row.data["ok"]), default=0)
        for row in failed:
            if _order_of(row) < last_ok and not _is_open(row) and not row.data["stands"]:
                write = Put(row.key, {**row.data, "stands": True}, row.version)
                self._store.commit(RUNS.name, run_id, [write])

    def _next(self) -> int:
        """Give a number that orders records: microseconds, never the same twice here."""
        with self._ordering:
            self._order = max(self._order + 1, int(self._clock.now() * 1_000_000))
            return self._order


def _order_of(row: Row) -> int:
    return cast("int", row.data["order"])


def _is_open(row: Row) -> bool:
    """Tell whether a failure leaves open what has happened: the language's own errors do."""
    return cast("JsonObject", row.data["value"])["code"] in LANGUAGE_ERRORS


def envelope(outcome: Outcome) -> JsonObject:
    """Give an outcome as data: `{"ok": true, "value"}` or `{"ok": false, "error"}`."""
    if isinstance(outcome, Ok):
        return {"ok": True, "value": outcome.value}
    return {"ok": False, "error": cast("Json", outcome.error.to_json())}


def problem(outcome: Outcome) -> tuple[int, Json]:
    """Give an outcome as an HTTP status and body: 200 with the output, or the error's fields."""
    if isinstance(outcome, Ok):
        return 200, outcome.value
    return _STATUS.get(outcome.error.code, _DECLARED), cast("Json", outcome.error.to_json())


def task_error(error: Error) -> Exception:
    """Give an error as an exception whose class is named as its code, with the error as its text.

    Engines that know errors by the name of their class see the code.
    """
    text = to_json(error.to_json()).decode("utf-8")
    made: Exception = type(error.code, (Exception,), {"__module__": "builtins"})(text)
    return made
