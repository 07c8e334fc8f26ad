"""Diagrams are the same every time, say what a workflow does, and keep to Mermaid's grammar."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cartwheel.testing.corpus import PROGRAMS
from cartwheel.workflow import Workflow, mermaid, tree
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import CompareExpr, LiteralExpr, RefExpr
from cartwheel.workflow._types import STRING, ObjectType
from tests.unit.workflow.drawn import DRAWN, careful, checkout

GOLDEN = Path(__file__).parent / "golden"
DRAWINGS: dict[str, Callable[[Workflow], str]] = {
    "mmd": mermaid,
    "txt": tree,
    "ascii.txt": partial(tree, ascii=True),
}
ALL = [definition.ir for definition in DRAWN] + [program.definition.ir for program in PROGRAMS]
each = pytest.mark.parametrize("workflow", ALL, ids=lambda workflow: workflow.name)


@pytest.mark.parametrize("ending", DRAWINGS)
@pytest.mark.parametrize("workflow", ALL[:3], ids=lambda workflow: workflow.name)
def test_a_diagram_is_the_golden_one(workflow: Workflow, ending: str) -> None:
    expected = (GOLDEN / f"{workflow.name}.{ending}").read_text(encoding="utf-8")
    assert DRAWINGS[ending](workflow).rstrip("\n") == expected.rstrip("\n")


@each
def test_the_same_workflow_gives_the_same_diagrams(workflow: Workflow) -> None:
    again = Workflow.from_json(workflow.to_json())
    assert mermaid(again) == mermaid(workflow)
    assert tree(again) == tree(workflow)


# A strict part of Mermaid's flowchart grammar: what we write, and nothing else.
LABEL = r'"(?:[A-Za-z0-9 _.,:;/()\-+*=?!\'\[\]…]|#[0-9]+;|<br/>)+"'
SHAPES = "|".join(
    re.escape(opening) + LABEL + re.escape(closing)
    for opening, closing in [
        ("[", "]"),
        ("([", "])"),
        ("{", "}"),
        ("{{", "}}"),
        ("[[", "]]"),
        ("[/", "/]"),
        ("[\\", "\\]"),
    ]
)
NODE = re.compile(rf"(n\d+|finish)(?:{SHAPES})")
BOX = re.compile(rf"subgraph (box\d+)\[{LABEL}\]")
ARROW = re.compile(rf"(n\d+|box\d+) (?:-->|-\.->)(?:\|{LABEL}\|)? (n\d+|finish)")
STYLE = re.compile(r"classDef compensation stroke-dasharray: 4 3")
CLASS = re.compile(r"class (n\d+(?:,n\d+)*) compensation")


def parsed(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Read a flowchart strictly and give its ids and arrows."""
    first, *lines = text.splitlines()
    assert first == "flowchart TD"
    ids: list[str] = []
    arrows: list[tuple[str, str]] = []
    styled: list[str] = []
    depth, filled = 0, [True]
    for line in lines:
        found = line.strip()
        if node := NODE.fullmatch(found):
            ids.append(node[1])
            filled[-1] = True
        elif box := BOX.fullmatch(found):
            ids.append(box[1])
            depth += 1
            filled[-1] = True
            filled.append(False)
        elif found == "end":
            depth -= 1
            assert filled.pop(), "a box without anything inside"
        elif arrow := ARROW.fullmatch(found):
            assert depth == 0, "an arrow inside a box pulls its ends into it"
            arrows.append((arrow[1], arrow[2]))
        elif named := CLASS.fullmatch(found):
            styled.extend(named[1].split(","))
        else:
            assert STYLE.fullmatch(found), f"not in the grammar: {line}"
        assert depth >= 0
    assert depth == 0
    assert len(ids) == len(set(ids)), "two things share an id"
    assert {end for arrow in arrows for end in arrow} <= set(ids)
    assert set(styled) <= set(ids)
    return ids, arrows


@each
def test_a_flowchart_keeps_to_the_grammar_and_leaves_nothing_out(workflow: Workflow) -> None:
    ids, arrows = parsed(mermaid(workflow))
    reached = {target for _, target in arrows}
    assert [one for one in ids if one.startswith("n") and one not in reached] == ["n1"]


@each
def test_every_call_and_compensation_is_drawn(workflow: Workflow) -> None:
    chart, drawn = mermaid(workflow), tree(workflow)
    for step in ir.walk(workflow.body):
        if isinstance(step, ir.TaskStep | ir.PollStep):
            assert step.task in chart
            assert step.task in drawn
        if isinstance(step, ir.TaskStep) and step.compensate is not None:
            assert f'"undo: {step.compensate.task}"' in chart
            assert f"↺ {step.compensate.task}" in drawn


@each
def test_an_ascii_tree_is_ascii(workflow: Workflow) -> None:
    assert tree(workflow, ascii=True).isascii()


@pytest.mark.parametrize(
    "text",
    ['"]; end', "a | b", "<script>", "`x`", "#quot;", "{a}", "\u202egnp", "line\nbreak", "%%"],
)
def test_labels_are_escaped(text: str) -> None:
    condition = CompareExpr(
        op="==", left=RefExpr(name="input", path=("x",)), right=LiteralExpr(value=text)
    )
    step = ir.WhenStep(name="when", condition=condition, then=())
    workflow = ir.Workflow(
        name="w",
        version=text,
        input=ObjectType(fields={"x": STRING}),
        output=careful.ir.output,
        body=(step,),
    )
    ids, _ = parsed(mermaid(workflow))
    assert ids == ["n1", "n2", "finish"]
    lines = tree(workflow).split("\n")
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)


def test_a_long_condition_is_cut() -> None:
    condition = CompareExpr(op="==", left=RefExpr(name="a" * 99), right=LiteralExpr(value="b"))
    step = ir.WhenStep(name="when", condition=condition, then=())
    drawn = tree(checkout.ir.model_copy(update={"body": (step,)}))
    assert drawn.endswith(f"when {'a' * 47}…")


def test_empty_blocks_make_no_empty_boxes() -> None:
    body = (
        ir.SagaStep(name="saga", body=()),
        ir.TryStep(name="try", body=(), handlers=(ir.Handler(codes=("*",)),)),
    )
    ids, arrows = parsed(mermaid(checkout.ir.model_copy(update={"body": body})))
    assert ids == ["n1", "finish"]
    assert arrows == [("n1", "finish")]
