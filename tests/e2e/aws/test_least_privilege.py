"""The deployed shop, whose functions are held to their roles: what is granted is what is used."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from cartwheel.access import KEEPER
from cartwheel.http import Request
from tests.engines.aws._processes import REGION
from tests.support.aws_held import Deployed, deployed, until
from tests.support.aws_life import live
from tests.support.aws_templates import REGION as WRITTEN
from tests.support.aws_templates import shop
from tests.support.shopping import Shopper

pytestmark = pytest.mark.timeout(900)

WHOLE = {
    "dynamodb:GetItem": "reading comes whole: a row, or a partition's rows",
    "dynamodb:Query": "the same",
    "dynamodb:PutItem": "writing comes whole: putting, deleting, demanding a version",
    "dynamodb:DeleteItem": "the same",
    "dynamodb:ConditionCheckItem": "the same",
    "sqs:ChangeMessageVisibility": "a consumer hides what it failed at; here few fail",
    "sqs:GetQueueUrl": "the same",
    "states:DescribeExecution": "steering comes whole: is a run still open, what does it wait for",
    "states:GetExecutionHistory": "the same",
    "states:SendTaskSuccess": "answering comes whole: with a result, or with an error",
    "states:SendTaskFailure": "the same",
}
"""Actions of a statement that need not all be used on each of its resources."""


@dataclass(frozen=True)
class Unused:
    """Says why a grant of a function is there though a life without crashes does not use it."""

    function: str
    action: str
    resource: str
    why: str

    def covers(self, grant: Grant) -> bool:
        """Tell whether it speaks of a grant."""
        return (
            bool(re.fullmatch(self.function, grant.function))
            and any(re.fullmatch(self.action, one) for one in grant.actions)
            and bool(re.search(self.resource, grant.resource))
        )


UNUSED = (
    Unused(".*", r"logs:.*", ":log-stream:", "Lambda itself writes the log, as the function"),
    Unused(".*", r"sqs:ReceiveMessage", "", "Lambda itself polls the queue, as the function"),
    Unused(".*", r"sqs:ChangeMessageVisibility", "", "a delivery has to fail before it is used"),
    Unused(KEEPER, r"dynamodb:DeleteItem", "", "events stay in an outbox after a crash only"),
    Unused(KEEPER, r"sns:Publish", "", "the same"),
    Unused(".*", r"sqs:SendMessage", "-failed$", "Lambda itself puts calls there that failed"),
    Unused("payments", r"states:StartExecution", "", "a signal starts a run that a crash left"),
    Unused("orders", r"states:StartExecution", "", "the keeper overtakes who is slow to start one"),
    Unused(
        "orders|payments",
        r"states:SendTask.*",
        "",
        "a signal may come before its wait",
    ),
    # Who is first to look at a run depends on time.
    Unused(".*", r"states:DescribeExecution", "", "a run that waits, or has ended, is known"),
    Unused(KEEPER, r"states:StartExecution", "", "who began a run has crashed before its start"),
    Unused(KEEPER, r"states:SendTask.*", "", "who woke a run has crashed before it was woken"),
    Unused(".*", r"ses:SendEmail", "identity/example.com$", "AWS takes either of the identities"),
)


@dataclass(frozen=True)
class Grant:
    """Is one resource of one statement of a function's role."""

    function: str
    actions: tuple[str, ...]
    resource: str
    but: bool = False
    """Whether it is all resources but these."""

    def allows(self, action: str, resource: str) -> bool:
        """Tell whether the statement allows it, as IAM reads patterns."""
        return action in self.actions and like(self.resource, resource) is not self.but


def like(pattern: str, text: str) -> bool:
    """Tell whether IAM's `*` and `?` make a pattern of a text."""
    parts = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(parts, text) is not None


def grants() -> Iterator[Grant]:
    """Give all that the template grants to functions."""
    made = shop()
    for function in made.manifest.functions:
        for statement in made.statements(function.name):
            but = "NotResource" in statement
            for resource in statement["NotResource" if but else "Resource"]:
                place = resource.replace(f":{WRITTEN}:", f":{REGION}:")
                yield Grant(function.name, tuple(statement["Action"]), place, but)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with deployed(tmp_path_factory.mktemp("stage")) as found:
        yield found


@pytest.fixture(scope="module")
def ended(stage: Deployed) -> dict[str, str]:
    return live(stage)


