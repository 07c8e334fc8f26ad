"""Asks pip for wheels: the only place here that runs another program."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cartwheel.packaging._errors import PackagingError
from cartwheel.packaging._target import Target

_SILENT = "Could not fetch URL"
_UNKNOWN = ("No matching distribution found", "Could not find a version")
_SECONDS = 1200


def download(
    pins: Sequence[str], target: Target, into: Path, *, wheels: Path | None, index: bool = True
) -> None:
    """Download the wheels of pins, `name==version`, for a target into a folder.

    pip's own configuration says where from, and pip compares each file with the index's hash;
    `wheels` is a folder that is looked into as well, or only, without `index`. Raises
    PackagingError when pip is missing, when there is no such wheel, and when no index answers.
    """
    # -P: no module of the current folder is taken for pip. Only -vv tells of every index that
    # did not answer.
    command = [sys.executable, "-P", "-m", "pip", "--no-input", "-vv"]
    command += ["download", "--no-deps", "--only-binary=:all:", "--dest", str(into)]
    command += ["--implementation", "cp", "--python-version", target.python]
    command += [word for platform in target.platforms for word in ("--platform", platform)]
    if wheels is not None:
        command += ["--find-links", str(wheels)]
    if not index:
        command += ["--no-index"]
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and each word is made here
            [*command, *pins], capture_output=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise PackagingError(
            f"pip did not finish within {_SECONDS} s ({', '.join(pins)} for {target}); try again"
        ) from error
    if done.returncode:
        raise PackagingError(_explain(_lines(done.stdout), _lines(done.stderr), pins, target))


def _lines(output: bytes) -> list[str]:
    return [line.strip() for line in output.decode("utf-8", "replace").splitlines()]


def _explain(
    said: Sequence[str], complaints: Sequence[str], pins: Sequence[str], target: Target
) -> str:
    told = "\n".join(complaints)
    last = "\n".join(complaints[-3:])
    if "No module named pip" in told:
        return f"{sys.executable} has no pip, which downloads wheels: {sys.executable} -m ensurepip"
    # An index that does not know a name says 404; that is an answer.
    silent = [line for line in said if line.startswith(_SILENT) and "404 Client Error" not in line]
    if silent:
        return f"a package index does not answer ({', '.join(pins)} for {target}):\n{silent[-1]}"
    if any(sign in told for sign in _UNKNOWN):
        missing = [pin for pin in pins if pin in told] or list(pins)
        return (
            f"there is no wheel of {', '.join(missing)} for {target}: take a version that has one, "
            "or build it on such a machine (pip wheel --no-deps NAME==VERSION) and give the folder "
            f"with it as wheels; pip says:\n{last}"
        )
    return f"pip could not download {', '.join(pins)} for {target}:\n{last}"
