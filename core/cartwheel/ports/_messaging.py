"""Topics, queues and dead letters: how functions talk to each other asynchronously."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cartwheel.ports._errors import InvalidWrite
from cartwheel.ports._json import JsonObject

MAX_ITEM_BYTES = 44 * 1024
"""An event's data or a message's body as JSON (an Azure queue holds 48 KiB, ids included)."""
MAX_DELAY = 900
"""Seconds for which a message may be held back (SQS: 15 minutes); what waits longer is a run."""


@dataclass(frozen=True, slots=True)
class Event:
    """Says that something has happened; subscribers get it at least once.

    `id` is the same each time the event is delivered. `at` is RFC 3339 in UTC. `trace` is the
    traceparent of what caused it.
    """

    id: str
    type: str
    data: JsonObject
    at: str
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """Is one unit of work in a queue; a consumer gets it at least once, under the same id.

    `trace` is the traceparent of what caused it; left empty it is filled in when it is sent.
    """

    id: str
    body: JsonObject
    trace: str = ""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Is a delivery that failed for good, kept until somebody redrives or discards it."""

    id: str
    consumer: str
    body: JsonObject
    error: str
    attempts: int
    at: str


class EventBus(Protocol):
    """Hands events to all subscribers that the application declares for their type."""

    def publish(self, events: Sequence[Event]) -> None:
        """Accept the events for delivery; once this returns they are not lost.

        Delivery is at least once, in no order, and a subscriber that fails is tried again and
        then becomes a dead letter of its own, without the other subscribers noticing.
        Raises InvalidWrite for data beyond MAX_ITEM_BYTES.
        """
        ...


class Queue(Protocol):
    """Holds messages for the one consumer that the application declares for a queue."""

    def send(self, queue: str, message: Message, *, delay: int = 0) -> None:
        """Accept a message, to be delivered after `delay` seconds; then it is not lost.

        Raises ConfigurationError for a queue without a consumer and for a delay when the consumer
        is invoked directly, InvalidWrite for a body beyond MAX_ITEM_BYTES and ValueError for a
        delay that is negative or beyond MAX_DELAY.
        """
        ...


class DeadLetters(Protocol):
    """Shows the deliveries that failed for good."""

    def list(self, *, limit: int = 100) -> Sequence[DeadLetter]:
        """Give the oldest dead letters first."""
        ...

    def redrive(self, letter_id: str) -> None:
        """Deliver once more from the first attempt; raises KeyError for an unknown id."""
        ...

    def discard(self, letter_id: str) -> None:
        """Forget a dead letter; raises KeyError for an unknown id."""
        ...


def check_item(item: Event | Message) -> None:
    """Refuse an event or message that some provider's queue could not take."""
    what, data = ("event", item.data) if isinstance(item, Event) else ("message", item.body)
    size = len(json.dumps(data, separators=(",", ":")))
    if size > MAX_ITEM_BYTES:
        raise InvalidWrite(
            f"{what} '{item.id}' is {size} bytes, at most {MAX_ITEM_BYTES}; "
            "keep the data in the store and send its key"
        )


def check_delay(delay: int) -> None:
    """Refuse a delay that some provider's queue could not keep."""
    if not 0 <= delay <= MAX_DELAY:
        raise ValueError(
            f"a message is held back for 0 to {MAX_DELAY} seconds, not {delay}; "
            "start a workflow that sleeps, or look for due rows on a schedule"
        )
