"""The hooks that an adapter implements; pluggy checks names and arguments against these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from cartwheel.app import App
    from cartwheel.deployment import Access, BuildOptions, Bundle, Deployer
    from cartwheel.host import Host, HostOptions
    from cartwheel.manifest import Manifest
    from cartwheel.workflow import Compiled, Cost, Finding, Workflow

PROJECT = "cartwheel"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, slots=True)
class AdapterInfo:
    """Describes an adapter to people and tools.

    `requires` lists import names that must be there, `extra` the extra that installs them.
    `durable` says whether its state outlives the process, `virtual_time` whether its clock is moved
    rather than waited for.
    """

    name: str
    summary: str
    requires: tuple[str, ...] = ()
    install: str = ""
    durable: bool = True
    virtual_time: bool = False


@hookspec(firstresult=True)
def cartwheel_adapter_info() -> AdapterInfo:
    """Describe the adapter; called when adapters are listed and before one is used.

    Must not import what `requires` names.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def cartwheel_open_host(app: App, options: HostOptions) -> Host:
    """Open the application on this adapter; called once per host, after `requires` was checked.

    Optional: an adapter that only compiles leaves it out.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def cartwheel_compile_workflow(workflow: Workflow) -> Compiled:
    """Compile a workflow for the target's engine; called per workflow, at build time.

    The same workflow gives the same files byte for byte. Raises Unsupported with everything that
    the target can't express. Must not import what `requires` names. Optional: an adapter that runs
    workflows itself leaves it out.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def cartwheel_check(compiled: Compiled) -> tuple[Finding, ...]:
    """Find what the engine would refuse or misread; called on what the same adapter compiled.

    Called after each compilation and before each deployment. Optional, beside
    `cartwheel_compile_workflow`.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def cartwheel_workflow_cost(workflow: Workflow) -> Cost:
    """Count what a run of a workflow bills; called by `shopctl workflow cost`.

    Raises Unsupported as compiling does. Optional, beside `cartwheel_compile_workflow`.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def cartwheel_build(manifest: Manifest, options: BuildOptions) -> Bundle:
    """Build what is deployed from a manifest; called by `shopctl build`, `plan` and `deploy`.

    Needs no credentials. The same application and options give the same files byte for byte. Raises
    ConfigurationError for what the provider can't do. Optional, beside `cartwheel_deployer`.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def cartwheel_deployer(app: str, access: Access) -> Deployer:
    """Give what deploys to a stage of the application of that name, and looks after it.

    It is called by `shopctl plan`, `deploy` and their like, after `requires` was checked. Optional,
    beside `cartwheel_build`.
    """
    raise NotImplementedError
