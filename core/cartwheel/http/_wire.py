"""Reads paths and query strings as they stand on the wire, strictly: what adapters decode with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote_to_bytes

from cartwheel.http._problems import BadRequest

MOST_PARAMETERS = 100
"""Parameters of a query string; more are refused before a route is looked for."""

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_UNREADABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def wire_path(encoded: bytes) -> str:
    """Decode a percent-encoded path; raises BadRequest for what is no UTF-8 text after a slash."""
    path = _decoded(encoded, "path")
    if not path.startswith("/"):
        raise BadRequest("the path must begin with a slash")
    return path


def wire_query(encoded: bytes) -> dict[str, tuple[str, ...]]:
    """Decode a query string, a plus being a space; raises BadRequest."""
    if not encoded:
        return {}
    return gather_query(_parameters(encoded))


def wire_parameter(encoded: bytes) -> str:
    """Decode the name or value of a query's parameter; raises BadRequest."""
    return _decoded(encoded.replace(b"+", b" "), "query")


def gather_query(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Put decoded parameters together, each with its values in order; raises BadRequest."""
    found: dict[str, tuple[str, ...]] = {}
    for count, (name, value) in enumerate(pairs, 1):
        if count > MOST_PARAMETERS:
            raise BadRequest(f"the query has more than {MOST_PARAMETERS} parameters")
        if _UNREADABLE.search(name) or _UNREADABLE.search(value):
            raise BadRequest("the query holds a control character")
        found[name] = (*found.get(name, ()), value)
    return found


def _parameters(query: bytes) -> Iterator[tuple[str, str]]:
    for part in query.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            yield wire_parameter(name), wire_parameter(value)


def _decoded(encoded: bytes, what: str) -> str:
    if _BAD_ESCAPE.search(encoded):
        raise BadRequest(f"the {what} holds a % that is no escape")
    try:
        text = unquote_to_bytes(encoded).decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest(f"the {what} is not UTF-8") from None
    if _UNREADABLE.search(text):
        raise BadRequest(f"the {what} holds a control character")
    return text
