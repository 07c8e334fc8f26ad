"""What functions may do: what their services declare, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from cartwheel.access import EDGE, KEEPER
from cartwheel.manifest import manifest_of
from cartwheel_aws import Names
from cartwheel_aws.deploy._policies import function_policy
from cartwheel_workflows.shop import shop_app
from tests.support.aws_templates import ACCOUNT, REGION, Templates, hello, resolved, shop

APPS = {"shop": cache(shop), "hello": cache(hello)}
UNSCOPED = {"states:SendTaskFailure", "states:SendTaskSuccess"}
CLOSED = re.compile(r"[^*?]+(-\?{6}|-\?{12}|-\?{12}:\*|:log-stream:\*)?")
"""A name that is whole, but for what AWS itself adds to its end."""
PLACE = f"{REGION}:{ACCOUNT}"


@pytest.fixture(params=APPS)
def made(request: pytest.FixtureRequest) -> Templates:
    return APPS[str(request.param)]()


def roles(made: Templates) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each statement of each role, also of those that services of AWS take."""
    for name, role in made.of("AWS::IAM::Role").items():
        for policy in role["Policies"]:
            for statement in resolved(policy["PolicyDocument"]["Statement"]):
                yield name, statement


def test_no_action_and_no_resource_is_open_but_the_two_that_aws_has_no_name_for(
    made: Templates,
) -> None:
    count = 0
    for role, statement in roles(made):
        assert statement["Effect"] == "Allow"
        for action in statement["Action"]:
            assert re.fullmatch(r"[a-z]+:[A-Z]\w+", action), (role, action)
        if "NotResource" in statement:
            assert statement["Action"] == ["sns:Publish"]
            assert statement["NotResource"] == ["arn:aws:sns:*:*:*"]
            continue
        if "*" in statement["Resource"]:
            assert (set(statement["Action"]), statement["Resource"]) == (UNSCOPED, ["*"])
        count += len(statement["Resource"])
    assert count > 10


def test_a_function_with_no_text_messages_or_tasks_has_no_open_statement(made: Templates) -> None:
    for function in made.manifest.functions:
        open_ones = [
            one
            for one in made.statements(function.name)
            if "NotResource" in one or one["Resource"] == ["*"]
        ]
        allowed = ("sms" in function.uses.ports) + bool(
            function.uses.runs or function.name == KEEPER
        )
        assert len(open_ones) == allowed, function.name


def test_every_resource_of_a_policy_is_in_one_of_the_stacks(made: Templates) -> None:
    exists = _arns(made)
    seen = 0
    for role, statement in roles(made):
        for resource in statement.get("Resource", []):
            if isinstance(resource, dict):
                assert resource["Fn::GetAtt"][0] in made.resources, (role, resource)
                continue
            if resource == "*":
                continue
            pattern = re.escape(resource).replace(r"\*", ".*").replace(r"\?", ".")
            assert any(re.fullmatch(pattern, one) for one in exists), (role, resource)
            assert CLOSED.fullmatch(resource), resource
            seen += 1
    assert seen > 20


def _arns(made: Templates) -> set[str]:
    found = {f"arn:aws:ses:{PLACE}:identity/{one}" for one in ("shop@example.com", "example.com")}
    for table in made.of("AWS::DynamoDB::Table").values():
        arn = f"arn:aws:dynamodb:{PLACE}:table/{table['TableName']}"
        found.add(arn)
        for index in table.get("GlobalSecondaryIndexes", []):
            found.add(f"{arn}/index/{index['IndexName']}")
    for queue in made.of("AWS::SQS::Queue").values():
        found.add(f"arn:aws:sqs:{PLACE}:{queue['QueueName']}")
    for function in made.of("AWS::Lambda::Function").values():
        found.add(f"arn:aws:lambda:{PLACE}:function:{function['FunctionName']}")
    for topic in made.of("AWS::SNS::Topic").values():
        found.add(f"arn:aws:sns:{PLACE}:{topic['TopicName']}")
    for group in made.of("AWS::Logs::LogGroup").values():
        found.add(f"arn:aws:logs:{PLACE}:log-group:{group['LogGroupName']}:log-stream:2026")
    for machine in made.of("AWS::StepFunctions::StateMachine").values():
        name = machine["StateMachineName"]
        found.add(f"arn:aws:states:{PLACE}:stateMachine:{name}")
        found.add(f"arn:aws:states:{PLACE}:execution:{name}:run-1")
    names = made.names
    for secret in made.manifest.secrets:
        found.add(f"arn:aws:secretsmanager:{PLACE}:secret:{names.secret(secret)}-AbCdEf")
    return found


