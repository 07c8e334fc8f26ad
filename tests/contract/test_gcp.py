"""The adapter for Google Cloud keeps the contracts of what it has, on Google's own servers.

The store runs on the Firestore emulator, the edge on functions-framework. There is no host of this
adapter yet: the store takes the place of the memory host's.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import pytest
from google.cloud.firestore import Client

from cartwheel import testing as kit
from cartwheel.app import App
from cartwheel.host import Host, HostOptions
from cartwheel.http import Request, Response
from cartwheel.log import discard
from cartwheel.plugins import load_adapter
from cartwheel.ports import Ports
from cartwheel.realtime import RealClock, SystemRandomness, TimeOrderedIds
from cartwheel.testing import OpenHost, Send, Serve, target_of
from cartwheel_gcp import FirestoreStore
from cartwheel_memory import MemoryHost
from tests.support.google import firestore_client, firestore_emulator, function


@cache
def client() -> Client:
    return firestore_client(firestore_emulator())


@pytest.fixture
def open_host() -> OpenHost:
    adapter = load_adapter("memory")

    def open_(app: App) -> Host:
        return adapter.open(
            app, HostOptions(log=discard, replace=lambda ports: on_firestore(ports, app))
        )

    return open_


def on_firestore(ports: Ports, app: App) -> Ports:
    """Give ports over Firestore and real time."""
    clock, ids, random = RealClock(), TimeOrderedIds(), SystemRandomness()
    store = FirestoreStore(client(), app.collections, clock=clock, ids=ids, random=random)
    return replace(ports, store=store, clock=clock, ids=ids, random=random)


class TestStore(kit.StoreContract):
    pass


MAIN = """\
from cartwheel.testing._http_app import http_app
from cartwheel_gcp import http_function
from cartwheel_memory import MemoryHost

handle = http_function(http_app(), MemoryHost)
"""


@pytest.fixture
def serve() -> Serve:
    @contextmanager
    def before(host: Host) -> Iterator[Send]:
        place = function(MAIN)
        yield lambda request: send_to(place, request)

    return before


def send_to(place: str, request: Request) -> Response:
    connection = http.client.HTTPConnection(place, timeout=10)
    try:
        connection.putrequest(request.method, target_of(request))
        for name, values in request.headers.items():
            for value in values:
                connection.putheader(name, value)
        if request.body or request.method in {"POST", "PUT", "PATCH"}:
            connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body or None)
        answer = connection.getresponse()
        return Response(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


class TestHttpGateway(kit.HttpGatewayContract):
    @pytest.fixture
    def open_host(self) -> OpenHost:
        """Open what nobody asks: the function has a host of its own, in another process."""
        return MemoryHost


JSON = b"Content-Type: application/json\r\n"
CHUNKED = JSON + b"Transfer-Encoding: chunked\r\n\r\n"
PART = b"10000\r\n" + b" " * 65536 + b"\r\n"
RAW: list[tuple[str, int, bytes, bytes]] = [
    ("a target with its origin", 200, b"GET http://shop.example.org/seen/word", b"\r\n"),
    ("an asterisk", 400, b"OPTIONS *", b"\r\n"),
    ("an authority", 400, b"CONNECT shop.example.org:443", b"\r\n"),
    ("two slashes", 404, b"GET //seen/word", b"\r\n"),
    ("a bad escape", 400, b"GET /seen/%zz", b"\r\n"),
    ("no UTF-8", 400, b"GET /seen/%ff", b"\r\n"),
    ("a method of nobody", 405, b"BREW /seen/word", b"\r\n"),
    ("a long path", 404, b"GET /" + b"a" * 20_000, b"\r\n"),
    ("chunks", 200, b"POST /seen/word", CHUNKED + b'4\r\n{"te\r\n7\r\nxt":""}\r\n0\r\n\r\n'),
    ("a chunk that breaks off", 400, b"POST /seen/word", CHUNKED + b"5\r\n{"),
    ("a chunk of no size", 400, b"POST /seen/word", CHUNKED + b"zz\r\n{}\r\n"),
    ("chunks without an end", 413, b"POST /seen/word", CHUNKED + PART * 80),
    ("a body that breaks off", 400, b"POST /seen/word", b"Content-Length: 9\r\n\r\n{}"),
    ("a length of no body", 413, b"POST /seen/word", b"Content-Length: 99999999\r\n\r\n{}"),
]


@pytest.mark.parametrize(
    ("status", "line", "rest"), [case[1:] for case in RAW], ids=[case[0] for case in RAW]
)
def test_what_is_wrong_on_the_wire_gets_an_answer_of_the_function(
    status: int, line: bytes, rest: bytes
) -> None:
    host, port = function(MAIN).split(":")
    head = line + b" HTTP/1.1\r\nHost: shop.example.org\r\nConnection: close\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head + rest)
        connection.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        kind = "json" if status == 200 else "problem+json"
        assert (answer.status, answer.headers["Server"]) == (status, "gunicorn")
        assert answer.headers["Content-Type"] == f"application/{kind}"


def test_two_paths_are_answered_by_functions_framework_itself() -> None:
    for path in ("/robots.txt", "/favicon.ico"):
        answer = send_to(function(MAIN), Request("GET", path))
        assert answer.status == 404
        assert str(answer.header("content-type")).startswith("text/html")
