"""What the tests themselves rest on: engines that may be missing, and the list of skips."""

from __future__ import annotations

import pytest

from tests.support.engines import REQUIRE_VARIABLE, require
from tests.support.skips import skip_lines


def skipped(nodeid: str, reason: str) -> pytest.TestReport:
    """Make the report of a skipped test."""
    return pytest.TestReport(
        nodeid=nodeid,
        location=("x.py", 1, "x"),
        keywords={},
        outcome="skipped",
        longrepr=("x.py", 1, reason),
        when="setup",
    )


def test_an_engine_that_is_there_lets_the_test_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REQUIRE_VARIABLE, "1")
    require("postgres", available=True, how="install it")


def test_a_missing_engine_skips_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUIRE_VARIABLE, raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"'postgres' is not available.*: install it"):
        require("postgres", available=False, how="install it")


def test_a_missing_engine_fails_in_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REQUIRE_VARIABLE, "1")
    with pytest.raises(pytest.fail.Exception, match=r"'postgres' is not available.*: install it"):
        require("postgres", available=False, how="install it")


def test_skips_are_counted_by_file_and_reason() -> None:
    reports = [
        skipped("tests/a.py::one", "Skipped: no postgres"),
        skipped("tests/b.py::one", "Skipped: no postgres"),
        skipped("tests/b.py::two", "Skipped: no postgres"),
    ]
    assert skip_lines(reports) == [
        "    2  tests/b.py: no postgres",
        "    1  tests/a.py: no postgres",
    ]
