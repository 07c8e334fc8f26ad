"""Makes the environment of workflows-emulator under `.engines/gcp`; does nothing when it is there.

The package names no licence: it is installed from the index and run, never copied.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[3]
HOME = ROOT / ".engines" / "gcp"
PINS = (
    "workflows-emulator==1.10.0",
    "addict==2.4.0",
    "google-auth==2.62.2",
    "google-re2==1.1.20251105",
    "jsonschema==4.26.0",
    "PyYAML==6.0.3",
    "requests==2.34.2",
    "typeguard==4.6.0",
)
STAMP = "\n".join(PINS) + "\n"


def python() -> Path:
    """Give the environment's interpreter."""
    return HOME / "bin" / "python"


def is_ready() -> bool:
    """Tell whether the environment is there, as pinned."""
    stamp = HOME / "stamp.txt"
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == STAMP


def main() -> int:
    """Make the environment; gives the exit code of what installs it."""
    if is_ready():
        return 0
    venv.EnvBuilder(with_pip=True, clear=True).create(HOME)
    done = subprocess.run(
        [python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PINS],
        check=False,
    )
    if done.returncode == 0:
        (HOME / "stamp.txt").write_text(STAMP, encoding="utf-8")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
