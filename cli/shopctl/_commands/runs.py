"""`shopctl runs ...`: durable runs in a data folder or on a stage, served or not."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from shopctl._commands._options import (
    AppOption,
    DataOption,
    JsonOption,
    OperatedProviderOption,
    OperatedStageOption,
    ProfileOption,
    RegionOption,
)

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]


class Status(StrEnum):
    """Names where a run stands; the same words as cartwheel.ports.RunStatus."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


def group() -> typer.Typer:
    """Put the group together."""
    found = typer.Typer(help="List, show and steer the runs of workflows.", rich_markup_mode=None)
    found.command("list")(list_)
    found.command("show")(show)
    found.command("signal")(signal)
    found.command("cancel")(cancel)
    found.command("redrive")(redrive)
    return found


def list_(
    *,
    status: Annotated[Status | None, typer.Option("--status", help="Only these.")] = None,
    workflow: Annotated[
        str | None, typer.Option("--workflow", metavar="NAME", help="Only this workflow's.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=1000, help="At most so many.")
    ] = 50,
    data: DataOption = None,
    provider: OperatedProviderOption = None,
    stage: OperatedStageOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """List runs, newest first."""
    from cartwheel.ports import RunStatus
    from shopctl._operating import open_runs, place_of
    from shopctl._output import emit, say, table
    from shopctl._runs import summary

    place = place_of(data, app, provider=provider, stage=stage, region=region, profile=profile)
    with open_runs(place) as runs:
        wanted = None if status is None else RunStatus(status.value)
        page = runs.list(status=wanted, workflow=workflow, limit=limit)
    if json:
        emit({"runs": [summary(run) for run in page.runs], "more": page.next is not None})
        return
    table(
        ("run", "workflow", "status", "started", "ended", "error"),
        [
            (
                run.run_id,
                run.workflow,
                run.status.value,
                run.started_at,
                run.ended_at or "",
                run.error.code if run.error else "",
            )
            for run in page.runs
        ],
        empty="no runs",
    )
    if page.next is not None:
        say(f"there are more than {limit}; raise --limit")


def show(
    *,
    run: RunArgument,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on showing what happens until the run ends.")
    ] = False,
    data: DataOption = None,
    provider: OperatedProviderOption = None,
    stage: OperatedStageOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """Show a run and its timeline."""
    from shopctl._errors import UsageError
    from shopctl._operating import open_runs, place_of
    from shopctl._output import emit
    from shopctl._runs import run_json, show_run, watch_run

    if watch and json:
        raise UsageError("--watch goes on and --json is one document; choose one of them")
    place = place_of(data, app, provider=provider, stage=stage, region=region, profile=profile)
    with open_runs(place) as runs:
        if watch:
            watch_run(lambda: (runs.status(run), runs.history(run)), runs.look_seconds)
            return
        found, history = runs.status(run), runs.history(run)
    if json:
        emit(run_json(found, history))
    else:
        show_run(found, history)


def signal(
    *,
    run: RunArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The signal's name.")],
    payload: Annotated[
        str,
        typer.Option(
            "--payload", metavar="JSON", help="The payload as JSON, @FILE, or - for stdin."
        ),
    ] = "null",
    signal_id: Annotated[
        str | None,
        typer.Option(
            "--id", metavar="ID", help="The same id again is dropped; default: a new one."
        ),
    ] = None,
    data: DataOption = None,
    provider: OperatedProviderOption = None,
    stage: OperatedStageOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """Give a run a signal; it is kept until the run waits for it."""
    from shopctl._json import read_json_argument
    from shopctl._operating import open_runs, place_of
    from shopctl._output import emit, say

    value = read_json_argument(payload, "--payload")
    place = place_of(data, app, provider=provider, stage=stage, region=region, profile=profile)
    with open_runs(place) as runs:
        used, kept = runs.signal(run, name, value, signal_id)
    if json:
        emit({"run_id": run, "signal": name, "signal_id": used, "kept": kept})
    elif kept:
        say(f"run {run} gets signal {name} (id {used}); {runs.taken_up}")
    else:
        say(f"run {run} has had a signal of id {used}; this one was dropped")


def cancel(
    *,
    run: RunArgument,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the run's history.")
    ] = "",
    data: DataOption = None,
    provider: OperatedProviderOption = None,
    stage: OperatedStageOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """Ask a run to end; what it did is undone by its sagas."""
    from shopctl._operating import open_runs, place_of
    from shopctl._output import emit, say

    place = place_of(data, app, provider=provider, stage=stage, region=region, profile=profile)
    with open_runs(place) as runs:
        asked = runs.cancel(run, reason)
    if json:
        emit({"run_id": run, "asked": asked})
    elif asked:
        say(f"run {run} is asked to end; {runs.taken_up}")
    else:
        say(f"run {run} was asked to end before")


def redrive(
    *,
    run: RunArgument,
    data: DataOption = None,
    provider: OperatedProviderOption = None,
    stage: OperatedStageOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """Let a failed or cancelled run go on from the step that failed."""
    from shopctl._operating import open_runs, place_of
    from shopctl._output import emit, say

    place = place_of(data, app, provider=provider, stage=stage, region=region, profile=profile)
    with open_runs(place) as runs:
        runs.redrive(run)
    if json:
        emit({"run_id": run, "redriven": True})
    else:
        say(f"run {run} goes on; {runs.taken_up}")
