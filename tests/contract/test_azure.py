"""The store of the adapter for Azure keeps its contract on Azurite."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel

from cartwheel import testing as kit
from cartwheel.app import App, Service
from cartwheel.host import Host, HostOptions
from cartwheel.log import discard
from cartwheel.plugins import load_adapter
from cartwheel.ports import Clock, DomainError, Ports
from cartwheel.testing import OpenHost
from cartwheel.testing._base import fresh
from cartwheel.unit import Unit, transact
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


class Stock(BaseModel):
    """Is what is left of a product."""

    left: int


class SoldOut(DomainError):
    """Says that nothing is left."""


def test_of_64_buyers_of_20_pieces_exactly_20_get_one_and_all_others_a_refusal(
    open_host: OpenHost,
) -> None:
    buyers, pieces = 64, 20
    service = Service("shop")
    service.collection("stock")
    product, start = fresh("product"), threading.Barrier(buyers)
    tries: Counter[int] = Counter()
    with open_host(App("race", services=[service])) as host:
        ports = host.ports

        def stock(unit: Unit) -> None:
            unit.put("stock", Stock(left=pieces))

        def buy(buyer: int) -> str:
            def take(unit: Unit) -> None:
                tries[buyer] += 1
                stock = unit.get("stock", Stock)
                assert stock is not None
                if stock.left == 0:
                    raise SoldOut("nothing is left")
                unit.put("stock", Stock(left=stock.left - 1))

            start.wait()
            try:
                transact(ports, "stock", product, take, key=f"buyer{buyer}")
            except SoldOut:
                return "sold out"
            return "sold"

        transact(ports, "stock", product, stock)
        with ThreadPoolExecutor(buyers) as pool:
            outcomes = Counter(pool.map(buy, range(buyers)))
        left = ports.store.get("stock", product, "stock")
        guards = ports.store.scan("stock", product, prefix="guard#").rows
    print(f"{dict(outcomes)}; at most {max(tries.values())} tries of a buyer")
    assert outcomes == {"sold": pieces, "sold out": buyers - pieces}
    assert left is not None
    assert left.data == {"left": 0}
    assert len(guards) == pieces
