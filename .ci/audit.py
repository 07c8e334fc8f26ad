"""Looks every pin of a lock up among known vulnerabilities; fails unless all were looked up.

pip-audit says "no known vulnerabilities found" also of packages that it could not look up, as
behind an index without PyPI's JSON API. So its list of the skipped is read, too.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

FOUND, NOT_ASKED = 1, 3


def main(lock: Path) -> int:
    """Print what was found; 1 for a vulnerability, 3 when nobody could be asked."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes"]
        command += ["--progress-spinner", "off", "-r", str(lock)]
        command += ["--format", "json", "--output", str(report)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own program with our own arguments
        if not report.is_file():
            sys.stderr.write(done.stderr[-2000:])
            sys.stderr.write("audit: nothing was looked up: the service can't be reached\n")
            return NOT_ASKED
        pins = json.loads(report.read_text(encoding="utf-8"))["dependencies"]
    skipped = [pin["name"] for pin in pins if "skip_reason" in pin]
    bad = [pin for pin in pins if pin.get("vulns")]
    for pin in bad:
        for each in pin["vulns"]:
            fixed = ", ".join(each["fix_versions"]) or "no version yet"
            sys.stdout.write(f"{pin['name']} {pin['version']}: {each['id']}, fixed in {fixed}\n")
    asked = len(pins) - len(skipped)
    sys.stdout.write(f"audit: {asked} of {len(pins)} looked up, {len(bad)} with vulnerabilities\n")
    if bad:
        return FOUND
    if skipped or not pins:
        names = ", ".join(skipped[:5]) + (", ..." if len(skipped) > 5 else "")
        sys.stderr.write(
            f"audit: not looked up: {names or 'anything'}; "
            "the package index here has no such data: run this where the public one answers\n"
        )
        return NOT_ASKED
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
