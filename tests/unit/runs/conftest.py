"""Desks with a runtime over an engine on paper, over each of the stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cartwheel.app import App, Service
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.plugins import load_adapter
from cartwheel.ports import (
    Store,
)
from cartwheel.runs import (
    RUNS,
)
from tests.support.foreign_desk import Desk


@pytest.fixture(params=["memory", "local"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    service = Service("cloud")
    service.collections.append(RUNS)
    data: Path = tmp_path_factory.mktemp("data")
    options = HostOptions(data=data, log=discard)
    with load_adapter(request.param).open(App("cloud", services=[service]), options) as host:
        yield host.ports.store


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


@pytest.fixture
def in_memory() -> Iterator[Desk]:
    """Give a desk for tests with many runs."""
    service = Service("cloud")
    service.collections.append(RUNS)
    options = HostOptions(log=discard)
    with load_adapter("memory").open(App("cloud", services=[service]), options) as host:
        yield Desk(host.ports.store)
