"""`shopctl doctor`: whether this machine and this project can do what they should."""

from __future__ import annotations

from typing import Annotated

import typer

from shopctl._commands._options import AppOption, DataOption, JsonOption
from shopctl._commands.dev import DEFAULT_PORT


def doctor(
    data: DataOption = None,
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", min=0, max=65535, help="The port that dev would use."),
    ] = DEFAULT_PORT,
    app: AppOption = None,
    json: JsonOption = False,
) -> int:
    """Check Python, SQLite, adapters, the data, the port and the application."""
    from shopctl._doctor import examine
    from shopctl._output import emit, say, table

    findings = examine(app, data, port)
    bad = [finding for finding in findings if finding.state == "problem"]
    if json:
        emit(
            {
                "ok": not bad,
                "checks": [
                    {"name": f.name, "state": f.state, "detail": f.detail, "remedy": f.remedy}
                    for f in findings
                ],
            }
        )
        return int(bool(bad))
    table(
        ("check", "state", "detail", "to do"),
        [(f.name, f.state, f.detail, f.remedy) for f in findings],
    )
    say(f"{len(bad)} problem(s)" if bad else "all is well")
    return int(bool(bad))
