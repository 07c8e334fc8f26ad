"""Secondary indexes, which Table Storage has not: each is a table of entries that point at rows.

An entry is in another partition than its row, so the two are not written at once. A write that
changes a row's place in an index

1. adds the new entry under a nonce of its own,
2. commits the row, which names the nonce of its present entry,
3. removes the entry that the row had before.

A query reads entries, then the row of each, and shows the row when it names this entry's nonce and
its data has this place. So:

- No wrong row is shown: the row itself decides, as it is at that moment.
- No row is shown twice: it names one nonce for an index.
- No entry is missing: a row that is committed names an entry that was added before. Nobody but its
  writer touches an entry in between, for nobody else knows the nonce. Two writers of one place have
  two entries, and the one whose commit failed removes its own.
- Who removes an entry without having written it has to know that no commit will name its nonce any
  more. The writer whose commit replaced it does: a nonce is used by one call of `commit` and does
  not come back, also not with a row that was deleted and inserted anew. A query that finds an entry
  without its row knows it when the entry is older than the grace period, an hour: by then its
  writer has given up, or else it finds that it took long and adds the entry once more (a function
  may be suspended anywhere). Younger ones are passed over.
- A row remembers its nonces by the declaration of the index, so an index that is declared otherwise
  is a new one: rows come into it when they are written next, `rebuild_indexes` does that for all,
  and its old entries are garbage.
- A crash leaves entries that no row names: after step 1 the new one, after step 2 the old one. The
  queries that come across them clean them up.

Each entry is there twice, since Tables are read in ascending order only: under a code for this
order and under its mirror image for the other.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cartwheel.indexing import Entry, Position, entry_of
from cartwheel.ports import CartwheelError, Clock, Collection, Index, Row
from cartwheel_azure._table_entities import Properties, nonces_of, row_of
from cartwheel_azure._table_errors import asking
from cartwheel_azure._table_keys import cut, entity_key, joined, mirrored, start

if TYPE_CHECKING:
    from azure.data.tables import TableClient, TableEntity

GRACE = 3600.0
"""Seconds after which an entry that no row names is garbage."""
_ENTITIES = 100
"""Entities in one batch."""
_WAYS = {False: "a", True: "d"}


@dataclass(frozen=True, slots=True)
class Mark:
    """Is an entry of a row in an index, as one commit wrote it."""

    index: str
    entry: Entry
    partition: str
    key: str
    nonce: str

    @property
    def position(self) -> Position:
        """Give its place in the order of the index's value."""
        return Position(self.entry.sort, self.partition, self.key)

    @property
    def row_keys(self) -> tuple[str, ...]:
        """Give its keys in the index, for both orders."""
        return tuple(_key(self.position, descending) + self.nonce for descending in _WAYS)

    def entities(self) -> Iterator[Properties]:
        """Write it for both orders."""
        for row_key in self.row_keys:
            yield {
                "PartitionKey": entity_key(self.entry.value),
                "RowKey": row_key,
                "partition": self.partition,
                "key": self.key,
            }


def declaration(index: Index) -> str:
    """Give what a row remembers its entry by."""
    return f"{index.name} {index.field} {index.sort or ''}"


def present_marks(
    collection: Collection, partition: str, entity: TableEntity | None
) -> dict[str, Mark]:
    """Give the entries that a row names, by index."""
    row, nonces = row_of(partition, entity), nonces_of(entity)
    found: dict[str, Mark] = {}
    for index in collection.indexes if row is not None else ():
        nonce = nonces.get(declaration(index))
        if row is not None and nonce is not None:
            entry = entry_of(collection.name, index, row.data)
            if entry is not None:
                found[index.name] = Mark(index.name, entry, partition, row.key, nonce)
    return found


class Indexes:
    """Keeps the entries of one collection."""

    def __init__(
        self,
        collection: Collection,
        tables: Mapping[str, TableClient],
        read: Callable[[str, str], TableEntity | None],
        clock: Clock,
        grace: float,
    ) -> None:
        self._collection = collection
        self._tables = tables
        self._read = read
        self._clock = clock
        self.grace = grace

    def add(self, marks: Iterable[Mark]) -> None:
        """Add entries, also such as are there; raises Unavailable."""
        for client, batch in self._batches(marks):
            with asking(f"index entries of {self._collection.name}"):
                client.submit_transaction([("upsert", entity) for entity in batch])

    def remove(self, marks: Iterable[Mark]) -> None:
        """Remove entries that no commit will name; what cannot be removed is left to queries."""
        for client, batch in self._batches(marks):
            with _trying(), asking(f"index entries of {self._collection.name}"):
                client.submit_transaction([("delete", entity) for entity in batch])

    def _batches(self, marks: Iterable[Mark]) -> Iterator[tuple[TableClient, list[Properties]]]:
        partitions: dict[tuple[str, str], list[Properties]] = {}
        for mark in marks:
            where = (mark.index, entity_key(mark.entry.value))
            partitions.setdefault(where, []).extend(mark.entities())
        for (index, _), entities in partitions.items():
            for begin in range(0, len(entities), _ENTITIES):
                yield self._tables[index], entities[begin : begin + _ENTITIES]

    def find(
        self, index: str, value: str, position: Position | None, *, descending: bool, page: int
    ) -> Iterator[tuple[Position, Row]]:
        """Yield the rows of a value in order, after a position; `page` is how many to ask for."""
        way = _WAYS[descending]
        first = way if position is None else start(_key(position, descending))
        with asking(f"index {index} of {self._collection.name}"):
            entities = self._tables[index].query_entities(
                "PartitionKey eq @value and RowKey ge @first and RowKey lt @beyond",
                parameters={
                    "value": entity_key(value),
                    "first": first,
                    "beyond": chr(ord(way) + 1),
                },
                results_per_page=page,
            )
            for _, group in itertools.groupby(entities, lambda entity: start(entity["RowKey"])):
                found = (self._verified(index, value, entity) for entity in group)
                rows = [each for each in found if each is not None]
                rows.sort(key=lambda each: each[0], reverse=descending)
                for place, row in rows:
                    if position is None or (place < position if descending else place > position):
                        yield place, row

    def _verified(self, index: str, value: str, entity: TableEntity) -> tuple[Position, Row] | None:
        partition, key = entity["partition"], entity["key"]
        present = self._read(partition, key)
        mark = present_marks(self._collection, partition, present).get(index)
        if mark is not None and entity["RowKey"] in mark.row_keys and mark.entry.value == value:
            row = row_of(partition, present)
            assert row is not None  # noqa: S101  # it has a mark
            return mark.position, row
        self._clean(index, entity)
        return None

    def _clean(self, index: str, entity: TableEntity) -> None:
        written = entity.metadata["timestamp"]
        if written is None or self._clock.now() - written.timestamp() < self.grace:
            return
        with _trying(), asking(f"index {index} of {self._collection.name}"):
            self._tables[index].delete_entity(entity["PartitionKey"], entity["RowKey"])


def _key(position: Position, descending: bool) -> str:
    code = joined(position)
    return _WAYS[descending] + cut(mirrored(code) if descending else code)


@contextlib.contextmanager
def _trying() -> Iterator[None]:
    """Let what is only tidying fail: whoever comes next does it."""
    from azure.core.exceptions import AzureError

    with contextlib.suppress(AzureError, CartwheelError):
        yield