def test_the_edge_may_do_nothing_but_log(made: Templates) -> None:
    (only,) = made.statements(EDGE)
    assert only["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    group = made.names.log_group(EDGE)
    assert only["Resource"] == [f"arn:aws:logs:{PLACE}:log-group:{group}:log-stream:*"]


def granted(made: Templates, function: str) -> set[tuple[str, str]]:
    """Give what a function may do, as action and the end of the resource's name."""
    return {
        (action, resource.removeprefix("arn:aws:").replace(f"{PLACE}:", ""))
        for statement in made.statements(function)
        for resource in statement.get("Resource", [])
        for action in statement["Action"]
    }


def test_the_keeper_changes_no_row_but_takes_events_away() -> None:
    made = APPS["shop"]()
    writes = {
        resource
        for action, resource in granted(made, KEEPER)
        if action in {"dynamodb:PutItem", "dynamodb:ConditionCheckItem"}
    }
    assert writes == {"dynamodb:table/shop-test-runs"}
    asked = {
        resource
        for action, resource in granted(made, KEEPER)
        if action == "dynamodb:Query" and "/index/" in resource
    }
    assert "dynamodb:table/shop-test-runs/index/status" in asked
    rest = asked - {"dynamodb:table/shop-test-runs/index/status"}
    assert {one.rpartition("/")[2] for one in rest} == {"_outbox"}
    assert ("dynamodb:Query", "dynamodb:table/shop-test-users") not in granted(made, KEEPER)


def test_no_service_asks_an_outbox_or_an_index_of_another_services_rows() -> None:
    made = APPS["shop"]()
    for function in made.manifest.functions:
        if function.name == KEEPER:
            continue
        for action, resource in granted(made, function.name):
            if "/index/" in resource:
                assert action == "dynamodb:Query"
                assert not resource.endswith("/_outbox")
                table = resource.split("/")[1].removeprefix("shop-test-")
                assert table in function.uses.queries
    assert ("dynamodb:Query", "dynamodb:table/shop-test-users/index/all") in granted(made, "users")
    assert not [one for one in granted(made, "carts") if "/index/" in one[1]]


def test_a_dead_letter_is_put_down_and_read_by_no_function(made: Templates) -> None:
    table = f"dynamodb:table/{made.names.table('dead_letters')}"
    count = 0
    for function in made.manifest.functions:
        may = {action for action, resource in granted(made, function.name) if table in resource}
        assert may == ({"dynamodb:PutItem"} if function.consumers else set()), function.name
        count += bool(may)
    assert count >= 1


def test_a_secret_is_read_by_those_alone_who_declare_it() -> None:
    made = APPS["shop"]()
    readers = {
        function.name
        for function in made.manifest.functions
        for action, resource in granted(made, function.name)
        if "reset_signing_key" in resource
    }
    assert readers == {"users"}
    actions = {action for f in made.manifest.functions for action, _ in granted(made, f.name)}
    assert not {"secretsmanager:CreateSecret", "secretsmanager:PutSecretValue"} & actions


def test_a_role_is_taken_by_one_service_and_for_this_account(made: Templates) -> None:
    found = {}
    for name, role in made.of("AWS::IAM::Role").items():
        (statement,) = resolved(role["AssumeRolePolicyDocument"]["Statement"])
        assert statement["Action"] == "sts:AssumeRole"
        found[name] = (statement["Principal"]["Service"], statement.get("Condition", {}))
    own = {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    prefix = made.names.prefix
    assert found.pop("SchedulerRole") == ("scheduler.amazonaws.com", {"StringEquals": own})
    machines = f"arn:aws:states:{PLACE}:stateMachine:{prefix}-*"
    assert found.pop("StatesRole") == (
        "states.amazonaws.com",
        {"StringEquals": own, "ArnLike": {"aws:SourceArn": machines}},
    )
    # Lambda knows no such condition: who names a role needs iam:PassRole on it.
    assert all(one == ("lambda.amazonaws.com", {}) for one in found.values())
    assert len(found) == len(made.manifest.functions)


def test_whoever_calls_a_function_or_fills_a_queue_is_named(made: Templates) -> None:
    permissions = made.of("AWS::Lambda::Permission")
    assert all(one["SourceArn"] for one in permissions.values())
    assert {one["Principal"] for one in permissions.values()} <= {
        "apigateway.amazonaws.com",
        "events.amazonaws.com",
    }
    for one in made.of("AWS::SQS::QueuePolicy").values():
        (statement,) = one["PolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "sns.amazonaws.com"}
        assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Ref": "EventsTopic"}}}
    assert json.dumps(made.app).count('"Principal": "*"') == 0


def test_a_role_names_a_few_workflows_one_by_one_and_many_by_their_stage() -> None:
    shop = manifest_of(shop_app(), "cartwheel_workflows.shop:app")
    names = Names("shop", "test")

    def machines(count: int) -> list[str]:
        flows = tuple(
            shop.workflows[0].model_copy(update={"name": f"flow_{number}"})
            for number in range(count)
        )
        manifest = shop.model_copy(update={"workflows": flows})
        keeper = manifest.function(KEEPER).model_copy(update={"uses": manifest.function(EDGE).uses})
        text = str(function_policy(keeper, manifest, names, manifest.collections, None))
        return re.findall(r":stateMachine:([^']+)'", text)

    assert machines(2) == ["shop-test-flow_0-????????????", "shop-test-flow_1-????????????"]
    assert machines(21) == ["shop-test-*"]
