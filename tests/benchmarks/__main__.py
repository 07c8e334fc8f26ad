"""Measures everything and prints the table."""

from __future__ import annotations

import sys

from tests.benchmarks import cold_start, compiling, http_event, login, runs, startup
from tests.benchmarks._table import Figure, show


def main() -> int:
    """Measure; exits 0 whatever the figures are: machines differ, readers judge."""
    figures: list[Figure] = [
        runs.in_memory(),
        runs.one_in_flight(),
        *runs.many_in_flight(),
        *compiling.compilers(),
        compiling.interpreting(),
        *startup.imports(),
        startup.front(),
        *startup.fixture(),
        login.unknown_and_wrong(),
        *http_event.events(),
        *cold_start.cold_starts(),
    ]
    show(figures)
    print(startup.python_version(), "on", sys.platform)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
