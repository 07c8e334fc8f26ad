"""Topics, queues and dead letters over one table of deliveries."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from cartwheel.delivery import Envelope, attempt, body_of, decode_item, encode_item
from cartwheel.ports import Clock, DeadLetter, Event, Message
from cartwheel_local._database import Connection, Database

if TYPE_CHECKING:
    from cartwheel.dispatch import Dispatcher

_ADD = "INSERT INTO deliveries (consumer, item, due, attempts) VALUES (?, ?, ?, 0)"


class SqliteMessaging:
    """Is event bus, queue, dead letters and the source of deliveries in one.

    Which deliveries are under way is known in memory only: one process works a data folder, so
    after a crash they are due again. `dispatcher` is asked for at each call: it is made after the
    ports, which hold this. `wake` is called when there is something new.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        dispatcher: Callable[[], Dispatcher],
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._dispatcher = dispatcher
        self._wake = wake
        self._lock = threading.Lock()
        self._taken: set[int] = set()

    def publish(self, events: Sequence[Event]) -> None:
        """Accept the events: one delivery for each subscription."""
        now = self._clock.now()
        self._add(
            [
                (consumer, text, now)
                for event in events
                for text in [encode_item(event)]
                for consumer in self._dispatcher().consumers_of(event)
            ]
        )

    def send(self, queue: str, message: Message, *, delay: int = 0) -> None:
        """Accept a message for the queue's consumer."""
        consumer = self._dispatcher().consumer_of(queue, delay)
        self._add([(consumer, encode_item(message), self._clock.now() + delay)])

    def _add(self, deliveries: Sequence[tuple[str, str, float]]) -> None:
        if deliveries:
            self._database.writer.run(lambda connection: connection.executemany(_ADD, deliveries))
            self._wake()

    def list(self, *, limit: int = 100) -> Sequence[DeadLetter]:
        """Give the oldest dead letters first."""
        found = self._database.rows(
            "SELECT id, consumer, item, error, attempts, at FROM dead_letters "
            "ORDER BY place LIMIT ?",
            (max(0, limit),),
        )
        return [
            DeadLetter(_name(number), consumer, body_of(decode_item(item)), error, attempts, at)
            for number, consumer, item, error, attempts, at in cast(
                "list[tuple[int, str, str, str, int, str]]", found
            )
        ]

    def redrive(self, letter_id: str) -> None:
        """Deliver once more from the first attempt."""
        number, now = _number(letter_id), self._clock.now()

        def work(connection: Connection) -> None:
            moved = connection.execute(
                "INSERT INTO deliveries (id, consumer, item, due, attempts) "
                "SELECT id, consumer, item, ?, 0 FROM dead_letters WHERE id = ?",
                (now, number),
            )
            if not moved.rowcount:
                raise KeyError(letter_id)
            connection.execute("DELETE FROM dead_letters WHERE id = ?", (number,))

        self._database.writer.run(work)
        self._wake()

    def discard(self, letter_id: str) -> None:
        """Forget a dead letter."""
        number = _number(letter_id)

        def work(connection: Connection) -> None:
            gone = connection.execute("DELETE FROM dead_letters WHERE id = ?", (number,))
            if not gone.rowcount:
                raise KeyError(letter_id)

        self._database.writer.run(work)

    def due(self) -> float | None:
        """Give when the next delivery that nobody has taken is due."""
        with self._lock:
            first = self._first()
        return None if first is None else first[1]

    def _first(self) -> tuple[int, float, str, str, int] | None:
        """Find the earliest delivery that nobody has taken; called under the lock."""
        found = self._database.rows(
            "SELECT id, due, consumer, item, attempts FROM deliveries ORDER BY due, id LIMIT ?",
            (len(self._taken) + 1,),
        )
        rows = cast("list[tuple[int, float, str, str, int]]", found)
        return next((row for row in rows if row[0] not in self._taken), None)

    def work(self, now: float) -> bool:
        """Do the earliest delivery that is due."""
        with self._lock:
            first = self._first()
            if first is None or first[1] > now:
                return False
            number, due, consumer, item, attempts = first
            self._taken.add(number)
        try:
            tried = Envelope(_name(number), consumer, decode_item(item), due, attempts)
            result = attempt(self._dispatcher(), tried)
            self._database.writer.run(lambda connection: _note(connection, number, item, result))
        finally:
            with self._lock:
                self._taken.discard(number)
        return True


def _note(
    connection: Connection, number: int, item: str, result: Envelope | DeadLetter | None
) -> None:
    if isinstance(result, Envelope):
        connection.execute(
            "UPDATE deliveries SET due = ?, attempts = ? WHERE id = ?",
            (result.due, result.attempts, number),
        )
        return
    connection.execute("DELETE FROM deliveries WHERE id = ?", (number,))
    if result is not None:
        connection.execute(
            "INSERT INTO dead_letters (id, consumer, item, error, attempts, at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (number, result.consumer, item, _clean(result.error), result.attempts, result.at),
        )


def _clean(text: str) -> str:
    """Replace lone surrogates, which SQLite can't hold."""
    return text.encode("utf-8", "replace").decode()


def _name(number: int) -> str:
    return f"dlv_{number:06d}"


def _number(letter_id: str) -> int:
    prefix, _, digits = letter_id.partition("_")
    if prefix != "dlv" or not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise KeyError(letter_id)
    return int(digits)
