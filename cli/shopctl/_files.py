"""Files and folders that commands read and write."""

from __future__ import annotations

import sys
from pathlib import Path

from shopctl._errors import CliError
from shopctl._output import say


def print_or_write(text: str, out: Path | None) -> None:
    """Print a document, or write it to a file and say so on standard error."""
    if out is None:
        say(text)
        return
    if not out.parent.is_dir():
        raise CliError(f"--out {out}: there is no folder {out.parent}", "make it first")
    out.write_text(text + "\n", encoding="utf-8", newline="\n")
    sys.stderr.write(f"wrote {out}\n")


def data_folder(given: Path | None, project: Path, app_name: str) -> Path:
    """Give the folder of an application's durable state."""
    return given if given is not None else project / ".cartwheel" / app_name


def existing_data(given: Path | None, project: Path, app_name: str) -> Path:
    """Give the data folder; raises CliError when nothing was ever kept there."""
    folder = data_folder(given, project, app_name)
    if not (folder / "cartwheel.db").is_file():
        raise CliError(
            f"there is no data of '{app_name}' in {folder}",
            f"start it once with: shopctl dev --data {folder}",
        )
    return folder
