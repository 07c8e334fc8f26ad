"""Topics, queues and dead letters: how functions talk to each other asynchronously."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cartwheel.ports._json import JsonObject


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
        """
        ...


class Queue(Protocol):
    """Holds messages for the one consumer that the application declares for a queue."""

    def send(self, queue: str, message: Message, *, delay: int = 0) -> None:
        """Accept a message, to be delivered after `delay` seconds; then it is not lost.

        Raises ConfigurationError for a queue without a consumer.
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
