"""HTTP: requests, responses, routing, problems, permissions, idempotency, OpenAPI."""

from cartwheel.http._messages import Request, Response
from cartwheel.http._models import Body, Query, View
from cartwheel.http._permission import ANYONE, AUTHENTICATED, Permission, only
from cartwheel.http._problems import (
    BadRequest,
    Forbidden,
    NotFound,
    PreconditionFailed,
    Problem,
    TooManyRequests,
    Unauthenticated,
)

__all__ = [
    "ANYONE",
    "AUTHENTICATED",
    "BadRequest",
    "Body",
    "Forbidden",
    "NotFound",
    "Permission",
    "PreconditionFailed",
    "Problem",
    "Query",
    "Request",
    "Response",
    "TooManyRequests",
    "Unauthenticated",
    "View",
    "only",
]
