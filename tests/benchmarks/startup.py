"""What starting costs: imports, the command line's front, and the pytest fixture."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.benchmarks._table import Figure, child_cpu, paired

PYTHON = sys.executable


def imports() -> list[Figure]:
    """Compare imports with a bare interpreter, in CPU time."""
    return [
        _import("import cartwheel", "<= 8 ms over bare", 0.008),
        _import("import cartwheel.ports", "(data classes, no pydantic)", None),
        _import("import pydantic", "pydantic's own cost", None),
        _import("import cartwheel.app", "(pydantic with its workflow and HTTP models)", None),
    ]


def _import(code: str, goal: str, limit: float | None) -> Figure:
    bare, full = paired(
        15, partial(child_cpu, [PYTHON, "-c", "pass"]), partial(child_cpu, [PYTHON, "-c", code])
    )
    cost = full - bare
    return Figure(
        f"python -c '{code}'",
        f"{full * 1e3:.1f} ms - bare {bare * 1e3:.1f} ms = {cost * 1e3:.1f} ms of CPU",
        goal,
        None if limit is None else cost <= limit,
    )


def front() -> Figure:
    """Compare `shopctl --help` with the interpreter that does nothing."""
    help_command = [str(Path(PYTHON).with_name("shopctl")), "--help"]
    bare, full = paired(
        21, partial(child_cpu, [PYTHON, "-c", "pass"]), partial(child_cpu, help_command)
    )
    ratio = full / bare
    return Figure(
        "shopctl --help against python -c pass",
        f"{full * 1e3:.1f} ms / {bare * 1e3:.1f} ms = {ratio:.2f}",
        "<= 1.2",
        ratio <= 1.2,
    )


TESTS = 1000


def fixture() -> list[Figure]:
    """Compare tests that take the `shop` fixture with tests that take nothing."""
    with tempfile.TemporaryDirectory() as folder:
        empty, used = Path(folder) / "test_empty.py", Path(folder) / "test_shop.py"
        body = f"import pytest\n\n@pytest.mark.parametrize('n', range({TESTS}))\n"
        empty.write_text(body + "def test_it(n):\n    pass\n", encoding="utf-8")
        used.write_text(body + "def test_it(n, shop):\n    pass\n", encoding="utf-8")
        without = ["-p", "no:cartwheel", "-p", "no:cartwheel_shop"]
        idle, plain = paired(
            5, partial(child_cpu, _pytest(empty)), partial(child_cpu, _pytest(empty, without))
        )
        with_shop, same = paired(
            5, partial(child_cpu, _pytest(used)), partial(child_cpu, _pytest(empty))
        )
    ratio, idle_ratio = with_shop / same, idle / plain
    return [
        Figure(
            "pytest with the plugin installed and unused",
            f"{idle:.2f} s / {plain:.2f} s = {idle_ratio:.2f}",
            "costs nothing",
            idle_ratio <= 1.02,
        ),
        Figure(
            f"{TESTS} tests with `shop` against {TESTS} empty ones, whole process",
            f"{with_shop:.2f} s / {same:.2f} s = {ratio:.2f}; "
            f"{(with_shop - same) / TESTS * 1e6:.0f} us a test",
            "<= 1.1",
            ratio <= 1.1,
        ),
    ]


def _pytest(path: Path, extra: Sequence[str] = ()) -> list[str]:
    return [
        PYTHON,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(path.parent),
        *extra,
        str(path),
    ]


def python_version() -> str:
    """Name the interpreter that was measured."""
    done = subprocess.run([PYTHON, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.strip()
