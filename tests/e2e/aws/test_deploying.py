"""What the deployer does on ministack, from the first plan to the last resource."""

from __future__ import annotations

import io
import json
import time
import zipfile

import pytest

from cartwheel.deployment import Access, Bundle, Change, DeploymentError
from cartwheel.ports import ConfigurationError, JsonObject
from cartwheel_aws.deploy._clients import DeployClients
from cartwheel_aws.deploy._driver import AwsDeployer
from cartwheel_aws.deploy._records import KEPT
from cartwheel_aws.deploy._stacks import Pace
from tests.e2e.aws.conftest import Sky
from tests.engines.aws._processes import REGION, free_port
from tests.support.aws_bundle import (
    APP,
    MACHINE_V2,
    NAMES,
    ROLE,
    STAGE,
    app_template,
    bundle,
    data_template,
)


def named(changes: tuple[Change, ...]) -> list[tuple[str, str]]:
    """Give what is done to what."""
    return sorted((one.action, one.name) for one in changes)


def resources(template: JsonObject) -> JsonObject:
    """Give the resources of a template, to be changed."""
    found = template["Resources"]
    assert isinstance(found, dict)
    return found


def test_a_plan_says_what_is_added_and_leaves_nothing(sky: Sky) -> None:
    before = sky.seen()
    plan = sky.deployer().plan(bundle())
    assert {one.action for one in plan.changes} == {"add"}
    assert {one.name for one in plan.changes if one.data} == {
        "OrdersTable",
        "PackagesBucket",
        "SigningKeySecret",
    }
    assert len(plan.changes) == 3 + 8
    assert sky.seen() == before


def test_a_deployment_answers_and_the_next_plan_is_empty(sky: Sky) -> None:
    done = sky.deployer().deploy(bundle(), sky.steps.append)
    assert done.changed
    assert done.outputs["url"].startswith("http://")
    made = [one.what for one in sky.steps if one.action == "add" and one.state == "done"]
    assert {"OrdersTable", "HelloFunction", "WorkQueue"} <= set(made)
    assert len(made) == len(set(made))
    assert sky.deployer().plan(bundle()).changes == ()
    status = sky.deployer().status()
    assert status is not None
    assert (status.version, status.outputs) == (done.version, done.outputs)
    before = sky.seen()
    assert not sky.deployer().deploy(bundle(), sky.steps.append).changed
    assert sky.seen() == before


def test_a_changed_route_is_all_that_a_plan_shows(sky: Sky) -> None:
    sky.deployer().deploy(bundle(health=sky.health), sky.steps.append)
    template = app_template("1", "aaaaaaaaaaaa", sky.health)
    resources(template)["GreetingRoute"] = {
        "Type": "AWS::ApiGatewayV2::Route",
        "Properties": {
            "ApiId": {"Ref": "Api"},
            "RouteKey": "GET /greetings/{name}",
            "Target": {"Fn::Sub": "integrations/${Integration}"},
        },
    }
    before = sky.seen()
    plan = sky.deployer().plan(bundle(app=template))
    assert named(plan.changes) == [("add", "GreetingRoute")]
    assert sky.seen() == before


def test_a_large_template_goes_by_way_of_the_bucket(sky: Sky) -> None:
    template = app_template("1", "aaaaaaaaaaaa", sky.health)
    for count in range(60):
        resources(template)[f"Queue{count}"] = {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "QueueName": NAMES.queue(f"q{count}"),
                "Tags": [{"Key": f"note{n}", "Value": "x" * 200} for n in range(5)],
            },
        }
    large = bundle(app=template)
    assert len(large.files["template.yaml"]) > 51_200
    # There is no bucket yet: what would be added is read from the template itself.
    plan = sky.deployer().plan(large)
    assert len(plan.changes) == 3 + 68
    assert sky.seen()["stacks"] == {}
    sky.deployer().deploy(large, sky.steps.append)
    before = sky.seen()
    resources(template)["Queue60"] = {"Type": "AWS::SQS::Queue", "Properties": {}}
    assert named(sky.deployer().plan(bundle(app=template)).changes) == [("add", "Queue60")]
    assert sky.seen() == before


