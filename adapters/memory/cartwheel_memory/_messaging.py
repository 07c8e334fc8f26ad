"""Topics, queues and dead letters over one table of deliveries in memory."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cartwheel.delivery import Envelope, attempt, body_of, decode_item, encode_item
from cartwheel.ports import DeadLetter, Event, Message
from cartwheel_memory._disk import MemoryDisk, Slot

if TYPE_CHECKING:
    from cartwheel.dispatch import Dispatcher


class MemoryMessaging:
    """Is event bus, queue, dead letters and the source of deliveries in one.

    `dispatcher` is asked for at each call: it is made after the ports, which hold this.
    """

    def __init__(self, disk: MemoryDisk, dispatcher: Callable[[], Dispatcher]) -> None:
        self._disk = disk
        self._dispatcher = dispatcher
        self._taken: set[str] = set()

    def publish(self, events: Sequence[Event]) -> None:
        """Accept the events: one delivery for each subscription."""
        self._add(
            [
                (consumer, text, self._disk.clock.now())
                for event in events
                for text in [encode_item(event)]
                for consumer in self._dispatcher().consumers_of(event)
            ]
        )

    def send(self, queue: str, message: Message, *, delay: int = 0) -> None:
        """Accept a message for the queue's consumer."""
        consumer = self._dispatcher().consumer_of(queue, delay)
        self._add([(consumer, encode_item(message), self._disk.clock.now() + delay)])

    def _add(self, deliveries: Sequence[tuple[str, str, float]]) -> None:
        disk = self._disk
        with disk.lock:
            for consumer, text, due in deliveries:
                order = disk.next_order()
                self._keep(Slot(f"dlv_{order:06d}", consumer, text, due, 0, order))

    def _keep(self, slot: Slot) -> None:
        self._disk.deliveries[slot.id] = slot
        heapq.heappush(self._disk.agenda, (slot.due, slot.order, slot.id))

    def list(self, *, limit: int = 100) -> Sequence[DeadLetter]:
        """Give the oldest dead letters first."""
        with self._disk.lock:
            dead = list(self._disk.dead.values())[: max(0, limit)]
        # The body is read anew, so that a caller who changes it changes nothing here.
        return [replace(letter, body=body_of(decode_item(slot.text))) for letter, slot in dead]

    def redrive(self, letter_id: str) -> None:
        """Deliver once more from the first attempt."""
        disk = self._disk
        with disk.lock:
            _, slot = disk.dead.pop(letter_id)
            self._keep(replace(slot, due=disk.clock.now(), attempts=0))

    def discard(self, letter_id: str) -> None:
        """Forget a dead letter."""
        with self._disk.lock:
            del self._disk.dead[letter_id]

    def due(self) -> float | None:
        """Give when the next delivery that nobody has taken is due."""
        with self._disk.lock:
            slot = self._first()
        return None if slot is None else slot.due

    def _first(self) -> Slot | None:
        """Find the earliest delivery that is neither gone nor taken."""
        disk = self._disk
        while disk.agenda:
            due, order, slot_id = disk.agenda[0]
            slot = disk.deliveries.get(slot_id)
            if slot is not None and (slot.due, slot.order) == (due, order):
                if slot_id not in self._taken:
                    return slot
                return self._first_of_the_rest()
            heapq.heappop(disk.agenda)
        return None

    def _first_of_the_rest(self) -> Slot | None:
        free = (slot for slot in self._disk.deliveries.values() if slot.id not in self._taken)
        return min(free, key=lambda slot: (slot.due, slot.order), default=None)

    def work(self, now: float) -> bool:
        """Do the earliest delivery that is due."""
        disk = self._disk
        with disk.lock:
            slot = self._first()
            if slot is None or slot.due > now:
                return False
            self._taken.add(slot.id)
        try:
            item = decode_item(slot.text)
            tried = Envelope(slot.id, slot.consumer, item, slot.due, slot.attempts)
            result = attempt(self._dispatcher(), tried)
            with disk.lock:
                del disk.deliveries[slot.id]
                if isinstance(result, Envelope):
                    self._keep(replace(slot, due=result.due, attempts=result.attempts))
                elif result is not None:
                    disk.dead[slot.id] = (result, slot)
        finally:
            with disk.lock:
                self._taken.discard(slot.id)
        return True
