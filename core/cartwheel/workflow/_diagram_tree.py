"""Draws a workflow as a tree for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from cartwheel.workflow import _diagram_words as words
from cartwheel.workflow import _ir as ir


@dataclass(frozen=True, slots=True)
class _Node:
    label: str
    children: tuple[_Node, ...] = ()


def tree(workflow: ir.Workflow, *, ascii: bool = False) -> str:
    """Draw a workflow as indented lines; with `ascii`, in letters that every terminal has."""
    lines = [words.title(workflow)]
    lines.extend(_lines(_nodes(workflow.body), ""))
    text = "\n".join(lines)
    if ascii:
        for drawn, plain in (("├─", "|-"), ("└─", "`-"), ("│", "|"), ("↺", "<-"), ("…", "...")):
            text = text.replace(drawn, plain)
        text = text.encode("ascii", "backslashreplace").decode("ascii")
    return text


def _lines(nodes: tuple[_Node, ...], indent: str) -> Iterator[str]:
    for node in nodes:
        last = node is nodes[-1]
        yield f"{indent}{'└─' if last else '├─'} {node.label}"
        yield from _lines(node.children, indent + ("   " if last else "│  "))


def _nodes(body: tuple[ir.Step, ...]) -> tuple[_Node, ...]:
    return tuple(node for step in body for node in _node(step))


def _node(step: ir.Step) -> Iterator[_Node]:
    match step:
        case ir.TaskStep() | ir.PollStep():
            yield _Node(_call(step))
        case ir.AssignStep():
            yield _Node(words.assign_title(step))
        case ir.WhenStep():
            yield _Node(f"when {words.shown(step.condition)}", _nodes(step.then))
            if step.otherwise:
                yield _Node("otherwise", _nodes(step.otherwise))
        case ir.ParallelStep():
            branches = tuple(
                _Node(f"branch {number}", _nodes(branch.body))
                for number, branch in enumerate(step.branches, 1)
            )
            yield _Node(step.name, branches)
        case ir.MapStep():
            yield _Node(words.map_title(step), _nodes(step.body))
        case ir.TryStep():
            yield _Node(step.name, _nodes(step.body))
            for handler in step.handlers:
                yield _Node(words.codes_title(handler), _nodes(handler.body))
        case ir.SagaStep():
            yield _Node(step.name, _nodes(step.body))
        case ir.SleepStep():
            yield _Node(words.sleep_title(step))
        case ir.WaitStep():
            yield _Node(words.wait_title(step))
        case ir.FailStep():
            yield _Node(words.fail_title(step))
        case ir.ReturnStep():
            yield _Node(words.return_title(step))
        case ir.RaiseStep():
            yield _Node(f"raise {words.shown(step.error)}")
        case _:
            assert_never(step)


def _call(step: ir.TaskStep | ir.PollStep) -> str:
    settings = words.call_settings(step)
    undo = step.compensate if isinstance(step, ir.TaskStep) else None
    poll = "poll " if isinstance(step, ir.PollStep) else ""
    parts = [f"{poll}{words.call_title(step)}"]
    if settings:
        parts.append(f"[{settings}]")
    if undo is not None:
        parts.append(f"↺ {undo.task}")
    return "  ".join(parts)
