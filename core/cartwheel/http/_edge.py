"""What an application tells browsers: who may call it, and how its answers are treated."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cartwheel.http._messages import Request
from cartwheel.ports import ConfigurationError

ANY_ORIGIN = "*"
_ORIGIN = re.compile(r"https?://(\[[0-9a-f:]+\]|[a-z0-9-]+(\.[a-z0-9-]+)*)(:[1-9][0-9]{0,4})?")
_NAME = re.compile(r"[A-Za-z0-9-]+")
_VALUE = re.compile(r"[\x20-\x7e]+")


@dataclass(frozen=True, slots=True)
class Cors:
    """Says which web pages of other origins may call the API from a browser; off unless given.

    `origins` are exact, such as `https://shop.example.org`, or `*` for all of them, which goes
    without credentials. `headers` are those that a page may send, `exposed` those that it may read.
    `credentials` lets a browser send cookies and client certificates along; an access token in
    `Authorization` needs no such thing. `max_age` is for how many seconds a browser need not ask.
    """

    origins: Sequence[str]
    headers: Sequence[str] = (
        "Authorization",
        "Content-Type",
        "Idempotency-Key",
        "If-Match",
        "If-None-Match",
        "Traceparent",
        "X-Request-Id",
    )
    exposed: Sequence[str] = ("ETag", "Location", "Retry-After", "X-Request-Id")
    credentials: bool = False
    max_age: int = 600

    def __post_init__(self) -> None:
        for origin in self.origins:
            if origin != ANY_ORIGIN and not _ORIGIN.fullmatch(origin):
                raise ConfigurationError(
                    f"CORS: '{origin}' is no origin; write https://host[:port] in lower case, "
                    f"without a path, or '{ANY_ORIGIN}'"
                )
        if self.credentials and ANY_ORIGIN in self.origins:
            raise ConfigurationError("CORS: credentials need their origins by name, not '*'")
        for name in (*self.headers, *self.exposed):
            if not _NAME.fullmatch(name):
                raise ConfigurationError(f"CORS: '{name}' is no header's name")

    def answer(self, request: Request, allow: Sequence[str]) -> dict[str, str]:
        """Give the headers that a browser needs; `allow` are the methods of the path."""
        given = request.headers.get("origin", ())
        origin = given[0] if len(given) == 1 else None
        everybody = ANY_ORIGIN in self.origins
        # An answer that depends on the origin must not be kept for another one.
        headers = {} if everybody else {"Vary": "Origin"}
        if origin is None or not (everybody or origin in self.origins):
            return headers
        headers["Access-Control-Allow-Origin"] = ANY_ORIGIN if everybody else origin
        if self.credentials:
            headers["Access-Control-Allow-Credentials"] = "true"
        if request.method == "OPTIONS" and request.header("access-control-request-method"):
            headers["Access-Control-Allow-Methods"] = ", ".join(allow)
            headers["Access-Control-Allow-Headers"] = ", ".join(self.headers)
            headers["Access-Control-Max-Age"] = str(self.max_age)
        elif self.exposed:
            headers["Access-Control-Expose-Headers"] = ", ".join(self.exposed)
        return headers


@dataclass(frozen=True, slots=True)
class SecurityHeaders:
    """Adds to the headers that every answer carries anyway; what is empty is left out.

    `hsts_seconds` has browsers use TLS alone for so long; give it only where the API is never
    served without. The others are the values of the headers of their names.
    """

    hsts_seconds: int = 0
    hsts_subdomains: bool = False
    permissions_policy: str = ""
    cross_origin_resource_policy: str = ""
    cross_origin_opener_policy: str = ""
    x_frame_options: str = ""

    def __post_init__(self) -> None:
        for name, value in self.answer().items():
            if not _VALUE.fullmatch(value):
                raise ConfigurationError(f"the value of {name} can't stand in a header")

    def answer(self) -> dict[str, str]:
        """Give the headers."""
        hsts = f"max-age={self.hsts_seconds}" + ("; includeSubDomains" * self.hsts_subdomains)
        named = {
            "Strict-Transport-Security": hsts if self.hsts_seconds > 0 else "",
            "Permissions-Policy": self.permissions_policy,
            "Cross-Origin-Resource-Policy": self.cross_origin_resource_policy,
            "Cross-Origin-Opener-Policy": self.cross_origin_opener_policy,
            "X-Frame-Options": self.x_frame_options,
        }
        return {name: value for name, value in named.items() if value}
