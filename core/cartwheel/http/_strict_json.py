"""Reads JSON bodies strictly: one meaning, exact numbers, bounded depth (I-JSON, RFC 7493)."""

from __future__ import annotations

import json
import re
from typing import NoReturn

from cartwheel.http._problems import InvalidJson
from cartwheel.ports import Json

MAX_DEPTH = 32
"""Arrays and objects within each other."""
MAX_INT = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly; its negative is the smallest."""

_BOM = b"\xef\xbb\xbf"
_SHOWN = 40
# A string, also one that never ends, is one match: brackets within it open nothing, and no
# input makes the scan start over.
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def read_json(body: bytes) -> Json:
    """Read a body; raises InvalidJson for what two readers could read differently.

    Refused are duplicate names, floats in any form, integers beyond 2^53, NaN and Infinity,
    nesting beyond 32, lone surrogates, a byte order mark and bytes that are not UTF-8.
    """
    if body.startswith(_BOM):
        raise InvalidJson("the body begins with a byte order mark; send UTF-8 without one")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidJson(f"the body is not UTF-8 at byte {error.start}") from error
    _check_depth(text)
    try:
        value: Json = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidJson(f"the body is not JSON: {error.msg} at {where}") from error
    if "\\u" in text:
        _check_surrogates(value)
    return value


def canonical(value: Json) -> str:
    """Write JSON so that equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _TOKENS.finditer(text):
        mark = match[0]
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise InvalidJson(f"the body nests deeper than {MAX_DEPTH} levels")
        elif mark in "]}":
            depth -= 1


def _check_surrogates(value: Json) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidJson(
            "a string holds half a surrogate pair, which is no character; escape both halves"
        ) from error


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise InvalidJson(f"an object has the name {_show(name)} twice")
            seen.add(name)
    return value


def _integer(text: str) -> int:
    if len(text) <= 17:
        value = int(text)
        if -MAX_INT <= value <= MAX_INT:
            return value
    raise InvalidJson(f"the integer {_show(text)} is beyond 2^53 and would lose digits elsewhere")


def _no_float(text: str) -> NoReturn:
    raise InvalidJson(
        f"the number {_show(text)} is not written as an integer; amounts are integers in the "
        "currency's minor unit"
    )


def _no_constant(text: str) -> NoReturn:
    raise InvalidJson(f"{text} is not JSON")


def _show(text: str) -> str:
    short = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return json.dumps(short)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_no_float,
    parse_constant=_no_constant,
)