def test_what_takes_data_away_is_refused_before_anything_is_changed(sky: Sky) -> None:
    sky.deployer().deploy(bundle(health=sky.health), sky.steps.append)
    before = sky.seen()
    without = bundle("2", health=sky.health, data=data_template(tables=()))
    plan = sky.deployer().plan(without)
    assert named(plan.loses_data) == [("remove", "OrdersTable")]
    with pytest.raises(DeploymentError, match=r"remove AWS::DynamoDB::Table OrdersTable .*nothing"):
        sky.deployer().deploy(without, sky.steps.append)
    assert sky.seen() == before
    assert sky.deployer().deploy(without, sky.steps.append, allow_data_loss=True).changed
    assert sky.deployer().plan(without).changes == ()


def test_data_in_the_wrong_template_is_refused(sky: Sky) -> None:
    with pytest.raises(ConfigurationError, match="PackagesBucket: what keeps data belongs in"):
        sky.deployer().deploy(bundle(app=data_template()), sky.steps.append)


def test_a_bundle_of_something_else_is_refused(sky: Sky) -> None:
    other = AwsDeployer("other", Access(STAGE), sky.clients)
    with pytest.raises(ConfigurationError, match="'tiny', stage 'test', and not of 'other'"):
        other.plan(bundle())


def broken(sky: Sky) -> Bundle:
    """Give a bundle with one resource that can't be made: somebody has one of that name."""
    import boto3

    boto3.client("events", REGION).create_event_bus(Name="somebody-elses")
    template = app_template("2", MACHINE_V2, None)
    resources(template)["BrokenBus"] = {
        "Type": "AWS::Events::EventBus",
        "DependsOn": ["HelloFunction", "Api"],
        "Properties": {"Name": "somebody-elses"},
    }
    return bundle("2", app=template)


def test_a_failure_names_its_resource_and_leaves_what_was_there(sky: Sky) -> None:
    sky.deployer().deploy(bundle(), sky.steps.append)
    working = sky.seen()["functions"]
    with pytest.raises(DeploymentError, match=r"BrokenBus: .*stands as it was") as raised:
        sky.deployer().deploy(broken(sky), sky.steps.append)
    assert "UPDATE_ROLLBACK_COMPLETE" in str(raised.value)
    assert sky.seen()["functions"] == working
    assert [one.what for one in sky.steps if one.state == "failed"][:1] == ["BrokenBus"]
    assert sky.deployer().deploy(bundle("2", MACHINE_V2), sky.steps.append).changed
    # The failed one is no version to go back to.
    back = sky.deployer().rollback(sky.steps.append)
    assert sky.deployer().invoke("hello", {}) == {"version": "1", "got": {}}
    status = sky.deployer().status()
    assert status is not None
    assert status.version == back.version


def test_a_failed_first_deployment_is_cleared_away_by_the_next(sky: Sky) -> None:
    with pytest.raises(DeploymentError, match=r"BrokenBus: .*nothing is deployed"):
        sky.deployer().deploy(broken(sky), sky.steps.append)
    assert len(sky.deployer().plan(bundle()).changes) == 8
    assert sky.deployer().deploy(bundle(), sky.steps.append).changed
    assert sky.deployer().plan(bundle()).changes == ()


def test_a_failed_first_stack_of_data_leaves_nothing_in_the_way(sky: Sky) -> None:
    data = data_template()
    sky.eyes.s3.create_bucket(Bucket="somebody-elses")
    resources(data)["ZBucket"] = {
        "Type": "AWS::S3::Bucket",
        "DependsOn": ["OrdersTable"],
        "Properties": {"BucketName": "somebody-elses"},
    }
    with pytest.raises(DeploymentError, match=r"ZBucket: .*somebody-elses.* already exists"):
        sky.deployer().deploy(bundle(data=data), sky.steps.append)
    assert sky.seen()["tables"] == {}
    assert sky.deployer().deploy(bundle(), sky.steps.append).changed


def test_an_application_that_never_answers_is_told(sky: Sky) -> None:
    sky.backend.status = 503
    deployer = AwsDeployer(APP, Access(STAGE), sky.clients, Pace(poll=0.01, health=0.2))
    with pytest.raises(DeploymentError, match=r"doesn't answer with 200 after 0.2 s: .*503"):
        deployer.deploy(bundle(health=sky.health), sky.steps.append)
    sky.backend.status = 200
    assert not deployer.deploy(bundle(health=sky.health), sky.steps.append).changed


