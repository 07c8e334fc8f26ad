"""`shopctl build`, `plan`, `deploy` and what comes after: an application's stages on providers."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from shopctl._commands._options import (
    AppOption,
    JsonOption,
    ProfileOption,
    ProviderOption,
    RegionOption,
    StageOption,
)

DRIFTED = 3
"""The exit code of `drift` when there is some."""


class Machine(StrEnum):
    """Names the processors that functions run on."""

    ARM64 = "arm64"
    X86_64 = "x86_64"


MachineOption: TypeAlias = Annotated[
    Machine, typer.Option("--architecture", help="What functions run on.")
]
WheelsOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--wheels",
        metavar="DIR",
        help="A folder with wheels that no index has.",
        exists=True,
        file_okay=False,
    ),
]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", help="Don't ask.")]


def build(
    *,
    provider: ProviderOption,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Write the files there.")],
    stage: StageOption = "dev",
    architecture: MachineOption = Machine.ARM64,
    wheels: WheelsOption = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """Build what is deployed and write it down; needs no credentials.

    The files stand on their own: the provider's tools deploy them, too.
    """
    from shopctl._deploy import Target, note
    from shopctl._output import emit

    bundle = Target(provider, stage, None, None, app).bundle(architecture.value, wheels)
    written = bundle.write(out)
    if json:
        emit(
            {
                "provider": bundle.provider,
                "app": bundle.app,
                "stage": bundle.stage,
                "files": [str(path) for path in written],
                "notes": [*bundle.notes],
            }
        )
        return
    for line in (*bundle.notes, *(f"wrote {path}" for path in written)):
        note(line)


def plan(
    *,
    provider: ProviderOption,
    stage: StageOption = "dev",
    region: RegionOption = None,
    profile: ProfileOption = None,
    architecture: MachineOption = Machine.ARM64,
    wheels: WheelsOption = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """Compare the application with what is deployed; changes nothing."""
    from shopctl._deploy import Target, show_plan
    from shopctl._output import emit

    target = Target(provider, stage, region, profile, app)
    found = target.deployer.plan(target.bundle(architecture.value, wheels))
    if json:
        emit(found.to_json())
    else:
        show_plan(found)


def deploy(
    *,
    provider: ProviderOption,
    stage: StageOption = "dev",
    region: RegionOption = None,
    profile: ProfileOption = None,
    architecture: MachineOption = Machine.ARM64,
    wheels: WheelsOption = None,
    yes: YesOption = False,
    allow_data_loss: Annotated[
        bool, typer.Option("--allow-data-loss", help="Also when it takes data away.")
    ] = False,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """Deploy the application and wait until it answers; asks first.

    It shows the plan to whoever is asked. A failure leaves what was deployed before. After an
    interruption the same command goes on.
    """
    from shopctl._deploy import (
        Target,
        Teller,
        can_ask,
        confirm,
        going_on,
        show_deployment,
        show_plan,
    )
    from shopctl._errors import CliError
    from shopctl._output import emit, say

    target = Target(provider, stage, region, profile, app)
    can_ask(f"Deploy {target}?", yes=yes)
    deployer = target.deployer
    bundle = target.bundle(architecture.value, wheels)
    if not yes:
        found = deployer.plan(bundle)
        if not json:
            show_plan(found)
        if found.loses_data and not allow_data_loss:
            listed = ", ".join(f"{one.action} {one.kind} {one.name}" for one in found.loses_data)
            raise CliError(
                f"this would take data away: {listed}; nothing was changed",
                "keep what it is about, or say that the data may go with --allow-data-loss",
            )
        if found.changes:
            confirm(f"Deploy {target}?", yes=yes)
    with going_on(target):
        done = deployer.deploy(bundle, Teller(), allow_data_loss=allow_data_loss)
    if json:
        emit(done.to_json())
        return
    say("deployed" if done.changed else "nothing had to be changed")
    show_deployment(done)


def status(
    *,
    provider: ProviderOption,
    stage: StageOption = "dev",
    region: RegionOption = None,
    profile: ProfileOption = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> int:
    """Show a stage as it stands; fails when there is none."""
    from shopctl._deploy import Target, note, show_deployment
    from shopctl._output import emit

    target = Target(provider, stage, region, profile, app)
    found = target.deployer.status()
    if json:
        emit(None if found is None else found.to_json())
    elif found is not None:
        show_deployment(found)
    if found is None:
        note(f"there is no {target}")
    return int(found is None)


def outputs(
    *,
    provider: ProviderOption,
    stage: StageOption = "dev",
    region: RegionOption = None,
    profile: ProfileOption = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """Print what a stage's parts are called, its address first of all."""
    from shopctl._deploy import Target
    from shopctl._errors import CliError
    from shopctl._output import emit, table

    target = Target(provider, stage, region, profile, app)
    found = target.deployer.status()
    if found is None:
        raise CliError(f"there is no {target}", "deploy it with `shopctl deploy`")
    if json:
        emit({**found.outputs})
    else:
        table(("name", "value"), [*found.outputs.items()], empty="no outputs")


