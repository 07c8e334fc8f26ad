"""The store on Azure Table Storage.

A collection is a table, a partition a partition of it, and a commit one entity-group transaction:
all or nothing, each guarded by the ETag of what was read. ETags move with writes that leave the
version as it is, too, so a refused transaction is no Conflict yet: the rows are read again, and a
version that has moved is one. How indexes are kept is told in `_table_indexes`.

A Check leaves its row and moves its ETag. A Check of an absent row has nothing with an ETag, so it
inserts a guard, an entity that every reader takes for nothing: the transaction fails if somebody
inserts the row before, and fails somebody who inserts it at the same time. After the transaction
the guard has done its work and is removed; one that a crash left is overwritten by the next write
of its key, or touched as a row is by the next Check.

Writes of rows are sent once. The SDK would resend one whose reply was lost, and the second would be
refused as though somebody else had written; sent once, its outcome is unknown and so is the answer.
"""

from __future__ import annotations

import contextlib
import itertools
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from cartwheel.indexing import cursor_of, entries_of, page_size, position_of
from cartwheel.ports import (
    MAX_PAGE,
    Clock,
    Collection,
    ConfigurationError,
    Conflict,
    InvalidWrite,
    Page,
    Put,
    Row,
    Write,
    check_commit,
)
from cartwheel_azure._table_commit import Commit
from cartwheel_azure._table_entities import key_of, nonces_of, place_of, row_of
from cartwheel_azure._table_errors import asking, status_of
from cartwheel_azure._table_indexes import GRACE, Indexes, declaration
from cartwheel_azure._table_keys import AFTER_ALL, encode, entity_key, start, table_name

if TYPE_CHECKING:
    from azure.data.tables import TableClient, TableEntity, TableServiceClient

PREFIX = "cw"
"""Begins the names of all tables of an application."""


def table_names(collections: Mapping[str, Collection], prefix: str = PREFIX) -> tuple[str, ...]:
    """Give the names of the tables that the collections and their indexes need, sorted."""
    return tuple(
        sorted(
            table_name(prefix, *parts)
            for collection in collections.values()
            for parts in (
                (collection.name,),
                *((collection.name, index.name) for index in collection.indexes),
            )
        )
    )


class TableStore:
    """Keeps rows in Table Storage; the tables of `table_names` have to exist.

    It is safe to call from several threads. `clock` dates entries of indexes; `nonce` makes names
    for them that never come twice.
    """

    def __init__(
        self,
        service: TableServiceClient,
        collections: Mapping[str, Collection],
        clock: Clock,
        *,
        prefix: str = PREFIX,
        grace: float = GRACE,
        nonce: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._nonce = nonce
        self._clock = clock
        self._collections = dict(collections)
        self._tables = {
            name: service.get_table_client(table_name(prefix, name)) for name in collections
        }
        self._indexes = {
            name: Indexes(
                collection,
                {
                    index.name: service.get_table_client(table_name(prefix, name, index.name))
                    for index in collection.indexes
                },
                self._reader(name),
                clock,
                grace,
            )
            for name, collection in collections.items()
        }

    def get(self, collection: str, partition: str, key: str) -> Row | None:
        """Read one row."""
        self._declared(collection)
        return row_of(partition, self._read(collection, partition, key))

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
        entities = self._entities(collection, partition, prefix, after or "", size + 2)
        found: list[Row] = []
        for entity in entities:
            row = row_of(partition, entity)
            if row is not None and row.key.startswith(prefix):
                if after is not None and row.key <= after:
                    continue
                if len(found) == size:
                    return Page(tuple(found), found[-1].key)
                found.append(row)
        return Page(tuple(found))

    def _entities(
        self, collection: str, partition: str, prefix: str, after: str, page: int
    ) -> Iterator[TableEntity]:
        """Yield the entities from where a scan goes on to the end of its prefix, in key order."""
        table = self._table(collection)
        with asking(f"scan of {collection}/{partition}"):
            found = table.query_entities(
                "PartitionKey eq @partition and RowKey ge @first and RowKey lt @beyond",
                parameters={
                    "partition": entity_key(partition),
                    "first": start(encode(max(prefix, after))),
                    "beyond": start(encode(prefix)) + AFTER_ALL,
                },
                results_per_page=page,
            )
            for _, group in itertools.groupby(found, lambda entity: start(entity["RowKey"])):
                yield from sorted(group, key=key_of)

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
        found = self._indexes[collection].find(
            index, value, position, descending=descending, page=size + 1
        )
        shown = list(itertools.islice(found, size + 1))
        rows = tuple(row for _, row in shown[:size])
        return Page(rows, cursor_of(query, shown[size - 1][0]) if len(shown) > size else None)

    def commit(self, collection: str, partition: str, writes: Sequence[Write]) -> None:
        """Apply all writes or none."""
        declared = self._declared(collection)
        check_commit(collection, partition, writes)
        Commit(
            declared,
            partition,
            writes,
            table=self._table(collection),
            indexes=self._indexes[collection],
            read=lambda key: self._read(collection, partition, key),
            clock=self._clock,
            nonce=self._nonce(),
        ).run()

    def rebuild_indexes(self) -> int:
        """Bring rows into the indexes that are declared now; counts those that were written.

        Rows are read one table at a time and written at the version they have, so it may run while
        others write and be run again. Raises ConfigurationError for a row that an index can't hold.
        """
        written = 0
        for name, collection in self._collections.items():
            with asking(f"indexes of {name}"):
                for entity in self._table(name).list_entities():
                    row = row_of(entity["partition"], entity)
                    if row is not None and self._is_behind(collection, row, entity):
                        with contextlib.suppress(Conflict):  # then somebody else wrote it just now
                            self.commit(name, row.partition, [Put(row.key, row.data, row.version)])
                            written += 1
        return written

    def _is_behind(self, collection: Collection, row: Row, entity: TableEntity) -> bool:
        try:
            entries = entries_of(collection, row.data)
        except InvalidWrite as error:
            raise ConfigurationError(
                f"{error}; so says the stored row {row.partition}/{row.key}: mend it before the "
                "index is declared"
            ) from error
        wanted = {declaration(index) for index in collection.indexes if index.name in entries}
        return set(nonces_of(entity)) != wanted

    def _reader(self, collection: str) -> Callable[[str, str], TableEntity | None]:
        return lambda partition, key: self._read(collection, partition, key)

    def _read(self, collection: str, partition: str, key: str) -> TableEntity | None:
        from azure.core.exceptions import HttpResponseError

        place = place_of(partition, key)
        with asking(f"{collection}/{partition}/{key}"):
            try:
                return self._table(collection).get_entity(
                    str(place["PartitionKey"]), str(place["RowKey"])
                )
            except HttpResponseError as error:
                code = getattr(error, "error_code", None)
                if status_of(error) == 404 and code != "TableNotFound":
                    return None
                raise

    def _table(self, collection: str) -> TableClient:
        return self._tables[collection]

    def _declared(self, collection: str) -> Collection:
        declared = self._collections.get(collection)
        if declared is None:
            listed = ", ".join(sorted(self._collections)) or "none"
            raise ConfigurationError(
                f"there is no collection '{collection}'; the application declares: {listed}"
            )
        return declared
