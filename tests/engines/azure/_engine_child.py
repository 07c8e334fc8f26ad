"""Runs orchestrators on the Durable Task engine in memory, with azure-functions-durable 2.0.

Runs in that SDK's own environment and speaks lines of JSON over stdin and stdout. The engine and
the SDK are used as released but for three things: the engine's methods are called directly instead
of over gRPC, so that one program follows the other in one order; its module sees a clock and
threads that stand still until they are told to go on; activities are answered by the parent.

    {"load": folder, "module": name}                 imports a compiled module
    {"start": name, "id": str, "input": str}         starts an orchestration
    {"go": true}                                     fires the timers that are due
    {"complete": number, "result": str}              gives the result of an activity
    {"fail": number, "message": str}                 says that an activity was lost
    {"raise": event, "id": str, "data": str}         raises an event
    {"forget": id}                                   drops an orchestration that has ended

Each request but the first holds the time, `now`. Each answer holds what came of it: `calls` (new
activities: number, name, input), `next` (when the next timer is due, or null), `turns`, and `ended`
(by id: output, or error).
"""

from __future__ import annotations

import asyncio
import base64
import heapq
import importlib
import itertools
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from types import SimpleNamespace
from typing import Any


class Clock:
    """Is the engine's clock: threads that sleep on it go on when it is moved."""

    def __init__(self) -> None:
        self.time = 0.0
        self.sleepers: list[tuple[float, int, Sleeper]] = []
        self._numbers = itertools.count()

    def sleep(self, seconds: float) -> None:
        """Sleep in a thread of the engine's."""
        thread = threading.current_thread()
        assert isinstance(thread, Sleeper)
        heapq.heappush(self.sleepers, (self.time + seconds, next(self._numbers), thread))
        thread.asleep.set()
        thread.awake.wait()

    @property
    def next(self) -> float | None:
        """Give the time when the next sleeper is due."""
        return self.sleepers[0][0] if self.sleepers else None

    def go(self, time: float) -> None:
        """Move on, and let go on what is due."""
        self.time = max(self.time, time)
        while self.sleepers and self.sleepers[0][0] <= self.time:
            thread = heapq.heappop(self.sleepers)[2]
            thread.awake.set()
            thread.join()

    def clear(self) -> None:
        """Let all go on at once."""
        while self.sleepers:
            self.go(self.sleepers[0][0])


CLOCK = Clock()


class Sleeper(threading.Thread):
    """Is a thread of the engine's; starting it returns once it sleeps."""

    def __init__(self, *, target: Callable[[], None], daemon: bool) -> None:
        super().__init__(target=target, daemon=daemon)
        self.asleep = threading.Event()
        self.awake = threading.Event()

    def start(self) -> None:
        """Start, and wait until the thread sleeps or has ended."""
        super().start()
        self.asleep.wait()

    def run(self) -> None:
        """Run; the end is as good as sleep for whoever waits."""
        try:
            super().run()
        finally:
            self.asleep.set()


class EngineDatetime(datetime):
    """Is datetime with the engine's clock."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # plain datetimes do
        """Give the engine's time."""
        return datetime.fromtimestamp(CLOCK.time, tz or UTC)


class Caller:
    """Stands for the gRPC context of a call; `is_active` ends the stream of work when none is."""

    def __init__(self, is_active: Callable[[], bool] = lambda: True) -> None:
        self.is_active = is_active

    def abort(self, code: object, details: str) -> None:
        """Refuse a call."""
        raise RuntimeError(f"{code}: {details}")


