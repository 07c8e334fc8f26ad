"""The store in memory."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping, Sequence

from cartwheel.indexing import (
    Entry,
    Position,
    cursor_of,
    entries_of,
    page_size,
    position_of,
)
from cartwheel.ports import (
    MAX_PAGE,
    Collection,
    ConfigurationError,
    Conflict,
    Delete,
    Page,
    Put,
    Row,
    Write,
    check_commit,
)
from cartwheel_memory._disk import MemoryDisk, Partition, StoredRow

_EMPTY = Partition()


class MemoryStore:
    """Keeps rows as JSON text, so that nobody shares an object with anybody."""

    def __init__(self, disk: MemoryDisk, collections: Mapping[str, Collection]) -> None:
        self._disk = disk
        self._collections = collections

    def get(self, collection: str, partition: str, key: str) -> Row | None:
        """Read one row."""
        self._declared(collection)
        with self._disk.lock:
            row = self._disk.partitions.get((collection, partition), _EMPTY).rows.get(key)
        return None if row is None else Row(partition, key, row.version, json.loads(row.text))

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
        with self._disk.lock:
            found = self._disk.partitions.get((collection, partition), _EMPTY)
            start = bisect_left(found.keys, prefix)
            if after is not None:
                start = max(start, bisect_right(found.keys, after))
            window = found.keys[start : start + size + 1]
            keys = [key for key in window if key.startswith(prefix)]
            rows = [(key, found.rows[key]) for key in keys[:size]]
        shown = tuple(Row(partition, key, row.version, json.loads(row.text)) for key, row in rows)
        return Page(shown, shown[-1].key if len(keys) > size else None)

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
        self._declared(collection).index(index)
        size = page_size(limit, MAX_PAGE)
        query = (collection, index, value, descending)
        after = None if cursor is None else position_of(query, cursor)
        with self._disk.lock:
            places = self._disk.indexes.get((collection, index, value), [])
            if descending:
                end = len(places) if after is None else bisect_left(places, tuple(after))
                window = places[max(0, end - size - 1) : end][::-1]
            else:
                start = 0 if after is None else bisect_right(places, tuple(after))
                window = places[start : start + size + 1]
            rows = [
                (place, self._disk.partitions[collection, place[1]].rows[place[2]])
                for place in window[:size]
            ]
        shown = tuple(
            Row(place[1], place[2], row.version, json.loads(row.text)) for place, row in rows
        )
        more = len(window) > size
        return Page(shown, cursor_of(query, Position(*rows[-1][0])) if more else None)

    def commit(self, collection: str, partition: str, writes: Sequence[Write]) -> None:
        """Apply all writes or none."""
        declared = self._declared(collection)
        check_commit(collection, partition, writes)
        prepared: dict[str, tuple[str, dict[str, Entry]]] = {
            write.key: (
                json.dumps(write.data, separators=(",", ":")),
                entries_of(declared, write.data),
            )
            for write in writes
            if isinstance(write, Put)
        }
        disk = self._disk
        with disk.lock:
            held = disk.partitions.get((collection, partition), _EMPTY)
            wrong = tuple(
                write.key
                for write in writes
                if write.expect != (row.version if (row := held.rows.get(write.key)) else 0)
            )
            if wrong:
                raise Conflict(collection, partition, wrong)
            if held is _EMPTY:
                held = disk.partitions[collection, partition] = Partition()
            for write in writes:
                if isinstance(write, Put):
                    text, entries = prepared[write.key]
                    self._move(collection, partition, write.key, held, entries)
                    held.put(write.key, StoredRow(write.expect + 1, text, entries))
                elif isinstance(write, Delete):
                    self._move(collection, partition, write.key, held, {})
                    held.remove(write.key)

    def _move(
        self, collection: str, partition: str, key: str, held: Partition, new: dict[str, Entry]
    ) -> None:
        """Take a row out of the places it had in the indexes and put it into the new ones."""
        row = held.rows.get(key)
        old = row.entries if row is not None else {}
        if old == new:
            return
        indexes = self._disk.indexes
        for name, (value, sort) in old.items():
            places = indexes[collection, name, value]
            del places[bisect_left(places, (sort, partition, key))]
            if not places:
                del indexes[collection, name, value]
        for name, (value, sort) in new.items():
            insort(indexes.setdefault((collection, name, value), []), (sort, partition, key))

    def _declared(self, collection: str) -> Collection:
        declared = self._collections.get(collection)
        if declared is None:
            listed = ", ".join(sorted(self._collections)) or "none"
            raise ConfigurationError(
                f"there is no collection '{collection}'; the application declares: {listed}"
            )
        return declared
