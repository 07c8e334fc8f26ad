"""Random programs of the workflow language, each with what every engine must do with it.

`programs()` is a Hypothesis strategy for `Program`s like those of the corpus: a well-typed workflow
nested to depth 4, an input, a script of faults, and as its claim what the language promises - the
result, and the calls in their partial order. `hold(program, driver)` plays one on an engine and
tells a difference with everything that is needed to see it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from hypothesis import strategies as st

from cartwheel.ports import JsonObject
from cartwheel.testing._promised import promise
from cartwheel.testing._random_scripts import given, script
from cartwheel.testing._random_steps import Steps
from cartwheel.testing.corpus import Driver, Played, Program, differences, interpreter
from cartwheel.testing.corpus._expected import Pattern, seq
from cartwheel.testing.corpus._program import Expected, Given, Script
from cartwheel.testing.corpus._rules import Rule
from cartwheel.workflow import Workflow, WorkflowDefinition
from cartwheel.workflow._diagram_tree import tree

__all__ = ["definition_of", "differs", "hold", "program_of", "programs", "workflows"]

NAME = "random"


def definition_of(workflow: Workflow) -> WorkflowDefinition[Given, object]:
    """Give a workflow that exists as data the form that `@workflow` gives one."""

    def nothing(given: Given) -> object:
        raise AssertionError("a random workflow has no source")

    made: WorkflowDefinition[Given, object] = WorkflowDefinition(
        workflow.name, workflow.version, nothing, Given, object
    )
    made._ir = workflow
    return made


def program_of(workflow: Workflow, input: JsonObject, answers: Script) -> Program:
    """Make a program of a workflow and a script, claiming what the language promises of them."""
    bare = Program(
        name=workflow.name,
        rule=Rule.SEQUENCE,
        definition=definition_of(workflow),
        expected=Expected("succeeded"),
        calls=seq(),
        input=input,
        script=answers,
    )
    promised = promise(workflow, bare)
    calls: Pattern = promised.calls
    return dataclasses.replace(
        bare, expected=promised.expected, calls=calls, left=promised.left, script=dict(answers)
    )


@st.composite
def workflows(draw: st.DrawFn, *, timers: bool = False, name: str = NAME) -> Workflow:
    """Draw a workflow that the checker accepts, without input and script."""
    return Steps(lambda count: draw(st.integers(0, count - 1)), timers).workflow(name)


@st.composite
def programs(draw: st.DrawFn, *, timers: bool = False, name: str = NAME) -> Program:
    """Draw a program. Without `timers` nothing in it takes time, whatever clock the engine has."""

    def pick(count: int) -> int:
        return draw(st.integers(0, count - 1))

    steps = Steps(pick, timers)
    workflow = steps.workflow(name)
    return program_of(workflow, given(pick), script(pick, workflow, steps))


def differs(program: Program, played: Played) -> list[str]:
    """List where a play is not what the language promises."""
    return differences(program, played)


def hold(program: Program, driver: Driver, *, artefact: Mapping[str, str] | None = None) -> Played:
    """Play a program and raise AssertionError with all there is to say when it went wrong."""
    played = driver(program)
    found = differs(program, played)
    if found:
        raise AssertionError(explain(program, played, found, artefact or {}))
    return played


def explain(program: Program, played: Played, found: list[str], artefact: Mapping[str, str]) -> str:
    """Show a divergence: what differs, the workflow as a tree and as data, what was compiled, the
    script, and the calls of both sides.
    """
    workflow = program.definition.ir
    reference = interpreter()(program)
    parts = [
        "\n".join(found),
        "== workflow ==\n" + tree(workflow),
        "== script ==\n" + "\n".join(f"{key}: {answer}" for key, answer in program.script.items()),
        f"== input ==\n{program.input}",
        "== calls of the interpreter ==\n" + "\n".join(map(str, reference.calls)),
        "== calls of the engine ==\n" + "\n".join(map(str, played.calls)),
        f"== promised ==\n{program.expected}",
        f"== seen ==\n{played}",
        "== as data ==\n" + workflow.to_json(indent=1),
        *(f"== {path} ==\n{text}" for path, text in artefact.items()),
    ]
    return "\n\n".join(parts)
