"""Time that is moved rather than waited for, ids that count, randomness with a seed."""

from __future__ import annotations

import base64
import hashlib
import random
import threading
import time

from cartwheel.ports import from_rfc3339

START = "2026-01-01T00:00:00Z"
"""When virtual time begins."""


class VirtualClock:
    """Is a clock that moves when it is told to, or when somebody sleeps on it."""

    def __init__(self, start: str = START) -> None:
        self._now = from_rfc3339(start)
        self._lock = threading.Lock()

    def now(self) -> float:
        """Give seconds since the epoch, UTC."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move time forward by what the caller would wait, at once, and let other threads go on.

        What falls due meanwhile stays due until a host settles.
        """
        self.advance(max(0.0, seconds))
        time.sleep(0)

    def advance(self, seconds: float) -> None:
        """Move time forward without doing what falls due; a host's `settle` does that."""
        if seconds < 0:
            raise ValueError(f"time goes forward only, not by {seconds} s")
        with self._lock:
            self._now += seconds

    def advance_to(self, moment: float) -> None:
        """Move time forward to a moment; nothing happens when it has passed."""
        with self._lock:
            self._now = max(self._now, moment)


class CountedIds:
    """Makes ids that count by prefix, `ord_000001`, and tokens that follow from a count."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def new(self, prefix: str) -> str:
        """Make the prefix's next id."""
        return f"{prefix}_{self._next(prefix):06d}"

    def token(self, size: int = 32) -> str:
        """Make the next token; the same in every run, so it guards nothing outside of tests."""
        digest = hashlib.shake_256(f"token {self._next('')}".encode()).digest(size)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _next(self, prefix: str) -> int:
        with self._lock:
            count = self._counts[prefix] = self._counts.get(prefix, 0) + 1
        return count


class SeededRandomness:
    """Gives the same numbers in every run."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311  # jitter, never a secret

    def uniform(self) -> float:
        """Give a number in [0, 1)."""
        return self._random.random()
