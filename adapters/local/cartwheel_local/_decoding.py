"""Turns what the server has read into a Request, strictly."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from cartwheel.http import Request

if TYPE_CHECKING:
    from uvicorn._types import HTTPScope

MOST_PARAMETERS = 100
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Malformed(Exception):
    """Says what is wrong with a request that can't be decoded."""


def decode_request(scope: HTTPScope, body: bytes) -> Request:
    """Decode a request; raises Malformed."""
    path = _text(scope["raw_path"], "path")
    if not path.startswith("/"):
        raise Malformed("The path must begin with a slash")
    client = scope.get("client")
    return Request(
        method=scope["method"].upper(),
        path=path,
        query=_collected(_parameters(scope["query_string"])),
        headers=_collected(
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in scope["headers"]
        ),
        body=body,
        client=client[0] if client else "",
    )


def first_header(scope: HTTPScope, name: bytes) -> str | None:
    """Give the first value of a header before anything else is decoded."""
    found = (value for key, value in scope["headers"] if key.lower() == name)
    value = next(found, None)
    return None if value is None else value.decode("latin-1")


def _text(encoded: bytes, what: str) -> str:
    if _BAD_ESCAPE.search(encoded):
        raise Malformed(f"The {what} holds a % that is no escape")
    try:
        text = unquote_to_bytes(encoded).decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(f"The {what} is not UTF-8") from None
    if any(character < " " or character == "\x7f" for character in text):
        raise Malformed(f"The {what} holds a control character")
    return text


def _parameters(query: bytes) -> Iterable[tuple[str, str]]:
    parts = [part for part in query.split(b"&") if part]
    if len(parts) > MOST_PARAMETERS:
        raise Malformed(f"The query has more than {MOST_PARAMETERS} parameters")
    for part in parts:
        name, _, value = part.replace(b"+", b" ").partition(b"=")
        yield _text(name, "query"), _text(value, "query")


def _collected(pairs: Iterable[tuple[str, str]]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        found[name] = (*found.get(name, ()), value)
    return found
