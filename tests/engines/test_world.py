"""The world around the engines keeps the corpus's rules: the reference interpreter plays all of it
through the product's own invocations.
"""

from __future__ import annotations

import pytest

from cartwheel.testing.corpus import PROGRAMS, Program, run_program
from tests.engines._reference import Reference


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_a_program_is_as_claimed_through_invocations(program: Program) -> None:
    run_program(program, Reference().play)
