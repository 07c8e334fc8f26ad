"""Runs compiled workflows on Durable Functions: tries, timers, signals, and several lines of steps.

This file is copied beside the orchestrators that Cartwheel writes, under a name with its hash, and
needs nothing but the standard library. It reads no clock and no environment, draws no random number
and does no I/O: every turn of an orchestration replays it. It runs on azure-functions-durable 1.7
and 2.0, whose tasks it only awaits one at a time or by task_any.

Values cross the SDK as JSON text, because its decoder takes objects with certain keys for classes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeAlias

ACTIVITY = "call_task"
"""The activity that takes an invocation and gives an envelope, both as JSON text."""
WAIT, EXPIRED = "cartwheel.wait", "cartwheel.expired"
LONGEST_TIMER = timedelta(days=3)
"""Longer timers are made of several: the SDK 1.7 leaves a part of a long one behind on cancel."""
GROUP = 16
"""Lines that wait together: an SDK looks at each task of a group when one settles."""
MAX_INT = 2**53 - 1
MAX_SECONDS = 366 * 86_400

Json: TypeAlias = Any
"""A JSON value; the compiler has checked what the steps do with it."""


class Task(Protocol):
    """Is what an SDK gives for something under way."""

    @property
    def result(self) -> object:
        """What came of it: 1.7 gives a failure as a value, 2.0 raises it."""
        ...


class Timer(Task, Protocol):
    """Is a timer under way."""

    def cancel(self) -> object:
        """End it early; an orchestration does not end before its timers have."""
        ...


class Context(Protocol):
    """Is what the orchestrators need of an SDK's DurableOrchestrationContext."""

    @property
    def instance_id(self) -> str: ...
    @property
    def current_utc_datetime(self) -> datetime: ...
    def get_input(self) -> Json: ...
    def call_activity(self, name: str, input_: str) -> Task: ...
    def create_timer(self, fire_at: datetime) -> Timer: ...
    def wait_for_external_event(self, name: str) -> Task: ...
    def task_any(self, tasks: list[Task]) -> Task: ...


