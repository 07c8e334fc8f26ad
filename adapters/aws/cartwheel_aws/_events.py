"""The event bus on SNS: one topic per stage, a queue of its own for each subscription."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cartwheel.delivery import encode_item
from cartwheel.ports import Event, Unavailable
from cartwheel_aws._calls import sdk_errors, unavailable

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef

TYPE = "type"
"""The message attribute that subscriptions filter by."""
MAX_ENTRIES = 10
MAX_BATCH_BYTES = 256 * 1024
TRIES = 3
"""Times that an event of a batch is sent before the caller is told Unavailable."""


class SnsEventBus:
    """Publishes events to the stage's topic, from where SNS copies them into the queues."""

    def __init__(self, client: SNSClient, topic_arn: str) -> None:
        self._client = client
        self._topic = topic_arn

    def publish(self, events: Sequence[Event]) -> None:
        """Hand the events to SNS; raises Unavailable when some may not have been taken."""
        entries = [_entry(number, event) for number, event in enumerate(events)]
        for batch in _batches(entries):
            self._send(batch)

    def _send(self, batch: list[PublishBatchRequestEntryTypeDef]) -> None:
        left, why = batch, ""
        for _ in range(TRIES):
            try:
                answer = self._client.publish_batch(
                    TopicArn=self._topic, PublishBatchRequestEntries=left
                )
            except sdk_errors() as error:
                raise unavailable(error, f"topic {self._topic}", "sns:Publish") from error
            taken = {done["Id"] for done in answer.get("Successful", ())}
            left = [entry for entry in left if entry["Id"] not in taken]
            if not left:
                return
            why = ", ".join(sorted({failed["Code"] for failed in answer.get("Failed", ())}))
        raise Unavailable(
            f"topic {self._topic} did not take {len(left)} of {len(batch)} events: {why}"
        )


def filter_policy(event_type: str) -> dict[str, list[str]]:
    """Give the filter of a subscription, which lets one type of event through."""
    return {TYPE: [event_type]}


def _entry(number: int, event: Event) -> PublishBatchRequestEntryTypeDef:
    return {
        "Id": str(number),
        "Message": encode_item(event),
        "MessageAttributes": {TYPE: {"DataType": "String", "StringValue": event.type}},
    }


def _batches(
    entries: Sequence[PublishBatchRequestEntryTypeDef],
) -> Iterator[list[PublishBatchRequestEntryTypeDef]]:
    """Split entries into as few calls as SNS allows, in their order."""
    batch: list[PublishBatchRequestEntryTypeDef] = []
    total = 0
    for entry in entries:
        size = _size(entry)
        if batch and (len(batch) == MAX_ENTRIES or total + size > MAX_BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(entry)
        total += size
    if batch:
        yield batch


def _size(entry: PublishBatchRequestEntryTypeDef) -> int:
    """Count as SNS does: the message, and its attributes' names, types and values."""
    attributes = "".join(
        name + value["DataType"] + value.get("StringValue", "")
        for name, value in entry.get("MessageAttributes", {}).items()
    )
    return len(entry["Message"].encode()) + len(attributes.encode())
