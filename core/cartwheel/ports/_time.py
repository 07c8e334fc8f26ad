"""Time, ids and randomness: injected, so that tests own them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> float:
        """Give seconds since the epoch, UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let that much time pass for the caller."""
        ...


class Ids(Protocol):
    """Makes identifiers."""

    def new(self, prefix: str) -> str:
        """Make an id `<prefix>_<unique>` of letters, digits and one underscore."""
        ...

    def token(self, size: int = 32) -> str:
        """Make an unguessable URL-safe string from `size` random bytes."""
        ...


class Randomness(Protocol):
    """Gives random numbers for jitter; never for secrets."""

    def uniform(self) -> float:
        """Give a number in [0, 1)."""
        ...


def rfc3339(seconds: float) -> str:
    """Write an instant as RFC 3339 in UTC with milliseconds, `2026-01-02T03:04:05.678Z`.

    Strings of this form sort as the instants do.
    """
    whole = math.floor(seconds)
    # To the microsecond first, as `datetime` does it; what is below a millisecond is cut off.
    micros = round((seconds - whole) * 1_000_000)
    if micros == 1_000_000:
        whole, micros = whole + 1, 0
    return f"{_second(whole)}.{micros // 1000:03d}Z"


@lru_cache(maxsize=256)
def _second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).isoformat()[:19]


def from_rfc3339(text: str) -> float:
    """Read an RFC 3339 instant; raises ValueError without a UTC offset or when it is no time."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"'{text}' has no UTC offset")
    return moment.timestamp()
