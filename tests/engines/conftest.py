"""Starts each engine once per session, when a test first needs it, and ends it after the last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines._driver import Engine
from tests.engines._registry import make


@pytest.fixture(scope="session")
def any_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Give a started engine, parametrised by its name."""
    engine = make(str(request.param))
    engine.start()
    yield engine
    engine.stop()
