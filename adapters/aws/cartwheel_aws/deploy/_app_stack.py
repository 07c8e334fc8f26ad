"""The stack of everything but data: API, functions, machines, queues, schedules."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from cartwheel.access import EDGE, KEEPER
from cartwheel.manifest import FunctionSpec, Manifest, RouteSpec
from cartwheel.ports import Json, JsonObject
from cartwheel_aws._names import Names
from cartwheel_aws.deploy._parts import (
    arn,
    assumed_by,
    get,
    logical,
    mark,
    policy,
    put,
    ref,
    statement,
    sub,
    tags,
)
from cartwheel_aws.deploy._policies import Sender, function_policy
from cartwheel_aws.deploy._queues import queues

LOG_DAYS = 30
MEMORY = 512
"""Megabytes of a function; Lambda gives processor time in proportion."""
SECONDS = 29
"""How long a function may work: the API waits no longer for an answer."""
REQUESTS_A_SECOND, BURST = 1_000, 2_000
"""What the API takes before it answers 429: a bound on what a flood of requests costs."""
PACKAGES = "PackagesBucket"
_OWN: JsonObject = {"aws:SourceAccount": ref("AWS::AccountId")}
"""Says that a service acts for this account, and for nobody else who names our role."""
ACCESS_LOG = {
    "requestId": "$context.requestId",
    "at": "$context.requestTime",
    "ip": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "route": "$context.routeKey",
    "status": "$context.status",
    "milliseconds": "$context.responseLatency",
    "error": "$context.integrationErrorMessage",
}
"""A line of the API's own log, which has the requests that reach no function as well."""


