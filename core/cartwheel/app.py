"""Applications: services that declare what they do, put together with workflows.

A service is a module-level `Service` that decorators fill; an `App` puts services and workflows
together and checks the whole. Nothing here runs anything: a `Dispatcher` serves an App over an
adapter's ports.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from cartwheel.access import Uses
from cartwheel.context import Context, Principal
from cartwheel.declared import (
    DIRECT_ATTEMPTS,
    Consumer,
    Delivery,
    In,
    Out,
    Route,
    Schedule,
    Subscription,
    route_of,
    task_models,
)
from cartwheel.http._edge import Cors, SecurityHeaders
from cartwheel.http._idempotency import IDEMPOTENCY
from cartwheel.http._permission import Permission
from cartwheel.ports import Collection, ConfigurationError, DomainError, Event, Index, Message
from cartwheel.unit import OUTBOX_INDEX
from cartwheel.workflow import RetryPolicy, Task

if TYPE_CHECKING:
    from cartwheel.workflow import Program, Workflow

RouteHandler = TypeVar("RouteHandler", bound=Callable[..., object])

Authenticator = Callable[[Context, str], Principal]
"""Turns a bearer token into who asks; raises Unauthenticated."""


@dataclass(slots=True)
class Service:
    """Collects what one service declares; its name prefixes its tasks, consumers and schedules."""

    name: str
    uses: Uses = Uses()  # noqa: RUF009  # frozen
    """What its functions touch beside what it declares itself."""
    collections: list[Collection] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    tasks: list[Task[BaseModel, BaseModel]] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    consumers: list[Consumer] = field(default_factory=list)
    schedules: list[Schedule] = field(default_factory=list)

    def collection(self, name: str, *indexes: Index) -> Collection:
        """Declare a collection of rows; every collection can hold an outbox."""
        collection = Collection(name, (*indexes, OUTBOX_INDEX))
        self.collections.append(collection)
        return collection

    def route(
        self,
        method: str,
        path: str,
        *,
        permission: Permission,
        status: int = 200,
        idempotent: bool = False,
        errors: Iterable[type[DomainError]] = (),
    ) -> Callable[[RouteHandler], RouteHandler]:
        """Declare the route `method path`; the docstring's first line is its summary.

        The handler takes `ctx` and, by name, what it needs: `body` and `query` (pydantic models,
        read strictly; a body of `Model | None` may be left out) and the parameters of the path
        (strings). It returns a model, a `Reply` that
        adds headers to a model, a `Response`, or None, which is 204.
        """

        def declare(handler: RouteHandler) -> RouteHandler:
            self.routes.append(
                route_of(
                    self.name,
                    method,
                    path,
                    handler,
                    permission=permission,
                    status=status,
                    idempotent=idempotent,
                    errors=errors,
                )
            )
            return handler

        return declare

    def task(
        self,
        *,
        errors: Iterable[type[DomainError]] = (),
        retry: RetryPolicy | None = None,
        timeout: int | None = None,
    ) -> Callable[[Callable[[Context, In], Out]], Task[In, Out]]:
        """Declare a task that workflows call; `timeout` is in seconds per try.

        `errors` are those that say the task did nothing; everything else it raises means that
        nobody knows. The task must have one effect per `ctx.key`.
        """

        def declare(handler: Callable[[Context, In], Out]) -> Task[In, Out]:
            input_model, output_model = task_models(handler)
            task: Task[In, Out] = Task(
                name=f"{self.name}.{handler.__name__}",
                handler=handler,
                input_model=input_model,
                output_model=output_model,
                errors=tuple(error.code for error in errors),
                retry=retry,
                timeout=timeout,
            )
            self.tasks.append(typing.cast("Task[BaseModel, BaseModel]", task))
            return task

        return declare

    def on(
        self, event: str, *, delivery: Delivery | None = None
    ) -> Callable[[Callable[[Context, Event], None]], Callable[[Context, Event], None]]:
        """Subscribe a function to all events of a type."""

        def declare(handler: Callable[[Context, Event], None]) -> Callable[[Context, Event], None]:
            name = f"{self.name}.{handler.__name__}"
            self.subscriptions.append(Subscription(name, event, handler, delivery or Delivery()))
            return handler

        return declare

    def consume(
        self, queue: str, *, delivery: Delivery | None = None, direct: bool = False
    ) -> Callable[[Callable[[Context, Message], None]], Callable[[Context, Message], None]]:
        """Make a function the consumer of a queue.

        With `direct` the platform invokes it asynchronously, without a queue in between where it
        can, and under the same promises; but no message can be delayed, and there are at most
        DIRECT_ATTEMPTS tries, where `delivery` sets the pauses only if there is a queue after all.
        Raises ConfigurationError for more tries.
        """

        def declare(
            handler: Callable[[Context, Message], None],
        ) -> Callable[[Context, Message], None]:
            name = f"{self.name}.{handler.__name__}"
            usual = Delivery(attempts=DIRECT_ATTEMPTS) if direct else Delivery()
            self.consumers.append(Consumer(name, queue, handler, delivery or usual, direct))
            return handler

        return declare

    def every(
        self, seconds: int
    ) -> Callable[[Callable[[Context], None]], Callable[[Context], None]]:
        """Run a function every so many seconds."""

        def declare(handler: Callable[[Context], None]) -> Callable[[Context], None]:
            self.schedules.append(Schedule(f"{self.name}.{handler.__name__}", seconds, handler))
            return handler

        return declare


class DeclaredWorkflow(typing.Protocol):
    """Is what `@workflow` makes, as far as an application needs it."""

    checked: bool
    """Whether it was checked where the application was built, so that here it need not be."""

    @property
    def name(self) -> str:
        """Give the name under which runs are started."""
        ...

    @property
    def version(self) -> str:
        """Give the author's word for this version."""
        ...

    @property
    def ir(self) -> Workflow:
        """Give the workflow as data."""
        ...

    @property
    def program(self) -> Program:
        """Give the workflow compiled for the interpreter."""
        ...


