"""The store: all rows in one JSON file, which each commit writes anew and swaps in at once."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cartwheel.indexing import Position, cursor_of, entries_of, page_size, position_of
from cartwheel.ports import (
    MAX_PAGE,
    Collection,
    ConfigurationError,
    Conflict,
    Delete,
    JsonObject,
    Page,
    Put,
    Row,
    Write,
    check_commit,
)


class _Stored(NamedTuple):
    version: int
    data: str
    """JSON as text, so that a reader who changes a row changes nothing here."""


_Rows = dict[tuple[str, str, str], _Stored]
"""Rows by collection, partition and key."""


class JsonFileStore:
    """Is a Store; every sentence of the port holds, at the price of one file write a commit."""

    def __init__(self, path: Path, collections: Mapping[str, Collection]) -> None:
        self._path = path
        self._collections = collections
        self._lock = threading.Lock()
        self._rows = _read(path)

    def get(self, collection: str, partition: str, key: str) -> Row | None:
        """Read one row."""
        self._declared(collection)
        found = self._rows.get((collection, partition, key))
        return None if found is None else _row(partition, key, found)

    def scan(
        self,
        collection: str,
        partition: str,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int = MAX_PAGE,
    ) -> Page:
        """Read a partition's rows in key order."""
        self._declared(collection)
        size = page_size(limit, MAX_PAGE)
        found = sorted(
            (key, stored)
            for (in_collection, in_partition, key), stored in self._rows.items()
            if (in_collection, in_partition) == (collection, partition)
            and key.startswith(prefix)
            and (after is None or key > after)
        )
        shown = tuple(_row(partition, key, stored) for key, stored in found[:size])
        return Page(shown, shown[-1].key if len(found) > size else None)

    def query(
        self,
        collection: str,
        index: str,
        value: str,
        *,
        descending: bool = False,
        cursor: str | None = None,
        limit: int = MAX_PAGE,
    ) -> Page:
        """Read the rows of an index's value in the index's order."""
        declared = self._declared(collection)
        declared.index(index)
        size = page_size(limit, MAX_PAGE)
        asked = (collection, index, value, descending)
        after = None if cursor is None else position_of(asked, cursor)
        found: list[tuple[Position, _Stored]] = []
        for (in_collection, partition, key), stored in self._rows.items():
            if in_collection != collection:
                continue
            entry = entries_of(declared, json.loads(stored.data)).get(index)
            if entry is None or entry.value != value:
                continue
            place = Position(entry.sort, partition, key)
            if after is None or (place < after if descending else place > after):
                found.append((place, stored))
        found.sort(key=lambda one: one[0], reverse=descending)
        shown = tuple(_row(place.partition, place.key, one) for place, one in found[:size])
        more = len(found) > size
        return Page(shown, cursor_of(asked, found[size - 1][0]) if more else None)

    def commit(self, collection: str, partition: str, writes: Sequence[Write]) -> None:
        """Apply all writes or none."""
        declared = self._declared(collection)
        check_commit(collection, partition, writes)
        for write in writes:
            if isinstance(write, Put):
                entries_of(declared, write.data)
        with self._lock:
            rows = dict(self._rows)
            wrong: list[str] = []
            for write in writes:
                place = (collection, partition, write.key)
                stored = rows.get(place)
                if write.expect != (stored.version if stored else 0):
                    wrong.append(write.key)
                elif isinstance(write, Put):
                    rows[place] = _Stored(write.expect + 1, json.dumps(write.data))
                elif isinstance(write, Delete):
                    del rows[place]
            if wrong:
                raise Conflict(collection, partition, tuple(wrong))
            _write(self._path, rows)
            # Readers take no lock: they see the dictionary before the commit or the one after.
            self._rows = rows

    def _declared(self, collection: str) -> Collection:
        declared = self._collections.get(collection)
        if declared is None:
            listed = ", ".join(sorted(self._collections)) or "none"
            raise ConfigurationError(
                f"there is no collection '{collection}'; the application declares: {listed}"
            )
        return declared


def _row(partition: str, key: str, stored: _Stored) -> Row:
    data: JsonObject = json.loads(stored.data)
    return Row(partition, key, stored.version, data)


def _read(path: Path) -> _Rows:
    if not path.exists():
        return {}
    try:
        lines = json.loads(path.read_text(encoding="utf-8"))
        return {
            (collection, partition, key): _Stored(version, json.dumps(data))
            for collection, partition, key, version, data in lines
        }
    except ValueError as error:
        raise ConfigurationError(f"{path} is not a file of rows: {error}") from error


def _write(path: Path, rows: _Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (
        json.dumps([*place, stored.version, json.loads(stored.data)], sort_keys=True)
        for place, stored in sorted(rows.items())
    )
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(lines) + "\n]\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
