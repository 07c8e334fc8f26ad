"""Drives the runtime's steps without any SDK: tasks are plain objects that the test settles."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cartwheel_azure._runtime import Context, orchestrate

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(eq=False)
class Pending:
    """Is a task, a timer or the first of several."""

    kind: str
    name: str = ""
    given: Any = None
    fire_at: datetime = START
    value: object = None
    cancelled: bool = False
    tasks: list[Pending] = field(default_factory=list)

    @property
    def result(self) -> object:
        """Give what the test has settled it with."""
        return self.value

    def cancel(self) -> None:
        """Note that it was cancelled."""
        self.cancelled = True


class FakeContext:
    """Is a context whose clock and activities belong to the test."""

    def __init__(self, answer: Callable[[dict[str, Any]], object], given: object) -> None:
        self.answer = answer
        self.given = given
        self.instance_id = "i1"
        self.current_utc_datetime = START
        self.made: list[Pending] = []
        self.events: dict[str, object] = {}
        self.widths: list[int] = []
        """How many tasks each first of several was made of."""

    def get_input(self) -> object:
        """Give the orchestration's input."""
        return self.given

    def call_activity(self, name: str, input_: str) -> Pending:
        """Begin an activity."""
        return self._make(Pending("activity", name, json.loads(input_)))

    def create_timer(self, fire_at: datetime) -> Pending:
        """Begin a timer."""
        return self._make(Pending("timer", fire_at=fire_at))

    def wait_for_external_event(self, name: str) -> Pending:
        """Begin to wait."""
        return self._make(Pending("event", name))

    def task_any(self, tasks: list[Pending]) -> Pending:
        """Wait for the first."""
        self.widths.append(len(tasks))
        return Pending("any", tasks=tasks)

    def _make(self, pending: Pending) -> Pending:
        self.made.append(pending)
        return pending

    def settle(self, waiting: Pending) -> None:
        """Settle the first thing that can be: an activity, an event, or the earliest timer."""
        done = self._settled(list(leaves(waiting)))
        while waiting is not done:
            inner = next(each for each in waiting.tasks if done in leaves(each))
            waiting.value = waiting = inner

    def _settled(self, tasks: list[Pending]) -> Pending:
        for task in tasks:
            if task.kind == "activity":
                value = self.answer(task.given)
                if value is not ...:
                    task.value = value
                    return task
            if task.kind == "event" and task.name in self.events:
                task.value = self.events.pop(task.name)
                return task
        timers = [task for task in tasks if task.kind == "timer"]
        timer = min(timers, key=lambda each: each.fire_at)
        self.current_utc_datetime = max(self.current_utc_datetime, timer.fire_at)
        return timer

    @property
    def passed(self) -> timedelta:
        """Give the time since the start."""
        return self.current_utc_datetime - START


def leaves(task: Pending) -> Iterator[Pending]:
    """Yield what a task waits for in the end."""
    if not task.tasks:
        yield task
    for each in task.tasks:
        yield from leaves(each)


def drive(context: FakeContext, steps: Callable[..., Any]) -> Any:
    """Run an orchestration to its end; gives its record or raises."""
    typed: Context = context  # type: ignore[assignment]  # its tasks are the test's own
    orchestration = orchestrate(typed, steps)
    try:
        waiting: Any = next(orchestration)
        while True:
            context.settle(waiting)
            waiting = orchestration.send(waiting.result)
    except StopIteration as stop:
        return stop.value


def ok(value: object = None) -> str:
    """Give an envelope of success."""
    return json.dumps({"ok": True, "value": value})


def no(code: str, *, retryable: bool = False) -> str:
    """Give an envelope of failure."""
    error = {"code": code, "message": "no", "details": None, "retryable": retryable}
    return json.dumps({"ok": False, "error": error})
