"""A shop in memory for the tests of its services."""

from __future__ import annotations

import pytest

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import Ports
from cartwheel_memory import MemoryHost
from cartwheel_workflows.shop import shop_app


@pytest.fixture
def host() -> MemoryHost:
    """Open the shop in memory; nothing is seeded."""
    return MemoryHost(shop_app(), HostOptions(log=discard))


@pytest.fixture
def ports(host: MemoryHost) -> Ports:
    """Give the shop's ports."""
    return host.ports