def logs(
    *,
    provider: ProviderOption,
    function: Annotated[
        str | None, typer.Option("--function", metavar="NAME", help="Only this one's.")
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="How far back: 90s, 10m, 2h, 1d.")
    ] = "10m",
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on showing lines until Ctrl-C.")
    ] = False,
    stage: StageOption = "dev",
    region: RegionOption = None,
    profile: ProfileOption = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """Show what functions wrote, oldest first."""
    import time

    from shopctl._deploy import Target, seconds_of
    from shopctl._errors import UsageError
    from shopctl._output import emit, progress

    if follow and json:
        raise UsageError("--follow goes on and --json is one document; choose one of them")
    start = time.time() - seconds_of(since)
    deployer = Target(provider, stage, region, profile, app).deployer
    lines = deployer.logs(function, start, follow=follow)
    if json:
        emit({"lines": [{"at": o.at, "function": o.function, "text": o.text} for o in lines]})
        return
    for one in lines:
        progress(f"{one.at} {one.function} {one.text}")


def invoke(
    *,
    function: Annotated[str, typer.Argument(metavar="FUNCTION", help="The function's name.")],
    provider: ProviderOption,
    event: Annotated[
        str | None,
        typer.Option("--event", metavar="FILE", help="The event as JSON, - for stdin; default {}."),
    ] = None,
    stage: StageOption = "dev",
    region: RegionOption = None,
    profile: ProfileOption = None,
    app: AppOption = None,
) -> None:
    """Call a function as the platform would, and print its answer as JSON."""
    from cartwheel.ports import Json
    from shopctl._deploy import Target
    from shopctl._json import read_json_argument
    from shopctl._output import emit

    given: Json = {}
    if event is not None:
        given = read_json_argument(event if event == "-" else f"@{event}", "--event")
    emit(Target(provider, stage, region, profile, app).deployer.invoke(function, given))


def rollback(
    *,
    provider: ProviderOption,
    stage: StageOption = "dev",
    region: RegionOption = None,
    profile: ProfileOption = None,
    yes: YesOption = False,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """Deploy once more what was deployed before; data stays as it is."""
    from shopctl._deploy import Target, Teller, confirm, going_on, show_deployment
    from shopctl._output import emit

    target = Target(provider, stage, region, profile, app)
    deployer = target.deployer
    confirm(f"Go back to the version before in {target}?", yes=yes)
    with going_on(target):
        done = deployer.rollback(Teller())
    if json:
        emit(done.to_json())
    else:
        show_deployment(done)


def drift(
    *,
    provider: ProviderOption,
    stage: StageOption = "dev",
    region: RegionOption = None,
    profile: ProfileOption = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> int:
    """Find what somebody changed beside the deployments.

    Ends with exit code 3 when there is something.
    """
    from shopctl._deploy import Target
    from shopctl._output import emit, say

    found = Target(provider, stage, region, profile, app).deployer.drift()
    if json:
        emit({"drift": [one.to_json() for one in found]})
    elif not found:
        say("no drift")
    else:
        for one in found:
            say(f"{one.state} {one.kind} {one.name}")
            for detail in one.details:
                say(f"      {detail}")
    return DRIFTED if found else 0


def destroy(
    *,
    provider: ProviderOption,
    stage: StageOption = "dev",
    region: RegionOption = None,
    profile: ProfileOption = None,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Take data, keys and packages away, too.")
    ] = False,
    yes: YesOption = False,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """Take a stage away, and nothing else; data stays unless told; asks first."""
    from shopctl._deploy import Target, Teller, confirm, going_on
    from shopctl._output import emit, say

    target = Target(provider, stage, region, profile, app)
    deployer = target.deployer
    data = "with ALL its data" if delete_data else "but its data"
    confirm(f"Destroy {target}, {data}? Runs that have not ended are given up.", yes=yes)
    with going_on(target):
        done = deployer.destroy(Teller(), delete_data=delete_data)
    if json:
        emit({"removed": [*done.removed], "kept": [*done.kept]})
        return
    for what in done.removed:
        say(f"removed {what}")
    for what in done.kept:
        say(f"kept {what}")
    if not done.removed:
        say("there was nothing to remove")
    if done.kept and not delete_data:
        sys.stderr.write("--delete-data takes away what was kept\n")
