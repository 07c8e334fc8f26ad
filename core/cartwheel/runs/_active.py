"""An open run in memory, and how effects and answers look in the journal."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from pydantic_core import from_json, to_json

from cartwheel.dispatch import TaskReply
from cartwheel.ports import rfc3339
from cartwheel.runs._journal import Kind, Record, Settled, Signalled
from cartwheel.trace import begun
from cartwheel.workflow import (
    LANGUAGE_ERRORS,
    Call,
    Err,
    Error,
    Execution,
    Leaf,
    Ok,
    Outcome,
    Result,
    Sleep,
    Wait,
)

TIMEOUT = "Timeout"
_TASKS = frozenset({"task", "compensation"})
CANCELLED = Error("Cancelled", "the run was asked to end")


class ActiveRun:
    """Is an open run in memory."""

    __slots__ = (
        "calls",
        "cancelled",
        "done",
        "execution",
        "generation",
        "mailbox",
        "over",
        "run_id",
        "seen",
        "seq",
        "started",
        "trace",
        "waiter",
    )

    def __init__(self, run_id: str, execution: Execution, generation: int, trace: str = "") -> None:
        self.run_id = run_id
        self.trace = trace or begun(run_id)
        self.execution = execution
        self.generation = generation
        self.seq = 0
        self.calls: deque[Call] = deque()
        self.mailbox: dict[str, deque[Signalled]] = {}
        self.seen: set[str] = set()
        self.cancelled = False
        self.done: dict[str, Settled] = {}
        """Answers of earlier generations by key, which a redriven run's tasks answer from."""
        self.started: dict[str, float] = {}
        """When each call with a timeout that is under way began, by effect id."""
        self.over = False
        self.waiter: threading.Event | None = None

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the run has ended and that is kept; false when it takes longer."""
        if self.waiter is None:
            self.waiter = threading.Event()
        # In this order, against `finish` in the other: whoever comes second sees the other.
        return self.over or self.waiter.wait(seconds)

    def finish(self) -> None:
        """Say that the run has ended and that this is kept."""
        self.over = True
        if self.waiter is not None:
            self.waiter.set()


class Step(NamedTuple):
    """Is what waits for the journal: a record, and what may happen once it is kept."""

    record: Record
    run: ActiveRun
    effects: Sequence[Leaf]
    ended: bool


def timed_out(call: Call) -> Error:
    """Give the error of a call that did not answer in time."""
    return Error(TIMEOUT, f"{call.task} did not answer within {call.timeout} s", retryable=True)


def reply_of(outcome: Outcome) -> TaskReply:
    """Write an outcome as a reply."""
    if type(outcome) is Ok:
        return TaskReply(ok=True, json=to_json(outcome.value))
    return TaskReply(ok=False, json=to_json(outcome.error.to_json()))


def outcome_of(answer: Settled) -> Outcome:
    """Read an answer as an outcome, afresh, so that nobody shares its data."""
    value = from_json(answer.json)
    return Ok(value) if answer.ok else Err(Error.from_json(value))


def columns_of(
    effect: Leaf,
) -> tuple[Kind, str, str, int]:
    if type(effect) is Call:
        kind: Kind = "compensation" if effect.compensation else "task"
        return kind, effect.key, effect.task, effect.attempt
    if type(effect) is Sleep:
        return "timer", "", "", 1
    return "signal", "", "", 1


def describe(effect: Leaf) -> str:
    """Say what a run waits for."""
    match effect:
        case Call():
            return f"task:{effect.step}"
        case Sleep():
            return f"sleep:{effect.step} until {rfc3339(effect.until)}"
        case Wait():
            return f"signal:{effect.signal}"


def result_json(result: Result) -> bytes:
    """Write how a run ended, as the journal keeps it."""
    return to_json(
        {
            "output": result.output,
            "error": result.error.to_json() if result.error else None,
            "compensation_failures": [
                {"step": failure.step, "error": failure.error.to_json()}
                for failure in result.compensation_failures
            ],
        }
    )


def records_of(answers: Sequence[Settled], generation: int) -> dict[str, Settled]:
    """Give the answers that stay when a run is executed once more, by key.

    They are the outputs, and the declared errors that the run went on from: with those, the same
    path is taken again. What the run failed with is asked again, and so is what the language's own
    errors left open.
    """
    tasks = [a for a in answers if a.kind in _TASKS]
    before = [a for a in tasks if a.generation == generation - 1]
    last_ok = max((a.seq for a in before if a.ok), default=0)
    handled = {a.key: a for a in before if not a.ok and a.seq < last_ok and not _is_open(a)}
    return handled | {a.key: a for a in tasks if a.ok and a.generation < generation}


def undone_after(answers: Sequence[Settled], generation: int) -> str | None:
    """Name the step whose open failure made a saga undo what was done; None when there is none.

    Such a run must not go on: the failed step may do better now, but the steps before it would
    answer from their records though their effects are gone.
    """
    last = {a.key: a for a in answers if a.generation == generation and a.kind in _TASKS}
    failed = [a for a in last.values() if a.kind == "task" and not a.ok and _is_open(a)]
    if not failed:
        return None
    first = min(failed, key=lambda answer: answer.seq)
    undone = any(a.kind == "compensation" and a.seq > first.seq for a in last.values())
    return first.step if undone else None


def _is_open(answer: Settled) -> bool:
    """Tell whether a failure leaves open what has happened: the language's own errors do."""
    return from_json(answer.json)["code"] in LANGUAGE_ERRORS
