"""The world around a compiled workflow: answers an engine's invocations from a program's script.

It does what `Simulation` does for the interpreter (attempts, latency, lost replies, acts during a
call), and rests on the product's own `Invocations` for cancel, signals, waits and records, so that
those are tested too. A driver with a real clock uses `call`, which takes as long as the script
says; one with a virtual clock uses `serve` and lets `Served.seconds` pass by itself.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from pydantic_core import to_json

from cartwheel.dispatch import TaskReply
from cartwheel.ports import Clock, Json, JsonObject
from cartwheel.runs import RUNS, Invocations
from cartwheel.testing.corpus import Called, Played, Program
from cartwheel.testing.corpus._program import Act, Answer, Signal
from cartwheel.testing.corpus._tasks import as_seen, usual_output
from cartwheel.workflow import Outcome, Workflow
from cartwheel.workflow import _ir as ir
from cartwheel_memory import MemoryDisk
from cartwheel_memory._store import MemoryStore

Wake = Callable[[str, Outcome], bool]
"""Wakes a wait of the engine's by its token; false when nobody waits there any more."""

RunTask = Callable[[str, str, str, bytes], TaskReply]
"""Runs a task by its name, the key, the run's id and the input as JSON."""

_numbers = itertools.count(1)


class WallClock:
    """Is the machine's clock, for engines that have no other."""

    def now(self) -> float:
        """Give epoch seconds."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)


@dataclass(slots=True)
class Served:
    """Is an answered invocation: what to reply, and after how many seconds.

    `end` must be called when the call is over for its caller: replied to, or timed out.
    """

    outcome: Outcome
    seconds: int
    timeout: int | None
    end: Callable[[], None]

    @property
    def late(self) -> bool:
        """Tell whether the reply comes after the caller's timeout."""
        return self.timeout is not None and self.seconds >= self.timeout


