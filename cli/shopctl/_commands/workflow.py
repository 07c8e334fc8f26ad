"""`shopctl workflow ...`: the application's workflows, looked into, drawn, checked and run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shopctl._commands._options import AppOption, JsonOption
from shopctl._commands.compiling import compile_, cost

if TYPE_CHECKING:
    from cartwheel.app import App, DeclaredWorkflow

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The workflow's name.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write there instead of printing.")
]


class Format(StrEnum):
    """Names how a workflow is drawn."""

    TREE = "tree"
    MERMAID = "mermaid"


def group() -> typer.Typer:
    """Put the group together."""
    found = typer.Typer(
        help="List, show, draw, check, run and compile workflows.", rich_markup_mode=None
    )
    found.command("list")(list_)
    found.command("show")(show)
    found.command("graph")(graph)
    found.command("lint")(lint)
    found.command("run")(run)
    found.command("compile")(compile_)
    found.command("cost")(cost)
    found.command("ir")(ir)
    found.command("schema")(schema)
    return found


def find(app: App, name: str) -> DeclaredWorkflow:
    """Find a workflow of the application by name; raises UnknownWorkflow with what there is."""
    from cartwheel.ports import UnknownWorkflow

    if name not in app.workflows:
        raise UnknownWorkflow(name, tuple(app.workflows))
    return app.workflows[name]


def list_(app: AppOption = None, json: JsonOption = False) -> None:
    """List the workflows."""
    from shopctl._apps import load_app
    from shopctl._output import emit, table
    from shopctl._workflows import facts

    found = [facts(workflow.ir) for _, workflow in sorted(load_app(app).workflows.items())]
    if json:
        emit([*found])
        return
    table(
        ("name", "version", "steps", "tasks", "signals", "hash"),
        [
            (
                str(row["name"]),
                str(row["version"]),
                str(row["steps"]),
                str(len(row["tasks"])) if isinstance(row["tasks"], dict) else "",
                ", ".join(row["signals"]) if isinstance(row["signals"], dict) else "",
                str(row["hash"])[:12],
            )
            for row in found
        ],
        empty="the application has no workflows",
    )


def show(name: NameArgument, app: AppOption = None, json: JsonOption = False) -> None:
    """Show what a workflow takes, gives, calls and waits for."""
    from shopctl._apps import load_app
    from shopctl._output import emit
    from shopctl._workflows import describe_workflow, facts

    workflow = find(load_app(app), name).ir
    if json:
        emit(facts(workflow))
        return
    describe_workflow(workflow)


def graph(
    name: NameArgument,
    format: Annotated[
        Format, typer.Option("--format", help="For the terminal, or as a Mermaid flowchart.")
    ] = Format.TREE,
    app: AppOption = None,
    out: OutOption = None,
) -> None:
    """Draw a workflow."""
    from shopctl._apps import load_app
    from shopctl._files import print_or_write

    workflow = find(load_app(app), name).ir
    from cartwheel.workflow import mermaid, tree

    drawn = mermaid(workflow) if format is Format.MERMAID else tree(workflow)
    print_or_write(drawn.rstrip("\n"), out)


def lint(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One workflow; default: all.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="NAME", help="One target; default: all.")
    ] = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> int:
    """Check workflows against good practice and targets' limits; fail on an error."""
    from shopctl._apps import load_app
    from shopctl._output import emit, say, table
    from shopctl._workflows import findings

    loaded = load_app(app)
    chosen = [find(loaded, name)] if name is not None else list(loaded.workflows.values())
    found = [row for workflow in chosen for row in findings(workflow.ir, target)]
    if json:
        emit([*found])
    else:
        columns = ("severity", "workflow", "step", "target", "code", "message", "remedy")
        table(
            columns,
            [[str(row[key] or "") for key in columns] for row in found],
            empty=f"{len(chosen)} workflow(s) checked, nothing to say",
        )
        if found:
            say(f"{len(chosen)} workflow(s) checked, {len(found)} finding(s)")
    return int(any(row["severity"] == "error" for row in found))


def run(
    *,
    name: NameArgument,
    input: Annotated[
        str,
        typer.Option("--input", metavar="JSON", help="The input as JSON, @FILE, or - for stdin."),
    ] = "{}",
    adapter: Annotated[
        str,
        typer.Option("--adapter", metavar="NAME", help="On which adapter; memory takes no time."),
    ] = "memory",
    run_id: Annotated[
        str | None, typer.Option("--run-id", metavar="ID", help="The run's id; default: a new one.")
    ] = None,
    signal: Annotated[
        list[str] | None,
        typer.Option(
            "--signal", metavar="NAME=JSON", help="Deliver it when the run waits; repeatable."
        ),
    ] = None,
    wait: Annotated[
        int,
        typer.Option("--wait", metavar="SECONDS", min=1, help="Real seconds to wait at most."),
    ] = 60,
    app: AppOption = None,
    json: JsonOption = False,
) -> int:
    """Run a workflow with the application's own tasks; print what happened when.

    It runs on fresh state that is dropped afterwards. Exits 0 when the run succeeded.
    """
    from shopctl._apps import load_app
    from shopctl._json import read_json_argument, read_signals
    from shopctl._output import emit
    from shopctl._runs import run_json, show_run
    from shopctl._trial import try_run

    loaded = load_app(app)
    find(loaded, name)
    given = read_json_argument(input, "--input")
    signals = read_signals(signal or [])
    ended, history = try_run(
        loaded, name, given, adapter=adapter, run_id=run_id, signals=signals, wait=wait
    )
    if json:
        emit(run_json(ended, history))
    else:
        show_run(ended, history)
    return int(ended.status.value != "succeeded")


def ir(name: NameArgument, out: OutOption = None, app: AppOption = None) -> None:
    """Print a workflow as data."""
    from shopctl._apps import load_app
    from shopctl._files import print_or_write

    print_or_write(find(load_app(app), name).ir.to_json(indent=2), out)


def schema(out: OutOption = None) -> None:
    """Print the JSON Schema of workflows as data."""
    from cartwheel.workflow import Workflow
    from shopctl._files import print_or_write
    from shopctl._output import as_json

    print_or_write(as_json(Workflow.model_json_schema()), out)
