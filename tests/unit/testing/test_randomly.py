"""Random programs build, end, and mean the same however the interpreter plays them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.plugins import load_adapter
from cartwheel.testing.corpus import Called, Played, Program, corpus_app, interpreter, on_host
from cartwheel.testing.randomly import differs, hold, programs
from cartwheel.workflow import _ir as ir
from cartwheel.workflow import find_problems

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(programs(timers=True))
def test_what_is_promised_holds_in_every_order_and_with_sagas_lowered(program: Program) -> None:
    assert find_problems(program.definition.ir) == ()
    hold(program, interpreter())
    hold(program, interpreter(order="last"))
    hold(program, interpreter(order=3))
    hold(program, interpreter(lowered=True, order=5))


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(programs(timers=True))
def test_the_memory_adapters_engine_keeps_what_is_promised(program: Program) -> None:
    adapter = load_adapter("memory")
    with adapter.open(corpus_app([program]), HostOptions(log=discard)) as host:
        hold(program, on_host(host))


def test_the_whole_language_is_drawn() -> None:
    kinds: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    undone = deepest = 0

    @settings(
        max_examples=300,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(programs(timers=True))
    def look(program: Program) -> None:
        nonlocal undone, deepest
        workflow = program.definition.ir
        kinds.update({step.kind for step in ir.walk(workflow.body)})
        ends.update([program.expected.status])
        undone += ".compensate" in str(program.calls)
        deepest = max(deepest, depth(workflow.body))

    look()
    print(dict(kinds), dict(ends), f"{undone} compensate, nested to {deepest}")
    every = {model.model_fields["kind"].default for model in ir.StepBase.__subclasses__()}
    assert every - set(kinds) == {"raise"}, "only the saga lowering makes a raise"
    assert min(kinds.values()) >= 10
    assert set(ends) == {"succeeded", "failed", "cancelled"}
    assert undone >= 10
    assert deepest >= 5


def depth(body: tuple[ir.Step, ...]) -> int:
    return max((1 + max(map(depth, ir.bodies(step)), default=0) for step in body), default=0)


def test_a_divergence_is_told_with_all_there_is_to_see() -> None:
    def broken(program: Program) -> Played:
        played = interpreter()(program)
        stray = Called("corpus.say", "stray", {"text": "?"}, 1)
        return Played("failed", None, "Wrong", "", None, (), (*played.calls, stray), (), 1, 0.0)

    seen: list[Program] = []

    @settings(max_examples=1, derandomize=True, database=None, deadline=None)
    @given(programs())
    def draw(program: Program) -> None:
        seen.append(program)

    draw()
    with pytest.raises(AssertionError) as error:
        hold(seen[0], broken, artefact={"main.json": '{"compiled": true}'})
    told = str(error.value)
    parts = ("workflow", "script", "calls of the interpreter", "calls of the engine", "as data")
    assert all(f"== {part} ==" in told for part in parts)
    assert '{"compiled": true}' in told
    assert "stray#1" in told
    assert differs(seen[0], interpreter()(seen[0])) == []
