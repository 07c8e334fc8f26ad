"""What compiled steps share while a run goes on: frames, registrations, tries and undoing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from cartwheel.ports import Json
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._effects import (
    Call,
    CompensationFailure,
    Err,
    Error,
    Raised,
    Sleep,
    Steps,
)
from cartwheel.workflow._evaluate import POSITION, RUN, Env


class RunState:
    """What all frames of one run share."""

    __slots__ = ("failures", "now", "run_id")

    def __init__(self, run_id: str, now: float) -> None:
        self.run_id = run_id
        self.now = now
        self.failures: list[CompensationFailure] = []


class Frame:
    """The names, the position and the open saga of one line of steps."""

    __slots__ = ("env", "log", "position", "run")

    def __init__(self, run: RunState, env: Env, position: str, log: list[Undo] | None) -> None:
        self.run = run
        self.env = env
        self.position = position
        self.log = log

    def fork(self, index: int | None) -> Frame:
        """Return the frame of a branch, or of a map's item:

        a copy of the names, and its own registrations.
        """
        env = self.env.copy()
        position = self.position
        if index is not None:
            env[POSITION] = position = f"{position}:{index}"
        return Frame(self.run, env, position, None if self.log is None else [])


Run: TypeAlias = Callable[[Frame], Steps]
Plain: TypeAlias = Callable[[Frame], None]


@dataclass(slots=True)
class Undo:
    """A registered step: how to undo it, where it ran, and with what."""

    run: Callable[[Frame, Undo], Steps]
    position: str
    key: str
    input: dict[str, Json]
    output: Json = None


def new_frame(run: RunState, input: dict[str, Json]) -> Frame:
    """Return the outermost frame of a run."""
    return Frame(run, {ir.INPUT: input, RUN: run.run_id, POSITION: ""}, "", None)


def error_of(raised: Exception) -> Error:
    """Return the error that an exception carries; a defect becomes `Unexpected`."""
    if isinstance(raised, Raised):
        return raised.error
    return Error(ir.UNEXPECTED, f"the run met {type(raised).__name__}: {raised}")


def settle(frame: Frame, frames: list[Frame], outcomes: list[Any]) -> list[Json]:
    """Take over the branches' registrations and return their values, or raise the first failure."""
    if frame.log is not None:
        for own in frames:
            frame.log.extend(own.log or ())
    for outcome in outcomes:
        if type(outcome) is Err:
            raise Raised(outcome.error)
    return [outcome.value for outcome in outcomes]


def retry_after(policy: ir.RetryPolicy) -> Callable[[int, str], tuple[int, float] | None]:
    """Return a function from tries and code to the wait (longest, jitter) or None for giving up."""
    attempts, codes = policy.attempts, frozenset(policy.on)
    anything = ir.ANY_ERROR in codes
    delays = tuple(policy.delay(failures) for failures in range(1, attempts))
    waits = tuple((delay, float(delay) if policy.jitter else 0.0) for delay in delays)

    def after(attempt: int, code: str) -> tuple[int, float] | None:
        # A cancelled run stays cancelled: trying again would only ask once more.
        if attempt >= attempts or code == ir.CANCELLED or not (anything or code in codes):
            return None
        return waits[attempt - 1]

    return after


def call_with_retry(
    name: str, task: str, policy: ir.RetryPolicy, timeout: int | None
) -> Callable[..., Steps]:
    """Return the retry loop of polls and compensations; it returns the outcome and raises
    nothing."""
    retry = retry_after(policy)

    def run(state: RunState, ending: str, given: dict[str, Json], *, compensation: bool) -> Steps:
        place = name + ending
        key = f"{state.run_id}:{place}"
        attempt = 1
        while True:
            outcome = yield Call(
                f"{place}#{attempt}", key, name, task, given, attempt, timeout, compensation
            )
            if type(outcome) is not Err:
                return outcome
            delay = retry(attempt, outcome.error.code)
            if delay is None:
                return outcome
            yield Sleep(f"{place}~{attempt}", name, state.now + delay[0], delay[1], True)
            attempt += 1

    return run


def undo_with(step: str, spec: ir.CompensateSpec) -> Callable[[RunState, str, Any], Steps]:
    """Return a function that undoes a step with a given input and records a failure to."""
    name = f"{step}.compensate"
    call = call_with_retry(name, spec.task, spec.retry, spec.timeout)

    def run(state: RunState, position: str, given: dict[str, Json]) -> Steps:
        outcome = yield from call(state, position, given, compensation=True)
        if type(outcome) is Err:
            key = f"{state.run_id}:{name}{position}"
            state.failures.append(CompensationFailure(step, key, outcome.error))

    return run


def undo_by(step: str, spec: ir.CompensateSpec) -> Callable[[Frame, Undo], Steps]:
    undo = undo_with(step, spec)

    def run(frame: Frame, entry: Undo) -> Steps:
        given = {"input": entry.input, "output": entry.output, "key": entry.key}
        return undo(frame.run, entry.position, given)

    return run


def epoch(text: str) -> float:
    """Return the epoch seconds of an RFC 3339 time; another text is an `Unexpected` error."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise Raised(
            Error(ir.UNEXPECTED, f"sleep until {text!r}: not an RFC 3339 time with offset")
        )
    return time.timestamp()
