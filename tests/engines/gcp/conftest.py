"""One emulator for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines.gcp.engine import WorkflowsEmulator


@pytest.fixture(scope="session")
def engine() -> Iterator[WorkflowsEmulator]:
    engine = WorkflowsEmulator()
    engine.start()
    yield engine
    engine.stop()
