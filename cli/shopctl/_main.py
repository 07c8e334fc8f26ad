"""The commands put together, and the guard around them that lets no traceback out."""

from __future__ import annotations

import io
import os
import sys
import traceback

import typer

from shopctl._commands import (
    adapters,
    demo,
    deploying,
    dev,
    doctor,
    http,
    letters,
    runs,
    users,
    workflow,
)
from shopctl._errors import INTERRUPTED, PIPE_CLOSED, ReaderLeft, report, told

_DEPLOYING = (
    "build",
    "plan",
    "deploy",
    "status",
    "outputs",
    "logs",
    "invoke",
    "rollback",
    "drift",
    "destroy",
)


def build() -> typer.Typer:
    """Put the commands together."""
    cli = typer.Typer(
        name="shopctl",
        help="Run, look into and check applications built with Cartwheel.",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    cli.callback()(_nothing)
    cli.command("dev")(dev.dev)
    cli.command("demo")(demo.demo)
    cli.command("routes")(http.routes)
    cli.command("openapi")(http.openapi)
    for name in _DEPLOYING:
        cli.command(name)(getattr(deploying, name))
    cli.add_typer(workflow.group(), name="workflow")
    cli.add_typer(runs.group(), name="runs")
    cli.add_typer(letters.group(), name="dead-letters")
    cli.add_typer(users.group(), name="users")
    cli.command("adapters")(adapters.adapters)
    cli.command("doctor")(doctor.doctor)
    return cli


def run(arguments: list[str]) -> int:
    """Run one command and give its exit code, whatever happens in it."""
    _write_anything(sys.stdout)
    _write_anything(sys.stderr)
    try:
        code = build()(args=arguments, prog_name="shopctl", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    except (BrokenPipeError, ReaderLeft):
        # What is still buffered goes nowhere, or the interpreter complains when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return PIPE_CLOSED
    except Exception as error:  # noqa: BLE001  # a user sees a message, never a traceback
        if os.environ.get("CARTWHEEL_DEBUG") == "1":
            traceback.print_exc()
        ended = told(error)
        report(ended.message, ended.hint)
        return ended.code
    if code == INTERRUPTED:
        sys.stderr.write("interrupted\n")
    return code if isinstance(code, int) else 0


def _nothing() -> None:
    """Run, look into and check applications built with Cartwheel."""


def _write_anything(stream: object) -> None:
    """Have characters that the terminal's encoding lacks escaped rather than refused."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
