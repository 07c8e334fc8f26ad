"""What ministack gets wrong, shown on ministack alone: when one fails, take it from known.py."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from cartwheel.ports import Json, JsonObject
from tests.engines.aws._processes import call
from tests.engines.aws.engines import ROLE, Ministack, Moto, StepFunctions
from tests.support.dynamo import dynamo_client
from tests.support.ministack import start_ministack


@pytest.fixture(scope="module", params=["ministack", "moto"])
def engine(request: pytest.FixtureRequest) -> Iterator[StepFunctions]:
    """Give each engine, started."""
    made: StepFunctions = Ministack() if request.param == "ministack" else Moto()
    made.start()
    yield made
    made.stop()


def _run(engine: StepFunctions, states: JsonObject, given: Json, name: str) -> JsonObject:
    """Run a machine on the engine's process whose waits end at once."""
    url = engine.side(0.0).process.url
    definition = json.dumps({"StartAt": next(iter(states)), "States": states})
    made = call(url, "CreateStateMachine", name=name, definition=definition, roleArn=ROLE)
    arn = made["stateMachineArn"]
    started = call(url, "StartExecution", stateMachineArn=arn, input=json.dumps(given))
    for _ in range(500):
        told = call(url, "DescribeExecution", executionArn=started["executionArn"])
        if told["status"] != "RUNNING":
            return told
        time.sleep(0.02)
    raise AssertionError("it does not end")


def test_ministack_orders_no_two_paths(engine: StepFunctions) -> None:
    rule: JsonObject = {"Variable": "$.a", "StringLessThanPath": "$.b", "Next": "less"}
    states: JsonObject = {
        "which": {"Type": "Choice", "Choices": [rule], "Default": "not less"},
        "less": {"Type": "Pass", "Result": {"less": True}, "End": True},
        "not less": {"Type": "Pass", "Result": {"less": False}, "End": True},
    }
    told = _run(engine, states, {"a": "a", "b": "b"}, "order")
    assert json.loads(str(told["output"])) == {"less": engine.name == "moto"}


def test_a_field_of_a_lists_item_is_a_list_to_moto(engine: StepFunctions) -> None:
    picked: JsonObject = {"found.$": "$.list[0].name"}
    states: JsonObject = {"pick": {"Type": "Pass", "Parameters": picked, "End": True}}
    told = _run(engine, states, {"list": [{"name": "a"}]}, "item")
    expected = ["a"] if engine.name == "moto" else "a"
    assert json.loads(str(told["output"])) == {"found": expected}


def test_a_negative_number_of_a_template_is_a_float_to_moto(engine: StepFunctions) -> None:
    states: JsonObject = {"give": {"Type": "Pass", "Parameters": {"n": -5}, "End": True}}
    told = _run(engine, states, {}, "negative")
    assert json.loads(str(told["output"])) == {"n": -5}
    assert ("-5.0" in str(told["output"])) == (engine.name == "moto")


def test_ministack_tells_nothing_of_sleeps_in_branches(engine: StepFunctions) -> None:
    wait: JsonObject = {"Type": "Wait", "Seconds": 1, "End": True}
    branch: JsonObject = {"StartAt": "nap", "States": {"nap": wait}}
    states: JsonObject = {"both": {"Type": "Parallel", "Branches": [branch], "End": True}}
    arn = str(_run(engine, states, {}, "branches")["executionArn"])
    url = engine.side(0.0).process.url
    history = call(url, "GetExecutionHistory", executionArn=arn)
    assert ("WaitStateExited" in json.dumps(history)) == (engine.name == "moto")


def test_ministack_knows_no_longest_pause() -> None:
    engine = Ministack()
    engine.start()
    try:
        retrier: JsonObject = {
            "ErrorEquals": ["States.ALL"],
            "IntervalSeconds": 1,
            "MaxAttempts": 3,
            "BackoffRate": 10,
            "MaxDelaySeconds": 2,
        }
        nobody = "arn:aws:lambda:us-east-1:123456789012:function:nobody"
        task: JsonObject = {"Type": "Task", "Resource": nobody, "Retry": [retrier], "End": True}
        url = engine.side(0.2).process.url
        definition = json.dumps({"StartAt": "ask", "States": {"ask": task}})
        made = call(url, "CreateStateMachine", name="cap", definition=definition, roleArn=ROLE)
        arn = made["stateMachineArn"]
        began = time.monotonic()
        started = call(url, "StartExecution", stateMachineArn=arn, input="{}")
        while time.monotonic() - began < 4:
            told = call(url, "DescribeExecution", executionArn=started["executionArn"])
            assert told["status"] == "RUNNING", "pauses of 1, 2 and 2 s are over by now"
            time.sleep(0.2)
    finally:
        engine.stop()


@pytest.mark.parametrize("corrected", [False, True])
def test_ministack_measures_a_transaction_with_its_escapes(corrected: bool) -> None:
    server = start_ministack(corrected=corrected)
    try:
        client = dynamo_client(server.url)
        client.create_table(
            TableName="texts",
            AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )

        def write(count: int) -> None:
            texts = [{"p": {"S": f"{n}"}, "t": {"S": '"' * 300_000}} for n in range(count)]
            client.transact_write_items(
                TransactItems=[{"Put": {"TableName": "texts", "Item": text}} for text in texts]
            )

        with pytest.raises(client.exceptions.ClientError, match="4MB"):
            write(14)
        if corrected:
            write(13)
        else:
            with pytest.raises(client.exceptions.ClientError, match="4MB"):
                write(7)
            write(6)
    finally:
        server.stop()
