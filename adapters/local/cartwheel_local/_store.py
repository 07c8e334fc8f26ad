"""The store on SQLite."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

from cartwheel.indexing import (
    Entry,
    Position,
    cursor_of,
    entries_of,
    entry_of,
    page_size,
    past,
    position_of,
)
from cartwheel.ports import (
    MAX_PAGE,
    Collection,
    ConfigurationError,
    Conflict,
    Delete,
    Index,
    InvalidWrite,
    JsonObject,
    Page,
    Put,
    Row,
    Write,
    check_commit,
)
from cartwheel_local._database import Connection, Database

_ROW = "SELECT version, data FROM rows WHERE collection = ? AND partition = ? AND key = ?"
_INSERT = "INSERT INTO rows (collection, partition, key, version, data) VALUES (?, ?, ?, 1, ?)"
_UPDATE = (
    "UPDATE rows SET version = version + 1, data = ? "
    "WHERE collection = ? AND partition = ? AND key = ?"
)
_DELETE = "DELETE FROM rows WHERE collection = ? AND partition = ? AND key = ?"
_SCAN = (
    "SELECT key, version, data FROM rows WHERE collection = ? AND partition = ? "
    "AND key {start} ? {end} ORDER BY key LIMIT ?"
)
_QUERY = (
    "SELECT e.sort, e.partition, e.key, r.version, r.data FROM entries e JOIN rows r "
    "ON r.collection = e.collection AND r.partition = e.partition AND r.key = e.key "
    "WHERE e.collection = ? AND e.name = ? AND e.value = ? {after} "
    "ORDER BY e.sort {way}, e.partition {way}, e.key {way} LIMIT ?"
)
_ENTER = (
    "INSERT INTO entries (collection, name, value, sort, partition, key) VALUES (?, ?, ?, ?, ?, ?)"
)
_LEAVE = (
    "DELETE FROM entries WHERE collection = ? AND name = ? AND value = ? AND sort = ? "
    "AND partition = ? AND key = ?"
)


class SqliteStore:
    """Keeps rows and their index entries; the writer's transactions make versions hold."""

    def __init__(self, database: Database, collections: Mapping[str, Collection]) -> None:
        self._database = database
        self._collections = collections

    def get(self, collection: str, partition: str, key: str) -> Row | None:
        """Read one row."""
        self._declared(collection)
        if not _storable(partition, key):
            return None
        with self._database.reader() as connection:
            found = connection.execute(_ROW, (collection, partition, key)).fetchone()
        return None if found is None else Row(partition, key, found[0], json.loads(found[1]))

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
        if not _storable(partition, prefix, after or ""):
            return Page()
        resumed = after is not None and after >= prefix
        beyond = past(prefix)
        sql = _SCAN.format(
            start=">" if resumed else ">=", end="" if beyond is None else "AND key < ?"
        )
        bounds = (after if resumed else prefix, *(() if beyond is None else (beyond,)))
        found = self._database.rows(sql, (collection, partition, *bounds, size + 1))
        rows = tuple(
            Row(partition, str(key), cast("int", version), json.loads(cast("str", data)))
            for key, version, data in found[:size]
        )
        return Page(rows, rows[-1].key if len(found) > size else None)

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
        position = None if cursor is None else position_of(query, cursor)
        if not _storable(value):
            return Page()
        beyond = f"AND (e.sort, e.partition, e.key) {'<' if descending else '>'} (?, ?, ?)"
        found = self._database.rows(
            _QUERY.format(
                after="" if position is None else beyond, way="DESC" if descending else "ASC"
            ),
            (collection, index, value, *(position or ()), size + 1),
        )
        shown = cast("list[tuple[str, str, str, int, str]]", found[:size])
        rows = tuple(
            Row(partition, key, version, json.loads(data))
            for _, partition, key, version, data in shown
        )
        more = len(found) > size
        return Page(rows, cursor_of(query, Position(*shown[-1][:3])) if more else None)

    def commit(self, collection: str, partition: str, writes: Sequence[Write]) -> None:
        """Apply all writes or none."""
        declared = self._declared(collection)
        check_commit(collection, partition, writes)
        prepared = [
            (
                write,
                json.dumps(write.data, separators=(",", ":")) if isinstance(write, Put) else "",
                entries_of(declared, write.data) if isinstance(write, Put) else {},
            )
            for write in writes
        ]

        def work(connection: Connection) -> None:
            present = {
                write.key: connection.execute(_ROW, (collection, partition, write.key)).fetchone()
                for write in writes
            }
            wrong = tuple(
                write.key
                for write in writes
                if write.expect != (found[0] if (found := present[write.key]) else 0)
            )
            if wrong:
                raise Conflict(collection, partition, wrong)
            for write, text, entries in prepared:
                place = (collection, partition, write.key)
                found = present[write.key]
                match write:
                    case Put():
                        if found is None:
                            connection.execute(_INSERT, (*place, text))
                        else:
                            connection.execute(_UPDATE, (text, *place))
                    case Delete():
                        connection.execute(_DELETE, place)
                    case _:
                        continue
                old = entries_of(declared, json.loads(found[1])) if found else {}
                _move(connection, place, old, entries)

        self._database.writer.run(work)

    def _declared(self, collection: str) -> Collection:
        declared = self._collections.get(collection)
        if declared is None:
            listed = ", ".join(sorted(self._collections)) or "none"
            raise ConfigurationError(
                f"there is no collection '{collection}'; the application declares: {listed}"
            )
        return declared


