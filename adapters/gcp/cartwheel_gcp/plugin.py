"""The hooks of the adapter for Google Cloud; importing this module loads nothing else of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cartwheel.plugins import AdapterInfo, hookimpl

if TYPE_CHECKING:
    from cartwheel.workflow import Compiled, Cost, Finding, Workflow


@hookimpl
def cartwheel_adapter_info() -> AdapterInfo:
    """Describe the adapter."""
    return AdapterInfo(
        name="gcp",
        summary="Google Cloud: workflows compile to Workflows",
        install="'cartwheel[gcp]'",
    )


@hookimpl
def cartwheel_compile_workflow(workflow: Workflow) -> Compiled:
    """Compile a workflow to Workflows."""
    from cartwheel_gcp import compile_workflow

    return compile_workflow(workflow)


@hookimpl
def cartwheel_check(compiled: Compiled) -> tuple[Finding, ...]:
    """Find what Workflows would refuse or misread."""
    from cartwheel_gcp import check

    return check(compiled)


@hookimpl
def cartwheel_workflow_cost(workflow: Workflow) -> Cost:
    """Count what a run bills on Workflows."""
    from cartwheel_gcp import cost

    return cost(workflow)
