"""The adapter for Google Cloud keeps the contracts of what it has, on Google's own servers.

The store runs on the Firestore emulator, the edge on functions-framework. There is no host of this
adapter yet: the store takes the place of the memory host's.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from google.cloud.firestore import Client

from cartwheel import testing as kit
from cartwheel.app import App
from cartwheel.host import Host, HostOptions
from cartwheel.log import discard
from cartwheel.plugins import load_adapter
from cartwheel.ports import Ports
from cartwheel.testing import OpenHost
from cartwheel_gcp import FirestoreStore
from cartwheel_local._time import RealClock, SystemRandomness, TimeOrderedIds
from tests.support.google import firestore_client, firestore_emulator


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
