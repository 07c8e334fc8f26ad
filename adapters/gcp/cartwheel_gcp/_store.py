"""The store on Firestore in native mode."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cartwheel.indexing import Position, cursor_of, page_size, past, position_of
from cartwheel.ports import (
    MAX_PAGE,
    Check,
    Clock,
    Collection,
    ConfigurationError,
    Conflict,
    Delete,
    Ids,
    Page,
    Put,
    Randomness,
    Row,
    Unavailable,
    Write,
    check_commit,
)
from cartwheel_gcp._documents import (
    DATA,
    INDEXES,
    KEY,
    MAX_INDEXED_BYTES,
    NONCE,
    PARTITION,
    VERSION,
    document_id,
    index_fields,
    index_path,
    storable,
)

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud.firestore import Client, DocumentReference, DocumentSnapshot, Query

CALL_SECONDS = 10.0
"""How long one call to Firestore may take."""
READ_SECONDS = 20.0
"""How long a read is tried again while Firestore does not answer; a write is sent once."""
TRIES = 16
"""Commits tried while the documents are written by others at the versions that we expect."""
_FIRST_WAIT, _LONGEST_WAIT = 0.005, 0.5


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Is a write with what it puts: the data as text, and the places in indexes."""

    write: Write
    text: str = ""
    entries: Mapping[str, Mapping[str, str]] | None = None


class FirestoreStore:
    """Keeps each row in a document of the collection's name.

    A commit reads its documents, compares versions, and writes under the condition that no document
    has moved since. Firestore's transactions are not used: they lock what they read, and under
    contention they wait for each other until they time out.
    """

    def __init__(
        self,
        client: Client,
        collections: Mapping[str, Collection],
        *,
        clock: Clock,
        ids: Ids,
        random: Randomness,
    ) -> None:
        self._client = client
        self._collections = collections
        self._clock = clock
        self._ids = ids
        self._random = random

    def get(self, collection: str, partition: str, key: str) -> Row | None:
        """Read one row."""
        self._declared(collection)
        if not storable(partition, key):
            return None
        place = self._document(collection, partition, key)
        with _reading(collection):
            found = place.get(retry=_patiently(), timeout=CALL_SECONDS)
        return _row(found) if found.exists else None

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
        from google.cloud.firestore import FieldFilter

        self._declared(collection)
        size = page_size(limit, MAX_PAGE)
        if not storable(partition, prefix, after or ""):
            return Page()
        query = self._client.collection(collection).where(
            filter=FieldFilter(PARTITION, "==", partition)
        )
        if after is not None and after >= prefix:
            query = query.where(filter=FieldFilter(KEY, ">", after))
        elif prefix:
            query = query.where(filter=FieldFilter(KEY, ">=", prefix))
        beyond = past(prefix)
        if beyond is not None:
            query = query.where(filter=FieldFilter(KEY, "<", beyond))
        found = _rows(collection, query.order_by(KEY).limit(size + 1))
        rows = tuple(_row(each) for each in found[:size])
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
        from google.cloud.firestore import FieldFilter, Query

        self._declared(collection).index(index)
        size = page_size(limit, MAX_PAGE)
        asked = (collection, index, value, descending)
        position = None if cursor is None else position_of(asked, cursor)
        if not storable(value) or len(value.encode()) > MAX_INDEXED_BYTES:
            return Page()
        way = Query.DESCENDING if descending else Query.ASCENDING
        query = self._client.collection(collection).where(
            filter=FieldFilter(index_path(index, "value"), "==", value)
        )
        sort = index_path(index, "sort")
        for path in (sort, PARTITION, KEY):
            query = query.order_by(path, direction=way)
        if position is not None:
            query = query.start_after(list(position))
        found = _rows(collection, query.limit(size + 1))
        rows = tuple(_row(each) for each in found[:size])
        if len(found) <= size:
            return Page(rows)
        fields = found[size - 1].to_dict() or {}
        last = Position(fields[INDEXES][index]["sort"], rows[-1].partition, rows[-1].key)
        return Page(rows, cursor_of(asked, last))

    def commit(self, collection: str, partition: str, writes: Sequence[Write]) -> None:
        """Apply all writes or none.

        Each document that is put carries the commit's nonce. When a write is refused, or nobody
        knows what became of it, the nonce tells whether it had been applied all the same: a call
        may be sent twice on its way. Only a commit that puts nothing has no such witness: sent
        twice, it may be reported as a Conflict although it was applied.
        """
        from google.api_core import exceptions

        declared = self._declared(collection)
        check_commit(collection, partition, writes)
        prepared = [
            _Prepared(
                write,
                json.dumps(write.data, separators=(",", ":")),
                index_fields(declared, write.data),
            )
            if isinstance(write, Put)
            else _Prepared(write)
            for write in writes
        ]
        nonce = self._ids.new("commit")
        where = f"{collection}/{partition}"
        for attempt in range(TRIES):
            if attempt:
                longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt)
                self._clock.sleep(self._random.uniform() * longest)
            found = self._read(collection, partition, writes)
            if _carries(found, nonce):
                return
            wrong = tuple(w.key for w in writes if _version(found[w.key]) != w.expect)
            if wrong:
                raise Conflict(collection, partition, wrong)
            try:
                self._send(collection, partition, prepared, found, nonce)
            except (
                exceptions.Aborted,
                exceptions.AlreadyExists,
                exceptions.FailedPrecondition,
                exceptions.NotFound,
            ):
                continue
            except _unclear() as error:
                if _carries(self._read(collection, partition, writes), nonce):
                    return
                raise Unavailable(f"{where}: Firestore did not say what it did: {error}") from error
            return
        raise Unavailable(f"{where} stayed contended for {TRIES} tries; nothing was written")

    def _read(
        self, collection: str, partition: str, writes: Sequence[Write]
    ) -> dict[str, DocumentSnapshot[DocumentReference]]:
        """Read versions and nonces of a commit's documents, by key."""
        keys = {document_id(partition, write.key): write.key for write in writes}
        references = [self._client.collection(collection).document(name) for name in keys]
        with _reading(collection):
            found = self._client.get_all(
                references, [VERSION, NONCE], retry=_patiently(), timeout=CALL_SECONDS
            )
            return {keys[each.id]: each for each in found}

    def _send(
        self,
        collection: str,
        partition: str,
        prepared: Sequence[_Prepared],
        found: Mapping[str, DocumentSnapshot[DocumentReference]],
        nonce: str,
    ) -> None:
        """Send a commit once, under the condition that no document has moved."""
        batch = self._client.batch()
        for each in prepared:
            write, read = each.write, found[each.write.key]
            place = self._document(collection, partition, write.key)
            unmoved = (
                self._client.write_option(last_update_time=read.update_time)
                if read.exists
                else self._client.write_option(exists=False)
            )
            match write:
                case Put():
                    fields = {
                        VERSION: write.expect + 1,
                        DATA: each.text,
                        INDEXES: each.entries,
                        NONCE: nonce,
                    }
                    if read.exists:
                        batch.update(place, fields, option=unmoved)
                    else:
                        batch.create(place, {PARTITION: partition, KEY: write.key, **fields})
                case Delete():
                    batch.delete(place, option=unmoved)
                case Check():
                    # Neither write changes anything, and both demand what was read: Firestore
                    # leaves the time of a document as it was when a write changes no field of it.
                    if read.exists:
                        batch.update(place, {VERSION: write.expect}, option=unmoved)
                    else:
                        batch.delete(place, option=unmoved)
        batch.commit(retry=None, timeout=CALL_SECONDS)

    def _document(self, collection: str, partition: str, key: str) -> DocumentReference:
        return self._client.collection(collection).document(document_id(partition, key))

    def _declared(self, collection: str) -> Collection:
        declared = self._collections.get(collection)
        if declared is None:
            listed = ", ".join(sorted(self._collections)) or "none"
            raise ConfigurationError(
                f"there is no collection '{collection}'; the application declares: {listed}"
            )
        return declared