class World:
    """Is one run of a program as its surroundings see it; safe to use from several threads.

    The driver sets `wake` before it begins. `second` is how long a second of the script takes. With
    `run_task` real tasks answer instead of the script.
    """

    def __init__(
        self,
        program: Program,
        *,
        clock: Clock | None = None,
        second: float = 1.0,
        run_id: str | None = None,
        run_task: RunTask | None = None,
    ) -> None:
        self.program = program
        self.workflow: Workflow = program.definition.ir
        self.run_id = run_id or f"{program.name}--{next(_numbers)}"
        self.input: JsonObject = json.loads(json.dumps(program.input))
        self.clock: Clock = clock or WallClock()
        self.second = second
        self.execution = 0
        self.documents: list[JsonObject] = []
        """How each execution ended: `{status, output, error, compensation_failures}`."""
        self.seconds = 0.0
        self.wake: Wake = _nobody
        store = MemoryStore(MemoryDisk(), {RUNS.name: RUNS})
        self.invocations = Invocations(run_task or self._run_task, store, self.clock, _Waker(self))
        self._lock = threading.RLock()
        self._calls: list[Called] = []
        self._happened: list[str] = []
        self._running = self._most = 0
        self._acts = [act for _, act in sorted(program.actions, key=lambda action: action[0])]
        self._accepted: list[bool] = []
        self._timers: list[threading.Timer] = []
        self._now = threading.local()
        self._timeouts = _timeouts(self.workflow)
        self._began = 0.0

    def begin(self) -> JsonObject:
        """Begin the next execution; gives the engine's input (a compiler may add slots to it)."""
        self.execution += 1
        self._began = self.clock.now()
        self.invocations.begin(self.run_id, self.execution)
        return {"run_id": self.run_id, "input": self.input, "execution": self.execution}

    def start_actions(self) -> None:
        """Let the program's actions happen in real time from now on; once, after the start."""
        for seconds in sorted({at for at, _ in self.program.actions}):
            count = sum(at == seconds for at, _ in self.program.actions)
            timer = threading.Timer(seconds * self.second, self.act, [count])
            timer.daemon = True
            self._timers.append(timer)
            timer.start()

    def act(self, count: int = 1) -> None:
        """Do the next of the program's actions; for drivers with a clock of their own."""
        with self._lock:
            for _ in range(count):
                if not self._acts:
                    return
                act = self._acts.pop(0)
                accepted = self._do(act)
                if isinstance(act, Signal):
                    self._accepted.append(accepted)

    def serve(self, invocation: Json) -> Served:
        """Answer an invocation at once and say how long that takes."""
        self._now.answer = None
        outcome = self.invocations.handle(invocation)
        answer: Answer | None = self._now.answer
        if answer is None:
            return Served(outcome, 0, None, _nothing)
        call = cast("JsonObject", invocation)
        timeout = self._timeouts.get(str(call["key"]).removeprefix(f"{self.run_id}:").split(":")[0])
        ended = threading.Event()

        def end() -> None:
            with self._lock:
                if not ended.is_set():
                    ended.set()
                    self._running -= 1

        if not answer.seconds:
            return Served(outcome, 0, timeout, end)
        return Served(outcome, answer.seconds, timeout, end)

    def call(self, invocation: Json) -> Outcome:
        """Answer an invocation after as much time as the script says."""
        served = self.serve(invocation)
        waited = served.seconds if served.timeout is None else min(served.seconds, served.timeout)
        if waited:
            time.sleep(waited * self.second)
        served.end()
        if served.seconds > waited:
            time.sleep((served.seconds - waited) * self.second)
        return served.outcome

    def end(self, document: JsonObject, seconds: float | None = None) -> None:
        """Note how an execution ended, and how long the run has taken when not by the clock."""
        with self._lock:
            self.documents.append(document)
            took = (self.clock.now() - self._began) / self.second if seconds is None else seconds
            self.seconds = took
            if self.execution > self.program.redrives:
                self.invocations.end(self.run_id)

    def played(self) -> Played:
        """Give what came of the program, once its last execution has ended."""
        for timer in self._timers:
            timer.cancel()
        self.act(len(self._acts))
        last = self.documents[-1]
        error = cast("JsonObject | None", last.get("error"))
        failures = cast("Sequence[JsonObject]", last.get("compensation_failures") or ())
        return Played(
            status=str(last["status"]),
            output=last.get("output"),
            code=None if error is None else str(error["code"]),
            message=None if error is None else str(error["message"]),
            details=None if error is None else error.get("details"),
            undone=tuple(
                (str(f["step"]), str(cast("JsonObject", f["error"])["code"])) for f in failures
            ),
            calls=tuple(self._calls),
            happened=tuple(self._happened),
            in_flight=self._most,
            seconds=self.seconds,
            accepted=tuple(self._accepted),
            earlier=tuple(str(document["status"]) for document in self.documents[:-1]),
        )

    @property
    def calls(self) -> tuple[Called, ...]:
        """Give the calls so far, in their order."""
        with self._lock:
            return tuple(self._calls)

    def _do(self, act: Act) -> bool:
        if isinstance(act, Signal):
            return self.invocations.signal(self.run_id, act.name, act.payload, signal_id=act.id)
        return self.invocations.cancel(self.run_id)

    def _run_task(self, task: str, key: str, run_id: str, input: bytes) -> TaskReply:
        """Note a call and answer it as the script says."""
        given: JsonObject = json.loads(input)
        place = key.removeprefix(f"{run_id}:")
        with self._lock:
            attempt = 1 + sum(before.key == place for before in self._calls)
            answer = self.program.answer(task, place, attempt)
            self._calls.append(Called(task, place, as_seen(given, run_id), attempt))
            if answer.happened:
                self._happened.append(place)
            self._running += 1
            self._most = max(self._most, self._running)
        for act in answer.acts:
            self._do(act)
        # Set last: an act may lead back here in the same thread.
        self._now.answer = answer
        return _reply(answer, task, place, given)


@dataclass(slots=True)
class _Waker:
    """Passes wake-ups on to whatever the driver has set."""

    world: World = field(repr=False)

    def wake(self, token: str, outcome: Outcome) -> bool:
        return self.world.wake(token, outcome)


def _reply(answer: Answer, task: str, place: str, given: JsonObject) -> TaskReply:
    match answer.kind:
        case "ok":
            usual = usual_output(task, place, given) if answer.value is None else answer.value
            return TaskReply(ok=True, json=to_json(usual))
        case "declared":
            return _failed(answer.code, answer.message, dict(answer.details))
        case "unavailable":
            return _failed("Unavailable", "the script says so", None, retryable=True)
        case "unexpected":
            return _failed("Unexpected", "the script has a bug", None)


def _failed(code: str, message: str, details: Json, *, retryable: bool = False) -> TaskReply:
    error = {"code": code, "message": message, "details": details, "retryable": retryable}
    return TaskReply(ok=False, json=to_json(error))


def _timeouts(workflow: Workflow) -> dict[str, int | None]:
    """Give the timeout of a call by the first part of its key."""
    found: dict[str, int | None] = {}
    for step in ir.walk(workflow.body):
        if isinstance(step, ir.TaskStep | ir.PollStep):
            found[step.name] = step.timeout
        if isinstance(step, ir.TaskStep) and step.compensate is not None:
            found[f"{step.name}.compensate"] = step.compensate.timeout
    return found


def _nobody(token: str, outcome: Outcome) -> bool:
    raise AssertionError(f"the driver has set no way to wake {token}")


def _nothing() -> None:
    """Do nothing."""
