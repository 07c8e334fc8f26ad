"""A workflow engine in this process, for runtimes that need one that is not theirs.

It executes the interpreter's programs in threads, and knows nothing of stores, gates or letters: it
calls invocations, as engines do over HTTP, and what it knows is lost with it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cartwheel.app import DeclaredWorkflow
from cartwheel.ports import Clock, ConfigurationError, Json, JsonObject
from cartwheel.runs import EXPIRED, WAIT, Launch, Pause, Seen
from cartwheel.workflow import (
    Call,
    Err,
    Error,
    Execution,
    Leaf,
    Ok,
    Outcome,
    Sleep,
    Wait,
)
from tests.engines._reference import document

Handle = Callable[[Json], Outcome]


class QuickClock:
    """Is a clock by which a second takes `second` seconds."""

    def __init__(self, second: float) -> None:
        self._second = second
        self._began = time.time()
        self._mark = time.monotonic()

    def now(self) -> float:
        """Give epoch seconds."""
        return self._began + (time.monotonic() - self._mark) / self._second

    def sleep(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds * self._second)


@dataclass(eq=False, slots=True)
class _Playing:
    """Is one execution: what is to be delivered to it, its sleeps, and how it ended."""

    launch: Launch
    execution: Execution
    answers: queue.SimpleQueue[tuple[str, Outcome]] = field(default_factory=queue.SimpleQueue)
    pauses: dict[str, Pause] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)


class ThreadEngine:
    """Is an ExecutionEngine, and the Wakeup of its waits."""

    def __init__(self, workflows: Mapping[str, DeclaredWorkflow], clock: Clock) -> None:
        self._programs = {one.ir.content_hash: one.program for one in workflows.values()}
        self._clock = clock
        self._lock = threading.Lock()
        self._playing: dict[tuple[str, int], _Playing] = {}
        self._waits: dict[str, tuple[_Playing, Wait]] = {}
        self._closed = False
        self.handle: Handle = _nobody

    def close(self) -> None:
        """Let what is under way come to nothing."""
        self._closed = True

    def form(self, definition: str) -> JsonObject:
        """Give nothing but the proof that the definition is known."""
        if definition not in self._programs:
            raise ConfigurationError(f"definition {definition[:12]} is not known here")
        return {"known": True}

    def start(self, launch: Launch, input: JsonObject) -> None:
        """Start an execution once."""
        program = self._programs[launch.definition]
        playing = _Playing(launch, Execution(program, launch.run_id, input))
        with self._lock:
            if self._playing.setdefault((launch.run_id, launch.number), playing) is not playing:
                return
        self._in_thread(lambda: self._play(playing))

    def look(self, launch: Launch) -> Seen | None:
        """See how an execution stands."""
        playing = self._playing.get((launch.run_id, launch.number))
        return None if playing is None else playing.seen

    def pauses(self, launch: Launch, *, latest: bool) -> Sequence[Pause]:
        """Give an execution's sleeps."""
        playing = self._playing.get((launch.run_id, launch.number))
        return () if playing is None else tuple(playing.pauses.values())

    def wake(self, token: str, outcome: Outcome) -> bool:
        """Wake a wait, once."""
        with self._lock:
            found = self._waits.pop(token, None)
        if found is None:
            return False
        playing, wait = found
        playing.answers.put((wait.id, outcome))
        return True

    def _play(self, playing: _Playing) -> None:
        execution = playing.execution
        effects = execution.start(self._clock.now())
        while execution.result is None:
            for effect in effects:
                self._begin(playing, effect)
            answered, outcome = playing.answers.get()
            effects = execution.deliver(answered, outcome, self._clock.now())
        playing.seen = Seen(document(execution.result), self._clock.now())

    def _begin(self, playing: _Playing, effect: Leaf) -> None:
        match effect:
            case Call():
                self._in_thread(lambda: self._call(playing, effect))
                if effect.timeout is not None:
                    message = f"{effect.task} did not answer in time"
                    error = Err(Error("Timeout", message, retryable=True))
                    self._later(effect.timeout, lambda: playing.answers.put((effect.id, error)))
            case Sleep():
                if not effect.retry:
                    playing.pauses[effect.id] = Pause(effect.step, effect.until)
                self._later(effect.until - self._clock.now(), lambda: self._awake(playing, effect))
            case Wait():
                self._in_thread(lambda: self._wait(playing, effect))

    def _call(self, playing: _Playing, call: Call) -> None:
        made = _invocation(playing, call.task, call.step, call.key, call.input)
        outcome = self.handle({**made, "compensation": call.compensation})
        playing.answers.put((call.id, outcome))

    def _awake(self, playing: _Playing, sleep: Sleep) -> None:
        if not sleep.retry:
            pause = Pause(sleep.step, sleep.until, self._clock.now())
            playing.pauses[sleep.id] = pause
        playing.answers.put((sleep.id, Ok(None)))

    def _wait(self, playing: _Playing, wait: Wait) -> None:
        launch = playing.launch
        token = f"{launch.number}:{launch.run_id}:{wait.id}"
        with self._lock:
            self._waits[token] = playing, wait
        left = None if wait.until is None else int(wait.until - self._clock.now()) + 1
        given: JsonObject = {"signal": wait.signal, "token": token, "timeout": left}
        key = f"{launch.run_id}:{wait.id}"
        outcome = self.handle(_invocation(playing, WAIT, wait.step, key, given))
        assert outcome == Ok(None), outcome
        if wait.until is not None:
            self._later(
                wait.until - self._clock.now(),
                lambda: self._expire(playing, wait, token, key, given),
            )

    def _expire(
        self, playing: _Playing, wait: Wait, token: str, key: str, given: JsonObject
    ) -> None:
        with self._lock:
            found = self._waits.pop(token, None)
        if found is not None:
            outcome = self.handle(_invocation(playing, EXPIRED, wait.step, key, given))
            playing.answers.put((wait.id, outcome))

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        def wait_and_work() -> None:
            if seconds > 0:
                self._clock.sleep(seconds)
            work()

        self._in_thread(wait_and_work)

    def _in_thread(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except Exception:
                # The host that would have answered is gone, as is whoever would have asked.
                if not self._closed:
                    raise

        threading.Thread(target=run, daemon=True).start()


def _invocation(
    playing: _Playing, task: str, step: str, key: str, given: Mapping[str, Json]
) -> JsonObject:
    run_id = playing.launch.run_id
    return {"run_id": run_id, "task": task, "step": step, "key": key, "input": dict(given)}


def _nobody(data: Json) -> Outcome:
    raise AssertionError(f"nobody serves {data}")