def test_going_back_deploys_the_version_before_and_needs_one(sky: Sky) -> None:
    with pytest.raises(DeploymentError, match="nothing of 'tiny' is deployed as stage 'test'"):
        sky.deployer().rollback(sky.steps.append)
    one = sky.deployer().deploy(bundle(), sky.steps.append)
    with pytest.raises(DeploymentError, match="there is no version before"):
        sky.deployer().rollback(sky.steps.append)
    sky.deployer().deploy(bundle("2", MACHINE_V2), sky.steps.append)
    assert sky.deployer().invoke("hello", {}) == {"version": "2", "got": {}}
    assert sky.deployer().rollback(sky.steps.append).version == one.version
    assert sky.deployer().invoke("hello", {}) == {"version": "1", "got": {}}
    # The runs of the version that was left keep their machine.
    assert NAMES.machine("checkout", MACHINE_V2) in str(sky.seen()["machines"])


def test_only_the_last_deployments_are_kept(sky: Sky) -> None:
    for count in range(KEPT + 2):
        sky.deployer().deploy(bundle(f"v{count}", health=sky.health), sky.steps.append)
    (objects,) = dict(sky.seen()["buckets"]).values()  # type: ignore[call-overload]  # a mapping
    kinds = [one.partition("/")[0] for one in objects if not one.startswith("{")]
    assert kinds.count("packages") == KEPT
    assert kinds.count("templates") == KEPT
    assert len(objects) == 3 * KEPT


def test_a_function_is_called_and_its_errors_are_told(sky: Sky) -> None:
    sky.deployer().deploy(bundle(health=sky.health), sky.steps.append)
    answer = sky.deployer().invoke("hello", {"say": "grüß dich"})
    assert answer == {"version": "1", "got": {"say": "grüß dich"}}
    with pytest.raises(DeploymentError, match=r"tiny-test-hello failed with .*: told to fail"):
        sky.deployer().invoke("hello", {"fail": True})
    with pytest.raises(DeploymentError, match="no function 'bye' in stage 'test'; there are: h"):
        sky.deployer().invoke("bye", {})


def test_logs_are_given_in_the_order_of_time_without_the_platforms(sky: Sky) -> None:
    sky.deployer().deploy(bundle(health=sky.health), sky.steps.append)
    started = time.time() - 1
    for count in range(3):
        sky.deployer().invoke("hello", {"say": count})
    lines = list(sky.deployer().logs(None, started, follow=False))
    assert [json.loads(one.text)["said"] for one in lines] == [0, 1, 2]
    assert [one.at for one in lines] == sorted(one.at for one in lines)
    assert {one.function for one in lines} == {"hello"}
    assert list(sky.deployer().logs("hello", started, follow=False)) == lines
    following = sky.deployer().logs("hello", started, follow=True)
    assert [next(following) for _ in lines] == lines
    sky.eyes.functions.invoke(FunctionName=NAMES.function("hello"), Payload=b'{"say": "more"}')
    assert json.loads(next(following).text) == {"said": "more"}


def test_what_somebody_changed_is_drift(sky: Sky) -> None:
    sky.deployer().deploy(bundle(health=sky.health), sky.steps.append)
    assert sky.deployer().drift() == ()
    sky.eyes.dynamodb.delete_table(TableName=NAMES.table("orders"))
    sky.eyes.functions.update_function_configuration(
        FunctionName=NAMES.function("hello"), Handler="other.handle"
    )
    deleted, modified = sky.deployer().drift()
    assert (deleted.name, deleted.state) == ("OrdersTable", "deleted")
    assert (modified.name, modified.state) == ("HelloFunction", "modified")
    assert modified.details == ("Handler: handler.handle -> other.handle",)


