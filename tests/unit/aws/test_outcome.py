"""How an execution ended, read from what DescribeExecution says."""

from __future__ import annotations

import json

import pytest

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow import Err, Error, Ok
from cartwheel_aws import ended, task_answer


def told(code: str, **fields: Json) -> str:
    """Give the cause that a function's error has."""
    error: JsonObject = {"code": code, "message": "no", "details": {"n": 1}, "retryable": False}
    return json.dumps({"errorType": code, "errorMessage": json.dumps(error | fields)})


def test_success_gives_the_output_and_what_could_not_be_undone() -> None:
    caught: Json = {"Error": "Declined", "Cause": told("Declined")}
    failures: list[Json] = [
        {"step": "pay", "key": "r:pay.compensate", "caught": caught},
        {"step": "take", "key": "r:take.compensate", "caught": None},
        {"items": {"failed": [[{"step": "a", "key": "r:a.compensate:0", "caught": caught}]]}},
        {"items": None},
    ]
    document = {"status": "succeeded", "output": {"n": 1}, "compensation_failures": failures}
    found = ended("SUCCEEDED", json.dumps(document))
    assert found["output"] == {"n": 1}
    undone = found["compensation_failures"]
    assert isinstance(undone, list)
    assert [(one["step"], one["error"]["code"]) for one in undone] == [  # type: ignore[index,call-overload]  # objects
        ("pay", "Declined"),
        ("a", "Declined"),
    ]


@pytest.mark.parametrize(
    ("error", "cause", "code"),
    [
        ("Declined", told("Declined"), "Declined"),
        ("States.Timeout", "", "Timeout"),
        ("Sandbox.Timedout", "RequestId: 1 Error: Task timed out", "Timeout"),
        ("Lambda.TooManyRequestsException", "Rate Exceeded", "Unavailable"),
        ("Lambda.Unknown", "The cause could not be determined", "Unavailable"),
        ("States.Runtime", "a path is missing", "Unexpected"),
        ("Runtime.ExitError", "", "Unavailable"),
        ("TooMany", json.dumps({"error": {"code": "TooMany", "message": "3"}}), "TooMany"),
        ("Gone", json.dumps({"caught": {"Error": "Gone", "Cause": told("Gone")}}), "Gone"),
    ],
)
def test_every_engine_error_has_a_code_of_the_language(error: str, cause: str, code: str) -> None:
    found = ended("FAILED", None, error, cause)
    assert found["status"] == "failed"
    assert isinstance(found["error"], dict)
    assert found["error"]["code"] == code


def test_a_cancelled_run_ends_as_cancelled() -> None:
    assert ended("FAILED", None, "Cancelled", told("Cancelled"))["status"] == "cancelled"
    assert ended("ABORTED")["status"] == "cancelled"


def test_an_execution_that_timed_out_has_failed_with_timeout() -> None:
    found = ended("TIMED_OUT")
    assert isinstance(found["error"], dict)
    assert (found["status"], found["error"]["code"]) == ("failed", "Timeout")


def test_a_wait_is_answered_with_its_payload_or_under_the_errors_name() -> None:
    assert task_answer("t", Ok({"a": 1})) == (
        "SendTaskSuccess",
        {"taskToken": "t", "output": '{"a": 1}'},
    )
    action, given = task_answer("t", Err(Error("Cancelled", "asked to")))
    assert (action, given["error"]) == ("SendTaskFailure", "Cancelled")
    assert json.loads(json.loads(given["cause"])["errorMessage"])["message"] == "asked to"
