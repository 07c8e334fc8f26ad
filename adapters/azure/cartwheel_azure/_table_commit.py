"""One commit: read, compare, send, and read again when it was refused."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from cartwheel.indexing import entries_of
from cartwheel.ports import (
    Check,
    Clock,
    Collection,
    Conflict,
    Delete,
    Put,
    Unavailable,
    Write,
)
from cartwheel_azure._table_entities import (
    Properties,
    entity_of,
    guard_of,
    place_of,
    version_of,
)
from cartwheel_azure._table_errors import MOVED, asking, status_of
from cartwheel_azure._table_indexes import Indexes, Mark, declaration, present_marks

if TYPE_CHECKING:
    from azure.data.tables import TableClient, TableEntity

TRIES = 32
"""Transactions that may be refused though no version moved (others check the same rows)."""

Operation = tuple[str, Properties, dict[str, object]]


class Commit:
    """Is one call of `commit`; its nonce names the entries that it writes."""

    def __init__(
        self,
        collection: Collection,
        partition: str,
        writes: Sequence[Write],
        *,
        table: TableClient,
        indexes: Indexes,
        read: Callable[[str], TableEntity | None],
        clock: Clock,
        nonce: str,
    ) -> None:
        self._collection = collection
        self._partition = partition
        self._writes = writes
        self._table = table
        self._indexes = indexes
        self._read = read
        self._clock = clock
        self._nonce = nonce
        self._entries = {
            write.key: entries_of(collection, write.data) if isinstance(write, Put) else {}
            for write in writes
        }
        self._added: dict[Mark, float] = {}

    def run(self) -> None:
        """Apply all writes or none; raises as `Store.commit` does."""
        # A row that is to be absent needs no reading: inserting it says whether it is.
        keys = [write.key for write in self._writes if write.expect > 0]
        for _ in range(TRIES):
            present = {key: self._read(key) for key in keys}
            wrong = tuple(
                write.key
                for write in self._writes
                if write.expect != version_of(present.get(write.key))
            )
            if wrong:
                self._indexes.remove(self._added)
                raise Conflict(self._collection.name, self._partition, wrong)
            if self._sent(present):
                return
            keys = [write.key for write in self._writes]
        self._indexes.remove(self._added)
        raise Unavailable(
            f"{self._where}: the rows did not move and yet {TRIES} transactions were refused; "
            "nothing was written"
        )

    @property
    def _where(self) -> str:
        return f"commit to {self._collection.name}/{self._partition}"

    def _sent(self, present: Mapping[str, TableEntity | None]) -> bool:
        """Send the transaction; False when an entity was not as it was read."""
        new = [mark for write in self._writes for mark in self._new(write, present.get(write.key))]
        missing = [mark for mark in new if mark not in self._added]
        begun = self._clock.now()
        self._indexes.add(missing)
        self._added |= dict.fromkeys(missing, begun)
        operations = [self._operation(write, present.get(write.key)) for write in self._writes]
        answers = self._submit(operations)
        if answers is None:
            return False
        # The grace period counts on entries being named soon (see `_table_indexes`).
        late = self._clock.now() - self._indexes.grace / 2
        self._indexes.add(mark for mark in new if self._added[mark] < late)
        stale = [m for write in self._writes for m in self._old(write, present.get(write.key))]
        self._indexes.remove([*stale, *(mark for mark in self._added if mark not in new)])
        self._remove_guards(answers)
        return True

    def _submit(self, operations: Sequence[Operation]) -> Sequence[Mapping[str, object]] | None:
        """Give what the transaction was answered with, None when it was refused."""
        from azure.core.exceptions import HttpResponseError

        with asking(self._where):
            try:
                return self._table.submit_transaction(operations, retry_total=0)
            except HttpResponseError as error:
                missing = getattr(error, "error_code", None) == "TableNotFound"
                if status_of(error) in MOVED and not missing:
                    return None
                raise

    def _operation(self, write: Write, found: TableEntity | None) -> Operation:
        place = place_of(self._partition, write.key)
        match write:
            case Put():
                entity = entity_of(
                    self._partition,
                    write.key,
                    write.expect + 1,
                    write.data,
                    self._nonces(write, found),
                )
                if found is None:
                    return "create", entity, {}
                return "update", entity, {"mode": "replace", **_unmoved(found)}
            case Check():
                if found is None:
                    return "create", guard_of(self._partition, write.key), {}
                return "update", place, {"mode": "merge", **_unmoved(found)}
            case Delete():
                assert found is not None  # noqa: S101  # a row to be deleted is expected at 1 or more
                return "delete", place, _unmoved(found)

    def _kept(self, write: Write, found: TableEntity | None) -> dict[str, Mark]:
        """Give the entries that a write leaves where they are, by index."""
        present = present_marks(self._collection, self._partition, found)
        new = self._entries[write.key]
        return {index: mark for index, mark in present.items() if new.get(index) == mark.entry}

    def _marks(self, write: Write, found: TableEntity | None) -> dict[str, Mark]:
        """Give all entries that a row has after a write, by index."""
        new = {
            index: Mark(index, entry, self._partition, write.key, self._nonce)
            for index, entry in self._entries[write.key].items()
        }
        return new | self._kept(write, found)

    def _nonces(self, write: Write, found: TableEntity | None) -> dict[str, str]:
        marks = self._marks(write, found)
        return {
            declaration(index): marks[index.name].nonce
            for index in self._collection.indexes
            if index.name in marks
        }

    def _new(self, write: Write, found: TableEntity | None) -> Iterator[Mark]:
        marks = self._marks(write, found)
        return (mark for mark in marks.values() if mark.nonce == self._nonce)

    def _old(self, write: Write, found: TableEntity | None) -> Iterator[Mark]:
        """Yield the entries that a row had and has no longer."""
        if isinstance(write, Check):
            return
        kept = self._kept(write, found)
        for index, mark in present_marks(self._collection, self._partition, found).items():
            if index not in kept:
                yield mark

    def _remove_guards(self, answers: Sequence[Mapping[str, object]]) -> None:
        from azure.core.exceptions import AzureError

        guards: list[Operation] = [
            ("delete", place_of(self._partition, write.key), _at(str(answer["etag"])))
            for write, answer in zip(self._writes, answers, strict=True)
            if isinstance(write, Check) and write.expect == 0
        ]
        if guards:
            # Somebody may have written the row by now, or be checking it; then the guard is theirs.
            with contextlib.suppress(AzureError):
                self._table.submit_transaction(guards, retry_total=0)


def _unmoved(found: TableEntity) -> dict[str, object]:
    return _at(str(found.metadata["etag"]))


def _at(etag: str) -> dict[str, object]:
    from azure.core import MatchConditions

    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}
