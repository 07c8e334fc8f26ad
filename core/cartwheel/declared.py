"""What services declare, as data, and how a route and a task are read off their functions."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import BaseModel

from cartwheel.context import Context
from cartwheel.http._models import Reply
from cartwheel.http._permission import Permission
from cartwheel.ports import ConfigurationError, DomainError, Event, Message

In = typing.TypeVar("In", bound=BaseModel)
Out = typing.TypeVar("Out", bound=BaseModel)

_PATH = re.compile(r"^(/|(/([a-z0-9_.-]+|\{[a-z_]+\}))+)$")

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

    def __post_init__(self) -> None:
        attempts = self.delivery.attempts
        if self.direct and not 1 <= attempts <= DIRECT_ATTEMPTS:
            raise ConfigurationError(
                f"{self.name} is invoked directly, which platforms try 1 to {DIRECT_ATTEMPTS} "
                f"times, not {attempts}; give it such a Delivery, or leave out direct=True for a "
                "queue with as many tries as you like"
            )


@dataclass(frozen=True, slots=True)
class Schedule:
    """Is a function that runs every so many seconds; ticks missed while down are one tick."""

    name: str
    seconds: int
    handler: Callable[[Context], None]


def route_of(
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
    """Read a route off its handler; raises ConfigurationError for one that can't be called."""
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


def task_models(handler: Callable[[Context, In], Out]) -> tuple[type[In], type[Out]]:
    """Give the models of a task's input and output; raises ConfigurationError."""
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
