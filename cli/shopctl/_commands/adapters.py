"""`shopctl adapters`: what is installed, and what the rest needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shopctl._commands._options import JsonOption

if TYPE_CHECKING:
    from cartwheel.plugins import Found
    from cartwheel.ports import JsonObject


def adapters(json: JsonOption = False) -> None:
    """List the adapters, whether they can be used, and what to install."""
    from cartwheel.plugins import find_adapters
    from shopctl._output import emit, table

    found = [_row(adapter) for adapter in find_adapters()]
    if json:
        emit([*found])
        return
    columns = ("name", "distribution", "version", "state", "can", "summary", "to do")
    keys = ("name", "distribution", "version", "state", "can", "summary", "remedy")
    table(columns, [[str(row[key]) for key in keys] for row in found], empty="no adapter installed")


def _row(found: Found) -> JsonObject:
    row: JsonObject = {
        "name": found.name,
        "distribution": found.distribution,
        "version": _version(found.distribution),
        "state": "broken",
        "can": "",
        "summary": "",
        "remedy": "",
        "durable": None,
        "virtual_time": None,
        "missing": [],
    }
    if found.adapter is None:
        return row | {"remedy": found.error or "it says nothing"}
    info = found.adapter.info
    missing = found.adapter.missing()
    able = {
        "run": found.adapter.opens,
        "compile": found.adapter.compiles,
        "deploy": found.adapter.deploys,
    }
    row |= {
        "state": "needs more" if missing else "ready",
        "can": ", ".join(verb for verb, can in able.items() if can),
        "summary": info.summary,
        "durable": info.durable,
        "virtual_time": info.virtual_time,
        "missing": [*missing],
    }
    if missing:
        row["remedy"] = f"pip install {info.install or ' '.join(missing)}"
    return row


def _version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"
