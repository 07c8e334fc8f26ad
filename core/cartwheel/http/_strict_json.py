"""Reads JSON bodies strictly: one meaning, exact numbers, bounded depth (I-JSON, RFC 7493)."""

from __future__ import annotations

import json
import re
from typing import NoReturn

from pydantic_core import from_json, to_json

from cartwheel.http._problems import InvalidJson
from cartwheel.ports import Json

MAX_DEPTH = 32
"""Arrays and objects within each other."""
MAX_INT = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly; its negative is the smallest."""

_UNSURE: Json = {"": "is told by identity"}
_BOM = b"\xef\xbb\xbf"
_SHOWN = 40
# A string, also one that never ends, is one match: brackets within it open nothing, and no
# input makes the scan start over.
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
# All digits as one digit, and what makes a float of them as one letter.
_SHAPES = bytes.maketrans(b"123456789.E", b"000000000ee")
_DOUBTFUL = (b"0e", b"0" * 16)
"""What may be a float or a long integer; within a string it costs a second look, no more."""


def read_json(body: bytes) -> Json:
    """Read a body; raises InvalidJson for what two readers could read differently.

    Refused are duplicate names, floats in any form, integers beyond 2^53, NaN and Infinity,
    nesting beyond 32, lone surrogates, a byte order mark and bytes that are not UTF-8.
    """
    quick = _quick(body)
    return _read(body) if quick is _UNSURE else quick


def _quick(body: bytes) -> Json:
    """Read what leaves no doubt, at the speed of pydantic; otherwise give `_UNSURE`."""
    if b"\\" in body or body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        return _UNSURE
    shapes = body.translate(_SHAPES)
    if _DOUBTFUL[0] in shapes or _DOUBTFUL[1] in shapes:
        return _UNSURE
    try:
        value: Json = from_json(body, allow_inf_nan=False)
    except ValueError:
        return _UNSURE
    # Written again it has every string as it was. A name that came twice stands there once, and
    # its colon is missing.
    return value if to_json(value).count(b":") == body.count(b":") else _UNSURE


def _read(body: bytes) -> Json:
    """Read a body with an eye on everything, and say what is wrong with it."""
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
