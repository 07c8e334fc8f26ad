"""Decides what a test does when the engine it needs is not on this machine."""

from __future__ import annotations

import os

import pytest

REQUIRE_VARIABLE = "CARTWHEEL_REQUIRE_ENGINES"


def required() -> bool:
    """Tell whether a missing engine fails the run, as it does in the gate."""
    return os.environ.get(REQUIRE_VARIABLE) == "1"


def require(name: str, available: bool, how: str) -> None:
    """Skip the test, or the module that calls it while loading, unless the engine is available.

    `how` says how to get the engine; it is part of the message. Under CARTWHEEL_REQUIRE_ENGINES=1
    the test fails instead, so that a gate never passes by skipping.
    """
    if available:
        return
    message = f"engine {name!r} is not available here: {how}"
    if required():
        pytest.fail(f"{message} ({REQUIRE_VARIABLE}=1 forbids skipping)", pytrace=False)
    pytest.skip(message, allow_module_level=True)
