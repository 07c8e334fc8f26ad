"""How rows stand in secondary indexes, the cursors of queries, and the bounds of scans."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import NamedTuple

from cartwheel.ports import Collection, Index, InvalidWrite, Json

_LIMIT = 2**53
"""Integers of JSON are below this in amount; the sort key adds it to make them all positive."""


class Entry(NamedTuple):
    """Is a row's place in an index: the indexed value, then a string that sorts as `sort` does."""

    value: str
    sort: str


class Position(NamedTuple):
    """Is the last place that a page of a query showed."""

    sort: str
    partition: str
    key: str


def entry_of(collection: str, index: Index, data: Mapping[str, Json]) -> Entry | None:
    """Give a row's place in an index, or None when it is not in it.

    Raises InvalidWrite for an indexed field that is no string, and a sort field that is neither a
    string nor an integer below 2^53 in amount.
    """
    value = data.get(index.field)
    if value is None:
        return None
    if not isinstance(value, str) or not _encodable(value):
        raise InvalidWrite(
            f"{collection}: index '{index.name}' takes a string without surrogates in "
            f"'{index.field}', not {type(value).__name__}"
        )
    return Entry(value, _sort_key(collection, index, data.get(index.sort) if index.sort else None))


def entries_of(collection: Collection, data: Mapping[str, Json]) -> dict[str, Entry]:
    """Give a row's places in all indexes of its collection, by the index's name."""
    found: dict[str, Entry] = {}
    for index in collection.indexes:
        entry = entry_of(collection.name, index, data)
        if entry is not None:
            found[index.name] = entry
    return found


def _sort_key(collection: str, index: Index, value: Json) -> str:
    match value:
        case None:
            return ""
        case int() if not isinstance(value, bool) and abs(value) < _LIMIT:
            return f"1{value + _LIMIT:017d}"
        case str() if _encodable(value):
            return f"2{value}"
        case _:
            raise InvalidWrite(
                f"{collection}: index '{index.name}' sorts by '{index.sort}', which must be a "
                f"string or an integer below 2^53, not {type(value).__name__} {value!r:.40}"
            )


def _encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def cursor_of(query: tuple[str, str, str, bool], position: Position) -> str:
    """Write the cursor of a query (collection, index, value, descending) after a position."""
    text = json.dumps([*query, *position], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position_of(query: tuple[str, str, str, bool], cursor: str) -> Position:
    """Read a cursor back; raises ValueError unless it comes from the same query."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        parts = None
    if (
        not isinstance(parts, list)
        or len(parts) != 7
        or tuple(parts[:4]) != query
        or not all(isinstance(part, str) and _encodable(part) for part in parts[4:])
    ):
        raise ValueError("the cursor does not come from this query; start again without one")
    return Position(*parts[4:])


def page_size(limit: int, most: int) -> int:
    """Give how many rows a page holds: what was asked for, at most what every store can do."""
    if limit < 1:
        raise ValueError(f"a page has at least 1 row, not {limit}")
    return min(limit, most)


def past(prefix: str) -> str | None:
    """Give the first string that is greater than all that start with `prefix`; None: no such."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if following == 0xD800 else following)