def _storable(*texts: str) -> bool:
    """Tell whether SQLite can hold the strings; a lone surrogate is in no row."""
    return not any("\ud800" <= character <= "\udfff" for text in texts for character in text)


def _move(
    connection: Connection,
    place: tuple[str, str, str],
    old: Mapping[str, Entry],
    new: Mapping[str, Entry],
) -> None:
    """Take a row out of the places it had in the indexes and put it into the new ones."""
    collection, partition, key = place
    for name, entry in old.items():
        if new.get(name) != entry:
            connection.execute(_LEAVE, (collection, name, *entry, partition, key))
    for name, entry in new.items():
        if old.get(name) != entry:
            connection.execute(_ENTER, (collection, name, *entry, partition, key))


def rebuild_indexes(database: Database, collections: Mapping[str, Collection]) -> None:
    """Bring the entries in line with the indexes that the application declares now."""

    def work(connection: Connection) -> None:
        for collection in collections.values():
            kept = {
                name: Index(name, field, sort)
                for name, field, sort in connection.execute(
                    "SELECT name, field, sort FROM indexes WHERE collection = ?", (collection.name,)
                )
            }
            declared = {index.name: index for index in collection.indexes}
            for name in kept.keys() | declared.keys():
                if kept.get(name) != declared.get(name):
                    _rebuild(connection, collection.name, name, declared.get(name))

    database.writer.run(work)


def _rebuild(connection: Connection, collection: str, name: str, index: Index | None) -> None:
    where = (collection, name)
    connection.execute("DELETE FROM entries WHERE collection = ? AND name = ?", where)
    connection.execute("DELETE FROM indexes WHERE collection = ? AND name = ?", where)
    if index is None:
        return
    connection.execute(
        "INSERT INTO indexes (collection, name, field, sort) VALUES (?, ?, ?, ?)",
        (*where, index.field, index.sort),
    )
    rows = connection.execute(
        "SELECT partition, key, data FROM rows WHERE collection = ?", (collection,)
    )
    for partition, key, data in rows:
        loaded: JsonObject = json.loads(data)
        try:
            entry = entry_of(collection, index, loaded)
        except InvalidWrite as error:
            raise ConfigurationError(
                f"{error}; so says the stored row {partition}/{key}: mend it before the index "
                "is declared"
            ) from error
        if entry is not None:
            connection.execute(_ENTER, (*where, *entry, partition, key))
