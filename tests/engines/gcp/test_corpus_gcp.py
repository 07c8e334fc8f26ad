"""Each program of the corpus is on workflows-emulator what the language says, and is billed as
counted.
"""

from __future__ import annotations

import pytest

from cartwheel.testing.corpus import PROGRAMS, Program, run_program
from cartwheel.workflow import Unsupported
from cartwheel.workflow import _ir as ir
from cartwheel_gcp import check, compile_workflow, cost
from tests.engines.gcp.engine import WorkflowsEmulator
from tests.engines.gcp.known import KNOWN


def _rows() -> list[object]:
    return [
        pytest.param(
            program,
            id=program.name,
            marks=[pytest.mark.xfail(reason=KNOWN[program.name], strict=True, raises=Unsupported)]
            if program.name in KNOWN
            else [],
        )
        for program in PROGRAMS
    ]


@pytest.mark.parametrize("program", _rows())
def test_a_program_is_as_claimed(program: Program, engine: WorkflowsEmulator) -> None:
    workflow = program.definition.ir
    assert check(compile_workflow(workflow)) == ()
    run_program(program, engine.play)
    if _is_calm(program):
        counted = cost(workflow)
        assert engine.steps <= counted.happy + sum(counted.other.values())


def _is_calm(program: Program) -> bool:
    """Tell whether nothing in a program fails, so that the happy path bounds what is billed."""
    quiet = not program.script and not program.actions and not program.redrives
    fails = any(isinstance(step, ir.FailStep) for step in ir.walk(program.definition.ir.body))
    return quiet and not fails and program.expected.status == "succeeded"


def test_every_known_gap_is_a_program() -> None:
    assert KNOWN.keys() <= {program.name for program in PROGRAMS}
