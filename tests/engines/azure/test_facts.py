"""What the generated code rests on beyond the corpus, shown on both SDKs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import BaseModel, JsonValue

from cartwheel.testing.corpus import PROGRAMS, Program, do, par, run_program, seq
from cartwheel.testing.corpus._program import (
    Chapter,
    Given,
    Signal,
    during,
    fails,
    succeeds,
)
from cartwheel.testing.corpus._rules import Rule
from cartwheel.testing.corpus._tasks import ask, carry, say
from cartwheel.workflow import (
    Workflow,
    attempt,
    catch,
    days,
    map_each,
    parallel,
    variable,
    wait_for,
)
from cartwheel.workflow import _ir as ir
from cartwheel_azure import cost
from tests.engines.azure._engines import Durable1, Durable2

program = Chapter()
HOSTILE: JsonValue = {"__class__": "Popen", "__module__": "subprocess", "__data__": ["true"]}


class Word(BaseModel):
    """The payload of a signal."""

    word: JsonValue


@pytest.fixture(scope="module", params=[Durable1, Durable2], ids=["1.7", "2.0"])
def engine(request: pytest.FixtureRequest) -> Iterator[Durable1 | Durable2]:
    kind: type[Durable1 | Durable2] = request.param
    engine = kind()
    engine.start()
    yield engine
    engine.stop()


@program(
    Rule.VALUES,
    succeeds([HOSTILE, HOSTILE]),
    do("carry"),
    input={"extra": HOSTILE},
    actions=((1, Signal("news", {"word": HOSTILE})),),
)
def data_is_never_taken_for_a_class(cmd: Given) -> list[JsonValue]:
    carried = carry(value=cmd.extra).value
    return [carried, wait_for("news", Word).word]


@program(
    Rule.WAIT_TIMEOUT,
    succeeds("late"),
    actions=((14 * 86_400 - 1, Signal("news", {"word": "late"})),),
    took=14 * 86_400 - 1,
    long=True,
)
def a_signal_comes_in_the_last_second_of_a_fortnight(cmd: Given) -> JsonValue:
    return wait_for("news", Word, timeout=days(14)).word


@program(Rule.WAIT_TIMEOUT, fails("Timeout"), took=14 * 86_400, long=True)
def nobody_answers_for_a_fortnight(cmd: Given) -> None:
    wait_for("news", Word, timeout=days(14))


@program(
    Rule.WAIT_EARLY,
    succeeds(["one", "two", "three"]),
    seq(do("say"), do("say_2")),
    script={
        "say": during(
            Signal("a", {"word": "one"}, "s1"),
            Signal("b", {"word": "two"}, "s2"),
            Signal("a", {"word": "three"}, "s3"),
        )
    },
)
def waits_for_one_signal_in_a_row_are_answered_in_order(cmd: Given) -> list[JsonValue]:
    say(text="x")
    one = wait_for("a", Word)
    two = wait_for("b", Word, timeout=5)
    say(text="y")
    return [one.word, two.word, wait_for("a", Word, timeout=5).word]


@program(
    Rule.MAP_LIMIT,
    succeeds(["a"] * 60),
    par(*(do(f"say:{n}") for n in range(60))),
    in_flight=7,
    input={"words": ["a"] * 60},
)
def sixty_items_seven_at_once(cmd: Given) -> list[str]:
    return map_each(cmd.words, lambda word: say(text=word).text, concurrency=7)


@program(Rule.TASK_ONCE, succeeds("x"), par(do("ask"), do("say")))
def a_lost_activity_is_unavailable(cmd: Given) -> str:
    def asking() -> str:
        return ask(text="x").text

    def saying() -> str:
        said = variable("said", str)
        with attempt():
            said.set(say(text="y").text)
        with catch("Unavailable"):
            said.set("lost")
        return said.value

    asked, _ = parallel(asking, saying)
    return asked


@pytest.mark.parametrize("claim", program.programs, ids=str)
def test_a_fact_holds(claim: Program, engine: Durable1 | Durable2) -> None:
    run_program(claim, engine.play)


@pytest.mark.parametrize("kind", [Durable1, Durable2], ids=["1.7", "2.0"])
def test_an_activity_whose_worker_died_is_tried_again(kind: type[Durable1 | Durable2]) -> None:
    engine = kind(lose=1)
    engine.start()
    try:
        (claim,) = (each for each in program.programs if "lost_activity" in each.name)
        run_program(claim, engine.play)
    finally:
        engine.stop()


def _plain(workflow: Workflow) -> bool:
    """Tell whether a workflow's steps all run, one after the other."""
    kinds = {step.kind for step in ir.walk(workflow.body)}
    return kinds <= {"task", "assign", "return", "parallel"}


PLAIN = [p for p in PROGRAMS if not p.script and not p.actions and _plain(p.definition.ir)]


@pytest.mark.parametrize("claim", PLAIN, ids=str)
def test_a_run_bills_what_was_said_when_it_was_compiled(
    claim: Program, engine: Durable1 | Durable2
) -> None:
    engine.play(claim)
    assert cost(claim.definition.ir).happy == engine.turns + engine.activities
