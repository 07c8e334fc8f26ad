"""HTTP: requests, responses, routing, problems, permissions, idempotency, OpenAPI."""

from cartwheel.http._edge import Cors, SecurityHeaders
from cartwheel.http._etag import etag, require_match
from cartwheel.http._gateway import MAX_BODY, Gateway
from cartwheel.http._idempotency import IDEMPOTENCY
from cartwheel.http._messages import Request, Response
from cartwheel.http._models import Body, Query, Reply, View
from cartwheel.http._openapi import openapi
from cartwheel.http._permission import ANYONE, AUTHENTICATED, Permission, only
from cartwheel.http._problems import (
    BadRequest,
    Forbidden,
    IdempotencyKeyMalformed,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    InvalidJson,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    PreconditionFailed,
    PreconditionRequired,
    Problem,
    RequestInProgress,
    TooManyRequests,
    Unauthenticated,
    UnsupportedMediaType,
    problem,
)
from cartwheel.http._wire import gather_query, wire_parameter, wire_path, wire_query

__all__ = [
    "ANYONE",
    "AUTHENTICATED",
    "IDEMPOTENCY",
    "MAX_BODY",
    "BadRequest",
    "Body",
    "Cors",
    "Forbidden",
    "Gateway",
    "IdempotencyKeyMalformed",
    "IdempotencyKeyMissing",
    "IdempotencyKeyReused",
    "InvalidJson",
    "InvalidRequest",
    "MethodNotAllowed",
    "NotFound",
    "PayloadTooLarge",
    "Permission",
    "PreconditionFailed",
    "PreconditionRequired",
    "Problem",
    "Query",
    "Reply",
    "Request",
    "RequestInProgress",
    "Response",
    "SecurityHeaders",
    "TooManyRequests",
    "Unauthenticated",
    "UnsupportedMediaType",
    "View",
    "etag",
    "gather_query",
    "only",
    "openapi",
    "problem",
    "require_match",
    "wire_parameter",
    "wire_path",
    "wire_query",
]
