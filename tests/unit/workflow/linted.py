"""Tasks that lint finds nothing wrong with, and how to lint a workflow function."""

from __future__ import annotations

from collections.abc import Callable

from cartwheel.workflow import LintFinding, RetryPolicy, Task, WorkflowDefinition, lint, workflow
from tests.unit.workflow.parts import ById, Held, Order, Reserve, Text, never, release, task

RETRIED = RetryPolicy(attempts=3)
undo = task("stock.undo", release.input_model, retry=RETRIED, timeout=5)
guarded = task("stock.guarded", Reserve, Held, ("OutOfStock",), retry=RETRIED, timeout=5)
told = task("told", Text, retry=RETRIED, timeout=5)
read: Task[ById, Order] = Task("read", never, ById, Order, ("NoOrder",), RETRIED, 5)


def found(
    function: Callable[[ById], object], name: str = "w", target: str | None = None
) -> dict[str, LintFinding]:
    """Lint a workflow function and give its findings by code."""
    definition: WorkflowDefinition[ById, object] = workflow(name, version="1")(function)
    return {finding.code: finding for finding in lint(definition.ir, target)}
