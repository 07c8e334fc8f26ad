"""Queues on SQS: one for each consumer and subscription of the application."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cartwheel.delivery import encode_item
from cartwheel.ports import Message, check_delay
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


class SqsQueue:
    """Sends messages to the queues of consumers.

    `dispatcher` is asked for at each call: it is made after the ports, which hold this.
    """

    def __init__(
        self, client: SQSClient, place: Place, dispatcher: Callable[[], Dispatcher]
    ) -> None:
        self._client = client
        self._place = place
        self._dispatcher = dispatcher
        self._urls = QueueUrls(client, place.account)

    def send(self, queue: str, message: Message, *, delay: int = 0) -> None:
        """Send a message to the queue's consumer; raises Unavailable when it may be lost."""
        check_delay(delay)
        self._put(self._dispatcher().consumer_of(queue), encode_item(message), delay)

    def deliver(self, consumer: str, text: str) -> None:
        """Send an item's text to a consumer or subscription anew.

        Raises ConfigurationError when the application does not have it any more.
        """
        self._dispatcher().delivery(consumer)
        self._put(consumer, text, 0)

    def _put(self, consumer: str, text: str, delay: int) -> None:
        queue = self._place.names.queue(consumer)
        try:
            self._client.send_message(
                QueueUrl=self._urls.of(queue), MessageBody=text, DelaySeconds=delay
            )
        except sdk_errors() as error:
            permission = "sqs:SendMessage or sqs:GetQueueUrl"
            raise unavailable(error, f"queue {queue}", permission) from error
