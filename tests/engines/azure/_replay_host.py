"""A host for the replay protocol of azure-functions-durable 1.x, with a clock that is moved.

Facts (history events, how tasks get their ids, the order of actions) are those of the released SDK
and of Microsoft's extension; the code is the project's own. It knows what generated orchestrators
use: activities, timers, external events and task_any.
"""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from cartwheel.ports import Json, JsonObject

EXECUTION_STARTED = 0
TASK_SCHEDULED, TASK_COMPLETED, TASK_FAILED = 4, 5, 6
TIMER_CREATED, TIMER_FIRED = 10, 11
ORCHESTRATOR_STARTED, ORCHESTRATOR_COMPLETED = 12, 13
EVENT_RAISED = 15

CALL_ACTIVITY, CREATE_TIMER, WAIT_FOR_EXTERNAL_EVENT = 0, 5, 6

Turn = Callable[[str, JsonObject], JsonObject]
"""Plays one turn of a module's orchestrator over a context; gives the state it answers."""
Finished = Callable[[], None]
Activity = Callable[[str, Json], tuple[float, Callable[[], JsonObject]]]
"""Runs an activity: gives its seconds, and what gives the event of its end once they passed."""


@dataclass
class Instance:
    """Is one orchestration."""

    id: str
    module: str
    input: str
    history: list[JsonObject] = field(default_factory=list)
    ids: list[int | None] = field(default_factory=list)
    """The task id of each action so far."""
    inbox: list[JsonObject] = field(default_factory=list)
    open: set[int] = field(default_factory=set)
    """Tasks without a result; a cancelled timer is not among them."""
    turns: int = 0
    activities: int = 0
    output: Json = None
    error: str | None = None
    done: bool = False


class ReplayHost:
    """Runs orchestrations; `batched` lets all that is due at once come in one turn."""

    def __init__(self, turn: Turn, activity: Activity, now: float, *, batched: bool) -> None:
        self._turn = turn
        self._activity = activity
        self.now = now
        self._batched = batched
        self._due: list[tuple[float, int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.instances: dict[str, Instance] = {}

    def start(self, module: str, instance_id: str, input: str) -> Instance:
        """Start an orchestration; an id in use is an error of the test."""
        assert instance_id not in self.instances, f"instance {instance_id} exists"
        instance = Instance(instance_id, module, json.dumps(input))
        self.instances[instance_id] = instance
        started: JsonObject = {"Name": module, "Input": instance.input, "Version": None}
        self._deliver(instance, {"EventType": EXECUTION_STARTED, **started})
        return instance

    def raise_event(self, instance_id: str, name: str, data: Json) -> bool:
        """Raise an event; false when the orchestration has ended."""
        instance = self.instances.get(instance_id)
        if instance is None or instance.done:
            return False
        event: JsonObject = {"EventType": EVENT_RAISED, "Name": name, "Input": json.dumps(data)}
        self.at(self.now, lambda: self._deliver(instance, event))
        return True

    def at(self, time: float, do: Callable[[], None], *, last: int = 0) -> None:
        """Let something happen at a time, what is higher in `last` after the others."""
        heapq.heappush(self._due, (max(time, self.now), last, next(self._numbers), do))

    def step(self) -> bool:
        """Let the next thing happen; false when nothing is due any more."""
        if not self._due:
            return False
        self.now, _, _, do = heapq.heappop(self._due)
        do()
        return True

    def _deliver(self, instance: Instance, event: JsonObject) -> None:
        if instance.done:
            return
        if event["EventType"] in (TASK_COMPLETED, TASK_FAILED, TIMER_FIRED):
            task = cast("int", event.get("TaskScheduledId", event.get("TimerId")))
            if task not in instance.open:
                return
            instance.open.discard(task)
        instance.inbox.append(event)
        if not self._batched:
            self._play(instance)
        elif len(instance.inbox) == 1:
            self.at(self.now, lambda: self._play(instance), last=2)

    def _play(self, instance: Instance) -> None:
        """Play one turn with what is in the inbox, and schedule what the orchestrator asks for."""
        if instance.done:
            return
        for event in instance.history:
            event["IsPlayed"] = True
        self._append(instance, {"EventType": ORCHESTRATOR_STARTED})
        for event in instance.inbox:
            self._append(instance, event)
        instance.inbox.clear()
        instance.turns += 1
        state = self._turn(instance.module, self._context(instance))
        actions = list(_flat(state["actions"]))
        assert len(actions) >= len(instance.ids), "an action of an earlier turn is gone"
        for place, action in enumerate(actions):
            if place >= len(instance.ids):
                self._schedule(instance, action)
            elif action.get("isCanceled"):
                instance.open.discard(cast("int", instance.ids[place]))
        self._append(instance, {"EventType": ORCHESTRATOR_COMPLETED})
        if state.get("error") is not None:
            instance.done, instance.error = True, str(state["error"])
        elif state["isDone"]:
            instance.done, instance.output = True, state.get("output")

    def _context(self, instance: Instance) -> JsonObject:
        return {
            "history": cast("Json", instance.history),
            "input": instance.input,
            "instanceId": instance.id,
            "isReplaying": instance.turns > 1,
            "parentInstanceId": None,
            "upperSchemaVersion": 2,
            "maximumShortTimerDuration": "6.00:00:00",
            "longRunningTimerIntervalDuration": "3.00:00:00",
        }

    def _append(self, instance: Instance, event: JsonObject) -> None:
        instance.history.append(
            {"EventId": -1, **event, "IsPlayed": False, "Timestamp": _iso(self.now)}
        )

    def _schedule(self, instance: Instance, action: JsonObject) -> None:
        kind = action["actionType"]
        if kind == WAIT_FOR_EXTERNAL_EVENT:
            instance.ids.append(None)
            return
        number = sum(taken is not None for taken in instance.ids)
        instance.ids.append(number)
        if kind == CREATE_TIMER:
            fire_at = datetime.fromisoformat(str(action["fireAt"]))
            timer: JsonObject = {"TimerId": number, "FireAt": str(action["fireAt"])}
            self._append(instance, {"EventType": TIMER_CREATED, "EventId": number, **timer})
            if not action.get("isCanceled"):
                instance.open.add(number)
                fired: JsonObject = {"EventType": TIMER_FIRED, **timer}
                self.at(fire_at.timestamp(), lambda: self._deliver(instance, fired))
            return
        assert kind == CALL_ACTIVITY, f"the host does not know the action {action}"
        name, given = str(action["functionName"]), json.loads(str(action["input"]))
        self._append(instance, {"EventType": TASK_SCHEDULED, "EventId": number, "Name": name})
        instance.open.add(number)
        self.at(self.now, lambda: self._run(instance, number, name, given))

    def _run(self, instance: Instance, number: int, name: str, given: Json) -> None:
        instance.activities += 1
        seconds, finish = self._activity(name, given)

        def ended() -> None:
            self._deliver(instance, {**finish(), "TaskScheduledId": number})

        if seconds:
            # At the same instant a timeout is before the reply.
            self.at(self.now + seconds, ended, last=1)
        else:
            ended()


def _flat(actions: Json) -> Iterator[JsonObject]:
    for action in cast("list[Json]", actions):
        if isinstance(action, list):
            yield from _flat(action)
        else:
            single = cast("JsonObject", action)
            if "compoundActions" in single:
                yield from _flat(single["compoundActions"])
            else:
                yield single


def _iso(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