def foreign(sky: Sky) -> None:
    """Make what belongs to others, under names like ours and with tags of other stages."""
    eyes = sky.eyes
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("handler.py", "def handle(event, context): pass")
    for name in ("tiny-test-foreign", "tiny-test2-orders", "tiny"):
        eyes.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=[{"Key": "cartwheel:stage", "Value": "tiny-test2"}],
        )
        eyes.functions.create_function(
            FunctionName=name,
            Role=ROLE,
            Handler="handler.handle",
            Runtime="python3.12",
            Code={"ZipFile": code.getvalue()},
        )
        eyes.stepfunctions.create_state_machine(
            name=name,
            roleArn=ROLE,
            definition='{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}',
            tags=[{"key": "cartwheel:stage", "value": "tiny-test2"}],
        )
        eyes.logs.create_log_group(logGroupName=f"/aws/lambda/{name}")
        eyes.secretsmanager.create_secret(Name=name.replace("-test-", "-test/"), SecretString="x")
    for bucket in ("tiny-test-packages-mine-us-east-1", "tiny-test-packages-eu", "tiny-packages"):
        eyes.s3.create_bucket(Bucket=bucket)
        eyes.s3.put_object(Bucket=bucket, Key="packages/mine.zip", Body=b"")


def test_destroying_leaves_nothing_of_ours_and_touches_nothing_else(sky: Sky) -> None:
    foreign(sky)
    before = sky.seen()
    sky.deployer().deploy(bundle(health=sky.health), sky.steps.append)
    sky.deployer().deploy(bundle("2", MACHINE_V2, health=sky.health), sky.steps.append)
    machine = NAMES.machine("checkout", MACHINE_V2)
    arn = f"arn:aws:states:us-east-1:123456789012:stateMachine:{machine}"
    sky.eyes.stepfunctions.start_execution(stateMachineArn=arn)
    removed = sky.deployer().destroy(sky.steps.append, delete_data=False)
    assert any(one.what == f"{machine}: 1 runs end with it" for one in sky.steps)
    assert "AWS::DynamoDB::Table tiny-test-orders" in removed.kept
    assert f"AWS::StepFunctions::StateMachine {machine}" in removed.removed
    assert sky.deployer().status() is None
    kept = sky.seen()
    assert (kept["machines"], kept["functions"]) == (before["machines"], before["functions"])
    assert "tiny-test-orders" in str(kept["tables"])
    again = sky.deployer().destroy(sky.steps.append, delete_data=True)
    assert "AWS::DynamoDB::Table tiny-test-orders" in again.removed
    assert again.kept == ()
    assert sky.seen() == before
    assert sky.deployer().destroy(sky.steps.append, delete_data=True).removed == ()


def test_a_stage_comes_back_to_its_data(sky: Sky) -> None:
    sky.deployer().deploy(bundle(health=sky.health), sky.steps.append)
    table = NAMES.table("orders")
    sky.eyes.dynamodb.put_item(TableName=table, Item={"p": {"S": "1"}})
    sky.deployer().destroy(sky.steps.append, delete_data=False)
    sky.deployer().deploy(bundle(health=sky.health), sky.steps.append)
    assert sky.eyes.dynamodb.get_item(TableName=table, Key={"p": {"S": "1"}})["Item"]


def test_a_bucket_with_what_is_not_ours_is_kept(sky: Sky) -> None:
    sky.deployer().deploy(bundle(health=sky.health), sky.steps.append)
    bucket = f"{NAMES.bucket}-123456789012-us-east-1"
    sky.eyes.s3.put_object(Bucket=bucket, Key="invoices/1.pdf", Body=b"")
    removed = sky.deployer().destroy(sky.steps.append, delete_data=True)
    assert removed.kept == (f"AWS::S3::Bucket {bucket} (not all in it is ours: invoices/1.pdf)",)
    assert sky.seen()["buckets"] == {bucket: ["invoices/1.pdf"]}


def test_what_keeps_us_from_aws_is_told_with_what_to_do(
    sky: Sky, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(access: Access) -> str:
        deployer = AwsDeployer(APP, access, DeployClients(access))
        with pytest.raises(ConfigurationError) as raised:
            deployer.status()
        return str(raised.value)

    assert "`aws configure list-profiles`" in ask(Access(STAGE, profile="nobody"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert "AWS can't be reached" in ask(Access(STAGE))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", "/nowhere")
    assert "--profile" in ask(Access(STAGE))
    monkeypatch.delenv("AWS_REGION")
    assert "pass --region" in ask(Access(STAGE))
