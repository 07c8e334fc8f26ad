"""How figures are taken and shown: medians, and ratios of two things measured in turn."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from resource import RUSAGE_CHILDREN, getrusage

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """Is one row: what was measured, the goal, and whether it was met (None: no goal)."""

    name: str
    value: str
    goal: str = ""
    met: bool | None = None


def median_of(runs: int, measure: Callable[[], float]) -> float:
    """Take a figure several times after one warm-up and give its median."""
    measure()
    return statistics.median(measure() for _ in range(runs))


def seconds(work: Callable[[], object]) -> float:
    """Time a piece of work on the wall clock."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def child_cpu(arguments: Sequence[str]) -> float:
    """Run a child and give the CPU seconds that it took, user and system."""
    before = getrusage(RUSAGE_CHILDREN)
    subprocess.run(arguments, check=True, capture_output=True)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def paired(runs: int, one: Callable[[], float], two: Callable[[], float]) -> tuple[float, float]:
    """Take two figures in turn, so that a drifting machine hits both; gives their medians."""
    one(), two()
    pairs = [(one(), two()) for _ in range(runs)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def show(figures: Sequence[Figure]) -> None:
    """Print the table."""
    table = Table(title="Cartwheel benchmarks (medians of one run on this machine)")
    for column in ("what", "measured", "goal", "met"):
        table.add_column(column, overflow="fold")
    for figure in figures:
        met = {True: "yes", False: "no", None: ""}[figure.met]
        table.add_row(figure.name, figure.value, figure.goal, met)
    Console(width=None if sys.stdout.isatty() else 118).print(table)
