"""The adapter for Google Cloud keeps the contracts of what it has, on Google's own servers.

The store runs on the Firestore emulator, the edge on functions-framework. There is no host of this
adapter yet: the store takes the place of the memory host's.
"""

from __future__ import annotations

import http.client
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
from cartwheel.testing import OpenHost, Send, Serve, target_of
from cartwheel_gcp import FirestoreStore
from cartwheel_local._time import RealClock, SystemRandomness, TimeOrderedIds
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