_checked: ContextVar[bool] = ContextVar("cartwheel_checked", default=False)


@contextmanager
def checked_before() -> Iterator[None]:
    """Make applications without checking them, where the same ones were checked when built.

    Their workflows are recorded when somebody starts one, rather than at once, and not checked.
    """
    before = _checked.set(True)
    try:
        yield
    finally:
        _checked.reset(before)


class App:
    """Is a whole application, checked: services, workflows, and how callers authenticate."""

    def __init__(
        self,
        name: str,
        *,
        services: Iterable[Service],
        workflows: Iterable[DeclaredWorkflow] = (),
        authenticate: Authenticator | None = None,
        authenticate_uses: Uses = Uses(),  # noqa: B008  # frozen
        title: str = "",
        version: str = "1",
        cors: Cors | None = None,
        security_headers: SecurityHeaders | None = None,
    ) -> None:
        self.name = name
        self.title = title or name
        self.version = version
        self.services = tuple(services)
        self.authenticate = authenticate
        self.authenticate_uses = authenticate_uses
        self.cors = cors
        self.security_headers = security_headers
        self.workflows = _by_name("workflow", workflows)
        self.routes: tuple[Route, ...] = tuple(self._all("routes", Route))
        kept = (IDEMPOTENCY,) if any(route.idempotent for route in self.routes) else ()
        self.collections = _by_name("collection", (*self._all("collections", Collection), *kept))
        self.tasks = _by_name("task", self._all("tasks", Task))
        self.subscriptions = _by_name("subscription", self._all("subscriptions", Subscription))
        self.consumers = _by_name("consumer", self._all("consumers", Consumer))
        self.schedules = _by_name("schedule", self._all("schedules", Schedule))
        self.queues = {consumer.queue: consumer for consumer in self.consumers.values()}
        if _checked.get():
            for workflow in self.workflows.values():
                workflow.checked = True
        else:
            from cartwheel._faults import faults

            found = faults(self)
            if found:
                raise ConfigurationError(f"app '{name}': " + "; ".join(found))

    T = TypeVar("T")

    def _all(self, what: str, type: type[T]) -> list[T]:
        return [item for service in self.services for item in getattr(service, what)]

    def subscribers(self, event_type: str) -> tuple[Subscription, ...]:
        """Give the subscriptions to an event type."""
        return tuple(s for s in self.subscriptions.values() if s.event == event_type)


N = TypeVar("N", bound="_Named")


class _Named(typing.Protocol):
    @property
    def name(self) -> str: ...


def _by_name(what: str, items: Iterable[N]) -> dict[str, N]:
    named: dict[str, N] = {}
    for item in items:
        if item.name in named:
            raise ConfigurationError(f"two {what}s are named '{item.name}'; rename one of them")
        named[item.name] = item
    return named
