"""What a service's functions touch, declared: a cloud grants just that, and tests refuse the rest.

A service may read and write the collections that it declares itself. What it touches beside them
stands in its `Uses`. An adapter for a cloud makes each function's permissions from it; in memory
`enforce` refuses what is not declared, so that nobody learns of it from a denied request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from cartwheel.ports import ConfigurationError, Hook, PortCall
from cartwheel.unit import OUTBOX_INDEX

if TYPE_CHECKING:
    from cartwheel.app import App

T = TypeVar("T")

Service: TypeAlias = Literal["events", "mailer", "sms", "payments"]

EDGE = "edge"
"""The function for what the framework answers itself, and for paths that no service has."""
KEEPER = "keeper"
"""The function for the framework's own schedules."""
RESERVED = ("cartwheel", EDGE, KEEPER)
"""Names of the framework's own: of its schedules, and of its two functions."""

serving: ContextVar[str] = ContextVar("cartwheel_serving", default="")
"""The service whose function is at work; empty outside of functions, where nothing is refused."""


class at_work:  # noqa: N801  # used like a function: `with at_work("orders.on_paid"):`
    """Says that a function of a service is at work; a class, for every request comes this way."""

    __slots__ = ("_before", "_service")

    def __init__(self, function: str) -> None:
        self._service = function.partition(".")[0]

    def __enter__(self) -> None:
        self._before: Token[str] = serving.set(self._service)

    def __exit__(self, *exc: object) -> None:
        serving.reset(self._before)


@dataclass(frozen=True, slots=True)
class Uses:
    """Names what functions touch: collections, queues, workflows, secrets, ports.

    `writes` includes reading. `queries` names the collections whose indexes are asked, beside what
    is read of them by key. `runs` names the workflows that are started or steered. Ports are
    `events` (who emits or publishes), `mailer`, `sms` and `payments`.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    sends: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    ports: tuple[Service, ...] = ()

    def __or__(self, other: Uses) -> Uses:
        """Put two together, each name once and in order."""
        merged: dict[str, tuple[str, ...]] = {}
        for one in fields(self):
            names = {*getattr(self, one.name), *getattr(other, one.name)}
            merged[one.name] = tuple(sorted(names))
        merged["reads"] = tuple(name for name in merged["reads"] if name not in merged["writes"])
        return Uses(**merged)  # type: ignore[arg-type]  # the ports are those of the two

    def needs(self, call: PortCall) -> Uses:
        """Give what would have to be declared in addition for a port's call; empty for none."""
        missing = need(call)
        wanted = {
            one.name: tuple(set(getattr(missing, one.name)) - set(getattr(self, one.name)))
            for one in fields(missing)
        }
        wanted["reads"] = tuple(set(wanted["reads"]) - set(self.writes))
        if call.port == "workflows" and call.operation != "start" and self.runs:
            wanted["runs"] = ()
        return Uses(**wanted)

    def __bool__(self) -> bool:
        """Tell whether anything is named."""
        return any(getattr(self, one.name) for one in fields(self))

    def __str__(self) -> str:
        named = [(one.name, getattr(self, one.name)) for one in fields(self)]
        return ", ".join(f"{name}={list(values)}" for name, values in named if values)


def need(call: PortCall) -> Uses:
    """Give what a call of a port needs to be declared."""
    match call.port, call.operation:
        case "store", "commit":
            return Uses(writes=(call.subject,))
        case "store", "query":
            return Uses(queries=(call.subject,))
        case "store", _:
            return Uses(reads=(call.subject,))
        case "queue", _:
            return Uses(sends=(call.subject,))
        case "workflows", "start":
            return Uses(runs=(call.subject,))
        case "workflows", "list":
            return Uses()
        case "workflows", _:
            # These name a run, not its workflow: whoever may start runs may look at them.
            return Uses(runs=("the run's workflow",))
        case "secrets", _:
            return Uses(secrets=(call.subject,))
        case ("events" | "mailer" | "sms" | "payments") as port, _:
            return Uses(ports=(port,))
        case _:
            return Uses()


def uses_of(app: App) -> Mapping[str, Uses]:
    """Give what each service touches, its own collections and its callers' log-in included."""
    return {service.name: _uses(app, service.name) for service in app.services}


def _uses(app: App, name: str) -> Uses:
    service = next(each for each in app.services if each.name == name)
    own = service.collections
    found = service.uses | Uses(
        writes=tuple(each.name for each in own),
        # The outbox's index is the sweeper's.
        queries=tuple(each.name for each in own if set(each.indexes) - {OUTBOX_INDEX}),
    )
    if service.routes and app.authenticate is not None:
        found |= app.authenticate_uses
    if any(route.idempotent for route in service.routes):
        from cartwheel.http._idempotency import IDEMPOTENCY

        found |= Uses(writes=(IDEMPOTENCY.name,))
    return found


def enforce(app: App) -> Hook:
    """Make a hook that refuses what the service at work does not declare.

    Raises ConfigurationError that says what to add.
    """
    allowed = uses_of(app)

    def run(call: PortCall, invoke: Callable[[], T]) -> T:
        service = serving.get()
        uses = allowed.get(service)
        if uses is not None:
            missing = uses.needs(call)
            if missing:
                raise ConfigurationError(
                    f"service '{service}' calls {call}, which it does not declare; "
                    f"add to its Uses: {missing}"
                )
        return invoke()

    return run
