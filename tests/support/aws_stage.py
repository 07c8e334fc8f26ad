"""A stage of an application on ministack: topic, queues, subscriptions and the function's events.

The function's code runs in the test's own process: ministack hands its invocations over by HTTP.
Everything between is the engine's: fan-out, filters, visibility, redrive, event source mappings.
"""

from __future__ import annotations

import io
import json
import threading
import uuid
import zipfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import boto3

from cartwheel.app import App, Service
from cartwheel.deadletters import DEAD_LETTERS, StoreDeadLetters
from cartwheel.declared import Delivery
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import Hook, Json, Ports, Store, hooked
from cartwheel_aws._consume import SqsAnswer, SqsEvent, SqsWorker, receives
from cartwheel_aws._direct import Invoker, take
from cartwheel_aws._events import SnsEventBus, filter_policy
from cartwheel_aws._names import Names, Place
from cartwheel_aws._queue import AwsQueue, SqsSender
from cartwheel_local import LocalHost
from tests.engines._driver import Answered, Asked, Server, as_json
from tests.engines.aws._processes import ACCOUNT, REGION
from tests.support.dynamo import dynamo_client, dynamo_store, make_tables
from tests.support.ministack import start_ministack

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeNameType

LETTERS = App("letters", services=[Service("letters", collections=[DEAD_LETTERS])])
Consume = Callable[[SqsEvent], SqsAnswer]
Take = Callable[[str, str], None]


class Aws:
    """Is ministack with the clients that tests and adapters call it through."""

    def __init__(self) -> None:
        with ExitStack() as opened:
            self.process = start_ministack()
            opened.callback(self.process.stop)
            self.server = Server()
            opened.callback(self.server.close)
            session = boto3.session.Session("test", "test", region_name=REGION)
            url = self.process.url
            self.dynamo = dynamo_client(url)
            self.sns = session.client("sns", endpoint_url=url)
            self.sqs = session.client("sqs", endpoint_url=url)
            self.functions = session.client("lambda", endpoint_url=url)
            for client in (self.dynamo, self.sns, self.sqs, self.functions):
                opened.callback(client.close)
            self._opened = opened.pop_all()

    def close(self) -> None:
        """End the engine."""
        self._opened.close()


