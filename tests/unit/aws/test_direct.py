"""Asynchronous invocation: what Lambda is asked, what it tells, and what a stage has for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import boto3
import pytest
from botocore.stub import Stubber

from cartwheel.delivery import ERROR_LENGTH, encode_item
from cartwheel.manifest import manifest_of
from cartwheel.ports import MAX_ITEM_BYTES, Json, JsonObject, Message, Unavailable
from cartwheel_aws import Names, Place
from cartwheel_aws._direct import DeliveryFailed, FailedCall, Invoker, failed_call
from cartwheel_aws.deploy._policies import function_policy
from cartwheel_aws.deploy._queues import queues
from cartwheel_aws.function import ACCOUNT, STAGE, Function
from tests.unit.aws.direct_app import TAKEN, app

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

PLACE = Place(Names("kit", "test"), "us-east-1", "123456789012")
MANIFEST = manifest_of(app, "tests.unit.aws.direct_app:app")
ASYNC_BYTES = 256 * 1024
"""What Lambda took of an asynchronous invocation for a long time; it takes 1 MB by now."""


@pytest.fixture(scope="module")
def functions() -> Iterator[LambdaClient]:
    session = boto3.session.Session("test", "test", region_name=PLACE.region)
    client = session.client("lambda")
    yield client
    client.close()


@pytest.fixture(scope="module")
def function() -> Iterator[Function]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(STAGE, "test")
        environment.setenv(ACCOUNT, PLACE.account)
        environment.setenv("AWS_REGION", PLACE.region)
        yield Function(MANIFEST.source, "kit", __file__)


def test_the_function_of_the_consumer_is_invoked_asynchronously(functions: LambdaClient) -> None:
    text = encode_item(Message("msg-1", {"text": "ü"}))
    with Stubber(functions) as stub:
        payload = json.dumps({"consumer": "kit.take", "item": text}).encode()
        expected = {
            "FunctionName": "kit-test-kit",
            "InvocationType": "Event",
            "Payload": payload,
        }
        stub.add_response("invoke", {"StatusCode": 202}, expected)
        Invoker(functions, PLACE).put("kit.take", text, 0)
        stub.assert_no_pending_responses()


def test_the_largest_message_is_one_that_lambda_takes() -> None:
    for text in ('"' * (MAX_ITEM_BYTES // 2 - 10), "\x00" * (MAX_ITEM_BYTES // 6 - 10)):
        item = encode_item(Message("m" * 100, {"text": text}))
        assert len(json.dumps({"consumer": "kit.take", "item": item})) < ASYNC_BYTES // 2


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("AccessDeniedException", "the function's role lacks lambda:InvokeFunction"),
        ("ResourceNotFoundException", "function kit-test-kit: it does not exist"),
        ("TooManyRequestsException", "refused with TooManyRequestsException"),
    ],
)
def test_a_refusal_is_unavailable_and_says_what_to_do(
    functions: LambdaClient, code: str, says: str
) -> None:
    with Stubber(functions) as stub:
        stub.add_client_error("invoke", code)
        with pytest.raises(Unavailable, match=says):
            Invoker(functions, PLACE).put("kit.take", "[]", 0)


def test_a_message_that_should_wait_is_not_sent_at_once_instead(functions: LambdaClient) -> None:
    with Stubber(functions), pytest.raises(ValueError, match="is invoked directly"):
        Invoker(functions, PLACE).put("kit.take", "[]", 1)


def test_a_function_hands_the_item_to_its_consumer(function: Function) -> None:
    text = encode_item(Message("msg-2", {}))
    assert function.handle({"consumer": "kit.take", "item": text}, None) is None
    assert TAKEN[-1] == ("msg-2", "kit.take:msg-2")


def test_a_function_that_fails_raises_so_that_lambda_tries_again(function: Function) -> None:
    text = encode_item(Message("msg-3", {"fail": "\ud800" + "x" * 10_000}))
    with pytest.raises(DeliveryFailed, match=r"^LookupError: \?xxx") as raised:
        function.handle({"consumer": "kit.take", "item": text}, None)
    assert len(str(raised.value)) == ERROR_LENGTH
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    ("consumer", "text", "why"),
    [
        ("kit.take", "not ours", "ValueError: this is no event or message"),
        ("kit.gone", encode_item(Message("msg-4", {})), "ConfigurationError: there is no consumer"),
    ],
)
def test_what_nobody_can_take_fails_and_says_why(
    function: Function, consumer: str, text: str, why: str
) -> None:
    with pytest.raises(DeliveryFailed, match=why):
        function.handle({"consumer": consumer, "item": text}, None)


def document(payload: Json, **more: Json) -> str:
    about: JsonObject = {
        "requestId": "e4b46cbf-b738-4880-8a18-f61cf3bcf4a5",
        "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:kit-test-kit:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 2,
    }
    told: JsonObject = {
        "version": "1.0",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "requestContext": about | cast("JsonObject", more.pop("about", {})),
        "requestPayload": payload,
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        **more,
    }
    return json.dumps(told)


CALL: Json = {"consumer": "kit.take", "item": "[]"}


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (
            {"errorType": "DeliveryFailed", "errorMessage": "LookupError: x", "stackTrace": []},
            "LookupError: x",
        ),
        (
            {"errorType": "Runtime.ExitError", "errorMessage": "RequestId: 1 Error: exit status 1"},
            "Runtime.ExitError: RequestId: 1 Error: exit status 1",
        ),
        ({"errorMessage": "2026 1 Task timed out after 29.00 seconds"}, "2026 1 Task timed out"),
    ],
)
def test_a_document_is_read_with_the_error_and_the_tries(response: Json, error: str) -> None:
    read = failed_call(document(CALL, responsePayload=response))
    assert read is not None
    assert read.error.startswith(error)
    assert (read.attempts, read.delivery, read.tick) == (2, ("kit.take", "[]"), None)


def test_a_call_that_was_never_answered_says_what_lambda_says_of_it() -> None:
    about: JsonObject = {"condition": "EventAgeExceeded", "approximateInvokeCount": 0}
    read = failed_call(document(CALL, about=about))
    assert read is not None
    assert read.attempts == 0
    assert read.error.startswith("EventAgeExceeded after 0 tries, without an answer")


def test_a_schedules_tick_is_no_delivery() -> None:
    tick = document({"schedule": "kit.tick"}, responsePayload={"errorMessage": "x"})
    assert failed_call(tick) == FailedCall({"schedule": "kit.tick"}, "x", 2)
    read = failed_call(tick)
    assert read is not None
    assert (read.delivery, read.tick) == (None, "kit.tick")


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", '{"requestContext": 1, "requestPayload": 2}', "[" * 50_000]
)
def test_what_is_no_document_of_lambdas_is_none(text: str) -> None:
    assert failed_call(text) is None


def test_a_direct_consumer_has_no_queue_but_its_function_one_for_what_failed() -> None:
    found = queues(MANIFEST, PLACE.names, lambda function: 29)
    assert not [name for name in found if name.startswith("KitTake")]
    assert {"KitSlowQueue", "KitSlowDeadQueue", "AskingHappenedQueue"} <= set(found)
    failed = cast("dict[str, JsonObject]", found["CartwheelKitFailedQueue"])["Properties"]
    assert failed["QueueName"] == "kit-test-cartwheel-kit-failed"
    source = cast("dict[str, JsonObject]", found["CartwheelKitFailedSource"])["Properties"]
    assert source["EventSourceArn"] == {"Fn::GetAtt": ["CartwheelKitFailedQueue", "Arn"]}
    assert source["FunctionName"] == {"Ref": "KitFunction"}
    retries = {n: one for n, one in found.items() if n.endswith("Retries")}
    assert retries == {
        "CartwheelKitRetries": {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {
                "FunctionName": {"Ref": "KitFunction"},
                "Qualifier": "$LATEST",
                "MaximumRetryAttempts": 1,
                "MaximumEventAgeInSeconds": 21600,
                "DestinationConfig": {
                    "OnFailure": {"Destination": {"Fn::GetAtt": ["CartwheelKitFailedQueue", "Arn"]}}
                },
            },
        }
    }


def granted(service: str) -> dict[str, list[str]]:
    """Give the resources of each action on queues and functions, by name."""
    names: dict[str, list[str]] = {}
    spec = MANIFEST.function(service)
    for one in function_policy(spec, MANIFEST, PLACE.names, MANIFEST.collections, None):
        statement = cast("dict[str, list[object]]", one)
        for action in cast("list[str]", statement["Action"]):
            if action.startswith(("sqs:", "lambda:")):
                arns = cast("list[dict[str, str]]", statement["Resource"])
                names.setdefault(action, []).extend(
                    arn["Fn::Sub"].rpartition(":")[2] for arn in arns
                )
    return names


def test_who_sends_may_invoke_the_function_and_only_it_may_report_failed_calls() -> None:
    asking, kit = granted("asking"), granted("kit")
    assert asking["lambda:InvokeFunction"] == ["kit-test-kit"]
    assert asking["sqs:SendMessage"] == ["kit-test-kit-slow"]
    assert "lambda:InvokeFunction" not in kit
    assert kit["sqs:SendMessage"] == ["kit-test-kit-slow", "kit-test-cartwheel-kit-failed"]
    assert kit["sqs:ReceiveMessage"] == [
        "kit-test-kit-slow",
        "kit-test-kit-slow-dead",
        "kit-test-cartwheel-kit-failed",
    ]
