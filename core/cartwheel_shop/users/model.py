"""A user, sessions of refresh tokens, and the counting of failed log-ins. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cartwheel.ports import DomainError
from cartwheel_shop._base import Record

ACCESS_SECONDS = 15 * 60
SESSION_SECONDS = 30 * 24 * 60 * 60
"""How long a family of refresh tokens lives without being used."""

RESET_SECONDS = 60 * 60
"""How long a token from a password reset mail is good."""
RESETS_AN_HOUR = 5
"""Reset mails that one account gets in RESET_SECONDS; what is asked for beyond is dropped."""

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


class WrongPassword(DomainError):
    """Says that the password given to prove who asks is not theirs."""

    status = 403
    title = "The password is wrong"


class ResetTokenInvalid(DomainError):
    """Says that a password reset token is not, or no longer, good."""

    status = 400
    title = "The reset token is not good"


class OwnAccount(DomainError):
    """Says that administrators can't take the rights of their own account away."""

    title = "This is your own account"


class User(Record):
    """Is a user; the password is kept as an argon2id hash only.

    Tokens and sessions carry the `generation` they were made in; those of an earlier one are over.
    A deleted user keeps a row without anything personal, so that their tokens end at once.
    `kind` is what the listing's index hangs on.
    """

    user_id: str
    email: str
    name: str
    role: Role
    password_hash: str
    created_at: str
    updated_at: str
    suspended: bool = False
    deleted: bool = False
    generation: int = 0
    revision: int = 1
    kind: Literal["user"] | None = "user"

    @property
    def active(self) -> bool:
        """Tell whether the user may log in and act."""
        return not self.suspended and not self.deleted

    def without_sessions(self) -> User:
        """Give the user with all their tokens and sessions ended."""
        return self.model_copy(update={"generation": self.generation + 1})

    def anonymised(self) -> User:
        """Give what stays of a user who left: an id, and no way in."""
        return self.without_sessions().model_copy(
            update={"email": "", "name": "", "password_hash": "", "deleted": True, "kind": None}
        )


class Reset(Record):
    """Is a user's password reset: the newest token's hash, and when tokens were asked for."""

    digest: str = ""
    expires_at: str = ""
    asked: tuple[int, ...] = ()

    def recent(self, now: float) -> tuple[int, ...]:
        """Give the requests that count against RESETS_AN_HOUR."""
        return tuple(at for at in self.asked if at > now - RESET_SECONDS)


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
    generation: int = 0


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
