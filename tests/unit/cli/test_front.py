"""The static front: what it says is so, and it costs next to nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

from shopctl import main
from shopctl._help import HELP
from shopctl._main import build
from shopctl._version import VERSION

ROOT = Path(__file__).resolve().parents[3]
HEAVY = ("pydantic", "pydantic_core", "pluggy", "typer", "click", "rich", "cartwheel")
IMPORTED = """
import sys
bare = set(sys.modules)
from shopctl import main
code = main({arguments!r})
import json
print()
print(json.dumps([code, sorted(name for name in sys.modules if name not in bare)]))
"""


def described() -> str:
    """Write the help from the commands that there are."""
    rows: list[tuple[str, str]] = []
    for name, command in getattr(typer.main.get_command(build()), "commands").items():  # noqa: B009  # typer's group type is private
        inner = getattr(command, "commands", {})
        listed = [(f"{name} {key}", sub) for key, sub in inner.items()] or [(name, command)]
        rows += [(path, str(each.help).splitlines()[0]) for path, each in listed]
    width = max(len(path) for path, _ in rows)
    commands = "\n".join(f"  {path.ljust(width)}  {text}" for path, text in rows)
    return (
        "Runs, looks into and checks applications built with Cartwheel.\n\n"
        "usage: shopctl COMMAND [OPTIONS]\n\n"
        f"commands:\n{commands}\n\n"
        "options:\n"
        f"  {'-h, --help'.ljust(width)}  Print this; after a command, what it takes.\n"
        f"  {'--version'.ljust(width)}  Print the version.\n\n"
        "The application is the one named by --app MODULE:NAME, else by [tool.cartwheel] app in\n"
        "the nearest pyproject.toml, else the built-in shop.\n"
    )


def test_the_help_names_the_commands_that_there_are() -> None:
    expected = described()
    assert expected == HELP, f"write this into cli/shopctl/_help.py:\n{expected}"


def test_the_version_is_the_distributions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == VERSION


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"], ["--version"]], ids=str)
def test_the_front_answers_without_loading_anything(arguments: list[str]) -> None:
    code = IMPORTED.format(arguments=arguments)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    exit_code, loaded = json.loads(done.stdout.splitlines()[-1])
    assert exit_code == 0
    assert done.stderr == ""
    assert [name for name in loaded if name.split(".")[0] in HEAVY] == []
    # json is this test's own; beyond it only the front's modules may have come in.
    own = [name for name in loaded if name.split(".")[0] == "shopctl"]
    assert set(own) <= {"shopctl", "shopctl._help", "shopctl._version"}


def test_no_arguments_print_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out == HELP


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"shopctl {VERSION}\n"


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    lines = HELP.split("commands:\n")[1].split("\n\noptions:")[0].splitlines()
    paths = [line[2:].split("  ")[0].split() for line in lines]
    for path in paths:
        assert main([*path, "--help"]) == 0
        assert f"shopctl {' '.join(path)}" in capsys.readouterr().out
    assert len(paths) > 15


def test_a_closed_pipe_is_no_complaint() -> None:
    command = f"{sys.executable} -m shopctl --help | true"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
