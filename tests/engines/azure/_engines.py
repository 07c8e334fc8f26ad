"""The two engines that run compiled orchestrators: both SDKs, each on a host of its kind."""

from __future__ import annotations

import json
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
from tests.engines.azure._environments import DURABLE_1, Child
from tests.engines.azure._replay_host import TASK_COMPLETED, ReplayHost

MOST_STEPS = 50_000
Compile = Callable[[Workflow], Compiled]


class HostClock:
    """Is the clock of a replay host."""

    def __init__(self) -> None:
        self.host: ReplayHost | None = None

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

    def __init__(self, *, compile: Compile = compile_workflow, batched: bool = False) -> None:
        self._compile = compile
        self._batched = batched
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

        host = ReplayHost(turn, partial(_activity, world), self._clock.now(), batched=self._batched)
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


def record(output: Json, error: str | None) -> JsonObject:
    """Return the record of a run; a failed orchestration has it as the text of its error."""
    found: Json = output if error is None else json.loads(error)
    return cast("JsonObject", found)


def _activity(world: World, name: str, given: Json) -> tuple[float, Callable[[], JsonObject]]:
    assert name == "call_task", f"no activity is named {name!r}"
    served = world.serve(json.loads(str(given)))

    def finish() -> JsonObject:
        served.end()
        text = json.dumps(envelope(served.outcome))
        return {"EventType": TASK_COMPLETED, "Result": json.dumps(text)}

    return served.seconds, finish


def _wake(host: ReplayHost, token: str, outcome: Outcome) -> bool:
    instance_id, _, event = token.rpartition("/")
    return host.raise_event(instance_id, event, json.dumps(envelope(outcome)))
