"""The whole shop in memory, driven over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cartwheel.access import enforce
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel_memory import MemoryHost
from cartwheel_workflows.shop import shop_app
from tests.support.shopping import Shopper, customer, known, product


@pytest.fixture
def host() -> Iterator[MemoryHost]:
    """Open the shop with ten mugs on sale; no function may touch what it does not declare."""
    with MemoryHost(shop_app(), HostOptions(log=discard, hook=enforce(shop_app()))) as opened:
        product(opened.ports, "prd_mug", stock=10, cents=1290)
        yield opened


@pytest.fixture
def ada(host: MemoryHost) -> Shopper:
    """Register a customer and log in."""
    return customer(host.dispatcher)


@pytest.fixture
def staff(host: MemoryHost) -> Shopper:
    """Make a member of staff."""
    return known(host.dispatcher, "usr_staff", "staff")
