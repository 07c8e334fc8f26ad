"""Makes the environments of the AWS engines under `.engines`; does nothing for what is there.

ministack and moto each have a virtual environment, because their pins conflict; the validators of
state machine definitions are npm packages, and that of templates is cfn-lint.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[3]
ENGINES = ROOT / ".engines"
MINISTACK = ENGINES / "aws-ministack"
MOTO = ENGINES / "aws-moto"
FUNCTIONS = ENGINES / "aws-functions"
VALIDATORS = ENGINES / "aws-npm"
LINT = ENGINES / "aws-cfnlint"
PINS: dict[Path, tuple[str, ...]] = {
    MINISTACK: ("ministack==1.5.33",),
    MOTO: ("moto[server,stepfunctions]==5.2.5",),
    # What Lambda's own runtime holds, and nothing else: a package that lacks something shows it.
    FUNCTIONS: ("awslambdaric==4.2.2", "boto3==1.44.8"),
    LINT: ("cfn-lint==1.58.0",),
    VALIDATORS: ("asl-validator@4.0.0", "amazon-states-language-service@1.16.1"),
}


def python(home: Path) -> Path:
    """Give an environment's interpreter."""
    return home / "bin" / "python"


def is_ready(home: Path) -> bool:
    """Tell whether an environment is there, as pinned."""
    stamp = home / "stamp.txt"
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == _stamp(home)


def main() -> int:
    """Make what is missing; gives the exit code of the first installation that fails."""
    for home, pins in PINS.items():
        if is_ready(home):
            continue
        code = _npm(home, pins) if home == VALIDATORS else _pip(home, pins)
        if code:
            return code
        (home / "stamp.txt").write_text(_stamp(home), encoding="utf-8")
    return 0


def _stamp(home: Path) -> str:
    return "\n".join(PINS[home]) + "\n"


def _pip(home: Path, pins: Sequence[str]) -> int:
    if not python(home).exists():
        venv.EnvBuilder(with_pip=True, clear=True).create(home)
    command = [str(python(home)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return subprocess.run([*command, *pins], check=False).returncode


def _npm(home: Path, pins: Sequence[str]) -> int:
    home.mkdir(parents=True, exist_ok=True)
    npm = shutil.which("npm")
    if npm is None:
        print("npm is missing: the validators of state machines need Node.js 18 or later")
        return 1
    (home / "package.json").write_text('{"private": true}\n', encoding="utf-8")
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--save-exact", *pins]
    return subprocess.run(command, cwd=home, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
