"""Deliveries through SQS when functions crash, replies are lost and queues hold foreign things."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from botocore.exceptions import ReadTimeoutError
from pydantic import BaseModel

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.declared import Delivery
from cartwheel.delivery import encode_item
from cartwheel.dispatch import Dispatcher
from cartwheel.ports import (
    ConfigurationError,
    DeadLetter,
    Event,
    Message,
    Put,
    Unavailable,
    rfc3339,
)
from cartwheel.testing.faults import Crash, Faults
from cartwheel.unit import Unit, transact
from cartwheel_aws._consume import SqsRecord, SqsWorker, receives
from cartwheel_aws._events import SnsEventBus
from cartwheel_aws._queue import SqsSender
from tests.support.aws_stage import Aws, StageHost

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

T = TypeVar("T")
WORKER = "kit.work"
QUEUE = "jobs"
COUNTS = "counts"
HEALED = "healed"
DELIVERY = Delivery(attempts=2, delay=0, longest=0)
RECEIVES = receives(DELIVERY)
PATIENCE = 30.0


class Count(BaseModel):
    value: int = 0


class World:
    """Is an application whose consumer notes each try and has one effect for each key."""

    def __init__(self) -> None:
        self.tries: list[tuple[str, str]] = []
        service = Service("kit")
        service.collection(COUNTS)
        service.collection(HEALED)

        @service.consume(QUEUE, delivery=DELIVERY)
        def work(ctx: Context, message: Message) -> None:
            self._take(ctx, message.id, str(message.body.get("do", "")))

        @service.on("kit.happened", delivery=DELIVERY)
        def happened(ctx: Context, event: Event) -> None:
            self._take(ctx, event.id, str(event.data.get("do", "")))

        self.app = App("kit_deliveries", services=[service])

    def _take(self, ctx: Context, item_id: str, order: str) -> None:
        # All but the failure comes before the try is seen: tests look and heal in answer to tries.
        healed = ctx.ports.store.get(HEALED, item_id, "healed") is not None

        def add(unit: Unit) -> Count:
            count = unit.get("count", Count) or Count()
            count = Count(value=count.value + 1)
            unit.put("count", count)
            return count

        transact(ctx.ports, COUNTS, item_id, add, key=ctx.key, result=Count)
        self.tries.append((item_id, ctx.key))
        if order and not healed:
            raise Crash(item_id) if order == "crash" else RuntimeError("refused")

    def tried(self, item_id: str) -> int:
        return sum(1 for tried, _ in self.tries if tried == item_id)


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    started = Aws()
    yield started
    started.close()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def host(aws: Aws, world: World, faults: Faults, tmp_path: Path) -> Iterator[StageHost]:
    with StageHost(aws, world.app, tmp_path, faults=faults) as opened:
        yield opened


@pytest.fixture
def hasty(aws: Aws, world: World, faults: Faults, tmp_path: Path) -> Iterator[StageHost]:
    """Give a host whose messages come again soon when the function did not answer."""
    with StageHost(aws, world.app, tmp_path, visibility=2, faults=faults) as opened:
        yield opened


def eventually(look: Callable[[], T | None], what: str) -> T:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"within {PATIENCE:.0f} s there was no {what}")


def only_letter(host: StageHost) -> DeadLetter:
    (letter,) = eventually(lambda: host.ports.dead_letters.list() or None, "dead letter")
    return letter


def empty(host: StageHost, queue: str) -> bool:
    counts = host.stage.aws.sqs.get_queue_attributes(
        QueueUrl=host.stage.urls[queue],
        AttributeNames=[
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ],
    )["Attributes"]
    return set(counts.values()) == {"0"}


def heal(host: StageHost, item_id: str) -> None:
    host.ports.store.commit(HEALED, item_id, [Put("healed", {}, 0)])


def counted(host: StageHost, item_id: str) -> int:
    row = host.ports.store.get(COUNTS, item_id, "count")
    return 0 if row is None else Count.model_validate(row.data).value


def record_of(host: StageHost, body: str, *, queue: str = "", tries: int = 0) -> SqsRecord:
    """Make a record as Lambda hands it over, of a message that is in no queue."""
    place = host.stage.place
    return {
        "messageId": "11111111-2222-3333-4444-555555555555",
        "receiptHandle": "nobody-has-this",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(tries + 1)},
        "eventSourceARN": place.arn("sqs", queue or place.names.queue(WORKER)),
    }


def test_a_message_whose_function_crashes_each_time_becomes_a_dead_letter_that_says_so(
    hasty: StageHost, world: World
) -> None:
    message = Message("msg-1", {"do": "crash"})
    hasty.ports.queue.send(QUEUE, message)
    letter = only_letter(hasty)
    assert (letter.consumer, letter.body) == (WORKER, message.body)
    assert letter.attempts == RECEIVES == world.tried("msg-1")
    assert f"no answer in {RECEIVES} deliveries" in letter.error
    names = hasty.stage.place.names
    for queue in (names.queue(WORKER), names.dead_queue(WORKER)):
        eventually(lambda queue=queue: empty(hasty, queue), f"empty {queue}")  # type: ignore[misc]  # bound now
    heal(hasty, "msg-1")
    hasty.ports.dead_letters.redrive(letter.id)
    eventually(lambda: world.tried("msg-1") > RECEIVES, "delivery after the redrive")
    assert not hasty.ports.dead_letters.list()
    assert counted(hasty, "msg-1") == 1


def test_an_event_whose_function_crashes_each_time_becomes_a_dead_letter(hasty: StageHost) -> None:
    event = Event("evt-1", "kit.happened", {"do": "crash"}, rfc3339(hasty.ports.clock.now()))
    hasty.ports.events.publish([event])
    letter = only_letter(hasty)
    assert (letter.consumer, letter.body) == ("kit.happened", event.data)


def test_a_crash_is_a_try_and_the_next_delivery_has_the_same_key(
    hasty: StageHost, world: World
) -> None:
    hasty.ports.queue.send(QUEUE, Message("msg-2", {"do": "crash"}))
    eventually(lambda: world.tried("msg-2") == 1, "first delivery")
    heal(hasty, "msg-2")
    eventually(lambda: world.tried("msg-2") == 2, "second delivery")
    eventually(lambda: empty(hasty, hasty.stage.place.names.queue(WORKER)), "empty queue")
    assert len(set(world.tries)) == 1
    assert counted(hasty, "msg-2") == 1
    assert not hasty.ports.dead_letters.list()


def test_a_message_that_is_delivered_twice_has_one_effect(host: StageHost, world: World) -> None:
    message = Message("msg-3", {})
    host.ports.queue.send(QUEUE, message)
    host.ports.queue.send(QUEUE, message)
    event = Event("evt-3", "kit.happened", {}, rfc3339(host.ports.clock.now()))
    host.ports.events.publish([event, event])
    for item_id in ("msg-3", "evt-3"):
        eventually(lambda item_id=item_id: world.tried(item_id) == 2, "second copy")  # type: ignore[misc]  # bound now
        assert len({key for tried, key in world.tries if tried == item_id}) == 1
        assert counted(host, item_id) == 1


@contextmanager
def lost_replies(client: SQSClient | SNSClient, operation: str) -> Iterator[None]:
    """Lose the replies to an operation: the service has done it, and nobody hears of it."""

    def lose(**_: object) -> None:
        raise ReadTimeoutError(endpoint_url="the reply is lost")

    client.meta.events.register(f"after-call.{operation}", lose)
    try:
        yield
    finally:
        client.meta.events.unregister(f"after-call.{operation}", lose)


def test_a_message_that_was_sent_and_not_answered_is_unavailable_and_delivered(
    host: StageHost, world: World
) -> None:
    lost = lost_replies(host.stage.aws.sqs, "sqs.SendMessage")
    with lost, pytest.raises(Unavailable, match="no answer came"):
        host.ports.queue.send(QUEUE, Message("lost", {}))
    eventually(lambda: world.tried("lost") == 1, "delivery")


def test_an_event_that_was_published_and_not_answered_is_unavailable_and_delivered(
    host: StageHost, world: World
) -> None:
    lost = lost_replies(host.stage.aws.sns, "sns.PublishBatch")
    with lost, pytest.raises(Unavailable, match="no answer came"):
        host.ports.events.publish([Event("lost", "kit.happened", {}, "2026-01-01")])
    eventually(lambda: world.tried("lost") == 1, "delivery")


def test_a_bad_record_of_a_batch_comes_again_and_the_good_ones_do_not(
    host: StageHost, world: World
) -> None:
    bad = Message("bad", {"do": "fail"})
    messages = [*(Message(f"good-{n}", {}) for n in range(4)), bad]
    host.stage.listen(False)
    for message in messages:
        host.ports.queue.send(QUEUE, message)
    host.stage.listen(True)
    letter = only_letter(host)
    assert letter.body == bad.body
    assert letter.attempts == DELIVERY.attempts == world.tried("bad")
    assert [sorted(batch) for batch in host.stage.batches] == [
        sorted(encode_item(message) for message in messages),
        [encode_item(bad)],
    ]
    assert all(world.tried(message.id) == 1 for message in messages[:-1])


def test_a_dead_letter_that_the_store_refuses_stays_in_the_queue_until_it_is_kept(
    hasty: StageHost, world: World, faults: Faults
) -> None:
    faults.fail("store.commit(dead_letters)", times=1)
    hasty.ports.queue.send(QUEUE, Message("msg-4", {"do": "fail"}))
    letter = only_letter(hasty)
    assert not faults.unfired
    assert letter.attempts == DELIVERY.attempts + 1 == world.tried("msg-4")
    eventually(lambda: empty(hasty, hasty.stage.place.names.queue(WORKER)), "empty queue")


def test_a_dead_letter_kept_without_an_answer_is_one_dead_letter(
    hasty: StageHost, world: World, faults: Faults
) -> None:
    faults.fail("store.commit(dead_letters)", when="after", times=1)
    hasty.ports.queue.send(QUEUE, Message("msg-5", {"do": "fail"}))
    eventually(lambda: world.tried("msg-5") == DELIVERY.attempts + 1, "delivery after the letter")
    eventually(lambda: empty(hasty, hasty.stage.place.names.queue(WORKER)), "empty queue")
    assert only_letter(hasty).attempts == DELIVERY.attempts


def test_a_redrive_that_crashes_before_the_letter_goes_delivers_twice_rather_than_never(
    host: StageHost, world: World, faults: Faults
) -> None:
    host.ports.queue.send(QUEUE, Message("msg-6", {"do": "fail"}))
    letter = only_letter(host)
    heal(host, "msg-6")
    faults.fail("store.commit(dead_letters)", Crash)
    with pytest.raises(Crash):
        host.ports.dead_letters.redrive(letter.id)
    assert only_letter(host).id == letter.id
    host.ports.dead_letters.redrive(letter.id)
    expected = DELIVERY.attempts + 2
    eventually(lambda: world.tried("msg-6") == expected, "delivery of both redrives")
    assert counted(host, "msg-6") == 1
    assert not host.ports.dead_letters.list()


FOREIGN = [
    "not JSON",
    "null",
    "{}",
    "[]",
    '["message"]',
    '["message", 1, {}]',
    '["message", "id", []]',
    '["event", "id", "kit.happened", {}, 5]',
    '["order", "id", {}]',
    "[" * 50_000,
    json.dumps({"text": "ünï 😀"}, ensure_ascii=False),
]


def test_what_is_no_message_of_ours_becomes_a_dead_letter_that_shows_it(
    host: StageHost, world: World
) -> None:
    url = host.stage.urls[host.stage.place.names.queue(WORKER)]
    for text in FOREIGN:
        host.stage.aws.sqs.send_message(QueueUrl=url, MessageBody=text)
    host.ports.queue.send(QUEUE, Message("msg-7", {}))
    eventually(lambda: world.tried("msg-7") == 1, "delivery of the message among them")
    letters = eventually(
        lambda: found if len(found := host.ports.dead_letters.list()) == len(FOREIGN) else None,
        f"{len(FOREIGN)} dead letters",
    )
    shown = sorted(str(letter.body["text"])[:16_000] for letter in letters)
    assert shown == sorted(text[:16_000] for text in FOREIGN)
    assert {(letter.consumer, letter.attempts) for letter in letters} == {(WORKER, 1)}
    assert all("no event or message" in one.error or "wrong type" in one.error for one in letters)


def test_an_item_of_the_wrong_kind_becomes_a_dead_letter(host: StageHost) -> None:
    url = host.stage.urls[host.stage.place.names.queue(WORKER)]
    event = Event("evt-8", "kit.happened", {}, "2026-01-01")
    host.stage.aws.sqs.send_message(QueueUrl=url, MessageBody=encode_item(event))
    assert "takes messages, not events" in only_letter(host).error


def test_a_delivery_of_a_consumer_that_is_gone_becomes_a_dead_letter_and_stays_one(
    host: StageHost, world: World
) -> None:
    nobody = App("kit_deliveries", services=[Service("kit")])
    smaller = Dispatcher(nobody, host.ports, host.log)
    worker = SqsWorker(smaller, host.letters, host.stage.aws.sqs, host.stage.place)
    record = record_of(host, encode_item(Message("msg-9", {"a": 1})))
    assert worker.consume({"Records": [record]}) == {"batchItemFailures": []}
    letter = only_letter(host)
    assert letter.consumer == host.stage.place.names.queue(WORKER)
    assert letter.body == {"a": 1}
    assert "there is no consumer" in letter.error
    with pytest.raises(ConfigurationError, match="there is no consumer"):
        host.ports.dead_letters.redrive(letter.id)
    assert only_letter(host) == letter


def test_a_time_of_the_next_try_that_sqs_refuses_harms_nothing(host: StageHost) -> None:
    record = record_of(host, encode_item(Message("msg-10", {"do": "fail"})))
    answer = host.worker.consume({"Records": [record]})
    assert answer == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}


def test_a_queue_or_topic_that_is_not_there_is_unavailable_and_named(host: StageHost) -> None:
    aws, place = host.stage.aws, host.stage.place
    elsewhere = place.names.topic.replace(place.names.stage, "nowhere")
    with pytest.raises(Unavailable, match=f"{elsewhere}: it does not exist"):
        SnsEventBus(aws.sns, place.arn("sns", elsewhere)).publish(
            [Event("evt-11", "kit.happened", {}, "2026-01-01")]
        )
    aws.sqs.delete_queue(QueueUrl=host.stage.urls.pop(place.names.queue(WORKER)))
    lost = SqsSender(aws.sqs, place)
    with pytest.raises(Unavailable, match=f"{place.names.queue(WORKER)}: it does not exist"):
        lost.put(WORKER, encode_item(Message("msg-11", {})), 0)
