"""Real time, ids and randomness for adapters on a real clock; nothing else in core uses them.

Ids sort by the time they were made.
"""

from __future__ import annotations

import base64
import os
import random
import time


class RealClock:
    """Is the machine's clock."""

    def now(self) -> float:
        """Give seconds since the epoch, UTC."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Let the caller's thread sleep."""
        time.sleep(max(0.0, seconds))


class TimeOrderedIds:
    """Makes ids of 26 letters and digits: 48 bits of milliseconds, then 80 random bits."""

    def new(self, prefix: str) -> str:
        """Make an id."""
        moment = time.time_ns() // 1_000_000
        encoded = base64.b32hexencode(moment.to_bytes(6, "big") + os.urandom(10))
        return f"{prefix}_{encoded[:26].decode().lower()}"

    def token(self, size: int = 32) -> str:
        """Make an unguessable URL-safe string."""
        return base64.urlsafe_b64encode(os.urandom(size)).decode().rstrip("=")


class SystemRandomness:
    """Gives numbers from a generator that the system has seeded."""

    def uniform(self) -> float:
        """Give a number in [0, 1)."""
        return random.random()  # noqa: S311  # jitter, never a secret
