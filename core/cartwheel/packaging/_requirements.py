"""Finds which distributions an application needs on its target, in the versions installed here."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import (
    Distribution,
    PackageNotFoundError,
    distribution,
    packages_distributions,
)
from pathlib import Path
from typing import TYPE_CHECKING

from cartwheel.packaging._errors import PackagingError
from cartwheel.packaging._sources import FRAMEWORK, module_of
from cartwheel.packaging._target import Target

if TYPE_CHECKING:
    from packaging.requirements import Requirement


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """Is one version of a distribution; `name` is in its normal form, `pydantic-core`."""

    name: str
    version: str
    origin: str = ""
    """The address that it was installed from, if not from an index: only a given wheel will do."""

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, slots=True)
class _Wish:
    requirement: Requirement
    extras: frozenset[str]
    by: str


def requirements_of(
    spec: str,
    folder: Path,
    target: Target,
    *,
    leave_out: Collection[str] = (),
    extras: Collection[str] = (),
) -> tuple[Pin, ...]:
    """Return what the framework, the application and all that they need ask for on the target.

    The application's wishes are `[project] dependencies` of the pyproject.toml in its folder, and
    those of the distribution that holds it, when it is installed. `leave_out` names distributions
    that no function needs or that the runtime brings; what only they need is left out with them.
    `extras` are the framework's that are needed beside its own wishes.
    Raises PackagingError for what is not installed here, or in another version than asked for.
    """
    _check_tools()
    framework = _framework()
    left_out = {_normal(name) for name in leave_out}
    from packaging.version import Version

    own = {FRAMEWORK, *_holders(spec)}
    pins: dict[str, Pin] = {}
    pending = [*_wishes(framework, frozenset(extras)), *_project_wishes(folder)]
    for name in sorted(own - {FRAMEWORK}):
        pending += _wishes(distribution(name), frozenset())
    seen: set[tuple[str, frozenset[str]]] = set()
    while pending:
        wish = pending.pop()
        name, extras = _normal(wish.requirement.name), frozenset(wish.requirement.extras)
        if name in left_out or not _applies(wish, target):
            continue
        found = _installed(wish, target)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        pending += _wishes(found, extras)
        origin, editable = _origin(found)
        if name not in own and not editable:
            pins[name] = Pin(name, str(Version(found.version)), origin)
    return tuple(sorted(pins.values()))


def _check_tools() -> None:
    try:
        import packaging  # noqa: F401 - the distribution of that name
    except ImportError as error:
        raise PackagingError(
            "requirements are read with the distribution 'packaging', which is not installed: "
            "pip install packaging"
        ) from error


def _framework() -> Distribution:
    try:
        return distribution(FRAMEWORK)
    except PackageNotFoundError as error:
        raise PackagingError(
            f"'{FRAMEWORK}' runs from its sources and is not installed, so nobody knows what it "
            "needs: pip install -e it"
        ) from error


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


def _holders(spec: str) -> set[str]:
    top = module_of(spec).partition(".")[0]
    return {_normal(name) for name in packages_distributions().get(top, [])}


def _wishes(found: Distribution, extras: frozenset[str]) -> Iterator[_Wish]:
    yield from _parse(found.requires or [], extras, found.name)


def _parse(texts: Collection[str], extras: frozenset[str], by: str) -> Iterator[_Wish]:
    from packaging.requirements import InvalidRequirement, Requirement

    for text in texts:
        try:
            yield _Wish(Requirement(text), extras, by)
        except InvalidRequirement as error:
            raise PackagingError(
                f"{by} asks for '{text}', which nobody can read: {error}"
            ) from error


def _project_wishes(folder: Path) -> Iterator[_Wish]:
    file = folder / "pyproject.toml"
    if not file.is_file():
        return
    try:
        project = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PackagingError(f"{file} is no TOML: {error}") from error
    if "dependencies" in project.get("dynamic", []):
        name = project["name"]
        try:
            yield from _wishes(distribution(name), frozenset())
        except PackageNotFoundError as error:
            raise PackagingError(
                f"{file} has dynamic dependencies, and '{name}' is not installed here, where they "
                "could be read: pip install -e it"
            ) from error
        return
    yield from _parse(project.get("dependencies", []), frozenset(), str(file))


def _applies(wish: _Wish, target: Target) -> bool:
    marker = wish.requirement.marker
    return marker is None or any(
        marker.evaluate({**target.environment, "extra": extra}) for extra in ("", *wish.extras)
    )


def _installed(wish: _Wish, target: Target) -> Distribution:
    asked = wish.requirement
    try:
        found = distribution(asked.name)
    except PackageNotFoundError as error:
        raise PackagingError(
            f"{wish.by} needs '{asked}' on {target}, and it is not installed here, where its "
            f"version is taken from: pip install '{asked.name}{asked.specifier}'"
        ) from error
    if not asked.specifier.contains(found.version, prereleases=True):
        raise PackagingError(
            f"{wish.by} needs '{asked}', but {found.version} is installed here: "
            f"pip install '{asked.name}{asked.specifier}'"
        )
    return found


def _origin(found: Distribution) -> tuple[str, bool]:
    """Tell where a distribution was installed from, if not from an index, and whether it is only
    linked: then its modules are first-party code, taken from where they are."""
    text = found.read_text("direct_url.json")
    if text is None:
        return "", False
    told = json.loads(text)
    return str(told.get("url", "")), bool(told.get("dir_info", {}).get("editable", False))
