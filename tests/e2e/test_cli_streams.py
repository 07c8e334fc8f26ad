"""Where the command line writes: to a terminal, into a pipe, to a reader who has left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.engines import require

HELLO = Path(__file__).resolve().parents[2] / "examples" / "hello"
ROUTES = [sys.executable, "-m", "shopctl", "routes"]
COLOUR = "\x1b[3"
BOX = "─"

require("pseudo terminals", os.name == "posix", "run this on Linux or macOS")


def on_a_terminal(**environment: str) -> str:
    """Run `shopctl routes` on a terminal of its own and give what it wrote there."""
    controller, terminal = os.openpty()
    plain = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "FORCE_COLOR", "CI"}}
    try:
        subprocess.run(
            ROUTES,
            cwd=HELLO,
            env={**plain, "TERM": "xterm-256color", "COLUMNS": "200", **environment},
            stdout=terminal,
            stderr=subprocess.PIPE,
            check=True,
            timeout=60,
        )
        return os.read(controller, 65536).decode("utf-8")
    finally:
        os.close(terminal)
        os.close(controller)


def test_a_table_is_drawn_on_a_terminal() -> None:
    written = on_a_terminal()
    assert BOX in written
    assert "/greetings/{name}" in written


def test_no_color_is_honoured() -> None:
    assert COLOUR not in on_a_terminal(NO_COLOR="1")


def test_a_pipe_gets_plain_text() -> None:
    done = subprocess.run(
        ROUTES, cwd=HELLO, capture_output=True, encoding="utf-8", check=True, timeout=60
    )
    assert BOX not in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("command", ["routes", "routes --json", "openapi", "workflow schema"])
def test_a_reader_who_leaves_early_is_no_error_message(command: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "shopctl", *command.split()],
            cwd=HELLO,
            stdout=writer,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            check=False,
            timeout=60,
        )
    finally:
        os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 141


def test_names_beyond_the_terminals_alphabet_are_written_anyhow(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(
        "from cartwheel.app import App, Service\n"
        "from cartwheel.http import ANYONE\n"
        "from cartwheel.context import Context\n"
        "s = Service('s')\n"
        "@s.route('GET', '/x', permission=ANYONE, status=204)\n"
        "def x(ctx: Context) -> None:\n"
        "    'Grüße \\u2713'\n"
        "app = App('odd', services=[s])\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [*ROUTES, "--app", "odd:app"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        encoding="ascii",
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "Gr\\xfc\\xdfe" in done.stdout
