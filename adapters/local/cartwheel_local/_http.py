"""The HTTP server: an ASGI application in front of the dispatcher, and uvicorn under it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import uvicorn

from cartwheel.http import BadRequest, Request, Response
from cartwheel.ports import ConfigurationError
from cartwheel_local._bank_page import bank_page
from cartwheel_local._decoding import decode_request, first_header
from cartwheel_local._host import LocalHost
from cartwheel_local._pages import page
from cartwheel_local._protocol import PatientProtocol

if TYPE_CHECKING:
    from types import FrameType

    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

BODY_LIMIT = 256 * 1024
"""Bytes of a body; one byte more is read, so that the gateway sees that it is too long."""
DISCARDED = 4 * 1024 * 1024
"""Bytes beyond the limit that are read and dropped, so that the sender gets to see the answer."""
BODY_SECONDS = 30.0
"""How long a body may take to arrive."""
THREADS = 32
KEEP_ALIVE_SECONDS = 15
GRACE_SECONDS = 10


class _Gone(Exception):
    """Says that the client went away before its request was complete."""


class Application:
    """Is the ASGI application: decodes, dispatches in a thread, encodes."""

    def __init__(self, host: LocalHost, threads: ThreadPoolExecutor, bind: str) -> None:
        self._host = host
        self._threads = threads
        self._bind = bind

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"only HTTP is served here, not {scope['type']}")
        close = False
        try:
            body, close = await asyncio.wait_for(_read(scope, receive), BODY_SECONDS)
            response = await self._answer(decode_request(scope, body))
        except _Gone:
            return
        except TimeoutError:
            response, close = _problem(408, "The request's body took too long"), True
        except BadRequest as error:
            response, close = _problem(400, error.message), True
        headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in response.headers.items()
            if name.lower() not in {"content-length", "connection"}
        ]
        if response.status not in {204, 304}:
            length = str(len(response.body))
            if scope["method"] == "HEAD":
                length = response.header("content-length") or length
            headers.append((b"content-length", length.encode()))
        if close:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body, "more_body": False})

    async def _answer(self, request: Request) -> Response:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._serve, request)

    def _serve(self, request: Request) -> Response:
        try:
            own = page(request, self._host.mailbox, self._bind) or bank_page(
                request, self._host, self._bind
            )
            return own if own is not None else self._host.dispatcher.http(request)
        except Exception as error:  # noqa: BLE001  # whatever happens the client gets an answer
            self._host.log.failure("request failed", error, method=request.method)
            return _problem(500, "The request failed on our side")


async def _read(scope: HTTPScope, receive: ASGIReceiveCallable) -> tuple[bytes, bool]:
    """Read the body up to one byte beyond the limit; tell whether the connection must close."""
    declared = first_header(scope, b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > BODY_LIMIT + DISCARDED:
        return bytes(BODY_LIMIT + 1), True
    body, seen = bytearray(), 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        part = cast("bytes", message.get("body", b""))
        seen += len(part)
        body += part[: BODY_LIMIT + 1 - len(body)]
        if not message.get("more_body", False):
            return bytes(body), seen > BODY_LIMIT
        if seen > BODY_LIMIT + DISCARDED:
            return bytes(body), True


def _problem(status: int, detail: str) -> Response:
    codes = {400: "bad_request", 408: "request_timeout", 500: "internal_error"}
    titles = {400: "Bad Request", 408: "Request Timeout", 500: "Internal Server Error"}
    problem = {
        "type": "about:blank",
        "title": titles[status],
        "status": status,
        "code": codes[status],
        "detail": detail,
    }
    return Response(
        status, {"content-type": "application/problem+json"}, json.dumps(problem).encode()
    )


class _Server(uvicorn.Server):
    """Is uvicorn's server without its handling of signals, and with news when it listens."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serve`: uvicorn raises them again at the end, past our clean-up."""
        yield


class _ToLog(logging.Handler):
    """Writes uvicorn's warnings into the host's log."""

    def __init__(self, host: LocalHost) -> None:
        super().__init__(logging.WARNING)
        self._host = host

    def emit(self, record: logging.LogRecord) -> None:
        self._host.log.warning("http server", message=record.getMessage().strip())


def listen(bind: str, port: int) -> socket.socket:
    """Open the listening socket; raises ConfigurationError when the port can't be had."""
    try:
        family = socket.getaddrinfo(bind, port, type=socket.SOCK_STREAM)[0][0]
        # The protocol is named because asyncio sets TCP_NODELAY only on sockets that say TCP. An
        # answer on a kept connection would wait 40 ms for the client's delayed acknowledgement.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            if os.name == "posix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((bind, port))
            listener.listen(1024)
        except BaseException:
            listener.close()
            raise
        return listener
    except (OSError, OverflowError) as error:
        raise ConfigurationError(
            f"can't listen on {bind} port {port}: {error}; choose another port, or 0 for a free one"
        ) from error


def serve(
    host: LocalHost,
    *,
    bind: str = "127.0.0.1",
    port: int = 0,
    ready: Callable[[str], None],
    stop: threading.Event | None = None,
) -> None:
    """Serve over HTTP until SIGTERM or SIGINT (in the main thread), or until `stop` is set.

    `ready` gets the URL once connections are taken. Requests under way are finished first; `stop`
    is set at the end in any case. The host stays open. Raises ConfigurationError for a port that
    is taken.
    """
    stop = stop or threading.Event()
    listener = listen(bind, port)
    name = f"[{bind}]" if listener.family == socket.AF_INET6 else bind
    url = f"http://{name}:{listener.getsockname()[1]}"
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="http")
    config = uvicorn.Config(
        cast("Callable[..., Awaitable[None]]", Application(host, threads, bind)),
        http=PatientProtocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config, lambda: ready(url))
    watcher = threading.Thread(target=_watch, args=(stop, server), name="http-stop", daemon=True)
    with listener, _uvicorn_logs(host), _signals(server):
        watcher.start()
        try:
            asyncio.run(server.serve([listener]))
        finally:
            stop.set()
            watcher.join()
            threads.shutdown(wait=True, cancel_futures=True)


def _watch(stop: threading.Event, server: _Server) -> None:
    stop.wait()
    server.should_exit = True


@contextmanager
def _uvicorn_logs(host: LocalHost) -> Iterator[None]:
    logger, handler = logging.getLogger("uvicorn.error"), _ToLog(host)
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated


@contextmanager
def _signals(server: _Server) -> Iterator[None]:
    """Let SIGTERM and SIGINT end the server, where handlers can be set at all; twice: at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    kept = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
