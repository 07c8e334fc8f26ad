"""Writes a document as JSON text that can be read and stays short."""

from __future__ import annotations

import json

from cartwheel.ports import Json

WIDTH = 100
INDENT = 1


def write(document: Json) -> str:
    """Write a document: what fits into a line stands in one, byte for byte the same each time."""
    lines: list[str] = []
    _write(document, "", "", "", lines)
    return "\n".join(lines) + "\n"


def write_short(document: Json) -> str:
    """Write a document without any space, for one that comes near the limit of its size."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def _write(value: Json, margin: str, head: str, tail: str, lines: list[str]) -> None:
    line = f"{margin}{head}{_flat(value)}{tail}"
    if len(line) <= WIDTH or not isinstance(value, dict | list) or not value:
        lines.append(line)
        return
    inner = margin + " " * INDENT
    if isinstance(value, list):
        lines.append(f"{margin}{head}[")
        for number, each in enumerate(value, 1):
            _write(each, inner, "", "," if number < len(value) else "", lines)
        lines.append(f"{margin}]{tail}")
        return
    if len(value) == 1:
        # A step is a map of one key: its name stands in the line of the brace.
        ((name, only),) = value.items()
        _write(only, margin, f"{head}{{{_flat(name)}: ", f"}}{tail}", lines)
        return
    lines.append(f"{margin}{head}{{")
    for number, (name, each) in enumerate(value.items(), 1):
        _write(each, inner, f"{_flat(name)}: ", "," if number < len(value) else "", lines)
    lines.append(f"{margin}}}{tail}")


def _flat(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
