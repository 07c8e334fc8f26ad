"""What an application declares: routes, tasks, consumers, schedules, collections and workflows.

A service is a module-level `Service` that decorators fill; an `App` puts services and workflows
together and checks the whole. Nothing here runs anything: a `Dispatcher` serves an App over an
adapter's ports.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from cartwheel.access import RESERVED as OWN_NAMES
from cartwheel.access import Uses, problems
from cartwheel.context import Context, Principal
from cartwheel.http._edge import Cors, SecurityHeaders
from cartwheel.http._idempotency import IDEMPOTENCY
from cartwheel.http._models import Reply
from cartwheel.http._permission import Permission
from cartwheel.http._router import RESERVED
from cartwheel.ports import Collection, ConfigurationError, DomainError, Event, Index, Message
from cartwheel.unit import OUTBOX_INDEX
from cartwheel.workflow import RetryPolicy, Task

if TYPE_CHECKING:
    from cartwheel.workflow import Program, Workflow

In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out", bound=BaseModel)
RouteHandler = TypeVar("RouteHandler", bound=Callable[..., object])

Authenticator = Callable[[Context, str], Principal]
"""Turns a bearer token into who asks; raises Unauthenticated."""

_PATH = re.compile(r"^(/|(/([a-z0-9_.-]+|\{[a-z_]+\}))+)$")
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")

DIRECT_ATTEMPTS = 3
"""Tries of a consumer that is invoked directly, at most (Lambda invokes a function that failed
twice more)."""


@dataclass(frozen=True, slots=True)
class Route:
    """Is one row of the route table."""

    service: str
    method: str
    path: str
    handler: Callable[..., object]
    permission: Permission
    status: int
    """The status of a success whose handler returns a model rather than a Response."""
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    output: type[BaseModel] | None
    path_params: tuple[str, ...]
    idempotent: bool
    """Whether the route demands an Idempotency-Key."""
    errors: tuple[type[DomainError], ...]
    summary: str
    body_required: bool = True
    """False for a handler that takes `body: Model | None`, where none may be sent."""

    @property
    def name(self) -> str:
        """Give the route's unique name, `orders.checkout`."""
        return f"{self.service}.{self.handler.__name__}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Says how a consumer's failures are treated: tries in all, and seconds before the next."""

    attempts: int = 5
    delay: int = 2
    """Seconds after the first failure; doubled after each further one, at most `longest`."""
    longest: int = 300

    def after(self, failures: int) -> int:
        """Give the seconds to wait after so many failures (1 or more)."""
        return min(self.longest, self.delay << (failures - 1))


