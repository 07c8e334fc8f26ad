"""The documentation's examples: every Python block runs, and so does each console that says so."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = "<!-- run -->"
"""Stands before a console block whose commands are run and whose output is compared."""

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<kind>\w*)[^\n]*\n(?P<body>.*?)^(?P=indent)```$", re.M | re.S
)


@dataclass(frozen=True, slots=True)
class Block:
    """Is a fenced block: its language, text, first line, and whether it is marked to be run."""

    kind: str
    text: str
    line: int
    marked: bool


def blocks(path: Path) -> list[Block]:
    """Read a file's fenced blocks."""
    content = path.read_text(encoding="utf-8")
    return [
        Block(
            match["kind"],
            match["body"],
            content.count("\n", 0, match.start()) + 2,
            content[: match.start()].rstrip().endswith(RUN),
        )
        for match in _FENCE.finditer(content)
    ]


def having(kind: str) -> list[Path]:
    """List the files with blocks of a kind that are to be run."""
    return [
        path
        for path in FILES
        if any(b.kind == kind and (kind == "python" or b.marked) for b in blocks(path))
    ]


@contextlib.contextmanager
def module(path: Path) -> Iterator[types.ModuleType]:
    """Make a module for a file's blocks, so that what they define knows where it comes from."""
    name = "docs_" + re.sub(r"\W", "_", path.stem)
    made = types.ModuleType(name)
    made.__file__ = str(path)
    sys.modules[name] = made
    try:
        yield made
    finally:
        del sys.modules[name]


@pytest.mark.parametrize("path", having("python"), ids=lambda path: path.name)
def test_the_python_examples_run(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    count = 0
    with module(path) as made:
        for block in blocks(path):
            if block.kind != "python":
                continue
            # Blank lines in front keep the line numbers of tracebacks and build errors true.
            source = "\n" * (block.line - 1) + block.text
            exec(compile(source, str(path), "exec"), vars(made))  # noqa: S102  # our own documentation
            count += 1
    assert count > 0


@pytest.mark.parametrize("path", having("console"), ids=lambda path: path.name)
def test_the_console_examples_print_what_they_show(path: Path, tmp_path: Path) -> None:
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    count = 0
    for block in blocks(path):
        if block.kind != "console" or not block.marked:
            continue
        for command, expected in sessions(block):
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=ROOT,
                env=environment | {"TMPDIR": str(tmp_path)},
                capture_output=True,
                encoding="utf-8",
                check=False,
                timeout=60,
            )
            printed = [line.rstrip() for line in (done.stdout + done.stderr).splitlines()]
            missing = [line for line in expected if line not in printed]
            assert not missing, f"{path.name}:{block.line}: $ {command}\n" + "\n".join(printed)
            count += 1
    assert count > 0


def sessions(block: Block) -> list[tuple[str, list[str]]]:
    """Split a console block into commands and the lines that they print; `...` is any lines."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and line.strip() not in {"", "..."}:
            found[-1][1].append(line.rstrip())
    return found


def test_links_within_the_repository_lead_somewhere() -> None:
    broken: list[str] = []
    looked_at = 0
    for path in FILES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            if "://" in target:
                continue
            looked_at += 1
            if not (path.parent / target).exists():
                broken.append(f"{path.name}: {target}")
    assert looked_at > 5
    assert not broken, "\n".join(broken)
