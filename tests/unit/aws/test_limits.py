"""What AWS would refuse for its size is refused while building, and names stay apart."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cartwheel.manifest import (
    CollectionSpec,
    ConsumerSpec,
    FunctionSpec,
    IndexSpec,
    Manifest,
    RouteSpec,
    ScheduleSpec,
    UsesSpec,
    manifest_of,
)
from cartwheel.ports import ConfigurationError, JsonObject
from cartwheel_aws.deploy._limits import check_limits
from cartwheel_aws.deploy._yaml import to_yaml
from cartwheel_workflows.shop import shop_app
from tests.support.aws_templates import Templates, hello, shop, templates_of

ENVIRONMENT: JsonObject = {"CARTWHEEL_STAGE": "test", "CARTWHEEL_ACCOUNT": {"Ref": "x"}}


def check(
    made: Templates,
    machines: dict[str, JsonObject] | None = None,
    environment: JsonObject = ENVIRONMENT,
) -> None:
    written = {"data.yaml": to_yaml(made.data), "template.yaml": to_yaml(made.app)}
    check_limits(made.data, made.app, written, machines or {}, environment)


def test_the_shop_and_the_example_stay_far_below_every_limit() -> None:
    for made in (shop(), hello()):
        check(made)
        assert len(to_yaml(made.data)) < 51_200 * 0.6
        assert len(to_yaml(made.app)) < 1_048_576 * 0.3
        assert len(made.resources) < 300


def test_data_that_fits_no_request_is_refused_with_what_to_do() -> None:
    indexes = tuple(IndexSpec(name=f"by_{n}", field="f", sort=None) for n in range(10))
    many = tuple(CollectionSpec(name=f"things_{n}", indexes=indexes) for n in range(40))
    plain = manifest_of(shop_app(), "cartwheel_workflows.shop:app")
    made = templates_of(plain.model_copy(update={"collections": (*plain.collections, *many)}))
    with pytest.raises(ConfigurationError) as refused:
        check(made)
    said = str(refused.value)
    assert re.search(r"data\.yaml has \d+ bytes and CloudFormation takes 51200", said)
    assert "declare fewer collections and indexes; split the application" in said


def test_a_stack_of_too_many_resources_is_refused() -> None:
    made = templates_of(_app(_service("one", routes=499)))
    with pytest.raises(ConfigurationError, match=r"template\.yaml has 5\d\d resources.*takes 500"):
        check(made)


def test_a_definition_that_step_functions_would_refuse_is_named() -> None:
    machine: JsonObject = {"States": {"x": {"Result": "y" * 1_048_576}}}
    with pytest.raises(ConfigurationError, match=r"workflow 'long' .*takes 1048576"):
        check(hello(), {"long": machine, "short": {}})


def test_an_environment_that_lambda_would_refuse_names_what_is_long() -> None:
    with pytest.raises(ConfigurationError, match="takes 4096: shorten CARTWHEEL_X"):
        check(hello(), environment={**ENVIRONMENT, "CARTWHEEL_X": "é" * 2100})
    check(hello(), environment={**ENVIRONMENT, "CARTWHEEL_X": "é" * 2000})


def test_a_role_that_iam_would_refuse_is_named() -> None:
    names = tuple(f"a_rather_long_name_of_a_collection_{n}" for n in range(100))
    collections = tuple(CollectionSpec(name=one, indexes=()) for one in names)
    service = _service("one", writes=names)
    made = templates_of(_app(service).model_copy(update={"collections": collections}))
    small = dataclasses.replace(made, data={"Resources": {}})
    with pytest.raises(ConfigurationError, match=r"OneRole has policies of \d+ characters"):
        check(small)


def _uses(writes: tuple[str, ...] = ()) -> UsesSpec:
    return UsesSpec(reads=(), writes=writes, queries=(), sends=(), runs=(), secrets=(), ports=())


def _service(
    name: str,
    *,
    routes: int = 0,
    consumers: tuple[str, ...] = (),
    schedules: tuple[str, ...] = (),
    writes: tuple[str, ...] = (),
) -> FunctionSpec:
    return FunctionSpec(
        name=name,
        routes=tuple(
            RouteSpec(
                name=f"{name}.r{n}",
                method="POST",
                path=f"/{name}/{n}",
                authenticated=False,
                idempotent=False,
            )
            for n in range(routes)
        ),
        consumers=tuple(
            ConsumerSpec(
                name=f"{name}.{one}",
                event="x",
                queue=None,
                attempts=3,
                delay=1,
                longest=9,
                direct=False,
            )
            for one in consumers
        ),
        schedules=tuple(ScheduleSpec(name=f"{name}.{one}", seconds=60) for one in schedules),
        uses=_uses(writes),
    )


def _app(*services: FunctionSpec, name: str = "small") -> Manifest:
    framework = tuple(FunctionSpec(name=one, uses=_uses()) for one in ("edge", "keeper"))
    return Manifest(
        app=name,
        title="Small",
        version="1",
        source="small:app",
        functions=(*services, *framework),
        collections=(),
        workflows=(),
    )


NAME = st.from_regex(r"[a-z][a-z0-9]{0,8}(_[a-z][a-z0-9]{0,40}){0,3}", fullmatch=True)
NAMES = st.lists(NAME, max_size=4, unique=True).map(tuple)
LIMITS = {
    "AWS::Lambda::Function": ("FunctionName", 64, r"[A-Za-z0-9_-]+"),
    "AWS::Lambda::LayerVersion": ("LayerName", 140, r"[A-Za-z0-9_-]+"),
    "AWS::SQS::Queue": ("QueueName", 80, r"[A-Za-z0-9_-]+"),
    "AWS::SNS::Topic": ("TopicName", 256, r"[A-Za-z0-9_-]+"),
    "AWS::Scheduler::Schedule": ("Name", 64, r"[0-9A-Za-z_.-]+"),
    "AWS::Events::Rule": ("Name", 64, r"[.\w-]+"),
    "AWS::ApiGatewayV2::Api": ("Name", 128, r".+"),
    "AWS::Logs::LogGroup": ("LogGroupName", 512, r"[.\-_/#A-Za-z0-9]+"),
    "AWS::DynamoDB::Table": ("TableName", 255, r"[a-zA-Z0-9_.-]{3,}"),
}


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    services = [
        _service(name, consumers=draw(NAMES), schedules=draw(NAMES), routes=1)
        for name in draw(st.lists(NAME, min_size=1, max_size=4, unique=True))
    ]
    app = _app(*services, name=draw(NAME))
    tables = tuple(CollectionSpec(name=one, indexes=()) for one in draw(NAMES))
    return app.model_copy(update={"collections": tables})


@settings(max_examples=25)
@given(manifests(), st.from_regex(r"[a-z](?:[a-z0-9-]{0,14}[a-z0-9])?", fullmatch=True))
def test_names_are_unique_and_short_enough_whatever_things_are_called(
    manifest: Manifest, stage: str
) -> None:
    reserved = {"edge", "keeper", "cartwheel"}
    if {one.name for one in manifest.functions[:-2]} & reserved:
        return
    try:
        made = templates_of(manifest, stage)
    except ConfigurationError as refused:
        assert "differ in underscores only" in str(refused)  # noqa: PT017  # either is right
        return
    count = sum(len(one["Resources"]) for one in (_any(made.data), _any(made.app)))
    assert len(made.resources) == count
    assert all(re.fullmatch(r"[A-Za-z0-9]{1,255}", key) for key in made.resources)
    for kind, (field, longest, allowed) in LIMITS.items():
        names = Counter(str(one[field]) for one in made.of(kind).values())
        for name, times in names.items():
            assert times == 1, name
            assert len(name) <= longest, name
            assert re.fullmatch(allowed, name), name
    (bucket,) = made.of("AWS::S3::Bucket").values()
    text = bucket["BucketName"]["Fn::Sub"]
    full = text.replace("${AWS::AccountId}", "0" * 12).replace("${AWS::Region}", "ap-northeast-1")
    assert len(full) <= 63
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]+[a-z0-9]", full)


def test_two_stages_of_a_long_name_have_two_buckets() -> None:
    from cartwheel_aws._names import Names

    names = {Names("an_application_with_quite_a_long_name", one).bucket for one in ("a", "b")}
    assert len(names) == 2


def _any(template: JsonObject) -> dict[str, Any]:
    return json.loads(json.dumps(template))  # type: ignore[no-any-return]  # as the engine reads it
