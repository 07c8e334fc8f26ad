"""What the command line's tests share: a way to call it, a project, a data folder."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from shopctl import main

HELLO = Path(__file__).resolve().parents[3] / "examples" / "hello"


@dataclass(frozen=True, slots=True)
class Done:
    """Is what a call of shopctl left: its exit code and what it wrote."""

    code: int
    out: str
    err: str


Call = Callable[..., Done]


@pytest.fixture
def shopctl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Call shopctl in this process, in an empty folder, with some text on standard input."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def call(*arguments: str, stdin: str = "") -> Done:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = main([*arguments])
        written = capsys.readouterr()
        return Done(code, written.out, written.err)

    return call


@pytest.fixture
def hello(shopctl: Call, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call shopctl in the folder of the example project."""
    monkeypatch.chdir(HELLO)
    return shopctl
