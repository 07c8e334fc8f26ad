"""Fetches the wheels of an application's dependencies, and keeps them for the next time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from cartwheel.packaging._errors import PackagingError
from cartwheel.packaging._pip import download
from cartwheel.packaging._requirements import Pin
from cartwheel.packaging._target import Target
from cartwheel.packaging._unpacking import unpacked


def fetch(
    pins: Iterable[Pin], target: Target, *, cache: Path | None = None, wheels: Path | None = None
) -> dict[str, bytes]:
    """Return the files of all pins for a target, by their path on Python's search path.

    `wheels` is a folder with wheels that no index has. What an index gave is kept in `cache`, or in
    the user's cache folder. Raises PackagingError for what can't be had and for two distributions
    that hold the same path with different content.
    """
    pins = sorted(pins)
    shelf = (cache or _user_cache()) / "cartwheel" / "wheels" / str(target)
    given = _names(wheels)
    homeless = [pin for pin in pins if pin.origin and _key(pin) not in given]
    if homeless:
        raise PackagingError(
            "; ".join(
                f"{pin} was installed from {pin.origin}, not from an index" for pin in homeless
            )
            + ": put its wheel (pip wheel --no-deps) into a folder, and give that as wheels"
        )
    from_index = [pin for pin in pins if _key(pin) not in given]
    missing = [pin for pin in from_index if _kept(shelf, pin) is None]
    if missing:
        _fill(shelf, missing, target)
    found = {pin: path for pin in from_index if (path := _kept(shelf, pin)) is not None}
    with tempfile.TemporaryDirectory() as folder:
        own = [pin for pin in pins if _key(pin) in given]
        if own:
            download([str(pin) for pin in own], target, Path(folder), wheels=wheels, index=False)
            found |= _by_pin(own, Path(folder))
        return _together({pin: _open(found[pin], pin, from_index) for pin in pins})


def _user_cache() -> Path:
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        if os.environ.get(variable):
            return Path(os.environ[variable])
    return Path.home() / ".cache"


def _key(pin: Pin) -> tuple[str, str]:
    return pin.name, pin.version


def _names(folder: Path | None) -> dict[tuple[str, str], Path]:
    """Index the wheels of a folder by normal name and version."""
    if folder is None:
        return {}
    if not folder.is_dir():
        raise PackagingError(f"there is no folder of wheels {folder}")
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    found: dict[tuple[str, str], Path] = {}
    for file in sorted(folder.glob("*.whl")):
        try:
            name, version, _, _ = parse_wheel_filename(file.name)
        except InvalidWheelFilename as error:
            raise PackagingError(f"{file} is no wheel's name: {error}") from error
        found[name, str(version)] = file
    return found


def _kept(shelf: Path, pin: Pin) -> Path | None:
    return next(iter(sorted((shelf / str(pin)).glob("*.whl"))), None)


def _fill(shelf: Path, pins: Sequence[Pin], target: Target) -> None:
    shelf.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=shelf, prefix=".") as folder:
        download([str(pin) for pin in pins], target, Path(folder), wheels=None)
        for pin, file in _by_pin(pins, Path(folder)).items():
            (shelf / str(pin)).mkdir(exist_ok=True)
            # A rename is all or nothing: nobody ever sees half a wheel under its own name.
            file.replace(shelf / str(pin) / file.name)


def _by_pin(pins: Sequence[Pin], folder: Path) -> dict[Pin, Path]:
    held = _names(folder)
    found: dict[Pin, Path] = {}
    for pin in pins:
        file = held.get(_key(pin))
        if file is None:
            raise PackagingError(f"pip downloaded no wheel of {pin}, but {', '.join(_files(held))}")
        found[pin] = file
    return found


def _files(held: Mapping[tuple[str, str], Path]) -> Iterator[str]:
    return (file.name for file in held.values())


def _open(file: Path, pin: Pin, kept: Sequence[Pin]) -> dict[str, bytes]:
    try:
        return unpacked(file.read_bytes(), file.name)
    except PackagingError:
        if pin in kept:
            # What is broken is not met again: the next build downloads it anew.
            file.unlink(missing_ok=True)
        raise


def _together(wheels: Mapping[Pin, Mapping[str, bytes]]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    owner: dict[str, Pin] = {}
    for pin, held in wheels.items():
        for path, content in held.items():
            if path in files and files[path] != content:
                raise PackagingError(f"{owner[path]} and {pin} both hold {path}, and differ there")
            files[path], owner[path] = content, pin
    return files
