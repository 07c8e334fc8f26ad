"""Each program of the corpus is on azure-functions-durable 2.0 what the language says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cartwheel.testing.corpus import PROGRAMS, Program, run_program
from tests.engines.azure._engines import Durable2


@pytest.fixture(scope="module")
def engine() -> Iterator[Durable2]:
    engine = Durable2()
    engine.start()
    yield engine
    engine.stop()


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_a_program_is_as_claimed(program: Program, engine: Durable2) -> None:
    run_program(program, engine.play)
