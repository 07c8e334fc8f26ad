"""The manifest: an application as data, which adapters compile to what is deployed.

It says what there is (functions with their routes, tasks, consumers and schedules; collections;
workflows) and what each function may touch. It names no provider, and nothing of it is code.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from cartwheel.access import EDGE, KEEPER, Uses, uses_of
from cartwheel.app import App, Service
from cartwheel.declared import Consumer, Route, Subscription
from cartwheel.dispatch import SWEEP_SECONDS, SWEEPER
from cartwheel.unit import OUTBOX_INDEX


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RouteSpec(_Data):
    """Is a row of the route table."""

    name: str
    method: str
    path: str
    """With parameters as `{product_id}`, each a whole segment."""
    authenticated: bool
    idempotent: bool


class TaskSpec(_Data):
    """Is a task that workflows call; `timeout` in seconds per try, None for the platform's."""

    name: str
    timeout: int | None


class ConsumerSpec(_Data):
    """Is a function that gets events of a type, or the messages of a queue.

    `attempts` counts all tries; waits in seconds, as in `cartwheel.app.Delivery`. A `direct` one is
    invoked asynchronously where the platform can do that, and needs no queue there.
    """

    name: str
    event: str | None
    queue: str | None
    direct: bool
    attempts: int
    delay: int
    longest: int


class ScheduleSpec(_Data):
    """Is a function that runs every so many seconds; a platform may round up to whole minutes."""

    name: str
    seconds: int


class UsesSpec(_Data):
    """Is what a function may touch (`cartwheel.access.Uses`), and nothing else."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    queries: tuple[str, ...]
    sends: tuple[str, ...]
    runs: tuple[str, ...]
    secrets: tuple[str, ...]
    ports: tuple[str, ...]


class FunctionSpec(_Data):
    """Is what is deployed as one function: a service, or a part of the framework."""

    name: str
    routes: tuple[RouteSpec, ...] = ()
    tasks: tuple[TaskSpec, ...] = ()
    consumers: tuple[ConsumerSpec, ...] = ()
    schedules: tuple[ScheduleSpec, ...] = ()
    uses: UsesSpec


class IndexSpec(_Data):
    """Is a secondary index of a collection."""

    name: str
    field: str
    sort: str | None


class CollectionSpec(_Data):
    """Is a collection of rows."""

    name: str
    indexes: tuple[IndexSpec, ...]


class WorkflowSpec(_Data):
    """Is a workflow; `definition` is the content hash of its `ir`, which is JSON."""

    name: str
    version: str
    definition: str
    functions: tuple[str, ...]
    """The functions that its tasks live in."""
    ir: str


class Manifest(_Data):
    """Is an application as adapters compile it; `source` is where its App is, `module:name`."""

    app: str
    title: str
    version: str
    source: str
    functions: tuple[FunctionSpec, ...]
    collections: tuple[CollectionSpec, ...]
    workflows: tuple[WorkflowSpec, ...]

    def function(self, name: str) -> FunctionSpec:
        """Give a function by its name; raises KeyError."""
        for function in self.functions:
            if function.name == name:
                return function
        raise KeyError(name)

    @property
    def consumers(self) -> tuple[ConsumerSpec, ...]:
        """Give the consumers of all functions."""
        return tuple(one for function in self.functions for one in function.consumers)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Name the secrets that functions read."""
        return tuple(sorted({one for each in self.functions for one in each.uses.secrets}))


def manifest_of(app: App, source: str) -> Manifest:
    """Describe an application; the same one gives the same manifest."""
    uses = uses_of(app)
    swept = tuple(name for name, one in app.collections.items() if OUTBOX_INDEX in one.indexes)
    return Manifest(
        app=app.name,
        title=app.title,
        version=app.version,
        source=source,
        functions=(
            *(_function(service, uses[service.name]) for service in app.services),
            FunctionSpec(name=EDGE, uses=_uses(Uses())),
            FunctionSpec(
                name=KEEPER,
                schedules=(ScheduleSpec(name=SWEEPER, seconds=SWEEP_SECONDS),),
                uses=_uses(Uses(writes=swept, queries=swept, ports=("events",))),
            ),
        ),
        collections=tuple(
            CollectionSpec(
                name=one.name,
                indexes=tuple(
                    IndexSpec(name=index.name, field=index.field, sort=index.sort)
                    for index in one.indexes
                ),
            )
            for one in app.collections.values()
        ),
        workflows=tuple(
            WorkflowSpec(
                name=one.name,
                version=one.version,
                definition=one.ir.content_hash,
                functions=tuple(sorted({task.partition(".")[0] for task in one.ir.tasks})),
                ir=one.ir.to_json(),
            )
            for one in app.workflows.values()
        ),
    )


def _function(service: Service, uses: Uses) -> FunctionSpec:
    consumers: tuple[Subscription | Consumer, ...]
    consumers = (*service.subscriptions, *service.consumers)
    return FunctionSpec(
        name=service.name,
        routes=tuple(_route(route) for route in service.routes),
        tasks=tuple(TaskSpec(name=task.name, timeout=task.timeout) for task in service.tasks),
        consumers=tuple(_consumer(one) for one in consumers),
        schedules=tuple(
            ScheduleSpec(name=one.name, seconds=one.seconds) for one in service.schedules
        ),
        uses=_uses(uses),
    )


def _route(route: Route) -> RouteSpec:
    return RouteSpec(
        name=route.name,
        method=route.method,
        path=route.path,
        authenticated=route.permission.authenticated,
        idempotent=route.idempotent,
    )


def _consumer(one: Subscription | Consumer) -> ConsumerSpec:
    return ConsumerSpec(
        name=one.name,
        event=one.event if isinstance(one, Subscription) else None,
        queue=one.queue if isinstance(one, Consumer) else None,
        direct=isinstance(one, Consumer) and one.direct,
        attempts=one.delivery.attempts,
        delay=one.delivery.delay,
        longest=one.delivery.longest,
    )


def _uses(uses: Uses) -> UsesSpec:
    return UsesSpec(
        reads=uses.reads,
        writes=uses.writes,
        queries=uses.queries,
        sends=uses.sends,
        runs=uses.runs,
        secrets=uses.secrets,
        ports=uses.ports,
    )
