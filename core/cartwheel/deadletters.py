"""Dead letters kept in the store, for adapters whose queues can't list and redrive them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from cartwheel.delivery import body_of, decode_item
from cartwheel.ports import (
    MAX_PAGE,
    Check,
    Collection,
    Conflict,
    DeadLetter,
    Delete,
    Index,
    InvalidWrite,
    Json,
    JsonObject,
    Put,
    Row,
    Store,
    check_commit,
)

DEAD_LETTERS = Collection("dead_letters", (Index("oldest", "listed", "at"),))
"""Where dead letters lie, one partition each; an adapter that keeps them here adds it to its store.

The index is eventually consistent, so a list may lag; a letter itself is read as it is.
"""
MAX_TEXT = 16 * 1024
"""Characters kept of a text that is no item of ours: they fit a row however they are escaped."""
_ROW = "letter"
_LISTED = "yes"

Send = Callable[[str, str], None]
"""Puts an item's text into a consumer's queue anew: `send(consumer, text)`."""


class StoreDeadLetters:
    """Keeps dead letters as rows until somebody redrives or discards them.

    Ids are those of the transport's deliveries: a delivery that was redriven has another id, so its
    letter is never taken for the one that it came from.
    """

    def __init__(self, store: Store, send: Send) -> None:
        self._store = store
        self._send = send

    def bury(self, letter: DeadLetter, text: str) -> None:
        """Keep a dead letter with the text that was delivered; the same one again changes nothing.

        Raises Unavailable when nobody knows whether it was kept.
        """
        row: JsonObject = {
            "listed": _LISTED,
            "at": letter.at,
            "consumer": letter.consumer,
            "item": _fitting(text),
            "error": _clean(letter.error),
            "attempts": letter.attempts,
        }
        try:
            self._store.commit(DEAD_LETTERS.name, letter.id, [Put(_ROW, row, 0)])
        except Conflict:
            return

    def list(self, *, limit: int = 100) -> Sequence[DeadLetter]:
        """Give the oldest dead letters first."""
        found: list[DeadLetter] = []
        cursor: str | None = None
        while len(found) < limit:
            page = self._store.query(
                DEAD_LETTERS.name,
                DEAD_LETTERS.indexes[0].name,
                _LISTED,
                cursor=cursor,
                limit=min(MAX_PAGE, limit - len(found)),
            )
            found += map(_letter, page.rows)
            cursor = page.next
            if cursor is None:
                break
        return found

    def redrive(self, letter_id: str) -> None:
        """Deliver once more from the first attempt; raises KeyError for an unknown id.

        The item is sent before the letter goes: a crash between them delivers it twice.
        """
        row = self._row(letter_id)
        self._send(str(row.data["consumer"]), str(row.data["item"]))
        self._delete(row)

    def discard(self, letter_id: str) -> None:
        """Forget a dead letter; raises KeyError for an unknown id."""
        self._delete(self._row(letter_id))

    def _row(self, letter_id: str) -> Row:
        try:
            check_commit(DEAD_LETTERS.name, letter_id, [Check(_ROW, 1)])
        except InvalidWrite:
            raise KeyError(letter_id) from None
        row = self._store.get(DEAD_LETTERS.name, letter_id, _ROW)
        if row is None:
            raise KeyError(letter_id)
        return row

    def _delete(self, row: Row) -> None:
        try:
            self._store.commit(DEAD_LETTERS.name, row.partition, [Delete(_ROW, row.version)])
        except Conflict:
            # Somebody else redrove or discarded it at the same time.
            return


def body_of_text(text: str) -> JsonObject:
    """Give what a dead letter shows of a text from a queue: the item's body, or the text itself."""
    try:
        return body_of(decode_item(text))
    except ValueError:
        return {"text": text}


def _fitting(text: str) -> str:
    """Cut a text that is no item of ours to what a row can hold, and say so at its end."""
    if len(text) <= MAX_TEXT:
        return text
    try:
        decode_item(text)
    except ValueError:
        return f"{text[:MAX_TEXT]}... ({len(text) - MAX_TEXT} more characters were cut)"
    return text


def _letter(row: Row) -> DeadLetter:
    data: dict[str, Json] = row.data
    return DeadLetter(
        id=row.partition,
        consumer=str(data["consumer"]),
        body=body_of_text(str(data["item"])),
        error=str(data["error"]),
        attempts=cast("int", data["attempts"]),
        at=str(data["at"]),
    )


def _clean(text: str) -> str:
    """Replace lone surrogates, which a store can't hold."""
    return text.encode("utf-8", "replace").decode()
