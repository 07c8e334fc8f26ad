"""Each program of the corpus is on azure-functions-durable 1.7 what the language says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cartwheel.testing.corpus import PROGRAMS, Program, run_program
from tests.engines.azure._engines import Durable1


@pytest.fixture(scope="module", params=[False, True], ids=["one-by-one", "batched"])
def engine(request: pytest.FixtureRequest) -> Iterator[Durable1]:
    engine = Durable1(batched=bool(request.param))
    engine.start()
    yield engine
    engine.stop()


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_a_program_is_as_claimed(program: Program, engine: Durable1) -> None:
    run_program(program, engine.play)
