"""The examinations of `shopctl doctor`; none changes anything that stays."""

from __future__ import annotations

import platform
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from shopctl._apps import find_project, load_project
from shopctl._errors import told
from shopctl._files import data_folder

if TYPE_CHECKING:
    from cartwheel.app import App

OLDEST_PYTHON = (3, 11)
EXTRAS = {"local": "uvicorn", "aws": "boto3", "gcp": "google.cloud", "azure": "azure"}
"""An import name of each extra."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Is the result of one examination; a `note` is nothing to mend."""

    name: str
    state: Literal["ok", "note", "problem"]
    detail: str
    remedy: str = ""


def examine(app: str | None, data: Path | None, port: int) -> list[Finding]:
    """Do all examinations; none of them raises."""
    findings = [_python(), _sqlite(), *_extras(), *_adapters(), _port(port)]
    try:
        project = find_project(app, Path.cwd())
        loaded = load_project(project)
    except Exception as error:  # noqa: BLE001  # a broken application is a finding, not a fault
        problem = told(error)
        return [*findings, Finding("application", "problem", problem.message, problem.hint)]
    findings.append(
        Finding(
            "application",
            "ok",
            f"{loaded.name} ({project.spec}, from {project.source}): {len(loaded.routes)} routes, "
            f"{len(loaded.workflows)} workflows",
        )
    )
    findings.append(_folder(data_folder(data, project.folder, loaded.name)))
    return [*findings, *_workflows(loaded)]


def _python() -> Finding:
    version = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        return Finding("python", "problem", version, "install Python 3.11 or newer")
    return Finding("python", "ok", f"{version} in {sys.prefix}")


def _sqlite() -> Finding:
    from cartwheel_local._database import OLDEST_SQLITE

    oldest = ".".join(map(str, OLDEST_SQLITE))
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        remedy = f"use a Python with SQLite {oldest} or newer"
        return Finding("sqlite", "problem", sqlite3.sqlite_version, remedy)
    return Finding("sqlite", "ok", sqlite3.sqlite_version)


def _extras() -> Iterator[Finding]:
    from importlib.util import find_spec

    for extra, name in EXTRAS.items():
        try:
            there = find_spec(name) is not None
        except ModuleNotFoundError:
            there = False
        state: Literal["ok", "note"] = "ok" if there else "note"
        detail = "installed" if there else "not installed"
        yield Finding(
            f"extra {extra}", state, detail, "" if there else f"pip install 'cartwheel[{extra}]'"
        )


def _adapters() -> Iterator[Finding]:
    from cartwheel.plugins import find_adapters

    for found in find_adapters():
        name = f"adapter {found.name}"
        if found.adapter is None:
            yield Finding(name, "problem", found.error or "broken", f"mend {found.distribution}")
        elif missing := found.adapter.missing():
            install = f"pip install {found.adapter.info.install or ' '.join(missing)}"
            yield Finding(name, "problem", f"needs {', '.join(missing)}", install)
        else:
            yield Finding(name, "ok", found.adapter.info.summary)


def _port(port: int) -> Finding:
    name = f"port {port}"
    try:
        with socket.create_server(("127.0.0.1", port)):
            return Finding(name, "ok", "free")
    except OSError as error:
        return Finding(name, "problem", error.strerror or str(error), "use --port 0 for a free one")


def _folder(folder: Path) -> Finding:
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        detail = f"{nearest}: {error.strerror}"
        return Finding("data folder", "problem", detail, "name another one with --data")
    made = "" if nearest == folder else " (to be made)"
    return Finding("data folder", "ok", f"{folder}{made}")


def _workflows(app: App) -> Iterator[Finding]:
    from shopctl._workflows import findings

    for name, workflow in sorted(app.workflows.items()):
        errors = [row for row in findings(workflow.ir, None) if row["severity"] == "error"]
        if errors:
            first = errors[0]
            detail = f"{len(errors)} error(s), first: {first['message']}"
            yield Finding(f"workflow {name}", "problem", detail, f"shopctl workflow lint {name}")
        else:
            yield Finding(f"workflow {name}", "ok", f"{workflow.ir.content_hash[:12]}, lint-clean")
