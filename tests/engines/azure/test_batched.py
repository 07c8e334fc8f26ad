"""A host may deliver several events in one turn: the corpus is as claimed then, too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cartwheel.testing.corpus import PROGRAMS, Program, run_program
from tests.engines.azure._engines import Durable1


@pytest.fixture(scope="module")
def engine() -> Iterator[Durable1]:
    engine = Durable1(batched=True)
    engine.start()
    yield engine
    engine.stop()


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_a_program_is_as_claimed(program: Program, engine: Durable1) -> None:
    run_program(program, engine.play)
