"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

AppOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--app", metavar="MODULE:NAME", help="The application; default: the project's, or the shop."
    ),
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
DataOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The data folder; default .cartwheel/<app>."),
]
