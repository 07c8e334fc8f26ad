"""What commands print: one JSON document, or text with tables that are drawn on a terminal only."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from cartwheel.ports import Json
from shopctl._errors import ReaderLeft


def say(text: str = "") -> None:
    """Print a line; raises ReaderLeft."""
    try:
        sys.stdout.write(text + "\n")
    except BrokenPipeError as error:
        raise ReaderLeft from error


def progress(text: str) -> None:
    """Print a line and make sure that it is seen now."""
    say(text)
    try:
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise ReaderLeft from error


def as_json(document: Json) -> str:
    """Write a document as indented JSON."""
    return json.dumps(document, indent=2, ensure_ascii=False)


def emit(document: Json) -> None:
    """Print the one JSON document of a command that was asked for JSON."""
    say(as_json(document))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str = "none") -> None:
    """Print rows under their columns' names; `empty` when there are none."""
    if not rows:
        say(empty)
    elif sys.stdout.isatty():
        _draw(columns, rows)
    else:
        _align(columns, rows)


def _align(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [[column.upper() for column in columns], *([_flat(c) for c in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        say("  ".join(cells).rstrip())


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        # Text, not markup: a product may well be called [bold].
        drawn.add_row(*(Text(_flat(cell)) for cell in row))
    Console().print(drawn)


def _flat(cell: str) -> str:
    return " ".join(cell.split())
