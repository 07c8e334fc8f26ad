"""The document store, in the shape of the weakest store that a provider offers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cartwheel.ports._errors import ConfigurationError, InvalidWrite
from cartwheel.ports._json import Json, JsonObject

MAX_ROWS = 100
"""Rows in one commit (Azure Tables' batch, the smallest of the three providers)."""
MAX_ROW_BYTES = 256 * 1024
"""A row's data as JSON in UTF-8 (under DynamoDB's 400 KB item with its keys and indexes)."""
MAX_COMMIT_BYTES = 2 * 1024 * 1024
"""The data of one commit as JSON (under the 4 MiB of a DynamoDB transaction or an Azure batch)."""
MAX_KEY_BYTES = 512
"""A partition's or a row's key in UTF-8 (Azure Tables allows 1 KiB, encoded)."""
MAX_PAGE = 100
"""Rows in one page of a scan or a query."""


@dataclass(frozen=True, slots=True)
class Index:
    """Declares a secondary index: rows by the string in `field`, in the order of `sort`.

    A row whose `field` is absent or null is not in the index. `sort` names a string or integer
    field; without it rows come in the order of partition and key. Indexes are eventually
    consistent on every adapter.
    """

    name: str
    field: str
    sort: str | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """Declares a collection of rows and its indexes."""

    name: str
    indexes: tuple[Index, ...] = ()

    def index(self, name: str) -> Index:
        """Give the index of that name; raises ConfigurationError with those that exist."""
        for index in self.indexes:
            if index.name == name:
                return index
        listed = ", ".join(index.name for index in self.indexes) or "none"
        raise ConfigurationError(
            f"collection '{self.name}' has no index '{name}'; it declares: {listed}"
        )


@dataclass(frozen=True, slots=True)
class Row:
    """Is a row as it was read; `version` counts its writes from 1."""

    partition: str
    key: str
    version: int
    data: JsonObject


@dataclass(frozen=True, slots=True)
class Put:
    """Writes a row's whole data if it is at version `expect`; 0 means it must not exist."""

    key: str
    data: Mapping[str, Json]
    expect: int


@dataclass(frozen=True, slots=True)
class Delete:
    """Deletes a row if it is at version `expect`."""

    key: str
    expect: int


@dataclass(frozen=True, slots=True)
class Check:
    """Demands that a row is at version `expect` (0: absent) and leaves it as it is."""

    key: str
    expect: int


Write = Put | Delete | Check


@dataclass(frozen=True, slots=True)
class Page:
    """Is a part of a listing; `next` is the cursor of the following part, or None at the end."""

    rows: tuple[Row, ...] = field(default=())
    next: str | None = None


class Store(Protocol):
    """Keeps rows of JSON by collection, partition and key, with optimistic versions.

    There is no unconditional write and no increment: every write names the version it expects, and
    a commit touches one partition. That is what all providers' stores can do atomically.
    """

    def get(self, collection: str, partition: str, key: str) -> Row | None:
        """Read one row, with all commits that returned before; None when it does not exist."""
        ...

    def scan(
        self,
        collection: str,
        partition: str,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int = MAX_PAGE,
    ) -> Page:
        """Read a partition's rows whose key starts with `prefix`, in key order, after key `after`.

        `Page.next` is the last key read when more rows may follow.
        """
        ...

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
        """Read the rows in which the index's field equals `value`, in the index's order.

        A cursor comes from `Page.next` of the same query and is opaque; a foreign one raises
        ValueError.
        """
        ...

    def commit(self, collection: str, partition: str, writes: Sequence[Write]) -> None:
        """Apply all writes or none.

        Raises Conflict when a row is not at the version expected, InvalidWrite when the commit is
        beyond the limits of this module, Unavailable when nobody knows whether it was applied.
        """
        ...


def check_commit(collection: str, partition: str, writes: Sequence[Write]) -> None:
    """Refuse a commit that some provider could not take; every adapter calls this first."""
    where = f"{collection}/{partition}"
    if not writes:
        raise InvalidWrite(f"{where}: a commit needs at least one write")
    if len(writes) > MAX_ROWS:
        raise InvalidWrite(
            f"{where}: {len(writes)} rows in one commit, at most {MAX_ROWS}; "
            "split the work into several partitions or steps of a workflow"
        )
    _check_key(where, "partition", partition)
    seen: set[str] = set()
    total = 0
    for write in writes:
        _check_key(where, "key", write.key)
        if write.key in seen:
            raise InvalidWrite(f"{where}: row '{write.key}' occurs twice in one commit")
        seen.add(write.key)
        if write.expect < 0 or (write.expect == 0 and isinstance(write, Delete)):
            raise InvalidWrite(
                f"{where}: row '{write.key}' expects version {write.expect}, "
                "which no row to be written can have"
            )
        if isinstance(write, Put):
            size = len(json.dumps(write.data, separators=(",", ":")).encode())
            if size > MAX_ROW_BYTES:
                raise InvalidWrite(
                    f"{where}: row '{write.key}' is {size} bytes, at most {MAX_ROW_BYTES}"
                )
            total += size
    if total > MAX_COMMIT_BYTES:
        raise InvalidWrite(
            f"{where}: {total} bytes in one commit, at most {MAX_COMMIT_BYTES}; "
            "split the work into several commits or steps of a workflow"
        )


def _check_key(where: str, what: str, key: str) -> None:
    size = len(key.encode("utf-8", "surrogatepass"))
    if not key or size > MAX_KEY_BYTES:
        raise InvalidWrite(f"{where}: a {what} has 1 to {MAX_KEY_BYTES} bytes, not {size}")
    if any(character < " " or "\ud800" <= character <= "\udfff" for character in key):
        raise InvalidWrite(f"{where}: {what} {key!r} holds a control character or a surrogate")
