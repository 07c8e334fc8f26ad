"""JSON that is given on the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from cartwheel.ports import Json
from shopctl._errors import CliError, UsageError


def read_json_argument(given: str, option: str) -> Json:
    """Read an option's value as JSON: itself, `@FILE`, or `-` for standard input."""
    if given == "-":
        return read_json(sys.stdin.read(), f"{option} -")
    if given.startswith("@"):
        path = Path(given[1:])
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise CliError(f"{option} {given}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise CliError(f"{option} {given}: the file is no UTF-8 text") from error
        return read_json(text, f"{option} {given}")
    return read_json(given, option)


def read_json(text: str, where: str) -> Json:
    """Read JSON strictly: no NaN and no number that is not a JSON number."""
    try:
        value: Json = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        what = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        at = (
            f" at line {error.lineno}, column {error.colno}"
            if isinstance(error, json.JSONDecodeError)
            else ""
        )
        raise UsageError(
            f"{where} is no JSON: {what}{at}", """for example: '{"name": "ada"}', or @file.json"""
        ) from error
    return value


def read_signals(given: Sequence[str]) -> list[tuple[str, Json]]:
    """Read signals that are given as NAME=JSON."""
    signals: list[tuple[str, Json]] = []
    for text in given:
        name, equals, payload = text.partition("=")
        if not (equals and name):
            raise UsageError(
                f"--signal {text} is not NAME=JSON",
                """for example: --signal approve='{"by": "ada"}'""",
            )
        signals.append((name, read_json(payload, f"--signal {name}")))
    return signals


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")
