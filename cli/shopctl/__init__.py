"""shopctl, Cartwheel's command line: a static front that answers at once, and typer behind it.

Nothing is imported here but what an interpreter has loaded anyway, so that `--help` costs no more
than the interpreter's own start.
"""

import os
import sys

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run shopctl and give its exit code; docs/cli.md lists what each means."""
    given = sys.argv[1:] if arguments is None else arguments
    if not given or given[0] in ("-h", "--help"):
        from shopctl._help import HELP

        return _say(HELP)
    if given[0] == "--version":
        from shopctl._version import VERSION

        return _say(f"shopctl {VERSION}\n")
    from shopctl._main import run

    return run(given)


def _say(text: str) -> int:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has left. What is still buffered goes nowhere, or the interpreter complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    return 0
