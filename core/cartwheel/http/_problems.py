"""Problems (RFC 9457): what a request is refused with, and how a refusal is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar

from cartwheel.http._messages import Response
from cartwheel.ports import DomainError, Json

PROBLEM_TYPE = "application/problem+json"


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


class InvalidJson(BadRequest):
    """Says that the body is no JSON, or JSON that two readers could read differently."""

    title = "The body is not strict JSON"


class IdempotencyKeyMissing(BadRequest):
    """Says that a route that moves money or stock was asked without an Idempotency-Key."""

    title = "An Idempotency-Key header is required"


class IdempotencyKeyMalformed(BadRequest):
    """Says that the Idempotency-Key is not 1 to 255 visible ASCII characters."""

    title = "The Idempotency-Key header cannot be read"


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


class MethodNotAllowed(Problem):
    """Says that the path exists and does not take the method; `allow` lists what it takes."""

    status = 405
    title = "The path does not take this method"

    def __init__(self, message: str, *, allow: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allow = allow

    @property
    def headers(self) -> dict[str, str]:
        """Give the methods that the path takes."""
        return {"Allow": ", ".join(self.allow)}


class RequestInProgress(Problem):
    """Says that a request with the same Idempotency-Key is still being worked on."""

    status = 409
    title = "The same request is in progress"

    @property
    def headers(self) -> dict[str, str]:
        """Give when to ask again."""
        return {"Retry-After": "1"}


class PreconditionFailed(Problem):
    """Says that the resource has changed since the version that If-Match names."""

    status = 412
    title = "The resource has changed"


class PayloadTooLarge(Problem):
    """Says that the body is larger than the gateway reads."""

    status = 413
    title = "The body is too large"


class UnsupportedMediaType(Problem):
    """Says that the body is not declared as JSON."""

    status = 415
    title = "The body is not application/json"


class InvalidRequest(Problem):
    """Says which fields of a readable request are wrong, each by pointer or parameter."""

    status = 422
    title = "The request has invalid fields"


class IdempotencyKeyReused(Problem):
    """Says that the Idempotency-Key was used for another request."""

    status = 422
    title = "The Idempotency-Key belongs to another request"


class PreconditionRequired(Problem):
    """Says that an edit must name the version it was made from, in If-Match."""

    status = 428
    title = "An If-Match header is required"


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


def problem_type(code: str) -> str:
    """Give the URI that names a kind of problem."""
    return f"urn:cartwheel:problem:{code}"


def problem(
    status: int,
    code: str,
    title: str,
    *,
    detail: str | None = None,
    instance: str = "",
    details: Mapping[str, Json] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Make the answer for a refusal; `instance` is the request's id.

    The standard members win over details of the same name.
    """
    members: dict[str, Json] = {
        "type": problem_type(code),
        "title": title,
        "status": status,
        "code": code,
    }
    if detail is not None:
        members["detail"] = detail
    if instance:
        members["instance"] = instance
    for name, value in (details or {}).items():
        members.setdefault(name, value)
    body = json.dumps(members, default=str, separators=(",", ":"))
    return Response(status, {"Content-Type": PROBLEM_TYPE, **(headers or {})}, body.encode())


def refuse(error: DomainError, instance: str) -> Response:
    """Make the answer for a refusal that the domain or HTTP knows."""
    return problem(
        error.status,
        error.problem_code,
        error.title,
        detail=error.message,
        instance=instance,
        details=error.details,
        headers=error.headers if isinstance(error, Problem) else None,
    )
