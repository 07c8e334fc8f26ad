"""Finds an application's own code: its package and those that it imports, the framework among them.

Whole packages are taken, data files included, by what their modules import; nothing is run.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from cartwheel.packaging._errors import PackagingError
from cartwheel.packaging._imports import read_imports

FRAMEWORK = "cartwheel"

_INSTALLED = {"site-packages", "dist-packages"}
_NO_FOLDERS = {"__pycache__", "node_modules", "tests"}
_NO_ENDS = (".pyc", ".pyo", "~", ".swp")
_NATIVE = (".so", ".pyd", ".dylib", ".dll")
# What the framework and what is built on it bring for tests; elsewhere `testing` may be anything.
_FOR_TESTS = ("testing", "pytest_plugin")


def sources_of(
    spec: str, folder: Path, *, also: Sequence[str] = (), leave_out: Sequence[str] = ()
) -> dict[str, bytes]:
    """Return the application's own files by the path that they have on Python's search path.

    `spec` is `module:name`, looked for in `folder` first. `also` names packages that are imported
    by name at run time, `leave_out` modules that no function needs, with all below them. Left out
    as well are tests, hidden files, bytecode and virtual environments. Own is what the application
    imports from outside site-packages, and what the framework's distribution holds. Raises
    PackagingError for a module that is not there, that holds compiled code, or that is left out
    though another needs it to load.
    """
    top = module_of(spec).partition(".")[0]
    wanted = [top, FRAMEWORK, *also]
    files: dict[str, bytes] = {}
    seen: set[str] = set()
    pending = list(wanted)
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        places = _places(name, folder)
        if not places and name in wanted:
            raise PackagingError(
                f"application '{spec}': there is no module '{name}' in {folder} or what is "
                "installed"
            )
        if not (name in wanted or _is_own(name, places, folder)):
            continue
        taken = {
            path: content
            for path, content in _read(name, places)
            if not _left_out(_dotted(path), leave_out)
        }
        files |= taken
        pending += sorted(_tops(taken) - seen)
    _check_complete(files, leave_out)
    return files


def module_of(spec: str) -> str:
    """Return the module of `module:name`; raises PackagingError when it has another shape."""
    module, colon, name = spec.partition(":")
    if not (colon and name and all(part.isidentifier() for part in module.split("."))):
        raise PackagingError(f"application '{spec}' is not MODULE:NAME")
    return module


def _places(name: str, folder: Path) -> list[Path]:
    """Find a top-level module's file, or its package's folders (several for a namespace)."""
    found = importlib.machinery.PathFinder.find_spec(name, [str(folder), *sys.path])
    if found is None:
        try:
            # Some editable installations have a finder of their own.
            found = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            found = None
    if found is None:
        return []
    if found.submodule_search_locations is not None:
        return [Path(place) for place in found.submodule_search_locations]
    if found.origin is None or not found.has_location:
        return []
    return [Path(found.origin)]


def _is_own(name: str, places: list[Path], folder: Path) -> bool:
    outside = [place for place in places if not _INSTALLED & set(place.parts)]
    if any(place.resolve().is_relative_to(folder.resolve()) for place in outside):
        return True
    if name in sys.stdlib_module_names:
        return False
    return bool(outside) or (bool(places) and name in _framework_packages())


def _framework_packages() -> set[str]:
    try:
        listed = distribution(FRAMEWORK).files or []
    except PackageNotFoundError:
        return set()
    return {file.parts[0] for file in listed if len(file.parts) > 1 and file.suffix == ".py"}


def _read(name: str, places: list[Path]) -> Iterator[tuple[str, bytes]]:
    for place in places:
        if place.is_file():
            yield from _take(place, place.name)
            continue
        for parent, folders, files in os.walk(place):
            folders[:] = sorted(f for f in folders if _may_hold_code(Path(parent), f))
            inside = PurePosixPath(name, *Path(parent).relative_to(place).parts)
            for file in sorted(files):
                yield from _take(Path(parent, file), str(inside / file))


def _may_hold_code(parent: Path, folder: str) -> bool:
    if folder in _NO_FOLDERS or folder.startswith(".") or folder.endswith(".egg-info"):
        return False
    return not (parent / folder / "pyvenv.cfg").exists()


def _take(file: Path, path: str) -> Iterator[tuple[str, bytes]]:
    name = file.name
    if name.startswith(".") or name.endswith(_NO_ENDS) or not file.is_file():
        return
    if name == "conftest.py" or (name.startswith("test_") and name.endswith(".py")):
        return
    if _is_for_tests(_dotted(path)):
        return
    if name.endswith(_NATIVE):
        raise PackagingError(
            f"{file} is compiled for this machine: make a distribution of that package, depend on "
            "it, and give the folder of its wheel for the function's machine"
        )
    yield path, file.read_bytes()


def _tops(files: dict[str, bytes]) -> set[str]:
    found = (read_imports(path, files[path]) for path in files if path.endswith(".py"))
    return {imported.top for imports in found for imported in imports}


def _check_complete(files: dict[str, bytes], leave_out: Sequence[str]) -> None:
    problems = sorted(
        {
            f"{path} imports {imported.name}"
            for path, content in files.items()
            if path.endswith(".py")
            for imported in read_imports(path, content)
            if imported.at_load
            and (_left_out(imported.name, leave_out) or _is_for_tests(imported.name))
        }
    )
    if problems:
        raise PackagingError(
            f"what no function should need is needed to load others: {'; '.join(problems)}; import "
            "it in the function that uses it, or do not leave it out"
        )


def _is_for_tests(module: str) -> bool:
    first, _, rest = module.partition(".")
    of_framework = first == FRAMEWORK or first.startswith(FRAMEWORK + "_")
    return of_framework and rest.partition(".")[0] in _FOR_TESTS


def _left_out(module: str, leave_out: Collection[str]) -> bool:
    return any(module == prefix or module.startswith(prefix + ".") for prefix in leave_out)


def _dotted(path: str) -> str:
    place = PurePosixPath(path)
    return ".".join(place.with_suffix("").parts if place.suffix == ".py" else place.parts)
