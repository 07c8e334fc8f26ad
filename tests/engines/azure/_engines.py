"""The two engines that run compiled orchestrators: both SDKs, each on a host of its kind."""

from __future__ import annotations

import heapq
import itertools
import json
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import ClassVar, cast

from cartwheel.ports import Clock, Json, JsonObject
from cartwheel.runs import envelope
from cartwheel.testing.corpus._simulation import START
from cartwheel.workflow import Compiled, Outcome, Workflow
from cartwheel_azure import compile_workflow
from tests.engines._driver import Engine
from tests.engines._world import World
from tests.engines.azure._environments import DURABLE_1, DURABLE_2, Child
from tests.engines.azure._replay_host import TASK_COMPLETED, TASK_FAILED, Activity, ReplayHost

MOST_STEPS = 50_000
Compile = Callable[[Workflow], Compiled]


class HostClock:
    """Is the clock of a host."""

    def __init__(self) -> None:
        self.host: ReplayHost | EngineHost | None = None

    def now(self) -> float:
        """Give epoch seconds."""
        return START if self.host is None else self.host.now

    def sleep(self, seconds: float) -> None:
        """Move on; nobody sleeps in a virtual world but by a timer."""
        raise AssertionError(f"something slept {seconds} s in virtual time")


class Durable1(Engine):
    """Is azure-functions-durable 1.7.0 on a replay host with virtual time."""

    name: ClassVar[str] = "durable-1.7"
    target: ClassVar[str] = "azure"
    real_time: ClassVar[bool] = False

    def __init__(
        self, *, compile: Compile = compile_workflow, batched: bool = False, lose: int = 0
    ) -> None:
        self._compile = compile
        self._batched = batched
        self._lose = lose
        self._child: Child | None = None
        self._clock = HostClock()
        self.turns = 0
        self.activities = 0

    def start(self) -> None:
        """Start the SDK's process."""
        DURABLE_1.require()
        self._child = Child(DURABLE_1, "_replay_child.py")

    def stop(self) -> None:
        """End the SDK's process."""
        if self._child is not None:
            self._child.close()

    def clock(self) -> Clock:
        """Give the clock of the next world's host."""
        self._clock = HostClock()
        return self._clock

    def execute(self, world: World) -> None:
        """Play one execution on a host of its own; the clock goes on."""
        child = self._child
        assert child is not None, "start comes first"
        compiled = self._compile(world.workflow)
        module = child.load(compiled)

        def turn(module: str, context: JsonObject) -> JsonObject:
            return cast("JsonObject", child.ask({"run": module, "context": context})["state"])

        activity = _Activities(world, self._lose)
        host = ReplayHost(turn, activity, self._clock.now(), batched=self._batched)
        self._clock.host = host
        world.wake = partial(_wake, host)
        instance_id = f"{world.run_id}-{world.execution + 1}"
        given = json.dumps(world.begin())
        instance = host.start(module, instance_id, given)
        if world.execution == 1:
            for seconds, _ in sorted(world.program.actions, key=lambda action: action[0]):
                host.at(host.now + seconds, world.act)
        for _ in range(MOST_STEPS):
            if instance.done:
                break
            assert host.step(), f"{instance_id} waits for ever"
        assert instance.done, f"{instance_id} has not ended after {MOST_STEPS} steps"
        self.turns, self.activities = instance.turns, instance.activities
        world.end(record(instance.output, instance.error))


class Durable2(Engine):
    """Is azure-functions-durable 2.0.0rc3 on the Durable Task engine in memory."""

    name: ClassVar[str] = "durable-2.0"
    target: ClassVar[str] = "azure"
    real_time: ClassVar[bool] = False

    def __init__(self, *, compile: Compile = compile_workflow, lose: int = 0) -> None:
        self._compile = compile
        self._lose = lose
        self._child: Child | None = None
        self._clock = HostClock()
        self.turns = 0
        self.activities = 0

    def start(self) -> None:
        """Start the engine's process."""
        DURABLE_2.require()
        self._child = Child(DURABLE_2, "_engine_child.py")

    def stop(self) -> None:
        """End the engine's process."""
        if self._child is not None:
            self._child.close()

    def clock(self) -> Clock:
        """Give the clock of the next world's host."""
        self._clock = HostClock()
        return self._clock

    def execute(self, world: World) -> None:
        """Play one execution; the clock goes on."""
        child = self._child
        assert child is not None, "start comes first"
        compiled = self._compile(world.workflow)
        child.load(compiled)
        instance_id = f"{world.run_id}-{world.execution + 1}"
        activities = _Activities(world, self._lose)
        host = EngineHost(child, activities, self._clock.now(), instance_id)
        self._clock.host = host
        world.wake = host.wake
        if world.execution == 0:
            for seconds, _ in sorted(world.program.actions, key=lambda action: action[0]):
                host.at(host.now + seconds, world.act)
        ended = host.play(compiled.name, json.dumps(world.begin()))
        self.turns, self.activities = host.turns, activities.count
        error = ended.get("error")
        world.end(record(ended.get("output"), None if error is None else str(error)))


