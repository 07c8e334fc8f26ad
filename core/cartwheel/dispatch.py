"""The one way from an adapter into an application's functions.

An adapter turns what its platform hands it into one of these calls: a request, a task, an event or
message for a consumer, a schedule's tick.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel
from pydantic_core import from_json, to_json

from cartwheel.access import at_work, serving
from cartwheel.app import App
from cartwheel.context import Context
from cartwheel.declared import Consumer, Delivery, Subscription
from cartwheel.log import Log
from cartwheel.ports import (
    ConfigurationError,
    DomainError,
    Event,
    Json,
    Message,
    Ports,
    Unavailable,
    check_delay,
)
from cartwheel.trace import Kind, PlainTracer, Tracer, current
from cartwheel.unit import sweep_outbox
from cartwheel.workflow import Task

if TYPE_CHECKING:
    from cartwheel.http import Request, Response

SWEEP_SECONDS = 30
"""How often outboxes are swept for events that a crash left behind."""
SWEEPER = "cartwheel.sweep_outbox"
SETTLER = "cartwheel.settle_runs"
"""The schedule of adapters whose runs are executed elsewhere (`ForeignRuntime.settle_runs`)."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Is a schedule as adapters see it, the framework's own included."""

    name: str
    seconds: int


class TaskReply(NamedTuple):
    """Is what a task answers, as JSON: its output when `ok`, else its error."""

    ok: bool
    json: bytes


def _failed(code: str, message: str, details: Json = None, *, retryable: bool = False) -> TaskReply:
    error = {"code": code, "message": message, "details": details, "retryable": retryable}
    return TaskReply(ok=False, json=to_json(error))


class Dispatcher:
    """Serves an application over an adapter's ports; safe to call from several threads.

    With `service` it answers requests to that service's routes only, as its function.
    """

    def __init__(
        self,
        app: App,
        ports: Ports,
        log: Log,
        tracer: Tracer | None = None,
        *,
        service: str | None = None,
    ) -> None:
        self.app = app
        self.ports = ports
        self.log = log
        self.tracer: Tracer = tracer or PlainTracer()
        self._spans = tracer is not None
        self._collections = tuple(app.collections)
        self._gateway: Callable[[Request], Response] | None = None
        self._service = service

    def http(self, request: Request) -> Response:
        """Answer a request; whatever happens the answer is a response."""
        gateway = self._gateway
        if gateway is None:
            from cartwheel.http import Gateway

            tracer = self.tracer if self._spans else None
            gateway = self._gateway = Gateway(
                self.app, self.ports, self.log, tracer, service=self._service
            )
        return gateway(request)

    def task(self, name: str, key: str, run_id: str, input: bytes) -> TaskReply:
        """Run a task for a workflow on its input as JSON; whatever happens there is a reply."""
        task = self.app.tasks.get(name)
        if task is None:
            listed = ", ".join(sorted(self.app.tasks)) or "none"
            return _failed("Unexpected", f"there is no task '{name}'; there are: {listed}")
        if not self._spans and current():
            # Steps of runs are counted in microseconds, and nobody wants a span of this one.
            return self._task(task, name, key, run_id, input)
        notes = {"cartwheel.run_id": run_id, "cartwheel.key": key}
        with self.tracer.span("task", name, current(), run_id, notes) as span:
            reply = self._task(task, name, key, run_id, input)
            if not reply.ok:
                span.note("cartwheel.error", str(from_json(reply.json)["code"]))
            return reply

    def _task(
        self, task: Task[BaseModel, BaseModel], name: str, key: str, run_id: str, input: bytes
    ) -> TaskReply:
        context = Context(self.ports, self.log, key, run_id)
        before = serving.set(name.partition(".")[0])
        try:
            result = task.handler(context, task.input_model.model_validate_json(input))
            return TaskReply(
                ok=True, json=task.output_model.__pydantic_serializer__.to_json(result)
            )
        except DomainError as refusal:
            if refusal.code in task.errors:
                return _failed(refusal.code, refusal.message, refusal.details)
            return self._unexpected(name, key, refusal)
        except Unavailable as error:
            return _failed("Unavailable", str(error), retryable=True)
        except Exception as error:  # noqa: BLE001  # any bug in a task is the outcome Unexpected
            return self._unexpected(name, key, error)
        finally:
            serving.reset(before)

    def _unexpected(self, name: str, key: str, error: Exception) -> TaskReply:
        self.log.failure("task failed", error, task=name, key=key)
        return _failed("Unexpected", f"{type(error).__name__} in task {name}")

    def consumers_of(self, event: Event) -> tuple[str, ...]:
        """Give the names of the subscriptions that get an event."""
        return tuple(subscription.name for subscription in self.app.subscribers(event.type))

    def consumer_of(self, queue: str, delay: int = 0) -> str:
        """Give the name of the consumer that a message for a queue goes to after `delay` seconds.

        Raises ConfigurationError when there is none, or one that no delayed message can go to, and
        ValueError for a delay that no platform keeps.
        """
        check_delay(delay)
        consumer = self.app.queues.get(queue)
        if consumer is None:
            raise ConfigurationError(
                f"queue '{queue}' has no consumer; there are: "
                f"{', '.join(sorted(self.app.queues)) or 'none'}"
            )
        if consumer.direct and delay:
            raise ConfigurationError(
                f"a message for queue '{queue}' can't be held back for {delay} seconds: its "
                f"consumer {consumer.name} is invoked directly; send it without a delay, or "
                "declare the consumer without direct=True"
            )
        return consumer.name

    def delivery(self, consumer: str) -> Delivery:
        """Give how a consumer's failures are treated."""
        return self._consumer(consumer).delivery

    def deliver(self, consumer: str, item: Event | Message) -> None:
        """Hand an event or message to a consumer; raises what the consumer raises."""
        kind: Kind = "event" if isinstance(item, Event) else "message"
        notes = {"cartwheel.item": item.id}
        with self.tracer.span(kind, consumer, item.trace, item.id, notes), at_work(consumer):
            self._deliver(consumer, item)

    def _deliver(self, consumer: str, item: Event | Message) -> None:
        target = self._consumer(consumer)
        context = Context(self.ports, self.log, f"{consumer}:{item.id}")
        if isinstance(target, Subscription):
            if not isinstance(item, Event):
                raise TypeError(f"{consumer} takes events, not messages")
            target.handler(context, item)
        else:
            if not isinstance(item, Message):
                raise TypeError(f"{consumer} takes messages, not events")
            target.handler(context, item)

    def _consumer(self, name: str) -> Subscription | Consumer:
        found = self.app.subscriptions.get(name) or self.app.consumers.get(name)
        if found is None:
            raise ConfigurationError(f"there is no consumer '{name}' in app '{self.app.name}'")
        return found

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """List the schedules that the adapter has to call."""
        declared = [Tick(s.name, s.seconds) for s in self.app.schedules.values()]
        return (*declared, Tick(SWEEPER, SWEEP_SECONDS))

    def tick(self, name: str) -> None:
        """Run a schedule once; raises what it raises."""
        seed = f"{name}@{self.ports.clock.now()}"
        with self.tracer.span("schedule", name, "", seed, {}), at_work(name):
            self._tick(name)

    def _tick(self, name: str) -> None:
        if name == SWEEPER:
            sweep_outbox(self.ports, self._collections)
            return
        schedule = self.app.schedules[name]
        schedule.handler(Context(self.ports, self.log, name))
