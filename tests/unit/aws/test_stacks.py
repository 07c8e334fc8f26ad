"""A stack is brought to rest from whatever state an interrupted run left it in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import pytest
from botocore.exceptions import ClientError

from cartwheel.deployment import DeploymentError, Step
from cartwheel_aws.deploy._changes import changes_of
from cartwheel_aws.deploy._progress import Events
from cartwheel_aws.deploy._stacks import Pace, StackDriver

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import DescribeChangeSetOutputTypeDef

NAME = "tiny-test"
MADE = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Cloud:
    """Is CloudFormation with one stack, by hand: it goes from one state to the next when asked."""

    states: list[str]
    events: list[dict[str, str]] = field(default_factory=list)
    change_sets: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    on: dict[str, list[str]] = field(default_factory=dict)
    page: int = 2

    def describe_stacks(self, StackName: str) -> dict[str, object]:
        """Give the state, and go on to the next."""
        state = self.states[0] if self.states else "gone"
        if len(self.states) > 1:
            self.states.pop(0)
        if state == "gone":
            message = f"Stack {StackName} does not exist"
            raise ClientError(
                {"Error": {"Code": "ValidationError", "Message": message}}, "DescribeStacks"
            )
        found = {"StackId": NAME, "StackStatus": state, "CreationTime": MADE}
        return {"Stacks": [found | {"StackStatusReason": "because"}]}

    def describe_stack_events(self, StackName: str, NextToken: str = "0") -> dict[str, object]:
        """Give a page of events, newest first."""
        start = int(NextToken)
        newest = self.events[::-1]
        more = start + self.page < len(newest)
        answer: dict[str, object] = {"StackEvents": newest[start : start + self.page]}
        return answer | ({"NextToken": str(start + self.page)} if more else {})

    def list_change_sets(self, StackName: str, NextToken: str = "0") -> dict[str, object]:
        """Give one change set a page."""
        at = int(NextToken)
        found = [
            {"ChangeSetName": name, "ChangeSetId": name, "ExecutionStatus": "AVAILABLE"}
            for name in self.change_sets[at : at + 1]
        ]
        more = at + 1 < len(self.change_sets)
        return {"Summaries": found} | ({"NextToken": str(at + 1)} if more else {})

    def delete_change_set(self, ChangeSetName: str) -> None:
        """Note which one goes."""
        self.calls.append(f"delete {ChangeSetName}")

    def delete_stack(self, StackName: str, ClientRequestToken: str) -> None:
        """Go on to what the test says."""
        self._do("delete")

    def continue_update_rollback(self, StackName: str, ClientRequestToken: str) -> None:
        """Go on to what the test says."""
        self._do("continue")

    def _do(self, call: str) -> None:
        self.calls.append(call)
        self.states = self.on[call]


def driver(cloud: Cloud) -> StackDriver:
    """Make a driver that never waits."""
    client = cast("CloudFormationClient", cloud)
    return StackDriver(client, NAME, {}, Pace(sleep=lambda seconds: None))


@pytest.mark.parametrize(
    ("states", "on", "calls", "rests"),
    [
        (["gone"], {}, [], None),
        (["REVIEW_IN_PROGRESS"], {}, [], None),
        (["CREATE_COMPLETE"], {}, [], "CREATE_COMPLETE"),
        (["UPDATE_ROLLBACK_COMPLETE"], {}, [], "UPDATE_ROLLBACK_COMPLETE"),
        (
            ["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"],
            {},
            [],
            "CREATE_COMPLETE",
        ),
        (
            ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"],
            {},
            [],
            "UPDATE_COMPLETE",
        ),
        (["DELETE_IN_PROGRESS", "DELETE_COMPLETE"], {}, [], None),
        (["ROLLBACK_COMPLETE"], {"delete": ["DELETE_IN_PROGRESS", "gone"]}, ["delete"], None),
        (
            ["ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"],
            {"delete": ["gone"]},
            ["delete"],
            None,
        ),
        (
            ["UPDATE_ROLLBACK_FAILED"],
            {"continue": ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]},
            ["continue"],
            "UPDATE_ROLLBACK_COMPLETE",
        ),
    ],
)
def test_a_stack_is_brought_to_rest(
    states: list[str], on: dict[str, list[str]], calls: list[str], rests: str | None
) -> None:
    cloud = Cloud(states, on=on)
    found = driver(cloud).settle(lambda step: None)
    assert (found.status if found else None) == rests
    assert cloud.calls == calls


@pytest.mark.parametrize(
    ("states", "on", "said"),
    [
        (["DELETE_FAILED"], {}, "in state DELETE_FAILED: because; `shopctl destroy` tries again"),
        (["UPDATE_ROLLBACK_FAILED"], {"continue": ["UPDATE_ROLLBACK_FAILED"]}, "can't be rolled"),
        (["ROLLBACK_COMPLETE"], {"delete": ["DELETE_FAILED"]}, "was not deleted: because"),
    ],
)
def test_what_only_a_person_can_mend_is_said(
    states: list[str], on: dict[str, list[str]], said: str
) -> None:
    with pytest.raises(DeploymentError, match=said):
        driver(Cloud(states, on=on)).settle(lambda step: None)


def test_change_sets_that_were_left_are_taken_away_and_others_are_not() -> None:
    cloud = Cloud(["CREATE_COMPLETE"], change_sets=["cartwheel-1", "mine", "cartwheel-2"])
    driver(cloud).settle(lambda step: None)
    assert cloud.calls == ["delete cartwheel-1", "delete cartwheel-2"]


def event(
    number: int, token: str, status: str, what: str = "Table", reason: str = ""
) -> dict[str, str]:
    """Give an event of a resource."""
    return {
        "EventId": str(number),
        "StackId": NAME,
        "ClientRequestToken": token,
        "LogicalResourceId": what,
        "PhysicalResourceId": what,
        "ResourceType": "AWS::DynamoDB::Table",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


def follow(cloud: Cloud, token: str | None) -> tuple[Events, list[Step], Callable[[], None]]:
    """Follow an operation and note its steps."""
    events = Events(cast("CloudFormationClient", cloud), NAME, token)
    steps: list[Step] = []
    return events, steps, lambda: events.tell(steps.append)


def test_each_event_of_the_operation_is_told_once_over_all_pages() -> None:
    cloud = Cloud([], [event(n, "old", "CREATE_COMPLETE") for n in range(5)])
    _, steps, tell = follow(cloud, "new")
    tell()
    assert steps == []
    cloud.events += [event(10 + n, "new", "UPDATE_IN_PROGRESS", f"T{n}") for n in range(5)]
    tell()
    tell()
    assert [step.what for step in steps] == ["T0", "T1", "T2", "T3", "T4"]
    cloud.events.append(event(20, "new", "UPDATE_COMPLETE", "T0"))
    tell()
    assert [(step.what, step.state) for step in steps[5:]] == [("T0", "done")]


def test_an_operation_that_runs_already_is_told_from_those_before_it() -> None:
    cloud = Cloud([], [event(1, "old", "CREATE_COMPLETE"), event(2, "theirs", "UPDATE_COMPLETE")])
    _, steps, tell = follow(cloud, None)
    tell()
    assert [step.action for step in steps] == ["change"]


def test_an_operation_without_a_token_begins_with_the_stacks_own_event() -> None:
    def own(number: int, status: str) -> dict[str, str]:
        kind = {"ResourceType": "AWS::CloudFormation::Stack", "PhysicalResourceId": NAME}
        return without(number, status) | kind

    def without(number: int, status: str, what: str = "Table") -> dict[str, str]:
        found = event(number, "", status, what)
        del found["ClientRequestToken"]
        return found

    cloud = Cloud(
        [],
        [
            own(1, "CREATE_IN_PROGRESS"),
            without(2, "CREATE_COMPLETE", "Old"),
            own(3, "CREATE_COMPLETE"),
            own(4, "UPDATE_IN_PROGRESS"),
            without(5, "UPDATE_IN_PROGRESS", "New"),
            without(6, "DELETE_SKIPPED", "Kept"),
        ],
    )
    _, steps, tell = follow(cloud, None)
    tell()
    tell()
    assert [step.what for step in steps] == ["New"]


def test_the_first_failure_is_the_one_with_a_reason_of_its_own() -> None:
    cloud = Cloud(
        [],
        [
            event(1, "t", "CREATE_FAILED", "A", "Resource creation cancelled"),
            event(2, "t", "CREATE_FAILED", "B", "no room"),
            event(3, "t", "DELETE_FAILED", "C", "also that"),
        ],
    )
    events, _, tell = follow(cloud, "t")
    tell()
    assert events.why == "AWS::DynamoDB::Table B: no room"


def test_importing_the_deployer_loads_no_sdk() -> None:
    code = (
        "import sys, cartwheel_aws.deploy; "
        "assert not {'boto3', 'botocore', 'yaml'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_change_set_is_read_in_our_words() -> None:
    def change(action: str, kind: str, **more: object) -> dict[str, object]:
        found = {"Action": action, "ResourceType": kind, "LogicalResourceId": "R", **more}
        return {"Type": "Resource", "ResourceChange": found}

    target = {
        "Attribute": "Properties",
        "Name": "MemorySize",
        "Path": "/Properties/MemorySize",
        "RequiresRecreation": "Never",
        "BeforeValue": "128",
        "AfterValue": "x" * 100,
    }
    table = "AWS::DynamoDB::Table"
    keys = {"Attribute": "Properties", "Name": "KeySchema", "RequiresRecreation": "Always"}
    pages = [
        {
            "Changes": [
                change("Add", table),
                change("Modify", "AWS::Lambda::Function", Details=[{"Target": target}]),
            ]
        },
        {
            "Changes": [
                change("Modify", table, Replacement="Conditional", Details=[{"Target": keys}] * 2),
                change("Remove", table, PolicyAction="Retain"),
            ]
        },
    ]
    found = changes_of(cast("list[DescribeChangeSetOutputTypeDef]", pages))
    assert [(one.action, one.data) for one in found] == [
        ("add", True),
        ("change", False),
        ("replace", True),
        ("remove", True),
    ]
    assert found[1].details == (f"MemorySize: 128 -> {'x' * 77}...",)
    assert found[2].details == ("KeySchema (needs a new one)",)
    assert found[3].details == ("the old one stays, and nobody uses it any more",)
