"""`shopctl workflow compile` and `shopctl workflow cost`: workflows on the providers' engines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from shopctl._commands._options import AppOption, JsonOption

OptionalName = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="The workflow's name; or give --ir.")
]
IrOption = Annotated[
    Path | None,
    typer.Option(
        "--ir",
        metavar="FILE",
        help="Read the workflow as data from a file.",
        exists=True,
        dir_okay=False,
    ),
]


def compile_(
    *,
    name: OptionalName = None,
    provider: Annotated[
        str, typer.Option("--provider", metavar="NAME", help="For whose engine: aws, gcp, azure.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write the files there instead of printing."),
    ] = None,
    ir: IrOption = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> int:
    """Compile a workflow for a provider's engine and check the result.

    Prints the definition, or writes all files. Fails when the checks find something.
    """
    from shopctl._output import emit, say
    from shopctl._targets import compiler, workflow_of, write_files

    adapter = compiler(provider)
    workflow = workflow_of(name, ir, app)
    compiled = adapter.compile_workflow(workflow)
    findings = adapter.check(compiled)
    files = dict(compiled.files)
    written = [] if out is None else write_files(files, out)
    if json:
        emit(
            {
                "target": compiled.target,
                "name": compiled.name,
                "entry": compiled.entry,
                "files": dict(files) if out is None else [str(path) for path in written],
                "findings": [
                    {"rule": f.rule, "where": f.where, "what": f.what, "remedy": f.remedy}
                    for f in findings
                ],
            }
        )
    elif out is None:
        say(compiled.main.rstrip("\n"))
    for path in written:
        sys.stderr.write(f"wrote {path}\n")
    for finding in findings:
        sys.stderr.write(f"finding: {finding}\n")
    return int(bool(findings))


def cost(
    name: OptionalName = None, ir: IrOption = None, app: AppOption = None, json: JsonOption = False
) -> int:
    """Count what a run bills on each provider, and price a million runs.

    Fails when a provider's engine can't run the workflow.
    """
    from shopctl._output import emit
    from shopctl._targets import costs, show_costs, workflow_of

    rows = costs(workflow_of(name, ir, app))
    if json:
        emit([*rows])
    else:
        show_costs(rows)
    failed = [row for row in rows if "error" in row]
    for row in failed:
        sys.stderr.write(f"{row['provider']}: {row['error']}\n")
    return int(bool(failed))