class Stage:
    """Is what a deployment makes of an application's messaging, under a name of its own."""

    def __init__(self, aws: Aws, app: App, *, visibility: int = 30) -> None:
        self.aws = aws
        self.place = Place(Names(app.name, f"t{uuid.uuid4().hex[:12]}"), REGION, ACCOUNT)
        self.urls: dict[str, str] = {}
        self.batches: list[tuple[str, ...]] = []
        """The bodies of each event that the function was called with, in order."""
        self._visibility = visibility
        self._consume: Consume | None = None
        self._take: Take | None = None
        self._calls = 0
        self._idle = threading.Condition()
        self._mappings: list[str] = []
        self.function = self.place.names.function("kit")
        aws.server.mount(f"/{self.function}", self._invoked)
        aws.functions.create_function(
            FunctionName=self.function,
            Runtime="python3.12",
            Role=f"arn:aws:iam::{ACCOUNT}:role/cartwheel",
            Handler="handler.handle",
            Code={"ZipFile": _code()},
            Timeout=visibility,
            Environment={
                "Variables": {"MINISTACK_LAMBDA_PROXY_URL": f"{aws.server.url}/{self.function}"}
            },
        )
        self.tables = make_tables(aws.dynamo, [DEAD_LETTERS], self.place.names.prefix)
        self.topic = aws.sns.create_topic(Name=self.place.names.topic)["TopicArn"]
        assert self.topic == self.place.topic
        for subscription in app.subscriptions.values():
            queue = self._make_queue(subscription.name, subscription.delivery)
            aws.sns.subscribe(
                TopicArn=self.topic,
                Protocol="sqs",
                Endpoint=queue,
                Attributes={
                    "RawMessageDelivery": "true",
                    "FilterPolicy": json.dumps(filter_policy(subscription.event)),
                },
            )
        for consumer in app.consumers.values():
            if consumer.direct:
                self._make_direct(consumer.delivery)
            else:
                self._make_queue(consumer.name, consumer.delivery)

    def _make_direct(self, delivery: Delivery) -> None:
        """Say how the function is tried again when it is invoked directly."""
        failed = self.place.names.failed_calls("kit")
        self.urls[failed] = self.aws.sqs.create_queue(
            QueueName=failed, Attributes={"VisibilityTimeout": str(self._visibility)}
        )["QueueUrl"]
        self._make_source(self.place.arn("sqs", failed))
        self.aws.functions.put_function_event_invoke_config(
            FunctionName=self.function,
            Qualifier="$LATEST",
            MaximumRetryAttempts=delivery.attempts - 1,
            MaximumEventAgeInSeconds=21600,
            DestinationConfig={"OnFailure": {"Destination": self.place.arn("sqs", failed)}},
        )

    def _make_queue(self, consumer: str, delivery: Delivery) -> str:
        """Make a consumer's queue with its dead queue, and give its ARN."""
        names, sqs = self.place.names, self.aws.sqs
        dead = self.place.arn("sqs", names.dead_queue(consumer))
        redrive = {
            "deadLetterTargetArn": dead,
            "maxReceiveCount": receives(delivery),
        }
        hidden: dict[QueueAttributeNameType, str] = {"VisibilityTimeout": str(self._visibility)}
        self.urls[names.dead_queue(consumer)] = sqs.create_queue(
            QueueName=names.dead_queue(consumer), Attributes=hidden
        )["QueueUrl"]
        queue = self.place.queue(consumer)
        allowed = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": self.topic}},
        }
        policy = {"Version": "2012-10-17", "Statement": [allowed]}
        self.urls[names.queue(consumer)] = sqs.create_queue(
            QueueName=names.queue(consumer),
            Attributes={
                **hidden,
                "RedrivePolicy": json.dumps(redrive),
                "Policy": json.dumps(policy),
            },
        )["QueueUrl"]
        for source in (queue, dead):
            self._make_source(source)
        return queue

    def _make_source(self, queue: str) -> None:
        """Let the function get what is in a queue, by the queue's ARN."""
        mapping = self.aws.functions.create_event_source_mapping(
            EventSourceArn=queue,
            FunctionName=self.function,
            BatchSize=10,
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )
        self._mappings.append(mapping["UUID"])

    def serve(self, consume: Consume, take: Take) -> None:
        """Let the function answer with these from now on; before, it fails."""
        self._consume, self._take = consume, take

    def listen(self, on: bool) -> None:
        """Let the function be called or not; what is sent meanwhile waits in its queue."""
        for mapping in self._mappings:
            self.aws.functions.update_event_source_mapping(UUID=mapping, Enabled=on)

    def _invoked(self, asked: Asked) -> Answered:
        with self._idle:
            consume, take = self._consume, self._take
            if consume is None or take is None:
                return _failed(RuntimeError("nobody serves the function"))
            self._calls += 1
        told = json.loads(asked.body)
        try:
            if "Records" not in told:
                return as_json(200, take(told["consumer"], told["item"]))
            event = cast("SqsEvent", told)
            self.batches.append(tuple(record["body"] for record in event["Records"]))
            return as_json(200, cast("Json", consume(event)))
        except BaseException as error:  # noqa: BLE001  # whatever it is, Lambda calls it an error
            return _failed(error)
        finally:
            with self._idle:
                self._calls -= 1
                self._idle.notify_all()

    def close(self) -> None:
        """Take the stage away, once the function has answered what it was asked."""
        for mapping in self._mappings:
            with suppress(self.aws.functions.exceptions.ResourceNotFoundException):
                self.aws.functions.delete_event_source_mapping(UUID=mapping)
        with self._idle:
            self._consume = None
            assert self._idle.wait_for(lambda: self._calls == 0, timeout=30)
        self.aws.functions.delete_function(FunctionName=self.function)
        self.aws.sns.delete_topic(TopicArn=self.topic)
        for table in self.tables.values():
            self.aws.dynamo.delete_table(TableName=table)
        for url in self.urls.values():
            self.aws.sqs.delete_queue(QueueUrl=url)


class StageHost(LocalHost):
    """Is an application whose messaging is on AWS, and whose rest is here.

    Dead letters are kept in DynamoDB, the application's own rows here; `faults` stands around the
    store of the former.
    """

    def __init__(
        self,
        aws: Aws,
        app: App,
        data: Path,
        *,
        visibility: int = 30,
        faults: Hook | None = None,
    ) -> None:
        self._faults = faults
        self.stage = Stage(aws, app, visibility=visibility)
        try:
            options = HostOptions(data=data, log=discard, replace=self._on_aws)
            super().__init__(app, options)
        except BaseException:
            self.stage.close()
            raise
        self.worker = SqsWorker(self.dispatcher, self.letters, aws.sqs, self.stage.place)
        self.stage.serve(
            self.worker.consume, lambda consumer, text: take(self.dispatcher, consumer, text)
        )

    def _on_aws(self, ports: Ports) -> Ports:
        aws, place = self.stage.aws, self.stage.place
        queue = AwsQueue(
            SqsSender(aws.sqs, place), Invoker(aws.functions, place), lambda: self.dispatcher
        )
        kept = dynamo_store(aws.dynamo, LETTERS, self.stage.tables)
        store: Store = hooked("store", kept, Store, self._faults)  # type: ignore[type-abstract]  # a protocol names the methods
        self.letters = StoreDeadLetters(store, queue.deliver)
        return replace(
            ports,
            events=SnsEventBus(aws.sns, place.topic),
            queue=queue,
            dead_letters=self.letters,
        )

    def close(self) -> None:
        """Close the stage first: its function uses the host."""
        self.stage.close()
        super().close()


def _failed(error: BaseException) -> Answered:
    """Answer as the Lambda service does for a function that raised."""
    told: Json = {"errorMessage": str(error), "errorType": type(error).__name__}
    return as_json(200, told, **{"X-Amz-Function-Error": "Unhandled"})


def _code() -> bytes:
    """Give a function package; its code is never run, because invocations go to the test."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("handler.py", "def handle(event, context):\n    return event\n")
    return code.getvalue()
