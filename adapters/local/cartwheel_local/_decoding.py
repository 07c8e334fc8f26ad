"""Turns what the server has read into a Request, strictly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cartwheel.http import Request, wire_path, wire_query

if TYPE_CHECKING:
    from uvicorn._types import HTTPScope


def decode_request(scope: HTTPScope, body: bytes) -> Request:
    """Decode a request; raises BadRequest."""
    headers: dict[str, tuple[str, ...]] = {}
    for key, value in scope["headers"]:
        name = key.decode("latin-1").lower()
        headers[name] = (*headers.get(name, ()), value.decode("latin-1"))
    client = scope.get("client")
    return Request(
        method=scope["method"].upper(),
        path=wire_path(scope["raw_path"]),
        query=wire_query(scope["query_string"]),
        headers=headers,
        body=body,
        client=client[0] if client else "",
    )


def first_header(scope: HTTPScope, name: bytes) -> str | None:
    """Give the first value of a header before anything else is decoded."""
    found = (value for key, value in scope["headers"] if key.lower() == name)
    value = next(found, None)
    return None if value is None else value.decode("latin-1")
