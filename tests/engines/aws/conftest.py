"""A store on ministack, and one behind a wire that fails as it is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from cartwheel.ports import Put, Store
from cartwheel.realtime import SystemRandomness, TimeOrderedIds
from cartwheel.testing._base import fresh
from cartwheel.testing._store_app import THINGS, store_app
from cartwheel_aws import DynamoStore
from tests.engines.aws._processes import Process
from tests.support.dynamo import dynamo_client, dynamo_store, make_tables
from tests.support.ministack import start_ministack
from tests.support.wire import Wire


@pytest.fixture(scope="module")
def server() -> Iterator[Process]:
    process = start_ministack()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def tables(server: Process) -> dict[str, str]:
    return make_tables(dynamo_client(server.url), store_app().collections.values())


@pytest.fixture(scope="module")
def store(server: Process, tables: dict[str, str]) -> DynamoStore:
    """Give a store that nothing stands in front of."""
    return dynamo_store(dynamo_client(server.url), store_app(), tables)


@pytest.fixture(scope="module")
def wire(server: Process) -> Iterator[Wire]:
    with Wire(server.port) as made:
        yield made


@dataclass
class Pauses:
    """Is a clock on which no time passes; notes how long it was to wait."""

    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        """Give always the same time."""
        return 0.0

    def sleep(self, seconds: float) -> None:
        """Note and return."""
        self.slept.append(seconds)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def far(wire: Wire, tables: dict[str, str], pauses: Pauses) -> DynamoStore:
    """Give a store behind the wire."""
    return DynamoStore(
        dynamo_client(wire.url),
        store_app().collections,
        tables,
        clock=pauses,
        ids=TimeOrderedIds(),
        random=SystemRandomness(),
    )


@pytest.fixture
def place(store: Store) -> str:
    """Make a partition with the rows a and b at version 1."""
    made = fresh("place")
    store.commit(THINGS, made, [Put("a", {"n": 1}, 0), Put("b", {"n": 1}, 0)])
    return made
