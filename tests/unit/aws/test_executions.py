"""Step Functions as a runtime's engine: names, forms, errors and sleeps, by the API's own model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber
from pydantic import BaseModel

from cartwheel.ports import ConfigurationError, Json, JsonObject, Unavailable
from cartwheel.runs import Launch, Pause, Seen
from cartwheel.testing._runtime_app import runtime_app
from cartwheel.workflow import Err, Error, Ok, map_each, sleep, workflow
from cartwheel_aws import (
    Names,
    Place,
    StepFunctionsEngine,
    TaskTokenWakeup,
    compile_workflow,
    ended_run,
    form_of,
)
from cartwheel_aws._executions import GONE, LONGEST_NAME, execution_name

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

PLACE = Place(Names("app", "test"), "us-east-1", "123456789012")
CONTENT = "c" * 64
ARN = f"arn:aws:states:us-east-1:123456789012:execution:app-test-flow-{CONTENT[:12]}:r-1"
ASKED = {"executionArn": ARN}


class Naps(BaseModel):
    """Says how long to sleep."""

    seconds: int
    until: str
    each: list[int]


@workflow("naps", version="1")
def naps(cmd: Naps) -> None:
    """Sleep in every way."""
    sleep(5, step="fixed")
    sleep(cmd.seconds, step="given")
    sleep(until=cmd.until, step="dated")
    map_each(cmd.each, lambda seconds: sleep(seconds, step="inner"))


def client() -> SFNClient:
    # Port 9 is the one that throws everything away; nobody listens there.
    return boto3.client(
        "stepfunctions",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


class Desk:
    def __init__(self) -> None:
        self.client = client()
        self.api = Stubber(self.client)
        self.engine = StepFunctionsEngine(self.client, PLACE, {"known": {"frame": {}}})
        self.wakeup = TaskTokenWakeup(self.client)

    def launch(self, waits: JsonObject | None = None, run_id: str = "r") -> Launch:
        form: JsonObject = {"frame": {"slot": None}, "waits": waits or {}}
        return Launch(run_id, 1, "flow", CONTENT, form)

    def pauses(self, waits: JsonObject, *events: object, latest: bool = False) -> list[Pause]:
        data = "Path" in json.dumps(waits)
        asked = {
            **ASKED,
            "maxResults": 100 if latest else 1000,
            "reverseOrder": latest,
            "includeExecutionData": data,
        }
        found = list(events)[::-1] if latest else list(events)
        self.api.add_response("get_execution_history", {"events": found}, asked)
        return list(self.engine.pauses(self.launch(waits), latest=latest))


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    with made.api:
        yield made
        made.api.assert_no_pending_responses()
    made.client.close()


def entered(id: int, at: float, state: str, given: Json = None, previous: int = 0) -> object:
    return {
        "id": id,
        "previousEventId": previous,
        "type": "WaitStateEntered",
        "timestamp": datetime.fromtimestamp(at, UTC),
        "stateEnteredEventDetails": {"name": state, "input": json.dumps(given)},
    }


def exited(id: int, at: float, state: str, previous: int = 0) -> object:
    return {
        "id": id,
        "previousEventId": previous,
        "type": "WaitStateExited",
        "timestamp": datetime.fromtimestamp(at, UTC),
        "stateExitedEventDetails": {"name": state},
    }


def described(status: str, **more: object) -> dict[str, object]:
    began = datetime.fromtimestamp(1_000, UTC)
    return {
        **ASKED,
        "stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:m",
        "status": status,
        "startDate": began,
        **more,
    }


# Names.


def test_no_two_executions_share_a_name() -> None:
    ids = ["r", "r-1", "r-1-1", "R", "a" * 78, "a" * 79, "a" * 80, "ü", "r/1", "r 1", "", "😀" * 90]
    hashed = [execution_name(run_id, 1).rpartition("-")[0] for run_id in ids]
    whole = [*ids, *hashed, *(execution_name(run_id, 1) for run_id in ids)]
    pairs = {(run_id, number) for run_id in whole for number in (1, 2, 11, 10**6)}
    names = {execution_name(run_id, number) for run_id, number in pairs}
    assert len(names) == len(pairs)
    assert all(0 < len(name) <= LONGEST_NAME for name in names)
    assert all(name.replace("-", "").replace("_", "").isalnum() for name in names)
    assert all(name.isascii() for name in names)


def test_a_run_id_that_fits_is_read_in_the_name() -> None:
    assert execution_name("ord_01J-checkout", 2) == "ord_01J-checkout-2"


# Forms.


def test_a_form_has_the_frame_and_how_long_each_sleep_is() -> None:
    form = form_of(compile_workflow(naps.ir))
    assert isinstance(form["frame"], dict)
    waits = form["waits"]
    assert isinstance(waits, dict)
    assert set(waits) == {"fixed", "given", "dated", "inner"}
    assert waits["fixed"] == {"Seconds": 5}
    kinds = [next(iter(wait)) for wait in waits.values() if isinstance(wait, dict)]
    assert sorted(kinds) == ["Seconds", "SecondsPath", "SecondsPath", "TimestampPath"]


def test_every_workflow_of_the_kit_has_a_form_that_fits_a_row() -> None:
    for one in runtime_app().workflows.values():
        assert len(json.dumps(form_of(compile_workflow(one.ir)))) < 10_000


def test_a_definition_that_the_function_was_not_built_with_says_deploy(desk: Desk) -> None:
    with pytest.raises(ConfigurationError, match="build and deploy"):
        desk.engine.form("unknown")


# Starting and looking.


def test_an_execution_is_started_on_its_definitions_machine_with_the_frame(desk: Desk) -> None:
    machine = f"arn:aws:states:us-east-1:123456789012:stateMachine:app-test-flow-{CONTENT[:12]}"
    given = '{"run_id":"r","input":{"name":"ü"},"execution":1,"slot":null}'
    asked = {"stateMachineArn": machine, "name": "r-1", "input": given}
    told = {"executionArn": ARN, "startDate": datetime.fromtimestamp(1_000, UTC)}
    desk.api.add_response("start_execution", told, asked)
    desk.engine.start(desk.launch(), {"name": "ü"})


def test_an_execution_that_was_started_before_is_left_alone(desk: Desk) -> None:
    desk.api.add_client_error("start_execution", "ExecutionAlreadyExists")
    desk.engine.start(desk.launch(), {})


def test_an_input_beyond_the_limit_is_refused_before_anything_is_asked(desk: Desk) -> None:
    with pytest.raises(ValueError, match="262144 bytes"):
        desk.engine.start(desk.launch(), {"text": "ü" * 140_000})


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("ExecutionLimitExceeded", "refused with ExecutionLimitExceeded"),
        ("ThrottlingException", "refused with ThrottlingException"),
        ("InternalServerError", "refused with InternalServerError"),
        ("AccessDeniedException", "lacks states:StartExecution"),
    ],
)
def test_what_passes_by_itself_is_unavailable(desk: Desk, code: str, says: str) -> None:
    desk.api.add_client_error("start_execution", code)
    with pytest.raises(Unavailable, match=f"starting run 'r': .*{says}"):
        desk.engine.start(desk.launch(), {})


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("StateMachineDoesNotExist", "deploy the application"),
        ("StateMachineDeleting", "deploy the application"),
        ("InvalidExecutionInput", "refuses it with InvalidExecutionInput"),
    ],
)
def test_what_only_people_can_mend_says_what_to_do(desk: Desk, code: str, says: str) -> None:
    desk.api.add_client_error("start_execution", code, "no")
    with pytest.raises(ConfigurationError, match=says):
        desk.engine.start(desk.launch(), {})


@pytest.mark.parametrize(
    "ask",
    [
        lambda desk: desk.engine.start(desk.launch(), {}),
        lambda desk: desk.engine.look(desk.launch()),
        lambda desk: desk.engine.pauses(desk.launch({"nap": {"Seconds": 1}}), latest=True),
        lambda desk: desk.wakeup.wake("token", Ok(1)),
    ],
    ids=["start", "look", "pauses", "wake"],
)
def test_an_engine_that_nobody_answers_for_is_unavailable(ask: Callable[[Desk], object]) -> None:
    desk = Desk()
    with pytest.raises(Unavailable):
        ask(desk)
    desk.client.close()


def test_an_execution_that_nobody_knows_is_seen_as_none(desk: Desk) -> None:
    desk.api.add_client_error("describe_execution", "ExecutionDoesNotExist", expected_params=ASKED)
    assert desk.engine.look(desk.launch()) is None


def test_an_execution_is_seen_as_it_stands(desk: Desk) -> None:
    desk.api.add_response("describe_execution", described("RUNNING"), ASKED)
    assert desk.engine.look(desk.launch()) == Seen()
    ended = datetime.fromtimestamp(1_005.5, UTC)
    output = '{"output": {"name": "x"}, "compensation_failures": []}'
    told = described("SUCCEEDED", stopDate=ended, output=output)
    desk.api.add_response("describe_execution", told, ASKED)
    seen = desk.engine.look(desk.launch())
    assert seen is not None
    assert (seen.at, (seen.document or {})["output"]) == (1_005.5, {"name": "x"})


def test_an_execution_that_somebody_stopped_is_cancelled(desk: Desk) -> None:
    told = described("ABORTED", stopDate=datetime.fromtimestamp(1_005, UTC))
    desk.api.add_response("describe_execution", told, ASKED)
    seen = desk.engine.look(desk.launch())
    assert seen is not None
    assert (seen.document or {})["status"] == "cancelled"


# Events.


def changed(status: str, **detail: Json) -> Json:
    """Make an event as AWS documents it."""
    given: JsonObject = {"status": status, "name": "r-1", "executionArn": ARN, **detail}
    kind = "Step Functions Execution Status Change"
    return {"source": "aws.states", "detail-type": kind, "detail": given}


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"])
def test_an_event_of_an_end_names_the_run(status: str) -> None:
    given = json.dumps({"run_id": "any / run", "input": {}, "execution": 2})
    assert ended_run(changed(status, name=execution_name("any / run", 2), input=given)) == (
        "any / run"
    )


def test_an_event_that_leaves_the_input_out_names_the_run_by_its_name() -> None:
    name = execution_name("ord-1", 12)
    assert ended_run(changed("FAILED", name=name, input=None)) == "ord-1"
    assert ended_run(changed("FAILED", name=execution_name("any / run", 12), input=None)) is None


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        {"detail-type": "Object Created", "detail": {"status": "FAILED", "name": "r-1"}},
        changed("RUNNING", input='{"run_id": "r"}'),
        changed("FAILED", input="[]"),
        changed("FAILED", input='{"run_id": 5}'),
        changed("FAILED", name=""),
    ],
    ids=str,
)
def test_an_event_of_something_else_names_no_run(event: Json) -> None:
    assert ended_run(event) is None


# Sleeps.


def test_sleeps_are_told_with_when_they_end_and_when_they_fired(desk: Desk) -> None:
    waits: JsonObject = {"nap": {"Seconds": 60}, "poll: interval": {"Seconds": 5}}
    found = desk.pauses(
        waits,
        entered(2, 1_000, "nap"),
        exited(3, 1_060.5, "nap", 2),
        entered(4, 1_061, "poll: interval"),
    )
    assert found == [Pause("nap", 1_060, 1_060.5), Pause("poll", 1_066)]


def test_the_newest_events_tell_which_sleeps_are_not_over(desk: Desk) -> None:
    waits: JsonObject = {"nap": {"Seconds": 60}}
    # The beginning of the sleep that event 9 ends is older than the events that were read.
    found = desk.pauses(waits, exited(9, 990, "nap", 3), entered(10, 1_000, "nap"), latest=True)
    assert found == [Pause("nap", 1_060)]


def test_how_long_a_computed_sleep_is_is_read_from_its_input(desk: Desk) -> None:
    waits: JsonObject = {
        "given": {"SecondsPath": "$.input.seconds"},
        "dated 2": {"TimestampPath": "$['odd \\'name\\''][1]"},
        "lost": {"SecondsPath": "$.nothing.here"},
    }
    found = desk.pauses(
        waits,
        entered(2, 1_000, "given", {"input": {"seconds": 7}}),
        entered(3, 1_000, "dated 2", {"odd 'name'": ["", "1970-01-01T01:00:00Z"]}),
        entered(4, 1_000, "lost", {"nothing": None}),
    )
    assert found == [Pause("given", 1_007), Pause("dated", 3_600), Pause("lost", 1_000)]


def test_sleeps_of_one_step_at_once_are_paired_by_their_events_if_they_are_told(
    desk: Desk,
) -> None:
    waits: JsonObject = {"nap": {"Seconds": 60}}
    told = desk.pauses(
        waits, entered(2, 1_000, "nap"), entered(3, 1_001, "nap"), exited(4, 1_061, "nap", 3)
    )
    assert told == [Pause("nap", 1_060), Pause("nap", 1_061, 1_061)]
    untold = desk.pauses(
        waits, entered(2, 1_000, "nap"), entered(3, 1_001, "nap"), exited(4, 1_060, "nap")
    )
    assert untold == [Pause("nap", 1_060, 1_060), Pause("nap", 1_061)]


def test_a_long_history_is_read_to_its_end(desk: Desk) -> None:
    waits: JsonObject = {"nap": {"Seconds": 60}}
    asked = {**ASKED, "maxResults": 1000, "reverseOrder": False, "includeExecutionData": False}
    desk.api.add_response(
        "get_execution_history", {"events": [entered(2, 1_000, "nap")], "nextToken": "more"}, asked
    )
    again = {**asked, "nextToken": "more"}
    more = {"events": [exited(3, 1_060, "nap", 2)]}
    desk.api.add_response("get_execution_history", more, again)
    found = desk.engine.pauses(desk.launch(waits), latest=False)
    assert found == (Pause("nap", 1_060, 1_060),)


def test_a_workflow_without_sleeps_asks_for_no_history(desk: Desk) -> None:
    assert desk.engine.pauses(desk.launch(), latest=False) == ()


def test_an_execution_that_was_forgotten_has_no_sleeps(desk: Desk) -> None:
    desk.api.add_client_error("get_execution_history", "ExecutionDoesNotExist")
    assert desk.engine.pauses(desk.launch({"nap": {"Seconds": 1}}), latest=False) == ()


# Waking.


def test_a_wait_is_woken_with_what_came(desk: Desk) -> None:
    desk.api.add_response("send_task_success", {}, {"taskToken": "t", "output": '{"by": "x"}'})
    assert desk.wakeup.wake("t", Ok({"by": "x"}))
    error = Error("Cancelled", "the run was asked to end")
    told = json.dumps({"errorType": "Cancelled", "errorMessage": json.dumps(error.to_json())})
    asked = {"taskToken": "t", "error": "Cancelled", "cause": told}
    desk.api.add_response("send_task_failure", {}, asked)
    assert desk.wakeup.wake("t", Err(error))


@pytest.mark.parametrize("code", sorted(GONE))
@pytest.mark.parametrize("outcome", [Ok(1), Err(Error("Cancelled", ""))], ids=["ok", "err"])
def test_a_wait_that_is_gone_is_not_woken(desk: Desk, code: str, outcome: Ok | Err) -> None:
    verb = "send_task_success" if isinstance(outcome, Ok) else "send_task_failure"
    desk.api.add_client_error(verb, code)
    assert not desk.wakeup.wake("t", outcome)


def test_a_payload_that_wakes_no_wait_is_said_to_the_run(desk: Desk) -> None:
    asked: list[str] = []
    desk.client.meta.events.register(
        "provide-client-params.sfn.SendTaskFailure",
        lambda params, **_: asked.append(f"{params['error']} {params['cause']}"),
    )
    desk.api.add_response("send_task_failure", {})
    assert desk.wakeup.wake("t", Ok("x" * 300_000))
    assert "Unexpected" in asked[0]
    assert "larger than" in asked[0]
