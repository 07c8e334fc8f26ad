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
ProviderOption: TypeAlias = Annotated[
    str, typer.Option("--provider", metavar="NAME", help="Where: aws, gcp, azure.")
]
StageOption: TypeAlias = Annotated[
    str, typer.Option("--stage", metavar="NAME", help="Which of the application's stages.")
]
RegionOption: TypeAlias = Annotated[
    str | None, typer.Option("--region", metavar="NAME", help="Default: the provider's own way.")
]
ProfileOption: TypeAlias = Annotated[
    str | None, typer.Option("--profile", metavar="NAME", help="Whose credentials to use.")
]
OperatedProviderOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--provider", metavar="NAME", help="On a stage there, not in a data folder."),
]
OperatedStageOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--stage", metavar="NAME", help="Which of the application's stages; default dev."),
]
