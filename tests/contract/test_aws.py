"""The adapter for AWS keeps the contract of its store, on ministack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cartwheel import testing as kit
from cartwheel.app import App
from cartwheel.host import Host, HostOptions
from cartwheel.log import discard
from cartwheel.ports import Store
from cartwheel.realtime import RealClock
from cartwheel.testing import OpenHost
from cartwheel.testing._store_indexes import store_app
from cartwheel_memory import MemoryHost
from tests.support.dynamo import dynamo_client, dynamo_store, make_tables
from tests.support.ministack import start_ministack


@pytest.fixture(scope="module")
def kept() -> Iterator[Store]:
    server = start_ministack()
    try:
        client = dynamo_client(server.url)
        tables = make_tables(client, store_app().collections.values())
        yield dynamo_store(client, store_app(), tables)
    finally:
        server.stop()


@pytest.fixture
def open_host(kept: Store) -> OpenHost:
    """Open a host of the memory adapter whose store is on DynamoDB: AWS has no host yet."""

    def open_(app: App) -> Host:
        options = HostOptions(
            log=discard, replace=lambda ports: replace(ports, store=kept, clock=RealClock())
        )
        return MemoryHost(app, options)

    return open_


class TestStore(kit.StoreContract):
    pass
