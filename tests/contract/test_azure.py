"""The store of the adapter for Azure keeps its contract on Azurite."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cartwheel import testing as kit
from cartwheel.app import App
from cartwheel.host import Host, HostOptions
from cartwheel.log import discard
from cartwheel.plugins import load_adapter
from cartwheel.ports import Clock, Ports
from cartwheel.testing import OpenHost
from cartwheel_azure import TableStore, table_names
from tests.support.azurite import azurite

data_tables = pytest.importorskip("azure.data.tables", reason="needs cartwheel[azure]")


@pytest.fixture(scope="session")
def connection() -> Iterator[str]:
    with azurite() as connection:
        yield connection


def open_store(connection: str, app: App, clock: Clock) -> TableStore:
    """Open a store of an application on the emulator, with its tables."""
    service = data_tables.TableServiceClient.from_connection_string(connection)
    for name in table_names(app.collections):
        service.create_table_if_not_exists(name)
    return TableStore(service, app.collections, clock)


@pytest.fixture
def open_host(connection: str, tmp_path_factory: pytest.TempPathFactory) -> OpenHost:
    # There is no host of this adapter yet: the local one lends all ports but the store.
    def open_(app: App) -> Host:
        def with_tables(ports: Ports) -> Ports:
            return replace(ports, store=open_store(connection, app, ports.clock))

        data: Path = tmp_path_factory.mktemp("data")
        options = HostOptions(data=data, log=discard, background=False, replace=with_tables)
        return load_adapter("local").open(app, options)

    return open_


class TestStore(kit.StoreContract):
    pass
