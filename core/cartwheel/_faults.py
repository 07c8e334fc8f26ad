"""What is wrong with an application as a whole: looked for when it is made, not where it runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from cartwheel.access import RESERVED as OWN_NAMES
from cartwheel.http._router import RESERVED

if TYPE_CHECKING:
    from cartwheel.app import App, Service

_NAME = re.compile(r"^[a-z][a-z0-9_]*$")


def faults(app: App) -> list[str]:
    """Say everything that is wrong."""
    return [
        *_names(app),
        *_routes(app),
        *_consumers(app),
        *_workflows(app),
        *_undeclared(app),
    ]


def _names(app: App) -> Iterator[str]:
    services = [service.name for service in app.services]
    for name in (app.name, *services):
        if not _NAME.match(name):
            yield f"'{name}' is no name: lower case letters, digits and underscores"
    for name in dict.fromkeys(services):
        if services.count(name) > 1:
            yield f"two services are named '{name}'; rename one of them"
        if name in OWN_NAMES:
            yield f"'{name}' is the framework's own name; rename the service"


def _routes(app: App) -> Iterator[str]:
    seen: dict[tuple[str, str], str] = {}
    for route in app.routes:
        shape = (route.method, re.sub(r"\{[a-z_]+\}", "{}", route.path))
        if shape in seen:
            yield f"{route.method} {route.path} is declared by {seen[shape]} and {route.name}"
        seen[shape] = route.name
        if route.path in RESERVED:
            yield (
                f"{route.method} {route.path} ({route.name}) is answered by the gateway "
                f"itself, as are {', '.join(RESERVED)}; choose another path"
            )
        if route.permission.authenticated and app.authenticate is None:
            yield (
                f"{route.method} {route.path} needs '{route.permission.name}', but the App has "
                "no authenticate="
            )


def _consumers(app: App) -> Iterator[str]:
    if len(app.queues) != len(app.consumers):
        yield "a queue has two consumers; use a topic to reach several functions"
    for service in app.services:
        yield from _uneven(service)


def _workflows(app: App) -> Iterator[str]:
    for workflow in app.workflows.values():
        missing = sorted(set(workflow.ir.tasks) - set(app.tasks))
        if missing:
            yield (
                f"workflow '{workflow.name}' calls {', '.join(missing)}, which no service here "
                f"declares; services: {', '.join(service.name for service in app.services)}"
            )


def _uneven(service: Service) -> Iterator[str]:
    """Say when direct consumers differ in their tries: a platform knows one number a function."""
    tries = {one.name: one.delivery.attempts for one in service.consumers if one.direct}
    if len(set(tries.values())) > 1:
        listed = ", ".join(f"{name} {attempts}" for name, attempts in sorted(tries.items()))
        yield (
            f"service '{service.name}' has direct consumers with different numbers of tries "
            f"({listed}), and they are one function's; give them the same number"
        )


def _undeclared(app: App) -> Iterator[str]:
    """Say what services name in their `Uses` that the application does not declare."""
    known: dict[str, Iterable[str]] = {
        "reads": app.collections,
        "writes": app.collections,
        "queries": app.collections,
        "sends": app.queues,
        "runs": app.workflows,
        "ports": ("events", "mailer", "sms", "payments"),
    }
    declared = [(f"service '{each.name}'", each.uses) for each in app.services]
    for who, uses in (*declared, ("authenticate_uses", app.authenticate_uses)):
        for what, names in known.items():
            for name in getattr(uses, what):
                if name not in names:
                    there = ", ".join(sorted(names)) or "none"
                    yield f"{who} {what} '{name}', which nobody declares; there are: {there}"