@dataclass(frozen=True, slots=True)
class Subscription:
    """Is a function that gets every event of a type."""

    name: str
    event: str
    handler: Callable[[Context, Event], None]
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Consumer:
    """Is the function that works a queue off."""

    name: str
    queue: str
    handler: Callable[[Context, Message], None]
    delivery: Delivery
    direct: bool = False
    """Whether messages are handed to the function itself, where the platform can do that."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Is a function that runs every so many seconds; ticks missed while down are one tick."""

    name: str
    seconds: int
    handler: Callable[[Context], None]


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
                _route(
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
            input_model, output_model = _task_models(handler)
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
            self.consumers.append(
                _consumer(Consumer(name, queue, handler, delivery or usual, direct))
            )
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

    Their workflows are recorded when somebody starts one, rather than at once.
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
        if not _checked.get():
            self._check()

    T = TypeVar("T")

    def _all(self, what: str, type: type[T]) -> list[T]:
        return [item for service in self.services for item in getattr(service, what)]

    def subscribers(self, event_type: str) -> tuple[Subscription, ...]:
        """Give the subscriptions to an event type."""
        return tuple(s for s in self.subscriptions.values() if s.event == event_type)

    def _check(self) -> None:
        found: list[str] = []
        _by_name("service", self.services)
        for name in (self.name, *(service.name for service in self.services)):
            if not _NAME.match(name):
                found.append(f"'{name}' is no name: lower case letters, digits and underscores")
        for service in self.services:
            if service.name in OWN_NAMES:
                found.append(f"'{service.name}' is the framework's own name; rename the service")
        seen: dict[tuple[str, str], str] = {}
        for route in self.routes:
            shape = (route.method, re.sub(r"\{[a-z_]+\}", "{}", route.path))
            if shape in seen:
                found.append(
                    f"{route.method} {route.path} is declared by {seen[shape]} and {route.name}"
                )
            seen[shape] = route.name
            if route.path in RESERVED:
                found.append(
                    f"{route.method} {route.path} ({route.name}) is answered by the gateway "
                    f"itself, as are {', '.join(RESERVED)}; choose another path"
                )
            if route.permission.authenticated and self.authenticate is None:
                found.append(
                    f"{route.method} {route.path} needs '{route.permission.name}', but the App has "
                    "no authenticate="
                )
        if len(self.queues) != len(self.consumers):
            found.append("a queue has two consumers; use a topic to reach several functions")
        for service in self.services:
            found += _uneven(service)
        for workflow in self.workflows.values():
            missing = sorted(set(workflow.ir.tasks) - set(self.tasks))
            if missing:
                found.append(
                    f"workflow '{workflow.name}' calls {', '.join(missing)}, which no service here "
                    f"declares; services: {', '.join(service.name for service in self.services)}"
                )
        found += problems(self)
        if found:
            raise ConfigurationError(f"app '{self.name}': " + "; ".join(found))


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


def _consumer(consumer: Consumer) -> Consumer:
    """Refuse more tries of a direct consumer than platforms make."""
    attempts = consumer.delivery.attempts
    if consumer.direct and not 1 <= attempts <= DIRECT_ATTEMPTS:
        raise ConfigurationError(
            f"{consumer.name} is invoked directly, which platforms try 1 to {DIRECT_ATTEMPTS} "
            f"times, not {attempts}; give it such a Delivery, or leave out direct=True for a queue "
            "with as many tries as you like"
        )
    return consumer


def _uneven(service: Service) -> Iterator[str]:
    """Say when direct consumers differ in their tries: a platform knows one number a function."""
    tries = {one.name: one.delivery.attempts for one in service.consumers if one.direct}
    if len(set(tries.values())) > 1:
        listed = ", ".join(f"{name} {attempts}" for name, attempts in sorted(tries.items()))
        yield (
            f"service '{service.name}' has direct consumers with different numbers of tries "
            f"({listed}), and they are one function's; give them the same number"
        )


def _route(
    service: str,
    method: str,
    path: str,
    handler: Callable[..., object],
    *,
    permission: Permission,
    status: int,
    idempotent: bool,
    errors: Iterable[type[DomainError]],
) -> Route:
    where = f"route {method} {path} ({handler.__module__}.{handler.__qualname__})"
    if not _PATH.match(path):
        raise ConfigurationError(f"{where}: the path is not /words/{{parameters}} in lower case")
    if method not in {"GET", "POST", "PUT", "PATCH", "DELETE"}:
        raise ConfigurationError(f"{where}: there is no method '{method}'")
    hints = typing.get_type_hints(handler)
    in_path = tuple(re.findall(r"\{([a-z_]+)\}", path))
    named = [name for name in inspect.signature(handler).parameters if name != "ctx"]
    unknown = [name for name in named if name not in {"body", "query", *in_path}]
    unused = [name for name in in_path if name not in named]
    if unknown or unused:
        raise ConfigurationError(
            f"{where}: the handler takes {', '.join(named) or 'nothing'} besides ctx; it may take "
            f"body, query and must take {', '.join(in_path) or 'no path parameter'}"
        )
    body, body_required = _body_model(where, hints)
    return Route(
        service=service,
        method=method,
        path=path,
        handler=handler,
        permission=permission,
        status=status,
        body=body,
        query=_model(where, hints, "query"),
        output=_output(hints.get("return")),
        path_params=in_path,
        idempotent=idempotent,
        errors=tuple(errors),
        summary=_first_line(handler, where),
        body_required=body_required,
    )


def _body_model(where: str, hints: dict[str, object]) -> tuple[type[BaseModel] | None, bool]:
    members = typing.get_args(hints.get("body"))
    if len(members) == 2 and type(None) in members:
        (given,) = (member for member in members if member is not type(None))
        return _model(where, {"body": given}, "body"), False
    return _model(where, hints, "body"), True


def _output(hint: object) -> type[BaseModel] | None:
    if typing.get_origin(hint) is Reply:
        hint = typing.get_args(hint)[0]
    return hint if _is_model(hint) else None


def _is_model(hint: object) -> typing.TypeGuard[type[BaseModel]]:
    return isinstance(hint, type) and issubclass(hint, BaseModel)


def _model(where: str, hints: dict[str, object], name: str) -> type[BaseModel] | None:
    hint = hints.get(name)
    if hint is None:
        return None
    if not (isinstance(hint, type) and issubclass(hint, BaseModel)):
        raise ConfigurationError(f"{where}: '{name}' must be annotated with a pydantic model")
    return hint


def _first_line(handler: Callable[..., object], where: str) -> str:
    text = inspect.getdoc(handler)
    if not text:
        raise ConfigurationError(f"{where}: give the handler a docstring, it is the API's summary")
    return text.splitlines()[0]


def _task_models(handler: Callable[[Context, In], Out]) -> tuple[type[In], type[Out]]:
    where = f"task {handler.__module__}.{handler.__qualname__}"
    hints = typing.get_type_hints(handler)
    names = list(inspect.signature(handler).parameters)
    models = [hints.get(name) for name in names[1:2]] + [hints.get("return")]
    if len(names) != 2 or not all(_is_model(model) for model in models):
        raise ConfigurationError(
            f"{where}: a task is `def name(ctx: Context, cmd: InputModel) -> OutputModel` with "
            "pydantic models"
        )
    return typing.cast("type[In]", models[0]), typing.cast("type[Out]", models[1])
