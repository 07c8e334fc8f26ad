"""Turns skipped tests into a list that nobody overlooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath

import pytest


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return why a test was skipped, in the words of whoever skipped it."""
    longrepr = report.longrepr
    text = str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr or "no reason given")
    return text.removeprefix("Skipped: ")


def skip_lines(reports: Iterable[pytest.TestReport | pytest.CollectReport]) -> list[str]:
    """Return one line per file and reason, with how many tests it took out, most first."""
    counts = Counter((PurePath(r.nodeid.split("::")[0]).as_posix(), reason_of(r)) for r in reports)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [f"{count:5d}  {where}: {why}" for (where, why), count in ordered]
