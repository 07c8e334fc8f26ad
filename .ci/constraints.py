"""Prints a hashed lock file as plain constraints, which pip accepts beside a local wheel."""

import re
import sys
from pathlib import Path

PIN = re.compile(r"^(?P<pin>[A-Za-z0-9][^\s;]*==[^\s;\\]+)(?P<marker>\s*;[^\\]*)?")


def main(lock: Path) -> None:
    """Write one `name==version ; marker` line for each pin of the lock."""
    for line in lock.read_text(encoding="utf-8").splitlines():
        if match := PIN.match(line):
            sys.stdout.write(f"{match['pin']}{(match['marker'] or '').rstrip()}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
