"""Finds what Step Functions would refuse or misread."""

from __future__ import annotations

from cartwheel.workflow._targets import Compiled, Finding


def check(compiled: Compiled) -> tuple[Finding, ...]:
    """Find what the engine would refuse or misread."""
    return () if compiled.files else (Finding("empty", compiled.name, "it holds no files"),)
