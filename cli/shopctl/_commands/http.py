"""`shopctl routes` and `shopctl openapi`: the application's HTTP interface."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shopctl._commands._options import AppOption, JsonOption

if TYPE_CHECKING:
    from cartwheel.declared import Route
    from cartwheel.ports import JsonObject


def routes(app: AppOption = None, json: JsonOption = False) -> None:
    """List the routes with who may call them."""
    from shopctl._apps import load_app
    from shopctl._output import emit, table

    found = sorted(load_app(app).routes, key=lambda route: (route.path, route.method))
    if json:
        emit([_row(route) for route in found])
        return
    table(
        ("method", "path", "who", "status", "key", "summary"),
        [
            (
                route.method,
                route.path,
                route.permission.name,
                str(route.status),
                "Idempotency-Key" if route.idempotent else "",
                route.summary,
            )
            for route in found
        ],
        empty="the application has no routes",
    )


def _row(route: Route) -> JsonObject:
    return {
        "method": route.method,
        "path": route.path,
        "permission": route.permission.name,
        "status": route.status,
        "idempotent": route.idempotent,
        "errors": [*sorted(error.code for error in route.errors)],
        "service": route.service,
        "name": route.name,
        "summary": route.summary,
    }


def openapi(
    app: AppOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write there instead of printing.")
    ] = None,
) -> None:
    """Print the OpenAPI 3.1 document."""
    from cartwheel.http import openapi as describe
    from shopctl._apps import load_app
    from shopctl._files import print_or_write
    from shopctl._output import as_json

    print_or_write(as_json(describe(load_app(app))), out)
