"""Settings of the whole test run: Hypothesis profiles and a loud list of skipped tests."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.support.engines import REQUIRE_VARIABLE, required
from tests.support.skips import skip_lines

# A shared machine stalls now and then: neither a deadline nor a slow draw says anything there.
settings.register_profile("laptop", deadline=None)
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "laptop")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what was skipped and why, or say that nothing was."""
    lines = skip_lines(terminalreporter.stats.get("skipped", []))
    if not lines:
        terminalreporter.section("nothing was skipped", green=True)
        return
    terminalreporter.section("SKIPPED: these tests did not run", yellow=True, bold=True)
    for line in lines:
        terminalreporter.write_line(line, yellow=True)
    if not required():
        terminalreporter.write_line(f"{REQUIRE_VARIABLE}=1 turns a missing engine into a failure.")
