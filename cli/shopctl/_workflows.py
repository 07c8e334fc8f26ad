"""Workflows as the command line shows them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow import Workflow
from cartwheel.workflow._ir import walk
from cartwheel.workflow._types import describe
from cartwheel.workflow._values import signals_of
from shopctl._errors import UsageError
from shopctl._output import say, table

if TYPE_CHECKING:
    from cartwheel.workflow._types import Type


def facts(workflow: Workflow) -> JsonObject:
    """Sum a workflow up."""
    steps = Counter(step.kind for step in walk(workflow.body))
    tasks: dict[str, Json] = {
        name: {
            "input": _type(spec.input),
            "output": _type(spec.output),
            "errors": [*spec.errors],
        }
        for name, spec in sorted(workflow.tasks.items())
    }
    signals: dict[str, Json] = {n: _type(of) for n, of in sorted(signals_of(workflow).items())}
    return {
        "name": workflow.name,
        "version": workflow.version,
        "hash": workflow.content_hash,
        "input": _type(workflow.input),
        "output": _type(workflow.output),
        "steps": steps.total(),
        "steps_by_kind": dict(sorted(steps.items())),
        "tasks": tasks,
        "signals": signals,
    }


def _type(of: Type) -> str:
    return describe(of)


def describe_workflow(workflow: Workflow) -> None:
    """Print what a workflow takes, gives, calls and waits for."""
    summed = facts(workflow)
    say(f"{workflow.name} version {workflow.version}")
    say(f"  takes    {summed['input']}")
    say(f"  gives    {summed['output']}")
    say(f"  hash     {summed['hash']}")
    kinds = Counter(step.kind for step in walk(workflow.body))
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    say(f"  steps    {kinds.total()}: {listed}")
    say()
    table(
        ("task", "takes", "gives", "refuses with"),
        [
            (name, describe(spec.input), describe(spec.output), ", ".join(spec.errors))
            for name, spec in sorted(workflow.tasks.items())
        ],
        empty="calls no task",
    )
    signals = signals_of(workflow)
    if signals:
        say()
        table(("signal", "payload"), [(n, describe(of)) for n, of in sorted(signals.items())])


def findings(workflow: Workflow, target: str | None) -> list[JsonObject]:
    """Lint a workflow; raises UsageError for a target that nobody knows."""
    from cartwheel.workflow import TARGETS
    from cartwheel.workflow import lint as lint_workflow

    if target is not None and target not in TARGETS:
        raise UsageError(f"there is no target '{target}'; there are: {', '.join(sorted(TARGETS))}")
    return [
        {
            "workflow": workflow.name,
            "step": finding.step,
            "at": finding.at,
            "target": finding.target,
            "code": finding.code,
            "severity": str(finding.severity),
            "message": finding.message,
            "remedy": finding.remedy,
        }
        for finding in lint_workflow(workflow, target)
    ]
