"""What ends a command: errors with a hint, and how any other exception is told to a user."""

from __future__ import annotations

import sys
from typing import Protocol, runtime_checkable

FAILED = 1
MISUSED = 2
INTERRUPTED = 130
PIPE_CLOSED = 141
"""What a shell shows for a program that wrote to a closed pipe (128 + SIGPIPE)."""


class CliError(Exception):
    """Ends a command with a message, a hint what to do, and an exit code."""

    def __init__(self, message: str, hint: str = "", *, code: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


class ReaderLeft(Exception):
    """Says that nobody reads standard output; typer would take a BrokenPipeError itself."""


class UsageError(CliError):
    """Ends a command that was called wrongly."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint, code=MISUSED)


@runtime_checkable
class _ParserError(Protocol):
    """Is what typer's parser raises, in whichever module a version of typer keeps it."""

    exit_code: int

    def format_message(self) -> str: ...


def report(message: str, hint: str = "") -> None:
    """Write an error and its hint to standard error."""
    lines = [f"error: {message}"]
    lines += [f"hint: {line}" for line in hint.splitlines()]
    sys.stderr.write("\n".join(lines) + "\n")


def told(error: Exception) -> CliError:
    """Turn any exception into an error for a user."""
    if isinstance(error, CliError):
        return error
    if isinstance(error, _ParserError):
        return _parser_error(error)
    from cartwheel.ports import CartwheelError

    if isinstance(error, CartwheelError):
        return CliError(str(error))
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return CliError(f"{where}{error.strerror or error}")
    return CliError(
        f"shopctl has a fault: {type(error).__name__}: {error}",
        "set CARTWHEEL_DEBUG=1 to see where, and report it",
    )


def _parser_error(error: _ParserError) -> CliError:
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", "shopctl")
    message = error.format_message().strip()
    return CliError(
        message[:1].lower() + message[1:],
        f"{path} --help lists what there is",
        code=error.exit_code,
    )
