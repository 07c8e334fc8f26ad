"""The shop's pytest plugin: one fixture, which loads nothing until it is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cartwheel_workflows.testing import Shop


@pytest.fixture
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    """Give the shop with helpers over its HTTP API, opened in memory when it is first used.

    Where the test uses `recorder` or `faults` too, they stand around every port call.
    """
    from cartwheel.testing.plugin import hook_of
    from cartwheel_workflows.testing import Shop

    made = Shop(hook_of(request))
    yield made
    made.close()