class Engine:
    """The engine, and the worker that serves its work items."""

    def __init__(self) -> None:
        module: Any = importlib.import_module("durabletask.testing.in_memory_backend")
        module.datetime = EngineDatetime
        module.time = SimpleNamespace(sleep=CLOCK.sleep)
        module.threading = SimpleNamespace(
            Thread=Sleeper, RLock=threading.RLock, Event=threading.Event
        )
        self.pb: Any = module.pb
        self.text: Any = module.wrappers_pb2.StringValue
        self.durable: Any = importlib.import_module("azure.durable_functions")
        self.backend: Any = module.InMemoryOrchestrationBackend(max_history_size=100_000)
        self.handlers: dict[str, Any] = {}
        self.loop = asyncio.new_event_loop()
        self.activities: dict[int, Any] = {}
        self.numbers = itertools.count(1)
        self.calls: list[object] = []
        self.turns = 0

    def answer(self, request: dict[str, Any]) -> dict[str, object]:
        """Do what is asked, serve all work that follows, and tell what came of it."""
        CLOCK.time = max(CLOCK.time, request.get("now", 0.0))
        match request:
            case {"load": folder, "module": name}:
                sys.path.insert(0, folder)
                compiled: Any = importlib.import_module(name)
                sys.path.remove(folder)
                self.handlers[compiled.NAME] = registered(self.durable, compiled)
                return {"name": compiled.NAME}
            case {"start": name, "id": id, "input": text}:
                start = self.pb.CreateInstanceRequest(instanceId=id, name=name)
                start.input.CopyFrom(self.text(value=json.dumps(text)))
                self.backend.StartInstance(start, Caller())
            case {"go": True}:
                CLOCK.go(CLOCK.time)
            case {"complete": number, "result": text}:
                response = self.activities.pop(number)
                response.result.CopyFrom(self.text(value=json.dumps(text)))
                self.backend.CompleteActivityTask(response, Caller())
            case {"fail": number, "message": text}:
                response = self.activities.pop(number)
                details = self.pb.TaskFailureDetails(errorType="RuntimeError", errorMessage=text)
                response.failureDetails.CopyFrom(details)
                self.backend.CompleteActivityTask(response, Caller())
            case {"raise": name, "id": id, "data": text}:
                event = self.pb.RaiseEventRequest(instanceId=id, name=name)
                event.input.CopyFrom(self.text(value=json.dumps(text)))
                self.backend.RaiseEvent(event, Caller())
            case {"forget": id}:
                CLOCK.clear()
                CLOCK.time = 0.0
                self.backend.reset()
                self.activities.clear()
                self.turns = 0
                return {}
            case _:
                raise ValueError(f"what is {request}?")
        self.serve()
        calls, self.calls = self.calls, []
        return {
            "calls": calls,
            "next": CLOCK.next,
            "turns": self.turns,
            "ended": dict(filter(None, map(self.ended, self.backend._instances.values()))),
        }

    def serve(self) -> None:
        """Serve all work items there are."""
        backend = self.backend
        busy = Caller(lambda: bool(backend._orchestration_queue or backend._activity_queue))
        for item in backend.GetWorkItems(self.pb.GetWorkItemsRequest(), busy):
            if item.HasField("orchestratorRequest"):
                self.turn(item)
            else:
                asked, number = item.activityRequest, next(self.numbers)
                self.activities[number] = self.pb.ActivityResponse(
                    instanceId=asked.orchestrationInstance.instanceId,
                    taskId=asked.taskId,
                    completionToken=item.completionToken,
                )
                given = json.loads(asked.input.value)
                self.calls.append({"number": number, "name": asked.name, "input": given})

    def turn(self, item: Any) -> None:
        """Play a turn through the SDK's own handle, in the form that the Functions host sends."""
        request = item.orchestratorRequest
        names = [
            event.executionStarted.name
            for event in (*request.pastEvents, *request.newEvents)
            if event.HasField("executionStarted")
        ]
        body = base64.b64encode(request.SerializeToString()).decode("ascii")
        response = self.pb.OrchestratorResponse()
        given = SimpleNamespace(body=body)
        text = self.loop.run_until_complete(self.handlers[names[-1]](given))
        response.ParseFromString(base64.b64decode(text))
        response.completionToken = item.completionToken
        self.turns += 1
        self.backend.CompleteOrchestratorTask(response, Caller())

    def ended(self, instance: Any) -> tuple[str, object] | None:
        """Tell how an orchestration has ended, None while it runs."""
        if instance.status == self.pb.ORCHESTRATION_STATUS_COMPLETED:
            return instance.instance_id, {"output": json.loads(instance.output or "null")}
        if instance.status == self.pb.ORCHESTRATION_STATUS_FAILED:
            return instance.instance_id, {"error": instance.failure_details.errorMessage}
        return None


def registered(durable: Any, module: Any) -> Any:
    """Register an orchestrator as an app does, and return what the worker would call."""
    app = durable.DFApp()
    trigger = app.orchestration_trigger(context_name="context")
    app.function_name(module.NAME)(trigger(module.orchestrator))
    found = {each.get_function_name(): each for each in app.get_functions()}
    return found[module.NAME].get_user_function()


def main() -> None:
    """Answer requests until stdin ends."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    engine = Engine()
    for line in sys.stdin:
        try:
            answer = engine.answer(json.loads(line))
        except Exception as error:  # noqa: BLE001  # the parent reports it
            answer = {"failed": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
