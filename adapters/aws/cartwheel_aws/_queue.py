"""Queues on SQS: one for each consumer and subscription that is not invoked directly."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from cartwheel.delivery import encode_item
from cartwheel.ports import Message
from cartwheel_aws._calls import sdk_errors, unavailable
from cartwheel_aws._names import Place

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from cartwheel.dispatch import Dispatcher


class QueueUrls:
    """Asks for the URLs of queues, once each: their hosts depend on region and endpoint."""

    def __init__(self, client: SQSClient, account: str) -> None:
        self._client = client
        self._account = account
        self._known: dict[str, str] = {}

    def of(self, queue: str) -> str:
        """Give a queue's URL; raises what the SDK raises."""
        url = self._known.get(queue)
        if url is None:
            found = self._client.get_queue_url(
                QueueName=queue, QueueOwnerAWSAccountId=self._account
            )
            url = self._known[queue] = found["QueueUrl"]
        return url


class Way(Protocol):
    """Is a way to a consumer."""

    def put(self, consumer: str, text: str, delay: int) -> None:
        """Send an item's text; raises Unavailable when it may be lost."""
        ...


class AwsQueue:
    """Sends messages to consumers, by their queues or directly as each is declared.

    `dispatcher` is asked for at each call: it is made after the ports, which hold this.
    """

    def __init__(self, queued: Way, direct: Way, dispatcher: Callable[[], Dispatcher]) -> None:
        self._queued = queued
        self._direct = direct
        self._dispatcher = dispatcher

    def send(self, queue: str, message: Message, *, delay: int = 0) -> None:
        """Send a message to the queue's consumer; raises Unavailable when it may be lost."""
        consumer = self._dispatcher().consumer_of(queue, delay)
        self._way(consumer).put(consumer, encode_item(message), delay)

    def deliver(self, consumer: str, text: str) -> None:
        """Send an item's text to a consumer or subscription anew.

        Raises ConfigurationError when the application does not have it any more.
        """
        self._dispatcher().delivery(consumer)
        self._way(consumer).put(consumer, text, 0)

    def _way(self, consumer: str) -> Way:
        found = self._dispatcher().app.consumers.get(consumer)
        return self._direct if found is not None and found.direct else self._queued


class SqsSender:
    """Puts items into the queues of consumers and subscriptions."""

    def __init__(self, client: SQSClient, place: Place) -> None:
        self._client = client
        self._place = place
        self._urls = QueueUrls(client, place.account)

    def put(self, consumer: str, text: str, delay: int) -> None:
        """Put an item's text into the consumer's queue; raises Unavailable when it may be lost."""
        queue = self._place.names.queue(consumer)
        try:
            self._client.send_message(
                QueueUrl=self._urls.of(queue), MessageBody=text, DelaySeconds=delay
            )
        except sdk_errors() as error:
            permission = "sqs:SendMessage or sqs:GetQueueUrl"
            raise unavailable(error, f"queue {queue}", permission) from error
