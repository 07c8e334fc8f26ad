"""Builds the code packages of an application's Lambda functions.

A layer with the dependencies, which seldom changes; a layer with the framework and the application,
which all functions share; and for each service a function package that holds its handler alone.
"""

from __future__ import annotations

import base64
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cartwheel.packaging import (
    Built,
    PackagingError,
    Target,
    archive,
    compiled,
    fetch,
    imports_of,
    lean,
    requirements_of,
    sources_of,
    unpacked_size,
)

Architecture = Literal["arm64", "x86_64"]

_MACHINES: dict[str, str] = {"arm64": "aarch64", "x86_64": "x86_64"}
# Lambda's Python 3.11 runs on Amazon Linux 2, with glibc 2.26, the later ones on Amazon Linux 2023,
# with glibc 2.34: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
_GLIBC = {"3.11": 26, "3.12": 34, "3.13": 34}

# A function with its layers: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_LARGEST = 250 * 1024 * 1024

# Layers are unpacked into /opt, and /opt/python is on Python's search path.
_LAYER = "python"
_ROOT = f"/opt/{_LAYER}"

# What runs in the runtime already, and what only a command line or an embedded server needs.
_DISTRIBUTIONS = (
    "boto3",
    "botocore",
    "packaging",
    "pluggy",
    "rich",
    "typer",
    "uvicorn",
)
_IN_RUNTIME = {"boto3", "botocore"}
_OURS = ("cartwheel/", "cartwheel_aws/")

# What compiles, interprets, draws, packages or finds adapters. A new module is packaged
# until it is named here, and nothing that is packaged may need one of these to load.
_MODULES = (
    "cartwheel.agenda",
    "cartwheel.deployment",
    "cartwheel.manifest",
    "cartwheel.packaging",
    "cartwheel.plugins",
    "cartwheel.runs._active",
    "cartwheel.runs._engine",
    "cartwheel.runs._inline",
    "cartwheel.runs._runtime",
    "cartwheel.runs._timers",
    "cartwheel.runs._workers",
    "cartwheel.workflow._diagram",
    "cartwheel.workflow._diagram_tree",
    "cartwheel.workflow._diagram_words",
    "cartwheel.workflow._estimate",
    "cartwheel.workflow._evaluate",
    "cartwheel.workflow._execution",
    "cartwheel.workflow._frames",
    "cartwheel.workflow._interpreter",
    "cartwheel.workflow._lint",
    "cartwheel.workflow._lint_targets",
    "cartwheel.workflow._lower_saga",
    "cartwheel.workflow._targets",
    "cartwheel_aws._beside",
    "cartwheel_aws.deploy",
    "cartwheel_aws.machines",
    "cartwheel_aws.plugin",
)


@dataclass(frozen=True, slots=True)
class Package:
    """Is one zip archive; `unpacked` is its size in a function, in bytes."""

    content: bytes = field(repr=False)
    unpacked: int

    @property
    def digest(self) -> str:
        """Give the SHA-256 in hexadecimal, for the key of an object in S3."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def code_sha256(self) -> str:
        """Give the SHA-256 as Lambda tells it, `CodeSha256`."""
        return base64.b64encode(hashlib.sha256(self.content).digest()).decode()


@dataclass(frozen=True, slots=True)
class Packages:
    """Is all the code of an application, and what whoever deploys it should know."""

    dependencies: Package
    """A layer: the distributions that the framework and the application need."""
    shared: Package
    """A layer: the framework, this adapter's run-time part, and the application."""
    functions: Mapping[str, Package]
    """By service: its handler."""
    notes: tuple[str, ...]


def packages(
    spec: str,
    folder: Path,
    services: Mapping[str, Mapping[str, bytes]],
    *,
    architecture: Architecture,
    python: str,
    also: Sequence[str] = (),
    extras: Sequence[str] = (),
    cache: Path | None = None,
    wheels: Path | None = None,
) -> Packages:
    """Build the packages of the application `spec`, `module:name`, whose project is in `folder`.

    `services` gives the files of each service's package, handler.py among them. `also` names
    packages of Python that are imported by name only, `extras` the framework's extras whose
    distributions are needed. `wheels` is a folder with wheels that no
    index has, and `cache` one for those that were downloaded. Raises PackagingError for what can't
    be packaged or is larger than Lambda allows.
    """
    target = _target(architecture, python)
    own = _lean(sources_of(spec, folder, also=("cartwheel_aws", *also), leave_out=_MODULES))
    pins = requirements_of(spec, folder, target, leave_out=_DISTRIBUTIONS, extras=extras)
    needed = fetch(pins, target, cache=cache, wheels=wheels)
    dependencies = compiled(needed, target, root=_ROOT)
    shared = compiled(own, target, root=_ROOT)
    built = Packages(
        dependencies=_layer(dependencies),
        shared=_layer(shared),
        functions={service: _function(service, files) for service, files in services.items()},
        notes=(*shared.notes, *_undeclared(own, needed)),
    )
    _check_size(built, dependencies.files)
    return built


def _lean(own: Mapping[str, bytes]) -> dict[str, bytes]:
    """Make what is ours of the code small; the application's own may read its docstrings."""
    return {
        path: lean(content) if path.startswith(_OURS) and path.endswith(".py") else content
        for path, content in own.items()
    }


def _target(architecture: Architecture, python: str) -> Target:
    if architecture not in _MACHINES:
        raise PackagingError(
            f"Lambda has no architecture '{architecture}'; it has {', '.join(_MACHINES)}"
        )
    if python not in _GLIBC:
        raise PackagingError(
            f"functions run on Python {', '.join(_GLIBC)}, not on '{python}'; choose one of these"
        )
    return Target(python, _MACHINES[architecture], _GLIBC[python])


def _layer(built: Built) -> Package:
    files = {f"{_LAYER}/{path}": content for path, content in built.files.items()}
    return Package(archive(files), unpacked_size(files))


def _function(service: str, files: Mapping[str, bytes]) -> Package:
    try:
        compile(files["handler.py"], f"handler.py of {service}", "exec", dont_inherit=True)
    except SyntaxError as error:
        raise PackagingError(f"the handler of '{service}' is no Python: {error}") from error
    return Package(archive(files), unpacked_size(files))


def _undeclared(own: Mapping[str, bytes], needed: Mapping[str, bytes]) -> tuple[str, ...]:
    """Say what the application imports and no package holds: perhaps a wish was forgotten."""
    application = {
        path: content for path, content in own.items() if not path.startswith("cartwheel")
    }
    held = {path.partition("/")[0].partition(".")[0] for path in (*own, *needed)}
    known = held | _IN_RUNTIME | sys.stdlib_module_names
    return tuple(
        f"the application imports '{name}', which is in no package: name its distribution in "
        "[project] dependencies of pyproject.toml"
        for name in sorted(imports_of(application, at_load=True) - known)
    )


def _check_size(built: Packages, dependencies: Mapping[str, bytes]) -> None:
    layers = built.dependencies.unpacked + built.shared.unpacked
    for service, function in built.functions.items():
        size = layers + function.unpacked
        if size > _LARGEST:
            raise PackagingError(
                f"the function of '{service}' is {_megabytes(size)} with its layers, and Lambda "
                f"allows {_megabytes(_LARGEST)}; the largest dependencies: "
                f"{_largest(dependencies)}"
            )


def _largest(files: Mapping[str, bytes]) -> str:
    sizes: dict[str, int] = {}
    for path, content in files.items():
        top = path.partition("/")[0]
        sizes[top] = sizes.get(top, 0) + len(content)
    ordered = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {_megabytes(size)}" for name, size in ordered[:5])


def _megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MB"
