"""Makes the environments of the Azure engines under .engines; run again, it does nothing.

These are the two Durable Functions SDKs, Microsoft's Python worker and Azurite, an npm package. The
in-memory Durable engine and the worker need Python 3.13; it is looked for on PATH, under
~/.pyenv/versions and beside the Python that runs this.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

from tests.engines.azure._environments import (  # noqa: E402  # after path
    AZURITE,
    ENVIRONMENTS,
    Environment,
    Packages,
)


def main() -> int:
    """Make what is missing; returns an exit code."""
    return max(*(make(environment) for environment in ENVIRONMENTS), make_packages(AZURITE))


def make(environment: Environment) -> int:
    """Make one environment."""
    if environment.is_ready:
        print(f"{environment.name} is ready")
        return 0
    python = next(pythons(environment.oldest_python), None)
    wanted = ".".join(map(str, environment.oldest_python))
    if python is None:
        print(f"{environment.name} needs Python {wanted} or newer: none was found", file=sys.stderr)
        return 1
    print(f"making {environment.name} with {python}")
    folder = environment.folder
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([python, "-m", "venv", str(folder)], check=True)
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([str(environment.python), *install, *environment.pins], check=True)
    environment.stamp.write_text(environment.wanted, encoding="utf-8")
    return 0


def make_packages(packages: Packages) -> int:
    """Install npm packages into a folder of their own."""
    if packages.is_ready:
        print(f"{packages.name} is ready")
        return 0
    npm = shutil.which("npm")
    if npm is None:
        print(f"{packages.name} needs Node.js with npm: none was found", file=sys.stderr)
        return 1
    print(f"making {packages.name} with {npm}")
    shutil.rmtree(packages.folder, ignore_errors=True)
    packages.folder.mkdir(parents=True)
    (packages.folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
    install = ["install", "--silent", "--no-audit", "--no-fund", "--save-exact"]
    subprocess.run([npm, *install, *packages.pins], cwd=packages.folder, check=True)
    packages.stamp.write_text(packages.wanted, encoding="utf-8")
    return 0


def pythons(oldest: tuple[int, int]) -> Iterator[str]:
    """Yield the Pythons that run and are new enough, this one first."""
    names = ("python3.13", "python3.14", "python3.12", "python3.11")
    # A version manager keeps its Pythons side by side: in its own folder, or beside this one.
    homes = (Path.home() / ".pyenv" / "versions", Path(sys.base_prefix).parent)
    beside = (str(path) for home in homes for path in sorted(home.glob("3.*/bin/python")))
    found = [sys.executable, *names, *beside]
    for candidate in found:
        code = f"import sys, venv, ensurepip; sys.exit(sys.version_info < {oldest})"
        try:
            done = subprocess.run(
                [candidate, "-c", code], capture_output=True, timeout=30, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            yield candidate


if __name__ == "__main__":
    sys.exit(main())
