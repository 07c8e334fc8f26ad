"""The template of everything but data: each part of the manifest once, set up safely."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from typing import Any

import pytest

from cartwheel.deployment import Outside
from cartwheel.manifest import FunctionSpec, Manifest, RouteSpec, UsesSpec, manifest_of
from cartwheel.ports import ConfigurationError
from cartwheel_aws.deploy._app_stack import ACCESS_LOG
from cartwheel_aws.deploy._bundle import _settings
from cartwheel_workflows.shop import shop_app
from tests.support.aws_templates import Templates, hello, resolved, shop, templates_of

APPS = {"shop": cache(shop), "hello": cache(hello)}


@pytest.fixture(params=APPS)
def made(request: pytest.FixtureRequest) -> Templates:
    return APPS[str(request.param)]()


def test_each_route_is_there_once_and_leads_to_its_function(made: Templates) -> None:
    expected = Counter({("$default", "edge"): 1})
    for function in made.manifest.functions:
        for route in function.routes:
            expected[(f"{route.method} {route.path}", function.name)] += 1
            if route.method == "GET":
                expected[(f"HEAD {route.path}", function.name)] += 1
    integrations = {
        f"integrations/${{{key}}}": one["IntegrationUri"]["Fn::GetAtt"][0]
        for key, one in made.of("AWS::ApiGatewayV2::Integration").items()
    }
    functions = {
        f"{one.name.title().replace('_', '')}Function": one.name for one in made.manifest.functions
    }
    found = Counter(
        (one["RouteKey"], functions[integrations[one["Target"]["Fn::Sub"]]])
        for one in made.of("AWS::ApiGatewayV2::Route").values()
    )
    assert found == expected
    assert set(found.values()) == {1}


def test_each_consumer_has_a_queue_and_one_for_what_is_never_answered(made: Templates) -> None:
    queues, sources = made.of("AWS::SQS::Queue"), made.of("AWS::Lambda::EventSourceMapping")
    names = sorted(one["QueueName"] for one in queues.values())
    direct = {one.name.partition(".")[0] for one in made.manifest.consumers if one.direct}
    assert names == sorted(
        [
            name
            for one in made.manifest.consumers
            if not one.direct
            for name in (made.names.queue(one.name), made.names.dead_queue(one.name))
        ]
        + [made.names.failed_calls(one) for one in direct]
    )
    assert len(made.of("AWS::Lambda::EventInvokeConfig")) == len(direct)
    heard = Counter(
        one["FilterPolicy"]["type"][0] for one in made.of("AWS::SNS::Subscription").values()
    )
    assert heard == Counter(one.event for one in made.manifest.consumers if one.event)
    assert len(sources) == len(queues)
    polled = {one["EventSourceArn"]["Fn::GetAtt"][0] for one in sources.values()}
    assert polled == set(queues)
    assert all(
        one["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for one in sources.values()
    )
    dead = {key for key in queues if key.endswith("DeadQueue")}
    for key, queue in queues.items():
        assert queue["SqsManagedSseEnabled"] is True
        if key in dead:
            # Nobody else's queue may send its dead letters here.
            (source,) = resolved(queue["RedriveAllowPolicy"]["sourceQueueArns"])
            assert source.endswith(queue["QueueName"].removesuffix("-dead"))
        elif not key.endswith("FailedQueue"):
            assert queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0] in dead


def test_each_schedule_and_each_workflow_is_there_once(made: Templates) -> None:
    told = Counter(
        json.loads(one["Target"]["Input"])["schedule"]
        for one in made.of("AWS::Scheduler::Schedule").values()
    )
    assert told == Counter(one.name for f in made.manifest.functions for one in f.schedules)
    assert "cartwheel.settle_runs" in told
    machines = sorted(
        one["StateMachineName"] for one in made.of("AWS::StepFunctions::StateMachine").values()
    )
    assert machines == sorted(
        made.names.machine(one.name, one.definition) for one in made.manifest.workflows
    )


def test_a_machine_outlives_its_stack_and_its_replacement(made: Templates) -> None:
    for one in made.resources.values():
        if one["Type"] == "AWS::StepFunctions::StateMachine":
            assert one["DeletionPolicy"] == one["UpdateReplacePolicy"] == "Retain"


def test_the_ends_of_the_stages_own_machines_alone_are_told(made: Templates) -> None:
    (rule,) = made.of("AWS::Events::Rule").values()
    prefixes = [
        one["prefix"] for one in resolved(rule["EventPattern"]["detail"]["stateMachineArn"])
    ]
    for machine in made.of("AWS::StepFunctions::StateMachine").values():
        heard = [
            p for p in prefixes if machine["StateMachineName"].startswith(p.rpartition(":")[2])
        ]
        assert len(heard) == 1


def test_the_api_bounds_requests_and_notes_them_without_what_is_secret(made: Templates) -> None:
    (stage,) = made.of("AWS::ApiGatewayV2::Stage").values()
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0
    logged = json.loads(stage["AccessLogSettings"]["Format"])
    assert logged == ACCESS_LOG
    assert not [one for one in logged.values() if "authorizer" in one or "header" in one]
    groups = made.of("AWS::Logs::LogGroup")
    assert stage["AccessLogSettings"]["DestinationArn"]["Fn::GetAtt"][0] in groups
    assert all(one["RetentionInDays"] == 30 for one in groups.values())
    assert len(groups) == len(made.manifest.functions) + 1


def test_the_same_input_gives_the_same_bytes() -> None:
    for make in (shop, hello):
        one, two = make(), make()
        assert json.dumps(one.app) == json.dumps(two.app)
        assert json.dumps(one.data) == json.dumps(two.data)


NOTHING = UsesSpec(reads=(), writes=(), queries=(), sends=(), runs=(), secrets=(), ports=())


def _app(*functions: FunctionSpec) -> Manifest:
    framework = tuple(FunctionSpec(name=one, uses=NOTHING) for one in ("edge", "keeper"))
    return Manifest(
        app="small",
        title="Small",
        version="1",
        source="small:app",
        functions=(*functions, *framework),
        collections=(),
        workflows=(),
    )


def _routes(*paths: str) -> FunctionSpec:
    routes = tuple(
        RouteSpec(
            name=f"r{number}", method="POST", path=path, authenticated=False, idempotent=False
        )
        for number, path in enumerate(paths)
    )
    return FunctionSpec(name="one", routes=routes, uses=NOTHING)


def test_routes_of_the_same_words_are_kept_apart() -> None:
    paths = ("/a/{b}", "/a/b", "/a-b", "/a_b", "/a.b", "/")
    made = templates_of(_app(_routes(*paths)))
    keys = [one["RouteKey"] for one in made.of("AWS::ApiGatewayV2::Route").values()]
    assert sorted(keys) == sorted([*(f"POST {path}" for path in paths), "$default"])


def test_services_whose_names_differ_in_underscores_only_are_refused() -> None:
    twins = (FunctionSpec(name="a1", uses=NOTHING), FunctionSpec(name="a_1", uses=NOTHING))
    with pytest.raises(ConfigurationError, match=r"A1Logs in the template.*rename one"):
        templates_of(_app(*twins))


def test_mail_without_a_sender_is_refused_with_who_sends_it() -> None:
    manifest = APPS["shop"]().manifest
    with pytest.raises(ConfigurationError, match="notifications and users send mail"):
        _settings(manifest, Outside())


def test_mail_over_smtp_needs_no_identity() -> None:
    outside = Outside({"CARTWHEEL_SMTP_URL": "smtps://mail.example.com"}, {"mailer": ()})
    manifest = APPS["shop"]().manifest
    assert _settings(manifest, outside).sender is None


@pytest.mark.parametrize("sender", ["shop@example.com", "Shop <shop@example.com>"])
def test_mail_goes_out_as_the_senders_address_or_domain(sender: str) -> None:
    plain = manifest_of(shop_app(), "cartwheel_workflows.shop:app")
    made = templates_of(plain, settings={"CARTWHEEL_MAIL_FROM": sender})
    (statement,) = [s for s in made.statements("users") if s["Action"] == ["ses:SendEmail"]]
    ends: list[Any] = [one.rpartition(":")[2] for one in statement["Resource"]]
    assert ends == ["identity/shop@example.com", "identity/example.com"]
