"""The distribution as a whole: what is in the tree, in the lock and in the wheel."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cartwheel.plugins import load_adapter

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = [Path(p) for p in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]
PROVIDERS = ("aws", "gcp", "azure")

# Put together here so that this file does not contain what it looks for.
HOSTS = ("pypi" + ".org", "python" + "hosted.org", "registry.npm" + "js.org")
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:work|root|home/\w+|Users/\w+)/[\w.]")

ALLOWED_IN_CORE = {"pydantic", "pydantic_core", "pluggy", "cartwheel"}
ALLOWED = {
    "core/cartwheel": ALLOWED_IN_CORE,
    "core/cartwheel_shop": {*ALLOWED_IN_CORE, "cartwheel_shop", "argon2", "jwt"},
    "workflows/cartwheel_workflows": {"cartwheel", "cartwheel_shop", "cartwheel_workflows"}
    | ALLOWED_IN_CORE,
}
ALLOWED_IN_KIT = {"pytest", "_pytest", "hypothesis"}
# Not for what runs: building packages reads requirements, with an extra's help.
ALLOWED_IN_PACKAGING = {"packaging"}


def tree() -> list[Path]:
    """List the text files of the tree, as git knows them where there is a repository."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
        paths = [ROOT / name for name in names.decode("utf-8").split("\0") if name]
    else:
        paths = [
            p for p in ROOT.rglob("*") if ".venv" not in p.parts and "__pycache__" not in p.parts
        ]
    return [path for path in paths if path.is_file()]


def direct_dependencies(*extras: str) -> list[Requirement]:
    """Read what pyproject.toml asks for itself, with these extras."""
    project = PROJECT["project"]
    optional = [item for extra in extras for item in project["optional-dependencies"][extra]]
    return [Requirement(item) for item in [*project["dependencies"], *optional]]


def pins(lock: str) -> dict[str, str]:
    """Read the version that a lock file gives each distribution."""
    pinned: dict[str, str] = {}
    for line in (ROOT / lock).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", line):
            pinned[canonicalize_name(match[1])] = match[2]
    return pinned


def imports(path: Path) -> Iterator[str]:
    """Name the top-level packages that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").split(".")[0]


def test_the_tree_names_no_machine_path_and_no_registry() -> None:
    found: list[str] = []
    looked_at = 0
    for path in tree():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        looked_at += 1
        for number, line in enumerate(text.splitlines(), 1):
            if MACHINE_PATH.search(line) or any(host in line for host in HOSTS):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert looked_at > len(PACKAGES)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", ["work/main/x.py", "home/ada/.cache", "root/x", "Users/ada/x"])
def test_a_machine_path_is_recognised(path: str) -> None:
    assert MACHINE_PATH.search(f"see '/{path}'")


@pytest.mark.parametrize("line", ["GET /users/me", "frame/work/x", "~/root/x", "/workflows/x"])
def test_a_route_is_no_machine_path(line: str) -> None:
    assert not MACHINE_PATH.search(line)


@pytest.mark.parametrize("package", PACKAGES, ids=str)
def test_every_package_says_that_it_is_typed(package: Path) -> None:
    assert (ROOT / package / "py.typed").is_file()
    assert (ROOT / package / "__init__.py").is_file()


def test_the_import_contracts_and_the_type_check_cover_every_package() -> None:
    names = {package.name for package in PACKAGES}
    assert set(PROJECT["tool"]["importlinter"]["root_packages"]) == names
    assert {package.as_posix() for package in PACKAGES} <= set(PROJECT["tool"]["mypy"]["files"])
    parents = {package.parent.as_posix() for package in PACKAGES}
    assert set(PROJECT["tool"]["hatch"]["build"]["dev-mode-dirs"]) == parents
    assert parents <= set(PROJECT["tool"]["ruff"]["src"])


@pytest.mark.parametrize("folder", sorted(ALLOWED))
def test_the_core_imports_only_what_it_may(folder: str) -> None:
    refused: list[str] = []
    paths = sorted((ROOT / folder).rglob("*.py"))
    for path in paths:
        kit = "testing" in path.relative_to(ROOT / folder).parts or path.stem == "pytest_plugin"
        allowed = ALLOWED[folder] | (ALLOWED_IN_KIT if kit else set()) | sys.stdlib_module_names
        if path.parent.name == "packaging":
            allowed |= ALLOWED_IN_PACKAGING
        where = path.relative_to(ROOT).as_posix()
        refused += [f"{where}: {name}" for name in imports(path) if name not in allowed]
    assert paths
    assert not refused, "\n".join(refused)


@pytest.mark.parametrize(
    ("lock", "extras"),
    [("requirements-dev.lock", ("dev", "local")), ("requirements-bench.lock", ("bench",))],
)
def test_the_lock_fulfils_every_direct_dependency(lock: str, extras: tuple[str, ...]) -> None:
    pinned = pins(lock)
    missing = [
        str(requirement)
        for requirement in direct_dependencies(*extras)
        if not requirement.specifier.contains(
            pinned.get(canonicalize_name(requirement.name), "0"), prereleases=True
        )
    ]
    assert not missing, f"{lock} lacks {', '.join(missing)}: run make lock"


def test_both_locks_agree_where_they_overlap() -> None:
    dev, bench = pins("requirements-dev.lock"), pins("requirements-bench.lock")
    shared = dev.keys() & bench.keys()
    assert "pydantic" in shared
    assert {name: dev[name] for name in shared} == {name: bench[name] for name in shared}


@pytest.mark.parametrize("lock", ["requirements-dev.lock", "requirements-bench.lock"])
def test_every_pin_of_a_lock_carries_a_hash(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    # A distribution may be pinned twice: another version for an older Python.
    assert {canonicalize_name(block.split("==")[0]) for block in blocks} == pins(lock).keys()
    assert [block.split("==")[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert "://" not in text


def test_the_extra_all_holds_every_provider_and_service() -> None:
    (everything,) = PROJECT["project"]["optional-dependencies"]["all"]
    assert Requirement(everything).extras == {"local", "stripe", "otel", *PROVIDERS}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_that_is_not_deployed_to_yet_says_so(provider: str) -> None:
    text = (ROOT / "adapters" / provider / "README.md").read_text(encoding="utf-8")
    deploys = load_adapter(provider).opens
    assert ("not here yet" in text) is not deploys, "the README and the adapter disagree"


def test_the_changelog_mentions_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in text
    assert cast("str", PROJECT["project"]["version"]) in text


def test_the_licence_is_the_declared_one() -> None:
    assert PROJECT["project"]["license"] == "Apache-2.0"
    lines = (ROOT / "LICENSE").read_text(encoding="utf-8").split("\n")
    assert [line.strip() for line in lines[:2]] == ["Apache License", "Version 2.0, January 2004"]
    assert len(lines) > 200


def test_the_wheel_holds_every_module_and_nothing_else(tmp_path: Path) -> None:
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(built) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = [name for name in archive.namelist() if ".dist-info/" in name]
    expected = {
        path.relative_to(ROOT / package.parent).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == expected
    assert {f"{package.name}/py.typed" for package in PACKAGES} <= names
    assert any(name.endswith("/licenses/LICENSE") for name in metadata)
    assert any(name.endswith("/entry_points.txt") for name in metadata)
