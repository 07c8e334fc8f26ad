"""The reference interpreter behind the same door as the third-party engines.

It holds the world to the corpus before an engine is, and stands for an engine where the comparing
itself is tested.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import ClassVar

from cartwheel.ports import Clock, Json, JsonObject
from cartwheel.runs import EXPIRED, WAIT
from cartwheel.testing.corpus._simulation import START
from cartwheel.workflow import (
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
    Workflow,
    compile_program,
    find_problems,
    lower_saga,
)
from tests.engines._driver import Engine
from tests.engines._world import World

Change = Callable[[Workflow], Workflow]


class VirtualClock:
    """Is a clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> float:
        """Give epoch seconds."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.time += seconds


class Reference(Engine):
    """Plays the lowered workflow on the interpreter, with the world's answers and virtual time.

    `change` is applied to the workflow before it is lowered, `change_lowered` after that, as faulty
    compilers would; what is not a workflow any more then is left as it was.
    """

    name: ClassVar[str] = "reference"
    target: ClassVar[str] = "reference"
    real_time: ClassVar[bool] = False

    def __init__(
        self, change: Change | None = None, *, change_lowered: Change | None = None
    ) -> None:
        self._change = change
        self._change_lowered = change_lowered
        self._clock = VirtualClock()

    def start(self) -> None:
        """Start nothing."""

    def stop(self) -> None:
        """Stop nothing."""

    def clock(self) -> Clock:
        """Give a new virtual clock."""
        self._clock = VirtualClock()
        return self._clock

    def execute(self, world: World) -> None:
        """Play one execution."""
        workflow = lower_saga(_sound(self._change, world.workflow))
        _Execution(world, _sound(self._change_lowered, workflow), self._clock).play()


def _sound(change: Change | None, workflow: Workflow) -> Workflow:
    """Change a workflow, unless that leaves one that the checker refuses."""
    changed = workflow if change is None else change(workflow)
    return workflow if find_problems(changed) else changed


class _Execution:
    """Is one execution under way: what is due, and the waits by their token."""

    def __init__(self, world: World, workflow: Workflow, clock: VirtualClock) -> None:
        self._world = world
        self._clock = clock
        self._order = itertools.count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._waits: dict[str, Wait] = {}
        self._run = Execution(compile_program(workflow), world.run_id, world.input)

    def play(self) -> None:
        """Play to the end, then let the remaining actions happen."""
        world = self._world
        world.wake = self._wake
        began = self._clock.now()
        world.begin()
        if world.execution == 1:
            for seconds, _ in sorted(world.program.actions, key=lambda action: action[0]):
                self._at(began + seconds, world.act)
        self._begin(self._run.start(began))
        while self._run.result is None:
            assert self._due, f"the run waits for ever: {sorted(self._run.pending)}"
            due, _, event = heapq.heappop(self._due)
            self._clock.time = max(self._clock.time, due)
            event()
        world.end(document(self._run.result), self._clock.now() - START)

    def _at(self, due: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._due, (due, next(self._order), event))

    def _begin(self, effects: list[Leaf]) -> None:
        now = self._clock.now()
        for effect in effects:
            match effect:
                case Call():
                    self._at(now, lambda call=effect: self._call(call))  # type: ignore[misc]  # mypy can't infer a lambda's default
                case Sleep(id=id, until=until):
                    self._later(until, id, Ok(None))
                case Wait():
                    self._at(now, lambda wait=effect: self._wait(wait))  # type: ignore[misc]  # same

    def _later(self, due: float, id: str, outcome: Outcome) -> None:
        self._at(max(due, self._clock.now()), lambda: self._deliver(id, outcome))

    def _deliver(self, id: str, outcome: Outcome) -> None:
        if self._run.result is None:
            self._begin(self._run.deliver(id, outcome, self._clock.now()))

    def _call(self, call: Call) -> None:
        data = self._invocation(call.task, call.step, call.key, call.input)
        served = self._world.serve({**data, "compensation": call.compensation})

        def deliver(outcome: Outcome) -> Callable[[], None]:
            def event() -> None:
                served.end()
                self._deliver(call.id, outcome)

            return event

        now = self._clock.now()
        if call.timeout is not None and served.seconds >= call.timeout:
            error = Error("Timeout", f"{call.task} did not answer in time", retryable=True)
            self._at(now + call.timeout, deliver(Err(error)))
        elif served.seconds:
            self._at(now + served.seconds, deliver(served.outcome))
        else:
            deliver(served.outcome)()

    def _wait(self, wait: Wait) -> None:
        now = self._clock.now()
        self._waits[wait.id] = wait
        timeout = None if wait.until is None else int(wait.until - now)
        given: JsonObject = {"signal": wait.signal, "token": wait.id, "timeout": timeout}
        key = f"{self._world.run_id}:{wait.id}"
        if wait.until is not None:
            self._at(wait.until, lambda: self._expire(wait, key, given))
        outcome = self._world.serve(self._invocation(WAIT, wait.step, key, given)).outcome
        assert outcome == Ok(None), outcome

    def _expire(self, wait: Wait, key: str, given: JsonObject) -> None:
        if self._waits.pop(wait.id, None) is not None:
            data = self._invocation(EXPIRED, wait.step, key, given)
            self._deliver(wait.id, self._world.serve(data).outcome)

    def _wake(self, token: str, outcome: Outcome) -> bool:
        if self._waits.pop(token, None) is None:
            return False
        self._later(self._clock.now(), token, outcome)
        return True

    def _invocation(self, task: str, step: str, key: str, given: JsonObject) -> JsonObject:
        run_id = self._world.run_id
        return {"run_id": run_id, "task": task, "step": step, "key": key, "input": given}


def document(result: Result) -> JsonObject:
    """Give the document with which every execution ends."""
    error: Json = None if result.error is None else dict(result.error.to_json())
    failures: list[Json] = [
        {"step": failure.step, "error": dict(failure.error.to_json())}
        for failure in result.compensation_failures
    ]
    return {
        "status": result.status,
        "output": result.output,
        "error": error,
        "compensation_failures": failures,
    }
