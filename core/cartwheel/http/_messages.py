"""Requests and responses as every gateway's adapter makes and takes them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from cartwheel.ports import Json

_HEADER_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]*")
_HEADER_VALUES = re.compile(r"[\t -~]*")
_NONE: Mapping[str, Any] = MappingProxyType({})


class Request(NamedTuple):
    """Is an HTTP request after the gateway's own form has been decoded.

    `path` is percent-decoded and begins with a slash; header names are lower case; a header or
    query parameter that occurs several times is a tuple with all values in order. `client` is the
    caller's network address as far as the gateway knows it.
    """

    method: str
    path: str
    query: Mapping[str, tuple[str, ...]] = _NONE
    headers: Mapping[str, tuple[str, ...]] = _NONE
    body: bytes = b""
    client: str = ""

    def header(self, name: str) -> str | None:
        """Give the last value of a header, by its name in any case."""
        values = self.headers.get(name.lower())
        return values[-1] if values else None


class _Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Response(_Answer):
    """Is an HTTP response before the gateway's adapter encodes it.

    Header names may be in any case, each once; values are visible ASCII, or ValueError is raised.
    The adapter adds Content-Length; only the answer to a HEAD carries it already, for the body it
    leaves out.
    """

    __slots__ = ()

    def __new__(cls, status: int, headers: Mapping[str, str] = _NONE, body: bytes = b"") -> Self:
        """Make a response of headers that HTTP can carry."""
        # Every character is judged by itself, so all names and all values are judged at once.
        if (
            "" in headers
            or not _HEADER_NAMES.fullmatch("".join(headers))
            or not _HEADER_VALUES.fullmatch("".join(headers.values()))
        ):
            raise ValueError(
                f"among the headers {dict(headers)!r} is a name or value that HTTP cannot carry; "
                "encode what comes from outside"
            )
        return cls.known(status, headers, body)

    @classmethod
    def known(cls, status: int, headers: Mapping[str, str], body: bytes) -> Self:
        """Make a response of headers that were looked at before."""
        return tuple.__new__(cls, (status, headers, body))

    def header(self, name: str) -> str | None:
        """Give the value of a header, by its name in any case."""
        wanted = name.lower()
        return next((v for n, v in self.headers.items() if n.lower() == wanted), None)

    def json(self) -> Json:
        """Read the body as JSON."""
        value: Json = json.loads(self.body)
        return value
