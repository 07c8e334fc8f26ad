"""Problems (RFC 9457): what a request is refused with, and how a refusal is written."""

from __future__ import annotations

from typing import ClassVar

from cartwheel.ports import DomainError, Json


class Problem(DomainError):
    """Is the base of refusals that HTTP itself knows; `headers` go along with the answer."""

    status: ClassVar[int] = 400
    title: ClassVar[str] = "The request is refused"

    @property
    def headers(self) -> dict[str, str]:
        """Give the headers that this refusal adds to the answer."""
        return {}


class BadRequest(Problem):
    """Says that the request can't be read."""

    status = 400
    title = "The request cannot be read"


class Unauthenticated(Problem):
    """Says that nobody knows who asks: the token is missing, invalid, expired or revoked."""

    status = 401
    title = "Authentication is required"

    @property
    def headers(self) -> dict[str, str]:
        """Give the challenge (RFC 6750)."""
        return {"WWW-Authenticate": "Bearer"}


class Forbidden(Problem):
    """Says that the caller is known and may not do this."""

    status = 403
    title = "The caller may not do this"


class NotFound(Problem):
    """Says that there is no such thing, or none that this caller may know of."""

    status = 404
    title = "There is no such resource"


class PreconditionFailed(Problem):
    """Says that the resource has changed since the version that If-Match names."""

    status = 412
    title = "The resource has changed"


class TooManyRequests(Problem):
    """Says that the caller asked too often; `retry_after` is in seconds."""

    status = 429
    title = "Too many requests"

    def __init__(self, message: str, *, retry_after: int, **details: Json) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        """Give when to ask again."""
        return {"Retry-After": str(self.retry_after)}
