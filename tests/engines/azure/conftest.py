"""Starts Azurite once per session, when a test first needs it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.azurite import azurite


@pytest.fixture(scope="session")
def connection() -> Iterator[str]:
    """Give a connection string of the emulator."""
    with azurite() as connection:
        yield connection
