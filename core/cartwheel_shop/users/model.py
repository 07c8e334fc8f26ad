"""A user, sessions of refresh tokens, and the counting of failed log-ins. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cartwheel.ports import DomainError
from cartwheel_shop._base import Record

ACCESS_SECONDS = 15 * 60
SESSION_SECONDS = 30 * 24 * 60 * 60
"""How long a family of refresh tokens lives without being used."""

ACCOUNT_FAILURES, ADDRESS_FAILURES = 5, 20
FAILURE_WINDOW = 15 * 60
"""Seconds in which failed log-ins are counted, per account and per network address."""

Role = Literal["customer", "staff", "admin"]
# U+0085 and U+FEFF by name: whether \s holds them differs between languages, and clients read this.
EMAIL_PATTERN = (
    r"^[^@\s\x00-\x1f\x7f-\x9f\ufeff]{1,64}@"
    r"[^@\s.\x00-\x1f\x7f-\x9f\ufeff]+(\.[^@\s.\x00-\x1f\x7f-\x9f\ufeff]+)+$"
)
Email = Annotated[str, Field(min_length=6, max_length=254, pattern=EMAIL_PATTERN)]
Password = Annotated[str, Field(min_length=10, max_length=128)]
PersonName = Annotated[str, Field(min_length=1, max_length=100)]


class EmailTaken(DomainError):
    """Says that somebody has registered with this e-mail address."""

    title = "The e-mail address is registered"


class User(Record):
    """Is a user; the password is kept as an argon2id hash only."""

    user_id: str
    email: str
    name: str
    role: Role
    password_hash: str
    created_at: str
    updated_at: str
    suspended: bool = False


class EmailClaim(Record):
    """Reserves an e-mail address for a user, in a partition of the address's own."""

    user_id: str


class Family(Record):
    """Is a log-in's chain of refresh tokens, of which only the newest is good, once."""

    user_id: str
    current: str
    """The SHA-256 of the newest token's secret."""
    expires_at: str
    ended: bool = False


class Failures(Record):
    """Counts failed log-ins of one account or address, by their times in epoch seconds."""

    times: tuple[int, ...] = ()

    def recent(self, now: float) -> Failures:
        """Give the failures that still count."""
        return Failures(times=tuple(at for at in self.times if at > now - FAILURE_WINDOW))

    def retry_after(self, limit: int, now: float) -> int | None:
        """Give the seconds until the next try is allowed, None when it is allowed now."""
        recent = self.recent(now).times
        if len(recent) < limit:
            return None
        return max(1, int(sorted(recent)[-limit] + FAILURE_WINDOW - now))

    def plus(self, now: float) -> Failures:
        """Give the count with one failure more, of now."""
        return Failures(times=(*self.recent(now).times, int(now)))


def normalized(email: str) -> str:
    """Give the form of an e-mail address under which it is unique."""
    return email.strip().casefold()
