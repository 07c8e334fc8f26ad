"""HTTP: requests, responses, routing, problems, permissions, idempotency, OpenAPI."""

from cartwheel.http._messages import Request, Response
from cartwheel.http._permission import ANYONE, AUTHENTICATED, Permission, only

__all__ = ["ANYONE", "AUTHENTICATED", "Permission", "Request", "Response", "only"]
