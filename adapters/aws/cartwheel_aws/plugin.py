"""The hooks of the adapter for Amazon Web Services; importing this loads nothing else of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cartwheel.plugins import AdapterInfo, hookimpl

if TYPE_CHECKING:
    from cartwheel.app import App
    from cartwheel.deployment import Access, BuildOptions, Bundle, Deployer
    from cartwheel.host import HostOptions
    from cartwheel.manifest import Manifest
    from cartwheel.workflow import Compiled, Cost, Finding, Workflow
    from cartwheel_aws._host import AwsHost


@hookimpl
def cartwheel_adapter_info() -> AdapterInfo:
    """Describe the adapter."""
    return AdapterInfo(
        name="aws",
        summary="Amazon Web Services: deploys with CloudFormation; workflows on Step Functions",
        requires=("boto3", "yaml"),
        install="'cartwheel[aws]'",
    )


@hookimpl
def cartwheel_open_host(app: App, options: HostOptions) -> AwsHost:
    """Open a deployed stage, for operators: its functions go on working there."""
    from cartwheel_aws._beside import open_beside

    return open_beside(app, options)


@hookimpl
def cartwheel_compile_workflow(workflow: Workflow) -> Compiled:
    """Compile a workflow to Step Functions."""
    from cartwheel_aws import compile_workflow

    return compile_workflow(workflow)


@hookimpl
def cartwheel_check(compiled: Compiled) -> tuple[Finding, ...]:
    """Find what Step Functions would refuse or misread."""
    from cartwheel_aws import check

    return check(compiled)


@hookimpl
def cartwheel_workflow_cost(workflow: Workflow) -> Cost:
    """Count what a run bills on Step Functions."""
    from cartwheel_aws import cost

    return cost(workflow)


@hookimpl
def cartwheel_build(manifest: Manifest, options: BuildOptions) -> Bundle:
    """Build two CloudFormation templates and the packages of the functions."""
    from cartwheel_aws.deploy import build

    return build(manifest, options)


@hookimpl
def cartwheel_deployer(app: str, access: Access) -> Deployer:
    """Give what deploys with CloudFormation; the first call of AWS is its verbs'."""
    from cartwheel_aws.deploy import AwsDeployer

    return AwsDeployer(app, access)
