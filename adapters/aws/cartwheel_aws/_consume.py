"""The function's side of queues: an SQS event's records are tried one by one.

Lambda deletes what a batch's answer does not name, so a record is named unless it is done: taken by
its consumer, or kept as a dead letter. Tries are counted by SQS itself: a delivery that crashed or
timed out counts too, and one that never gets an answer ends in the consumer's dead queue. What
Lambda invoked directly and in vain comes from the queue of the function's failed calls.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from cartwheel.deadletters import StoreDeadLetters, body_of_text
from cartwheel.declared import Delivery
from cartwheel.delivery import Envelope, attempt, decode_item
from cartwheel.ports import DeadLetter, rfc3339
from cartwheel_aws._calls import sdk_errors
from cartwheel_aws._direct import failed_call
from cartwheel_aws._names import Names, Place
from cartwheel_aws._queue import QueueUrls

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from cartwheel.app import App
    from cartwheel.dispatch import Dispatcher

UNANSWERED = 2
"""Deliveries beyond a consumer's tries before SQS itself puts a message into the dead queue."""
MAX_VISIBILITY = 12 * 60 * 60
"""Seconds for which SQS hides a message at most."""


class SqsAttributes(TypedDict):
    """Is what SQS knows of a message."""

    ApproximateReceiveCount: str


class SqsRecord(TypedDict):
    """Is one message of an SQS event, as far as it is read here."""

    messageId: str
    receiptHandle: str
    body: str
    attributes: SqsAttributes
    eventSourceARN: str


class SqsEvent(TypedDict):
    """Is what Lambda hands over of a queue."""

    Records: list[SqsRecord]


class Failed(TypedDict):
    """Names a message that is to stay in its queue."""

    itemIdentifier: str


class SqsAnswer(TypedDict):
    """Is what Lambda is told of a batch (ReportBatchItemFailures)."""

    batchItemFailures: list[Failed]


@dataclass(frozen=True, slots=True)
class _Source:
    """Is what a queue is for: a consumer's deliveries, or those it never answered to."""

    consumer: str
    dead: bool


def receives(delivery: Delivery) -> int:
    """Give the maxReceiveCount of a consumer's queue."""
    return delivery.attempts + UNANSWERED


class SqsWorker:
    """Works the records of SQS events off, for all queues of an application."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        letters: StoreDeadLetters,
        client: SQSClient,
        place: Place,
    ) -> None:
        self._dispatcher = dispatcher
        self._letters = letters
        self._client = client
        self._sources = _sources(dispatcher.app, place.names)
        self._failed = {place.names.failed_calls(one.name) for one in dispatcher.app.services}
        self._urls = QueueUrls(client, place.account)

    def consume(self, event: SqsEvent) -> SqsAnswer:
        """Try each record once and name those that are to be delivered again."""
        return {
            "batchItemFailures": [
                {"itemIdentifier": record["messageId"]}
                for record in event["Records"]
                if not self._is_done(record)
            ]
        }

    def _is_done(self, record: SqsRecord) -> bool:
        if _queue_of(record) in self._failed:
            return self._is_noted(record)
        result = self._try(record)
        if isinstance(result, Envelope):
            self._hide(record, result.due)
            return False
        return result is None or self._is_buried(result, record["body"])

    def _is_noted(self, record: SqsRecord) -> bool:
        """Make a dead letter of a direct delivery; the tick of a schedule is made up for."""
        queue, text = _queue_of(record), record["body"]
        call = failed_call(text)
        if call is None:
            why = "this is no failed call of Lambda's"
            return self._is_buried(self._dead(record, queue, text, why, 0), text)
        if call.tick is not None:
            self._dispatcher.log.warning("tick given up", schedule=call.tick, reason=call.error)
            return True
        # What else was invoked is named by the queue, and kept as it is.
        consumer, text = call.delivery or (queue, json.dumps(call.payload))
        return self._is_buried(self._dead(record, consumer, text, call.error, call.attempts), text)

    def _is_buried(self, letter: DeadLetter, text: str) -> bool:
        try:
            self._letters.bury(letter, text)
        except Exception as error:  # noqa: BLE001  # whatever the store raises, nothing may be lost
            # It comes again when the queue's own time has passed, and then perhaps to a store.
            self._dispatcher.log.failure("dead letter not kept", error, letter=letter.id)
            return False
        return True

    def _try(self, record: SqsRecord) -> Envelope | DeadLetter | None:
        queue = _queue_of(record)
        # A queue that the application does not know any more is named in its letters.
        source = self._sources.get(queue) or _Source(queue, dead=False)
        tries = int(record["attributes"]["ApproximateReceiveCount"]) - 1
        if source.dead:
            tries = receives(self._dispatcher.delivery(source.consumer))
            why = (
                f"no answer in {tries} deliveries: the function crashed, timed out or could "
                "not keep a dead letter each time; look into its log"
            )
            return self._dead(record, source.consumer, record["body"], why, tries)
        try:
            item = decode_item(record["body"])
        except ValueError as error:
            why = f"{type(error).__name__}: {error}"
            return self._dead(record, source.consumer, record["body"], why, tries + 1)
        now = self._dispatcher.ports.clock.now()
        envelope = Envelope(record["messageId"], source.consumer, item, now, tries)
        return attempt(self._dispatcher, envelope)

    def _dead(
        self, record: SqsRecord, consumer: str, text: str, why: str, tries: int
    ) -> DeadLetter:
        letter = DeadLetter(
            id=record["messageId"],
            consumer=consumer,
            body=body_of_text(text),
            error=why,
            attempts=tries,
            at=rfc3339(self._dispatcher.ports.clock.now()),
        )
        self._dispatcher.log.warning(
            "delivery given up", consumer=letter.consumer, delivery=letter.id, reason=why
        )
        return letter

    def _hide(self, record: SqsRecord, due: float) -> None:
        """Let the message come again when it is due, instead of after the queue's own time."""
        left = math.ceil(due - self._dispatcher.ports.clock.now())
        try:
            self._client.change_message_visibility(
                QueueUrl=self._urls.of(_queue_of(record)),
                ReceiptHandle=record["receiptHandle"],
                VisibilityTimeout=min(max(0, left), MAX_VISIBILITY),
            )
        except sdk_errors() as error:
            # It comes again all the same, only at another time.
            self._dispatcher.log.failure(
                "time of the next try not kept", error, delivery=record["messageId"]
            )


def _queue_of(record: SqsRecord) -> str:
    return record["eventSourceARN"].rpartition(":")[2]


def _sources(app: App, names: Names) -> dict[str, _Source]:
    found: dict[str, _Source] = {}
    for consumer in (*app.subscriptions, *app.consumers):
        found[names.queue(consumer)] = _Source(consumer, dead=False)
        found[names.dead_queue(consumer)] = _Source(consumer, dead=True)
    return found