class Raised(Exception):
    """An error of the workflow on its way to a handler."""

    def __init__(
        self, code: str, message: str = "", details: Json = None, retryable: bool = False
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.error: Json = {
            "code": code,
            "message": message,
            "details": details,
            "retryable": retryable,
        }

    @classmethod
    def of(cls, error: Json) -> Raised:
        """Raise an error again that was kept as data."""
        return cls(error["code"], error["message"], error["details"], error["retryable"])


class RunFailed(Exception):
    """Ends an orchestration as failed; its text is the run's record as JSON."""


@dataclass(frozen=True)
class Retry:
    """How often, when and after which codes a task is tried again; `attempts` counts all tries."""

    attempts: int
    interval: int
    rate: int
    cap: int | None
    jitter: bool
    on: tuple[str, ...]

    def delay(self, failures: int, code: str, seed: str) -> float | None:
        """Return the seconds to wait after so many failed tries, or None to give up.

        A cancelled run stays cancelled. Jitter comes from a hash, the same in every replay.
        """
        if failures >= self.attempts or code == "Cancelled":
            return None
        if "*" not in self.on and code not in self.on:
            return None
        limit = MAX_SECONDS if self.cap is None else self.cap
        seconds = min(self.interval, limit)
        for _ in range(failures - 1):
            seconds = min(seconds * self.rate, limit)
        if not self.jitter:
            return seconds
        digest = hashlib.sha256(f"{seed}#{failures}".encode("utf-8", "surrogatepass")).digest()
        return round(seconds * int.from_bytes(digest[:4], "big") / 2**32, 3)


REGISTER = Retry(attempts=10, interval=1, rate=2, cap=60, jitter=True, on=("Unavailable",))
"""How often a wait is registered or ended: the endpoint may be away for some minutes."""


@dataclass(frozen=True)
class First:
    """Asks for the first of some tasks to settle; answered by that task."""

    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class All:
    """Asks for branches to run, at most `limit` at once; answered by what became of each."""

    branches: Iterator[Steps]
    limit: int | None


Steps: TypeAlias = "Generator[First | All, Any, Json]"
"""A line of steps: yields what it waits for, returns its value, raises Raised."""
Orchestration: TypeAlias = "Generator[Task, Any, Json]"
"""An orchestrator's body: yields the SDK's tasks, returns the run's record."""


class _Join:
    """Branches under way: who waits for them, what became of each, which are still to start."""

    def __init__(self, line: _Line, asked: All) -> None:
        self.line = line
        self.branches = asked.branches
        self.outcomes: list[Json] = []
        self.running = 0

    def start(self) -> _Line | None:
        """Start the next branch, if one is left."""
        steps = next(self.branches, None)
        if steps is None:
            return None
        self.outcomes.append(None)
        self.running += 1
        return _Line(steps, self, len(self.outcomes) - 1)


class _Line:
    """A line of steps, what it waits for, and the join that it settles."""

    def __init__(self, steps: Steps, join: _Join | None = None, position: int = 0) -> None:
        self.steps = steps
        self.join = join
        self.position = position


class _Group:
    """Some lines that wait, with what each waits for, and the first of it all as one task."""

    def __init__(self) -> None:
        self.lines: dict[_Line, tuple[Task, ...]] = {}
        self.first: Task | None = None


class _Waiting:
    """The lines that wait, in small groups: what settles makes one group's task anew, not all."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._groups: list[_Group] = []
        self._of: dict[Task, tuple[_Group, _Line]] = {}

    def add(self, line: _Line, tasks: tuple[Task, ...]) -> None:
        """Let a line wait for the first of some tasks."""
        group = next((each for each in self._groups if len(each.lines) < GROUP), None)
        if group is None:
            group = _Group()
            self._groups.append(group)
        group.lines[line] = tasks
        group.first = None
        for task in tasks:
            self._of[task] = (group, line)

    def first(self) -> Task:
        """Return the task that settles when a first line can go on."""
        firsts: list[Task] = []
        for group in self._groups:
            if group.first is None and group.lines:
                group.first = self._any([task for tasks in group.lines.values() for task in tasks])
            if group.first is not None:
                firsts.append(group.first)
        return self._any(firsts)

    def _any(self, tasks: list[Task]) -> Task:
        return tasks[0] if len(tasks) == 1 else self._context.task_any(tasks)

    def woken_by(self, done: Task) -> tuple[_Line, Task]:
        """Take out the line that a settled task wakes; returns it with the task of its own."""
        while done not in self._of:
            # The result of a first is the one that settled.
            inner: Any = done.result
            done = inner
        group, line = self._of[done]
        for task in group.lines.pop(line):
            del self._of[task]
        group.first = None
        return line, done


class Run:
    """One run: what its steps may do. `failures` are the compensations that failed for good."""

    def __init__(self, context: Context, run_id: str) -> None:
        self.context = context
        self.id = run_id
        self.failures: list[Json] = []

    def key(self, place: str) -> str:
        """Return the idempotency key of a place: a step with its positions in maps."""
        return f"{self.id}:{place}"

    def call(
        self,
        task: str,
        step: str,
        given: Json,
        retry: Retry,
        *,
        timeout: int | None = None,
        at: str = "",
        compensation: bool = False,
    ) -> Steps:
        """Call a task until it succeeds or its tries are used up; `timeout` is for each try.

        `at` is the position inside maps, as a key's ending.
        """
        invocation = {
            "run_id": self.id,
            "task": task,
            "step": step,
            "key": self.key(step + at),
            "input": given,
            "compensation": compensation,
        }
        text, failures = json.dumps(invocation), 0
        while True:
            try:
                return (yield from self._try(task, text, timeout))
            except Raised as raised:
                failures += 1
                delay = retry.delay(failures, raised.code, invocation["key"])
                if delay is None:
                    raise
            yield from self.sleep(delay)

    def _try(self, task: str, text: str, timeout: int | None) -> Steps:
        deadline = None if timeout is None else self._after(timeout)
        call = self.context.call_activity(ACTIVITY, text)
        if not (yield from self._settles(call, deadline)):
            message = f"{task} did not answer within {timeout} s"
            raise Raised("Timeout", message, None, True)
        return _value(call)

    def undo(
        self,
        task: str,
        undone: str,
        given: Json,
        retry: Retry,
        *,
        timeout: int | None = None,
        at: str = "",
    ) -> Steps:
        """Call the task that undoes a step; a failure for good is recorded and does not raise."""
        step = f"{undone}.compensate"
        try:
            yield from self.call(
                task, step, given, retry, timeout=timeout, at=at, compensation=True
            )
        except Raised as raised:
            failure = {"step": undone, "key": self.key(step + at), "error": raised.error}
            self.failures.append(failure)

    def sleep(self, seconds: float) -> Steps:
        """Sleep; no time, or less, makes no timer."""
        if seconds > 0:
            yield from self._until(self._after(seconds))

    def sleep_until(self, time: str) -> Steps:
        """Sleep until an RFC 3339 time; the past does not wait."""
        try:
            end = datetime.fromisoformat(time)
        except ValueError:
            end = None
        if end is None or end.tzinfo is None:
            message = f"sleep until {time!r}: not an RFC 3339 time with offset"
            raise Raised("Unexpected", message)
        yield from self._until(end)

    def wait(self, signal: str, step: str, event: str, *, timeout: int | None = None) -> Steps:
        """Wait for a signal and return its payload.

        The endpoint keeps signals and hands this one over as an event of its own name: what came
        early is kept there, and what came just before the timeout is asked for.
        """
        deadline = None if timeout is None else self._after(timeout)
        token = f"{self.context.instance_id}/{event}"
        given = {"signal": signal, "token": token, "timeout": timeout}
        yield from self.call(WAIT, step, given, REGISTER)
        raised = self.context.wait_for_external_event(event)
        if (yield from self._settles(raised, deadline)):
            return _value(raised)
        return (yield from self.call(EXPIRED, step, given, REGISTER))

    def parallel(self, *branches: Steps) -> Steps:
        """Run branches at once; all settle, then the first failure is raised."""
        return _settled((yield All(iter(branches), None)))

    def map_each(
        self,
        items: Sequence[Json],
        branch: Callable[[str, Json], Steps],
        *,
        limit: int | None = None,
        at: str = "",
    ) -> Steps:
        """Run a branch for each item, at most `limit` at once; settles as `parallel` does."""
        branches = (branch(f"{at}:{index}", item) for index, item in enumerate(items))
        return _settled((yield All(branches, limit)))

    def _after(self, seconds: float) -> datetime:
        return self.context.current_utc_datetime + timedelta(seconds=seconds)

    def _until(self, end: datetime) -> Steps:
        while (left := end - self.context.current_utc_datetime) > timedelta(0):
            hop = self.context.current_utc_datetime + min(left, LONGEST_TIMER)
            yield First((self.context.create_timer(hop),))

    def _settles(self, task: Task, deadline: datetime | None) -> Steps:
        """Wait for a task, or until a time; tells whether the task has settled."""
        if deadline is None:
            yield First((task,))
            return True
        while (left := deadline - self.context.current_utc_datetime) > timedelta(0):
            hop = self.context.current_utc_datetime + min(left, LONGEST_TIMER)
            timer = self.context.create_timer(hop)
            if (yield First((task, timer))) is task:
                timer.cancel()
                return True
        return False


def orchestrate(context: Context, steps: Callable[[Run, Json], Steps]) -> Orchestration:
    """Run a workflow's steps in an orchestration; give its SDK's decorator a function that does.

    The input is `{"run_id", "input"}`, as JSON text or as an object. The output is the run's
    record; of a run that fails or is cancelled it is the text of the error.
    """
    given = context.get_input()
    if isinstance(given, str):
        given = json.loads(given)
    run = Run(context, given["run_id"])
    record: Json = {"status": "succeeded", "output": None, "error": None}
    try:
        record["output"] = yield from _drive(context, steps(run, given["input"]))
    except Raised as raised:
        record["status"] = "cancelled" if raised.code == "Cancelled" else "failed"
        record["error"] = raised.error
    record["compensation_failures"] = run.failures
    if record["error"] is not None:
        raise RunFailed(json.dumps(record))
    return record


def _drive(context: Context, steps: Steps) -> Orchestration:
    """Advance all lines of steps until the main one has ended."""
    ready: list[tuple[_Line, object]] = [(_Line(steps), None)]
    waiting = _Waiting(context)
    while True:
        while ready:
            line, answer = ready.pop()
            try:
                asked = line.steps.send(answer)
            except StopIteration as stop:
                outcome = stop.value
            except Raised as raised:
                if line.join is None:
                    raise
                outcome = raised
            else:
                if isinstance(asked, All):
                    ready.extend(_forked(line, asked))
                else:
                    waiting.add(line, asked.tasks)
                continue
            if line.join is None:
                return outcome
            ready.extend(_joined(line.join, line.position, outcome))
        task = waiting.first()
        # What failed tells so by its result.
        with suppress(Exception):
            yield task
        ready.append(waiting.woken_by(task))


def _forked(line: _Line, asked: All) -> Iterable[tuple[_Line, object]]:
    """Start the first branches of a join; without any its line goes on. The first is taken last."""
    join = _Join(line, asked)
    started: list[tuple[_Line, object]] = []
    while asked.limit is None or len(started) < asked.limit:
        branch = join.start()
        if branch is None:
            break
        started.append((branch, None))
    return reversed(started) if started else [(line, [])]


def _joined(join: _Join, position: int, outcome: Json) -> Iterable[tuple[_Line, object]]:
    """Note what became of a branch and return the line that can go on because of it."""
    join.outcomes[position] = outcome
    join.running -= 1
    following = join.start()
    if following is not None:
        return [(following, None)]
    return [] if join.running else [(join.line, join.outcomes)]


def _settled(outcomes: list[Json]) -> Json:
    for outcome in outcomes:
        if isinstance(outcome, Raised):
            raise outcome
    return outcomes


def _value(task: Task) -> Json:
    """Return what an envelope holds, or raise its error; a task without one was lost on the way."""
    try:
        envelope: Json = task.result
    except Exception as failure:  # noqa: BLE001  # 2.0 raises what 1.7 gives as a value
        envelope = failure
    if isinstance(envelope, Exception):
        raise Raised("Unavailable", f"the activity failed: {envelope}", None, True) from None
    try:
        if isinstance(envelope, str):
            envelope = json.loads(envelope)
        value = envelope["value"] if envelope["ok"] else Raised.of(envelope["error"])
    except (KeyError, TypeError, ValueError):
        raise Raised("Unexpected", f"the reply is no envelope: {envelope!r:.200}") from None
    if isinstance(value, Raised):
        raise value
    return value


def clamp(number: int) -> int:
    """Return a sum as the language has it: saturated at plus and minus 2^53 - 1."""
    return max(-MAX_INT, min(MAX_INT, number))


def text(*parts: str | int) -> str:
    """Put strings and integers together."""
    return "".join(map(str, parts))
