"""The compiler's front door for Workflows: compile, check, count."""

from __future__ import annotations

from cartwheel.workflow._ir import Workflow
from cartwheel.workflow._targets import Compiled, Cost, Finding, Gap, Unsupported


def compile_workflow(workflow: Workflow) -> Compiled:
    """Compile a workflow; raises Unsupported with everything that can't be expressed."""
    raise Unsupported([_not_yet()], workflow.name)


def check(compiled: Compiled) -> tuple[Finding, ...]:
    """Find what the engine would refuse or misread."""
    return () if compiled.files else (Finding("empty", compiled.name, "it holds no files"),)


def cost(workflow: Workflow) -> Cost:
    """Count what a run bills; raises Unsupported as compiling does."""
    raise Unsupported([_not_yet()], workflow.name)


def _not_yet() -> Gap:
    return Gap(None, "a workflow", "gcp", "the compiler is being written", "use memory or local")
