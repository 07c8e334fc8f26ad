"""Topic, queues and their consumers; each has a queue, and one for what it never answers to.

Consumers that are invoked directly have none. Their function has a queue for all of its
asynchronous invocations that failed for good: Lambda knows one destination for each function, and
one number of tries, which schedules' ticks have as well; they are safe to repeat.
"""

from __future__ import annotations

from collections.abc import Callable

from cartwheel.declared import Delivery
from cartwheel.manifest import ConsumerSpec, FunctionSpec, Manifest
from cartwheel.ports import JsonObject
from cartwheel_aws._consume import receives
from cartwheel_aws._names import Names
from cartwheel_aws.deploy._parts import arn, get, logical, policy, put, ref, tags

KEPT_SECONDS = 14 * 24 * 3600
"""How long SQS keeps what nobody has taken, the longest that it offers."""
INVOKED_SECONDS = 6 * 3600
"""How long Lambda tries to invoke a function that it can't, the longest that it offers."""
BATCH = 10
PATIENCE = 6
"""Times a function's timeout for which a message is hidden while it works, as AWS advises."""


def queues(manifest: Manifest, names: Names, timeout: Callable[[FunctionSpec], int]) -> JsonObject:
    """Give the resources of an application's topic and queues."""
    found: JsonObject = {
        "EventsTopic": {
            "Type": "AWS::SNS::Topic",
            "Properties": {"TopicName": names.topic, "Tags": tags(names)},
        }
    }
    for function in manifest.functions:
        for consumer in function.consumers:
            if not consumer.direct:
                _put_all(found, _consumer(consumer, function.name, names, timeout(function)))
        _put_all(found, _direct(function, names, PATIENCE * timeout(function)))
    return found


def _put_all(found: JsonObject, more: JsonObject) -> None:
    for logical_id, resource in more.items():
        put(found, logical_id, resource)


def _direct(function: FunctionSpec, names: Names, hidden: int) -> JsonObject:
    """Say how a function with direct consumers is tried again, and where it fails for good."""
    tries = {one.attempts for one in function.consumers if one.direct}
    if not tries:
        return {}
    failed = logical("cartwheel", function.name, "failed_queue")
    return {
        failed: _queue(names.failed_calls(function.name), names, hidden),
        logical("cartwheel", function.name, "failed_source"): _source(failed, function.name),
        logical("cartwheel", function.name, "retries"): {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {
                "FunctionName": ref(logical(function.name, "function")),
                "Qualifier": "$LATEST",
                "MaximumRetryAttempts": max(tries) - 1,
                "MaximumEventAgeInSeconds": INVOKED_SECONDS,
                "DestinationConfig": {"OnFailure": {"Destination": get(failed)}},
            },
        },
    }


def _consumer(consumer: ConsumerSpec, function: str, names: Names, timeout: int) -> JsonObject:
    queue, dead = logical(consumer.name, "queue"), logical(consumer.name, "dead_queue")
    hidden = PATIENCE * timeout
    delivery = Delivery(consumer.attempts, consumer.delay, consumer.longest)
    found: JsonObject = {
        queue: _queue(
            names.queue(consumer.name),
            names,
            hidden,
            RedrivePolicy={"deadLetterTargetArn": get(dead), "maxReceiveCount": receives(delivery)},
        ),
        dead: _queue(
            names.dead_queue(consumer.name),
            names,
            hidden,
            RedriveAllowPolicy={
                "redrivePermission": "byQueue",
                "sourceQueueArns": [arn("sqs", names.queue(consumer.name))],
            },
        ),
        logical(consumer.name, "source"): _source(queue, function),
        logical(consumer.name, "dead_source"): _source(dead, function),
    }
    if consumer.event is not None:
        found[logical(consumer.name, "subscription")] = {
            "Type": "AWS::SNS::Subscription",
            "Properties": {
                "TopicArn": ref("EventsTopic"),
                "Protocol": "sqs",
                "Endpoint": get(queue),
                "RawMessageDelivery": True,
                "FilterPolicy": {"type": [consumer.event]},
                # What SNS can't deliver becomes a dead letter, too.
                "RedrivePolicy": {"deadLetterTargetArn": get(dead)},
            },
        }
        found[logical(consumer.name, "queue_policy")] = {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {
                "Queues": [ref(queue), ref(dead)],
                "PolicyDocument": policy(
                    [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "sns.amazonaws.com"},
                            "Action": ["sqs:SendMessage"],
                            "Resource": [get(queue), get(dead)],
                            "Condition": {"ArnEquals": {"aws:SourceArn": ref("EventsTopic")}},
                        }
                    ]
                ),
            },
        }
    return found


def _queue(name: str, names: Names, hidden: int, **more: JsonObject) -> JsonObject:
    return {
        "Type": "AWS::SQS::Queue",
        "Properties": {
            "QueueName": name,
            "VisibilityTimeout": hidden,
            "MessageRetentionPeriod": KEPT_SECONDS,
            "SqsManagedSseEnabled": True,
            **more,
            "Tags": tags(names),
        },
    }


def _source(queue: str, function: str) -> JsonObject:
    return {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "EventSourceArn": get(queue),
            "FunctionName": ref(logical(function, "function")),
            "BatchSize": BATCH,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        },
    }
