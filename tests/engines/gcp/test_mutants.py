"""The corpus finds bugs that are planted into compiled documents."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import pytest

from cartwheel.testing.corpus import PROGRAMS, Program, differences
from cartwheel.workflow import Compiled, Unsupported, Workflow
from cartwheel_gcp import compile_workflow
from tests.engines._registry import known
from tests.engines.gcp._mutants import MUTANTS, Mutant
from tests.engines.gcp.engine import WorkflowsEmulator


@dataclasses.dataclass
class Planter:
    """Compiles with a bug planted."""

    mutant: Mutant | None = None

    def __call__(self, workflow: Workflow) -> Compiled:
        sound = compile_workflow(workflow)
        assert self.mutant is not None
        document = json.loads(sound.main)
        self.mutant.plant(document)
        return dataclasses.replace(sound, files={sound.entry: json.dumps(document)})

    def changes(self, workflow: Workflow) -> bool:
        """Tell whether the bug is in what a workflow is compiled to."""
        try:
            planted = json.loads(self(workflow).main)
        except Unsupported:
            return False
        return bool(planted != json.loads(compile_workflow(workflow).main))


PLANTER = Planter()


@pytest.fixture(scope="module")
def engine() -> Iterator[WorkflowsEmulator]:
    engine = WorkflowsEmulator(PLANTER)
    engine.start()
    yield engine
    engine.stop()


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_planted_bug_is_found(mutant: Mutant, engine: WorkflowsEmulator) -> None:
    PLANTER.mutant = mutant
    gaps = known(engine.name)
    changed = [p for p in PROGRAMS if p.name not in gaps and PLANTER.changes(p.definition.ir)]
    assert changed, "no document has such a place"
    found = next((each for each in changed if _differs(engine, each)), None)
    print(f"{mutant}: shown by {found}, of {len(changed)} programs that have it")
    assert found is not None, f"none of {len(changed)} programs shows it"


def _differs(engine: WorkflowsEmulator, program: Program) -> bool:
    try:
        return bool(differences(program, engine.play(program)))
    except AssertionError:
        # A run that ends without its document is as good as a difference.
        return True