@dataclass(frozen=True, slots=True)
class Code:
    """Says where code lies in the bucket of packages, by key: layers, and one zip a function."""

    layers: Mapping[str, str]
    functions: Mapping[str, str]
    architecture: str
    runtime: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Is what functions are told beside the manifest: who mails come from, environment."""

    sender: Sender | None
    environment: Mapping[str, str]


class AppStack:
    """Puts the template of an application's stack together."""

    def __init__(
        self,
        manifest: Manifest,
        names: Names,
        code: Code,
        machines: Mapping[str, JsonObject],
        settings: Settings,
    ) -> None:
        self._manifest = manifest
        self._names = names
        self._code = code
        self._machines = machines
        self._settings = settings
        self._resources: JsonObject = {}

    def template(self) -> JsonObject:
        """Give the template."""
        self._layers()
        for function in self._manifest.functions:
            self._function(function)
        for logical_id, resource in queues(self._manifest, self._names, self.timeout).items():
            put(self._resources, logical_id, resource)
        self._states()
        self._api()
        self._schedules()
        title, stage = self._manifest.title, self._names.stage
        return {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": f"{title}, stage {stage}",
            "Parameters": {
                PACKAGES: {
                    "Type": "String",
                    "Description": "The bucket with the code, an output of the data stack",
                }
            },
            "Resources": self._resources,
            "Outputs": {
                "Url": {
                    "Description": "Where the application answers",
                    "Value": get("Api", "ApiEndpoint"),
                },
                "ApiId": {"Value": ref("Api")},
            },
        }

    def timeout(self, function: FunctionSpec) -> int:
        """Give how many seconds a function may work: as long as its longest task, at least."""
        return min(900, max([SECONDS, *(task.timeout or 0 for task in function.tasks)]))

    def _add(self, logical_id: str, kind: str, properties: JsonObject, **more: Json) -> None:
        put(self._resources, logical_id, {"Type": kind, **more, "Properties": properties})

    # Code.

    def _layers(self) -> None:
        for name, key in self._code.layers.items():
            self._add(
                logical(name, "layer"),
                "AWS::Lambda::LayerVersion",
                {
                    "LayerName": self._names.layer(name),
                    "Content": {"S3Bucket": ref(PACKAGES), "S3Key": key},
                    "CompatibleRuntimes": [self._code.runtime],
                    "CompatibleArchitectures": [self._code.architecture],
                },
            )

    def _function(self, function: FunctionSpec) -> None:
        names, name = self._names, function.name
        group, role = logical(name, "logs"), logical(name, "role")
        self._add(
            group,
            "AWS::Logs::LogGroup",
            {
                "LogGroupName": names.log_group(name),
                "RetentionInDays": LOG_DAYS,
                "Tags": tags(names),
            },
        )
        statements = function_policy(
            function, self._manifest, names, self._manifest.collections, self._settings.sender
        )
        self._add(
            role,
            "AWS::IAM::Role",
            {
                "AssumeRolePolicyDocument": assumed_by("lambda"),
                "Policies": [
                    {"PolicyName": "uses", "PolicyDocument": policy(statements)},
                ],
                "Tags": tags(names),
            },
        )
        self._add(
            logical(name, "function"),
            "AWS::Lambda::Function",
            {
                "FunctionName": names.function(name),
                "Description": _description(function, self._manifest),
                "Runtime": self._code.runtime,
                "Architectures": [self._code.architecture],
                "Handler": "handler.handle",
                "Role": get(role),
                "Code": {"S3Bucket": ref(PACKAGES), "S3Key": self._code.functions[name]},
                "Layers": [ref(logical(layer, "layer")) for layer in self._code.layers],
                "MemorySize": MEMORY,
                "Timeout": self.timeout(function),
                "Environment": {"Variables": self.environment()},
                "LoggingConfig": {"LogGroup": ref(group)},
                "Tags": tags(names),
            },
        )

    def environment(self) -> JsonObject:
        """Give the variables of the functions."""
        return {
            "CARTWHEEL_STAGE": self._names.stage,
            "CARTWHEEL_ACCOUNT": ref("AWS::AccountId"),
            **self._settings.environment,
        }

    # Workflows.

    def _states(self) -> None:
        if not self._machines:
            return
        called = sorted({one for w in self._manifest.workflows for one in w.functions} | {KEEPER})
        functions: list[Json] = [get(logical(name, "function")) for name in called]
        self._add(
            "StatesRole",
            "AWS::IAM::Role",
            {
                "AssumeRolePolicyDocument": assumed_by(
                    "states",
                    StringEquals=_OWN,
                    ArnLike={
                        "aws:SourceArn": arn("states", f"stateMachine:{self._names.prefix}-*")
                    },
                ),
                "Policies": [
                    {
                        "PolicyName": "calls",
                        "PolicyDocument": policy([statement(["lambda:InvokeFunction"], functions)]),
                    }
                ],
                "Tags": tags(self._names),
            },
        )
        arns: JsonObject = {f"{one}_function_arn": get(logical(one, "function")) for one in called}
        keeper: JsonObject = {"cartwheel_function_arn": get(logical(KEEPER, "function"))}
        for workflow in self._manifest.workflows:
            definition = self._machines[workflow.name]
            text = json.dumps(definition)
            used = {k: v for k, v in (arns | keeper).items() if f"${{{k}}}" in text}
            self._add(
                logical(workflow.name, workflow.definition[:12], "machine"),
                "AWS::StepFunctions::StateMachine",
                {
                    "StateMachineName": self._names.machine(workflow.name, workflow.definition),
                    "Definition": definition,
                    "DefinitionSubstitutions": used,
                    "RoleArn": get("StatesRole"),
                    "Tags": tags(self._names),
                },
                # A run keeps the definition that it began with, also when it is redriven.
                DeletionPolicy="Retain",
                UpdateReplacePolicy="Retain",
            )
        self._on_end()

    def _on_end(self) -> None:
        """Tell the keeper when an execution ends."""
        machines: list[Json] = [
            {"prefix": arn("states", f"stateMachine:{self._names.machine_prefix(one.name)}")}
            for one in self._manifest.workflows
        ]
        keeper = logical(KEEPER, "function")
        self._add(
            "EndsRule",
            "AWS::Events::Rule",
            {
                "Name": self._names.rule,
                "Description": "Tells the keeper that a run has ended",
                "EventPattern": {
                    "source": ["aws.states"],
                    "detail-type": ["Step Functions Execution Status Change"],
                    "detail": {
                        "status": ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"],
                        "stateMachineArn": machines,
                    },
                },
                "Targets": [{"Id": KEEPER, "Arn": get(keeper)}],
            },
        )
        self._permit("EndsPermission", keeper, "events", get("EndsRule"))

    def _permit(self, logical_id: str, function: str, service: str, source: Json) -> None:
        self._add(
            logical_id,
            "AWS::Lambda::Permission",
            {
                "Action": "lambda:InvokeFunction",
                "FunctionName": ref(function),
                "Principal": f"{service}.amazonaws.com",
                "SourceArn": source,
            },
        )

    # HTTP.

    def _api(self) -> None:
        self._add(
            "Api",
            "AWS::ApiGatewayV2::Api",
            {
                "Name": self._names.api,
                "Description": self._manifest.title,
                "ProtocolType": "HTTP",
                "Tags": {tag["Key"]: tag["Value"] for tag in self._tag_pairs()},
            },
        )
        self._add(
            "ApiStage",
            "AWS::ApiGatewayV2::Stage",
            {
                "ApiId": ref("Api"),
                "StageName": "$default",
                "AutoDeploy": True,
                "DefaultRouteSettings": {
                    "ThrottlingRateLimit": REQUESTS_A_SECOND,
                    "ThrottlingBurstLimit": BURST,
                },
                "AccessLogSettings": {
                    "DestinationArn": get("ApiLogs"),
                    "Format": json.dumps(ACCESS_LOG),
                },
                "Tags": {tag["Key"]: tag["Value"] for tag in self._tag_pairs()},
            },
        )
        self._add(
            "ApiLogs",
            "AWS::Logs::LogGroup",
            {
                "LogGroupName": self._names.api_log_group,
                "RetentionInDays": LOG_DAYS,
                "Tags": tags(self._names),
            },
        )
        for function in self._manifest.functions:
            if function.routes or function.name == EDGE:
                self._integration(function)
        self._route("$default", EDGE, "DefaultRoute")

    def _tag_pairs(self) -> list[dict[str, str]]:
        return [{"Key": str(tag["Key"]), "Value": str(tag["Value"])} for tag in tags(self._names)]  # type: ignore[call-overload, index]  # tags are pairs of strings

    def _integration(self, function: FunctionSpec) -> None:
        name = function.name
        self._add(
            logical(name, "integration"),
            "AWS::ApiGatewayV2::Integration",
            {
                "ApiId": ref("Api"),
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": get(logical(name, "function")),
                "PayloadFormatVersion": "2.0",
            },
        )
        source = sub("arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*")
        self._permit(logical(name, "permission"), logical(name, "function"), "apigateway", source)
        for route in function.routes:
            self._route(_key(route), name, logical(route.method.lower(), _words(route), "route"))
            if route.method == "GET":
                key = f"HEAD {route.path}"
                self._route(key, name, logical("head", _words(route), "route"))

    def _route(self, key: str, function: str, logical_id: str) -> None:
        target = f"integrations/${{{logical(function, 'integration')}}}"
        if logical_id in self._resources:
            # `/a/{b}` and `/a/b` are two routes of the same words.
            logical_id += mark(key)
        self._add(
            logical_id,
            "AWS::ApiGatewayV2::Route",
            {"ApiId": ref("Api"), "RouteKey": key, "Target": sub(target)},
        )

    # Schedules.

    def _schedules(self) -> None:
        scheduled = [one for one in self._manifest.functions if one.schedules]
        functions: list[Json] = [get(logical(one.name, "function")) for one in scheduled]
        self._add(
            "SchedulerRole",
            "AWS::IAM::Role",
            {
                "AssumeRolePolicyDocument": assumed_by("scheduler", StringEquals=_OWN),
                "Policies": [
                    {
                        "PolicyName": "calls",
                        "PolicyDocument": policy([statement(["lambda:InvokeFunction"], functions)]),
                    }
                ],
                "Tags": tags(self._names),
            },
        )
        for function in scheduled:
            for schedule in function.schedules:
                self._add(
                    logical(schedule.name, "schedule"),
                    "AWS::Scheduler::Schedule",
                    {
                        "Name": self._names.schedule(schedule.name),
                        "ScheduleExpression": rate(schedule.seconds),
                        "FlexibleTimeWindow": {"Mode": "OFF"},
                        "Target": {
                            "Arn": get(logical(function.name, "function")),
                            "RoleArn": get("SchedulerRole"),
                            "Input": json.dumps({"schedule": schedule.name}),
                            # A tick that is missed is made up for by the next one.
                            "RetryPolicy": {"MaximumRetryAttempts": 0},
                        },
                    },
                )


def rate(seconds: int) -> str:
    """Write an interval as EventBridge Scheduler takes it: whole minutes, rounded up."""
    minutes = max(1, math.ceil(seconds / 60))
    return f"rate({minutes} minute{'' if minutes == 1 else 's'})"


def _key(route: RouteSpec) -> str:
    return f"{route.method} {route.path}"


def _words(route: RouteSpec) -> str:
    return route.path.replace("{", "").replace("}", "") if route.path != "/" else "root"


def _description(function: FunctionSpec, manifest: Manifest) -> str:
    match function.name:
        case "edge":
            return f"{manifest.title}: documentation, and paths that no service has"
        case "keeper":
            return f"{manifest.title}: looks after outboxes and runs"
        case name:
            return f"{manifest.title}: {name}"
