"""`shopctl demo`: a customer's day, played and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shopctl._commands._options import JsonOption


def demo(
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", help="Keep the data there; default: a temporary one."
        ),
    ] = None,
    json: JsonOption = False,
) -> int:
    """Play a customer's day on a real shop, crash included, and check the books."""
    from shopctl._demo import play

    return play(data, as_json=json)
