"""The rules of delivery for adapters with queues of their own: tries, waits, dead letters."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cartwheel.ports import (
    ConfigurationError,
    DeadLetter,
    Event,
    JsonObject,
    Message,
    check_item,
    rfc3339,
)
from cartwheel.trace import current

if TYPE_CHECKING:
    from cartwheel.dispatch import Dispatcher

ERROR_LENGTH = 1000
"""Characters of an error that a dead letter keeps."""
_KINDS: dict[str, type[Event] | type[Message]] = {"event": Event, "message": Message}


@dataclass(frozen=True, slots=True)
class Envelope:
    """Is one delivery under way: what goes to which consumer, when, after how many tries."""

    id: str
    consumer: str
    item: Event | Message
    due: float
    attempts: int = 0


def attempt(dispatcher: Dispatcher, envelope: Envelope) -> Envelope | DeadLetter | None:
    """Try a delivery once and say what becomes of it.

    None when the consumer took it, an envelope with its next due time when it failed, a dead letter
    when it failed for the last time or the application has no such consumer any more. What is no
    Exception (a crash) passes through, and the delivery stays as it is.
    """
    try:
        rules = dispatcher.delivery(envelope.consumer)
    except ConfigurationError as error:
        return _dead(dispatcher, envelope, error)
    try:
        dispatcher.deliver(envelope.consumer, envelope.item)
    except Exception as error:  # noqa: BLE001  # a consumer may raise anything; it is tried again
        tried = replace(envelope, attempts=envelope.attempts + 1)
        if tried.attempts >= rules.attempts:
            return _dead(dispatcher, tried, error)
        dispatcher.log.failure("delivery failed", error, **_fields(tried))
        due = dispatcher.ports.clock.now() + rules.after(tried.attempts)
        return replace(tried, due=due)
    return None


def _dead(dispatcher: Dispatcher, envelope: Envelope, error: Exception) -> DeadLetter:
    dispatcher.log.failure("delivery given up", error, **_fields(envelope))
    return DeadLetter(
        id=envelope.id,
        consumer=envelope.consumer,
        body=body_of(envelope.item),
        error=f"{type(error).__name__}: {error}"[:ERROR_LENGTH],
        attempts=envelope.attempts,
        at=rfc3339(dispatcher.ports.clock.now()),
    )


def _fields(envelope: Envelope) -> dict[str, object]:
    return {
        "consumer": envelope.consumer,
        "delivery": envelope.id,
        "item": envelope.item.id,
        "attempt": envelope.attempts,
    }


def body_of(item: Event | Message) -> JsonObject:
    """Give what a dead letter shows of an item: an event's data, a message's body."""
    return item.data if isinstance(item, Event) else item.body


def encode_item(item: Event | Message) -> str:
    """Write an event or message as JSON, with the trace that it belongs to.

    Raises InvalidWrite for what some provider's queue could not take.
    """
    check_item(item)
    if isinstance(item, Event):
        parts = ["event", item.id, item.type, item.data, item.at]
    else:
        parts = ["message", item.id, item.body]
    trace = item.trace or current()
    if trace:
        parts.append(trace)
    return json.dumps(parts, separators=(",", ":"))


def decode_item(text: str) -> Event | Message:
    """Read what `encode_item` wrote; raises ValueError for anything else."""
    try:
        kind, *rest = json.loads(text)
        item = _KINDS[kind](*rest)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise ValueError("this is no event or message of Cartwheel") from error
    texts = [item.id, item.trace, *([item.type, item.at] if isinstance(item, Event) else [])]
    if not isinstance(body_of(item), dict) or not all(isinstance(each, str) for each in texts):
        raise ValueError("this is an event or message of Cartwheel with parts of a wrong type")
    return item
