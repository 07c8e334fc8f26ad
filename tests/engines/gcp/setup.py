"""Makes the environments of the Google Cloud engines under `.engines`; leaves what is there.

workflows-emulator and functions-framework each have a virtual environment, because their pins
conflict. workflows-emulator names no licence: it is installed from the index and run, never copied.
"""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[3]
HOME = ROOT / ".engines" / "gcp"
FUNCTIONS = ROOT / ".engines" / "gcp-functions"
_OURS = ("pluggy", "pydantic", "pydantic-core", "Werkzeug")
"""What the framework needs inside a function, and what our own tests of requests run on."""


def _locked(name: str) -> str:
    lock = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
    found = re.search(rf"^({re.escape(name)}==[^\s;\\]+)", lock, re.MULTILINE | re.IGNORECASE)
    assert found is not None, f"requirements-dev.lock has no {name}"
    return found[1]


PINS: dict[Path, tuple[str, ...]] = {
    HOME: (
        "workflows-emulator==1.10.0",
        "addict==2.4.0",
        "google-auth==2.62.2",
        "google-re2==1.1.20251105",
        "jsonschema==4.26.0",
        "PyYAML==6.0.3",
        "requests==2.34.2",
        "typeguard==4.6.0",
    ),
    FUNCTIONS: (
        "functions-framework==3.10.1",
        "Flask==3.1.3",
        "gunicorn==27.0.1",
        *(_locked(name) for name in _OURS),
    ),
}


def python(home: Path = HOME) -> Path:
    """Give an environment's interpreter."""
    return home / "bin" / "python"


def is_ready(home: Path = HOME) -> bool:
    """Tell whether an environment is there, as pinned."""
    stamp = home / "stamp.txt"
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == _stamp(home)


def main() -> int:
    """Make what is missing; gives the exit code of the first installation that fails."""
    for home, pins in PINS.items():
        if is_ready(home):
            continue
        venv.EnvBuilder(with_pip=True, clear=True).create(home)
        command = [
            str(python(home)),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        done = subprocess.run([*command, *pins], check=False)
        if done.returncode:
            return done.returncode
        (home / "stamp.txt").write_text(_stamp(home), encoding="utf-8")
    return 0


def _stamp(home: Path) -> str:
    return "\n".join(PINS[home]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
