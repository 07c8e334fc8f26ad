"""The application that says what its handlers saw; it runs where there is no pytest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache

from pydantic import Field

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.http import ANYONE, Body, Query, Response
from cartwheel.ports import DomainError, Json

BINARY = bytes(range(256)) * 4
LARGE = 200 * 1024


class OutOfWords(DomainError):
    """Is the refusal that the kit's route declares."""


class _Words(Query):
    word: list[str] = Field(default_factory=list)
    number: int | None = None


class _Text(Body):
    text: str


def _view(ctx: Context, more: Mapping[str, Json]) -> Response:
    """Say what the handler saw of the request."""
    request = ctx.request
    assert request is not None
    seen: dict[str, Json] = {
        "method": request.method,
        "path": request.path,
        "query": {name: list(values) for name, values in request.query.items()},
        "headers": {
            name: list(values)
            for name, values in request.headers.items()
            if name.startswith("x-kit")
        },
        "body": {
            "size": len(request.body),
            "sha256": hashlib.sha256(request.body).hexdigest(),
        },
        **more,
    }
    return Response(200, {"Content-Type": "application/json"}, json.dumps(seen).encode())


@cache
def http_app() -> App:
    """Make the application that says what it saw."""
    service = Service("kit")

    @service.route("GET", "/seen", permission=ANYONE)
    def seen_query(ctx: Context, query: _Words) -> Response:
        """Say what was asked."""
        return _view(ctx, {})

    @service.route("GET", "/seen/{word}", permission=ANYONE)
    def seen_word(ctx: Context, word: str) -> Response:
        """Say which word was asked for."""
        return _view(ctx, {"word": word})

    @service.route("DELETE", "/seen/{word}", permission=ANYONE)
    def deleted(ctx: Context, word: str) -> None:
        """Answer nothing."""

    for method in ("POST", "PUT", "PATCH"):
        # Each method is a route of its own name.
        def took(ctx: Context, word: str, body: _Text) -> Response:
            """Say what was sent."""
            text = hashlib.sha256(body.text.encode()).hexdigest()
            return _view(ctx, {"word": word, "text": text})

        took.__name__ = f"took_{method.lower()}"
        service.route(method, "/seen/{word}", permission=ANYONE)(took)

    @service.route("GET", "/answers/{kind}", permission=ANYONE, errors=[OutOfWords])
    def answers(ctx: Context, kind: str) -> Response:
        """Answer in one of the ways that handlers do."""
        if kind == "refused":
            raise OutOfWords("there are no words left", left=0)
        if kind == "broken":
            raise RuntimeError("a secret of the handler")
        if kind == "binary":
            return Response(200, {"Content-Type": "application/octet-stream"}, BINARY)
        if kind == "large":
            return Response(200, {"Content-Type": "text/plain"}, b"x" * LARGE)
        headers = {"Content-Type": "text/plain; charset=utf-8", "X-Kit-Answer": 'a b; c="d"'}
        return Response(203, {**headers, "Location": "/seen/a%20b?x=1"}, "ünï 😀".encode())

    return App("kit_http", services=[service])