class EngineHost:
    """Is the Durable Task engine under way with one orchestration, as the parent sees it."""

    def __init__(self, child: Child, activity: Activity, now: float, instance_id: str) -> None:
        self._child = child
        self._activity = activity
        self.now = now
        self.turns = 0
        self._instance_id = instance_id
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._calls: deque[JsonObject] = deque()
        self._timer: float | None = None
        self._ended: JsonObject | None = None

    def play(self, name: str, given: str) -> JsonObject:
        """Start the orchestration and go on until it has ended; gives its output or error."""
        self._ask({"start": name, "id": self._instance_id, "input": given})
        for _ in range(MOST_STEPS):
            if self._ended is not None:
                self._child.ask({"forget": self._instance_id})
                return self._ended
            self._next()
        raise AssertionError(f"{self._instance_id} has not ended after {MOST_STEPS} steps")

    def at(self, time: float, do: Callable[[], None]) -> None:
        """Let something happen at a time."""
        heapq.heappush(self._due, (time, next(self._numbers), do))

    def wake(self, token: str, outcome: Outcome) -> bool:
        """Wake a wait by its token; false when the orchestration has ended."""
        instance_id, _, event = token.rpartition("/")
        if instance_id != self._instance_id or self._ended is not None:
            return False
        data = json.dumps(envelope(outcome))
        self._ask({"raise": event, "id": instance_id, "data": data})
        return True

    def _next(self) -> None:
        """Serve a call, or let time pass; at the same instant a timer is before a reply."""
        if self._calls:
            self._serve(self._calls.popleft())
            return
        due = self._due[0][0] if self._due else None
        if self._timer is not None and (due is None or self._timer <= due):
            self.now = max(self.now, self._timer)
            self._ask({"go": True})
            return
        assert due is not None, f"{self._instance_id} waits for ever"
        self.now = max(self.now, due)
        heapq.heappop(self._due)[2]()

    def _serve(self, call: JsonObject) -> None:
        seconds, finish = self._activity(str(call["name"]), call["input"])

        def ended() -> None:
            event = finish()
            if event["EventType"] == TASK_FAILED:
                self._ask({"fail": call["number"], "message": event["Reason"]})
            else:
                result = json.loads(str(event["Result"]))
                self._ask({"complete": call["number"], "result": result})

        if seconds:
            self.at(self.now + seconds, ended)
        else:
            ended()

    def _ask(self, request: JsonObject) -> None:
        answer = self._child.ask({**request, "now": self.now})
        self._calls.extend(cast("list[JsonObject]", answer["calls"]))
        self._timer = cast("float | None", answer["next"])
        self.turns = cast("int", answer["turns"])
        ended = cast("JsonObject", answer["ended"])
        if self._instance_id in ended:
            self._ended = cast("JsonObject", ended[self._instance_id])


def record(output: Json, error: str | None) -> JsonObject:
    """Return the record of a run; a failed orchestration has it as the text of its error."""
    found: Json = output if error is None else json.loads(error)
    return cast("JsonObject", found)


class _Activities:
    """Answers the activities of an orchestration from a world; loses the first few on the way."""

    def __init__(self, world: World, lose: int) -> None:
        self._world = world
        self._lose = lose
        self.count = 0

    def __call__(self, name: str, given: Json) -> tuple[float, Callable[[], JsonObject]]:
        assert name == "call_task", f"no activity is named {name!r}"
        self.count += 1
        if self.count <= self._lose:
            died: JsonObject = {"Reason": "the worker died", "Details": ""}
            return 0, lambda: {"EventType": TASK_FAILED, **died}
        served = self._world.serve(json.loads(str(given)))

        def finish() -> JsonObject:
            served.end()
            text = json.dumps(envelope(served.outcome))
            return {"EventType": TASK_COMPLETED, "Result": json.dumps(text)}

        return served.seconds, finish


def _wake(host: ReplayHost, token: str, outcome: Outcome) -> bool:
    instance_id, _, event = token.rpartition("/")
    return host.raise_event(instance_id, event, json.dumps(envelope(outcome)))
