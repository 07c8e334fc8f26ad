"""HTTP on Cloud Functions: decodes what functions-framework hands over, and answers in its form."""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, cast
from urllib.parse import quote_from_bytes

from cartwheel.app import App
from cartwheel.host import Host
from cartwheel.http import MAX_BODY, BadRequest, Request, Response, problem, wire_path, wire_query
from cartwheel.log import Log, Sink, to_stderr

if TYPE_CHECKING:
    from _typeshed.wsgi import InputStream, WSGIEnvironment
    from werkzeug.wrappers import Request as FlaskRequest
    from werkzeug.wrappers import Response as FlaskResponse

DISCARDED = 4 * 1024 * 1024
"""Bytes beyond the limit that are read and dropped, so that the sender gets to see the answer."""
_PART = 64 * 1024
_LENGTH = re.compile(r"[0-9]{1,18}")
_ORIGIN = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")


def http_function(
    app: App, open_host: Callable[[App], Host], *, proxies: int = 1, log: Sink = to_stderr
) -> Callable[[FlaskRequest], FlaskResponse]:
    """Make the function that functions-framework calls with each request.

    The host is opened by the first request: the server loads this module before it forks, and a
    client's channel does not survive that. `proxies` says how many of Google's proxies add to
    X-Forwarded-For on the way to the function; what the caller wrote there is left of theirs.
    """
    opened = _Opened(app, open_host)
    told = Log(_Now(), log)

    def handle(request: FlaskRequest) -> FlaskResponse:
        environ = request.environ
        try:
            decoded = decode_request(environ, proxies)
            response = opened.host().dispatcher.http(decoded)
        except BadRequest as refusal:
            response = problem(400, refusal.problem_code, refusal.title, detail=refusal.message)
        except Exception as error:  # noqa: BLE001  # functions-framework would show it to the caller
            told.failure("request failed", error)
            response = problem(500, "internal", "The service has a fault")
        return encode_response(response, str(environ.get("REQUEST_METHOD")))

    return handle


def decode_request(environ: WSGIEnvironment, proxies: int) -> Request:
    """Decode a request from its WSGI environment, body included; raises BadRequest.

    The path is read from the request line: what servers decode for PATH_INFO hides bad escapes.
    """
    body = _read_body(environ)
    path, _, query = _target(environ).partition(b"?")
    headers = _headers(environ)
    return Request(
        method=str(environ.get("REQUEST_METHOD", "")).upper(),
        path=wire_path(path),
        query=wire_query(query),
        headers=headers,
        body=body,
        client=_client(environ, proxies),
    )


def encode_response(response: Response, method: str) -> FlaskResponse:
    """Write a response as Flask takes it; only the answer to a HEAD keeps its Content-Length."""
    from werkzeug.wrappers import Response as FlaskResponse

    dropped = {"connection"} if method == "HEAD" else {"connection", "content-length"}
    answer = FlaskResponse(response.body, response.status)
    answer.headers.clear()
    for name, value in response.headers.items():
        if name.lower() not in dropped:
            answer.headers.add(name, value)
    return answer


class _Opened:
    """Is a host that is opened when it is first asked for."""

    def __init__(self, app: App, open_host: Callable[[App], Host]) -> None:
        self._app = app
        self._open = open_host
        self._host: Host | None = None
        self._lock = threading.Lock()

    def host(self) -> Host:
        """Give the host; a request that fails to open it leaves the next one to try."""
        with self._lock:
            if self._host is None:
                self._host = self._open(self._app)
            return self._host


class _Now:
    """Is the clock of lines that are logged before there is a host."""

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _target(environ: WSGIEnvironment) -> bytes:
    """Give path and query as they stand in the request line."""
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    try:
        if not raw:
            path = str(environ.get("PATH_INFO") or "/").encode("latin-1")
            raw = f"{quote_from_bytes(path)}?{environ.get('QUERY_STRING', '')}"
        target = str(raw).encode("latin-1")
    except UnicodeEncodeError:
        raise BadRequest("the request line holds what is no byte") from None
    origin = _ORIGIN.match(target)
    if origin is None:
        return target
    rest = target[origin.end() :]
    return rest if rest.startswith(b"/") else b"/" + rest


def _headers(environ: WSGIEnvironment) -> dict[str, tuple[str, ...]]:
    """Give the headers; the server has joined those that occurred several times by commas."""
    found: dict[str, tuple[str, ...]] = {
        name[5:].replace("_", "-").lower(): (str(value),)
        for name, value in environ.items()
        if name.startswith("HTTP_") and name not in {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"}
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            found[name.replace("_", "-").lower()] = (str(environ[name]),)
    return found


def _client(environ: WSGIEnvironment, proxies: int) -> str:
    forwarded = str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",")
    if 0 < proxies <= len(forwarded) and (named := forwarded[-proxies].strip()):
        return named
    return str(environ.get("REMOTE_ADDR") or "")


def _read_body(environ: WSGIEnvironment) -> bytes:
    """Read a body, and of one that is too long as much as shows that it is.

    Nothing is left of it for functions-framework, which reads all of what it finds into memory.
    """
    stream = cast("InputStream", environ.get("wsgi.input") or io.BytesIO())
    ends = bool(environ.get("wsgi.input_terminated"))
    environ["wsgi.input"] = io.BytesIO()
    environ["wsgi.input_terminated"] = True
    declared = str(environ.get("CONTENT_LENGTH") or "")
    if declared and not _LENGTH.fullmatch(declared):
        raise BadRequest("the Content-Length is no number of bytes")
    length = int(declared) if declared else None
    if length is None and not ends:
        return b""
    if length is not None and length > MAX_BODY + DISCARDED:
        return bytes(MAX_BODY + 1)
    most = MAX_BODY + DISCARDED if length is None else length
    body, seen = bytearray(), 0
    try:
        while seen < most and (part := stream.read(min(_PART, most - seen))):
            seen += len(part)
            body += part[: MAX_BODY + 1 - len(body)]
    except Exception as error:  # whatever a server's stream raises for what the client sent
        raise BadRequest("the body can't be read to its end") from error
    if length is not None and seen < length:
        raise BadRequest("the body is shorter than its Content-Length")
    return bytes(body)
