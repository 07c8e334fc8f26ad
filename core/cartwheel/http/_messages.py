"""Requests and responses as every gateway's adapter makes and takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from cartwheel.ports import Json


@dataclass(frozen=True, slots=True)
class Request:
    """Is an HTTP request after the gateway's own form has been decoded.

    `path` is percent-decoded and begins with a slash; header names are lower case; a header or
    query parameter that occurs several times is a tuple with all values in order. `client` is the
    caller's network address as far as the gateway knows it.
    """

    method: str
    path: str
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    body: bytes = b""
    client: str = ""
    path_params: Mapping[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str | None:
        """Give the last value of a header, by its name in any case."""
        values = self.headers.get(name.lower())
        return values[-1] if values else None


@dataclass(frozen=True, slots=True)
class Response:
    """Is an HTTP response before the gateway's adapter encodes it."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Json:
        """Read the body as JSON."""
        value: Json = json.loads(self.body)
        return value
