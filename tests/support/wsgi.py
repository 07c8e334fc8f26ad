"""A dispatcher as a WSGI application, for tools that test an API without a socket."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from cartwheel.dispatch import Dispatcher
from cartwheel.http import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Wsgi:
    """Answers WSGI calls by a dispatcher; `before` runs ahead of each request."""

    def __init__(self, dispatcher: Dispatcher, before: Callable[[], None] = lambda: None) -> None:
        self._dispatcher = dispatcher
        self._before = before

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        self._before()
        response = self._dispatcher.http(request_of(environ))
        headers = [(name, value) for name, value in response.headers.items()]
        start(f"{response.status} {HTTPStatus(response.status).phrase}", headers)
        return [response.body]


def request_of(environ: WSGIEnvironment) -> Request:
    """Read what a WSGI server hands over."""
    query: dict[str, tuple[str, ...]] = {}
    for name, value in parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True):
        query[name] = (*query.get(name, ()), value)
    headers = {
        name[5:].replace("_", "-").lower(): (str(value),)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = (str(environ[name]),)
    path = str(environ.get("PATH_INFO", "/"))
    return Request(
        environ["REQUEST_METHOD"],
        path.encode("latin-1").decode("utf-8", "surrogateescape"),
        query=query,
        headers=headers,
        body=environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)),
        client="192.0.2.1",
    )
