"""What is compiled passes each target's own checks, is the same each time, and never is a surprise:
the whole corpus and a thousand random workflows.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from cartwheel.plugins import load_adapter
from cartwheel.testing.corpus import PROGRAMS
from cartwheel.testing.randomly import workflows
from cartwheel.workflow import Unsupported, Workflow
from tests.engines._registry import ENGINES, TARGETS, known, target_of

COUNT = 1000


def refused(target: str, workflow: Workflow, counts: Counter[str]) -> bool:
    """Compile and check a workflow; tells whether the target refused it, with its reasons."""
    adapter = load_adapter(target)
    try:
        compiled = adapter.compile_workflow(workflow)
    except Unsupported as error:
        gaps = error.gaps
    else:
        gaps = ()
    if gaps:
        assert all(gap.step and gap.feature and gap.limit and gap.remedy for gap in gaps)
        counts.update({f"{target} refuses {gap.limit}" for gap in gaps})
        return True
    assert adapter.check(compiled) == ()
    counts[f"{target} compiles"] += 1
    if counts[f"{target} compiles"] % 10 == 0:
        assert adapter.compile_workflow(workflow).files == compiled.files
        cost = adapter.workflow_cost(workflow)
        assert 0 <= cost.happy <= cost.worst
    return False


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_compiles_with_no_finding(target: str) -> None:
    gaps = {name for engine in ENGINES if target_of(engine) == target for name in known(engine)}
    counts: Counter[str] = Counter()
    for program in PROGRAMS:
        if refused(target, program.definition.ir, counts):
            assert program.name in gaps, f"{program} does not compile for {target}"
    print(dict(counts))
    assert counts[f"{target} compiles"] >= 120


@pytest.mark.timeout(600)
@pytest.mark.parametrize("target", TARGETS)
def test_a_thousand_random_workflows_compile_with_no_finding(target: str) -> None:
    counts: Counter[str] = Counter()

    @settings(
        max_examples=COUNT,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(workflows(timers=True))
    def look(workflow: Workflow) -> None:
        refused(target, workflow, counts)

    look()
    print(dict(counts))
    assert counts[f"{target} compiles"] >= COUNT * 0.6