def _rows(collection: str, query: Query) -> list[DocumentSnapshot[DocumentReference]]:
    with _reading(collection):
        return list(query.stream(retry=_patiently(), timeout=CALL_SECONDS))


def _row(found: DocumentSnapshot[DocumentReference]) -> Row:
    fields = found.to_dict() or {}
    return Row(fields[PARTITION], fields[KEY], fields[VERSION], json.loads(fields[DATA]))


def _version(found: DocumentSnapshot[DocumentReference]) -> int:
    return int(found.get(VERSION)) if found.exists else 0


def _carries(found: Mapping[str, DocumentSnapshot[DocumentReference]], nonce: str) -> bool:
    return any(each.exists and each.get(NONCE) == nonce for each in found.values())


def _unclear() -> tuple[type[Exception], ...]:
    """Name the errors after which nobody knows what Firestore did."""
    from google.api_core import exceptions

    return (
        exceptions.Aborted,
        exceptions.Cancelled,
        exceptions.RetryError,
        exceptions.ServerError,
        exceptions.TooManyRequests,
    )


def _patiently() -> Retry:
    """Give how a read is tried again, which does no harm."""
    from google.api_core import exceptions, retry

    again = retry.if_exception_type(
        exceptions.Aborted, exceptions.ServerError, exceptions.TooManyRequests
    )
    return retry.Retry(again, initial=0.05, maximum=1.0, timeout=READ_SECONDS)


@contextmanager
def _reading(collection: str) -> Iterator[None]:
    """Say in the port's words why a read failed."""
    from google.api_core import exceptions

    try:
        yield
    except exceptions.FailedPrecondition as error:
        raise ConfigurationError(
            f"Firestore can't read collection '{collection}': {error.message}; deploy the indexes "
            "that indexes_of gives"
        ) from error
    except _unclear() as error:
        raise Unavailable(f"{collection}: Firestore did not answer: {error}") from error
