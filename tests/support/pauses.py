"""Stops one actor after a read while another runs through, so that a race is played on purpose."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from cartwheel.ports import PortCall

T = TypeVar("T")
READS = {"get", "scan", "query", "find", "status", "history", "list"}
BLOCKED_SECONDS = 5.0
"""How long the second actor may wait for the first before both are left to go on."""


@dataclass
class Pauses:
    """Counts the reads of the first actor's thread, and lets the second one run after the n-th."""

    gap: int | None = None
    then: Callable[[], None] = lambda: None
    thread: int | None = None
    trace: list[str] = field(default_factory=list)
    blocked: bool = False

    def __call__(self, call: PortCall, invoke: Callable[[], T]) -> T:
        result = invoke()
        if self.thread == threading.get_ident() and call.operation in READS:
            self.trace.append(str(call))
            if len(self.trace) == self.gap:
                other = threading.Thread(target=self.then)
                other.start()
                other.join(BLOCKED_SECONDS)
                self.blocked = other.is_alive()
        return result

    def watch(self) -> None:
        """Take this thread for the first actor's from now on."""
        self.thread = threading.get_ident()

    def look_away(self) -> None:
        """Count no more."""
        self.thread = None