def test_the_shop_lives_while_each_function_is_held_to_its_role(
    stage: Deployed, ended: dict[str, str]
) -> None:
    assert len(ended) == 8
    asked = stage.asked()
    denied = {(one.caller, one.action, one.resource) for one in asked if not one.granted}
    assert denied == set()
    assert {one.caller for one in asked} >= {
        *("users", "catalog", "carts", "orders", "payments", "inventory", "notifications"),
        *("analytics", KEEPER),
    }
    print(f"{len(asked)} requests of functions to AWS, all granted by their roles")


def test_what_is_granted_is_what_is_used(stage: Deployed, ended: dict[str, str]) -> None:
    used = {(one.caller, one.action, one.resource) for one in stage.asked()}
    every = list(grants())
    by_template = [
        one
        for one in used
        if not any(g.function == one[0] and g.allows(one[1], one[2]) for g in every)
    ]
    assert by_template == []
    counts: Counter[str] = Counter()
    idle: list[Grant] = []
    for grant in every:
        mine = {(action, resource) for who, action, resource in used if who == grant.function}
        acts = {action for action, resource in mine if grant.allows(action, resource)}
        counts["grants"] += 1
        counts["pairs"] += len(grant.actions)
        counts["pairs used"] += len(acts)
        if acts:
            counts["used"] += 1
            left = set(grant.actions) - acts
            assert left <= set(WHOLE), (grant, left)
        elif any(reason.covers(grant) for reason in UNUSED):
            counts["listed"] += 1
        else:
            idle.append(grant)
    print(
        f"{counts['grants']} grants (a statement's resource) with {counts['pairs']} pairs of "
        f"action and resource: {counts['used']} used, {counts['listed']} listed with a reason, "
        f"{len(idle)} neither; {counts['pairs used']} pairs and {len(used)} requests that differ"
    )
    assert not idle, "\n".join(map(str, idle))
    for kind in ("states:SendTask", "states:DescribeExecution"):
        assert [one for one in used if one[1].startswith(kind)], kind
    # A slow machine has the keeper start one of them, and never all.
    assert [one for one in used if one[:2] == ("orders", "states:StartExecution")]
    assert counts["used"] > 90
    for reason in UNUSED:
        assert any(reason.covers(grant) for grant in every), reason


def test_a_function_is_refused_what_its_role_lacks_and_says_what(
    stage: Deployed, ended: dict[str, str]
) -> None:
    guest = Shopper(stage.dispatcher)
    assert guest.send("GET", "/products").status == 200
    with without(stage, "CatalogRole", "/index/"):
        refused = guest.send("GET", "/products")
        assert refused.status == 500
        assert b"shop-test-products" not in refused.body
        (line, *_) = until(lambda: stage.logged("catalog", "request failed"), "the log's line")
    said = json.loads(line)
    assert "these credentials may not use table 'shop-test-products'" in json.dumps(said)
    assert guest.send("GET", "/products").status == 200
    denied = [one for one in stage.asked() if not one.granted]
    assert {(one.caller, one.action) for one in denied} == {("catalog", "dynamodb:Query")}
    assert all("/index/" in one.resource for one in denied)


def test_the_edge_reaches_nothing(stage: Deployed, ended: dict[str, str]) -> None:
    assert stage.dispatcher.http(Request("GET", "/nowhere")).status == 404
    assert [one for one in stage.asked() if one.caller == "edge"] == []


class without:  # used like a function
    """Takes the statements from a role that name something, for a while."""

    def __init__(self, stage: Deployed, role: str, named: str) -> None:
        self._iam = stage.client("iam")
        found = stage.client("cloudformation").describe_stack_resource(
            StackName=stage.names.prefix, LogicalResourceId=role
        )
        self._role = found["StackResourceDetail"]["PhysicalResourceId"]
        self._named = named

    def __enter__(self) -> None:
        told = self._iam.get_role_policy(RoleName=self._role, PolicyName="uses")
        self._whole: Any = told["PolicyDocument"]
        statements = self._whole["Statement"]
        kept = [one for one in statements if self._named not in json.dumps(one["Resource"])]
        assert len(kept) < len(statements)
        self._put({**self._whole, "Statement": kept})

    def __exit__(self, *exc: object) -> None:
        self._put(self._whole)

    def _put(self, document: Any) -> None:
        self._iam.put_role_policy(
            RoleName=self._role, PolicyName="uses", PolicyDocument=json.dumps(document)
        )
