"""A small bundle for AWS, written by hand: a bit of everything that a deployer has to handle."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence

from cartwheel.deployment import Bundle
from cartwheel.ports import Json, JsonObject
from cartwheel_aws._names import Names
from cartwheel_aws.deploy._parts import TAG

APP = "tiny"
STAGE = "test"
NAMES = Names(APP, STAGE)
ROLE = "arn:aws:iam::123456789012:role/any"
MACHINE_V1 = "aaaaaaaaaaaa"
MACHINE_V2 = "bbbbbbbbbbbb"
HANDLER = """
import json


def handle(event, context):
    if event.get("fail"):
        raise ValueError("told to fail")
    print(json.dumps({"said": event.get("say", "nothing")}))
    if "rawPath" in event:
        return {"statusCode": 200, "body": json.dumps({"version": VERSION})}
    return {"version": VERSION, "got": event}
"""
_KEPT: JsonObject = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}


def tags() -> list[Json]:
    """Give the tags of what the bundle declares."""
    return [{"Key": TAG, "Value": NAMES.prefix}]


def package(version: str) -> tuple[str, bytes]:
    """Give a function's package: its key and its bytes, always the same ones."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        entry = zipfile.ZipInfo("handler.py", (1980, 1, 1, 0, 0, 0))
        archive.writestr(entry, f"VERSION = {version!r}\n{HANDLER}")
    content = made.getvalue()
    return f"packages/hello-{hashlib.sha256(content).hexdigest()[:16]}.zip", content


def data_template(indexes: Sequence[str] = (), tables: Sequence[str] = ("orders",)) -> JsonObject:
    """Give the template of the data: tables with these indexes, a secret, the bucket."""
    resources: JsonObject = {
        "PackagesBucket": {
            "Type": "AWS::S3::Bucket",
            **_KEPT,
            "Properties": {
                "BucketName": {"Fn::Sub": f"{NAMES.bucket}-${{AWS::AccountId}}-${{AWS::Region}}"},
                "Tags": tags(),
            },
        },
        "SigningKeySecret": {
            "Type": "AWS::SecretsManager::Secret",
            **_KEPT,
            "Properties": {
                "Name": NAMES.secret("signing_key"),
                "GenerateSecretString": {"PasswordLength": 32},
                "Tags": tags(),
            },
        },
    }
    for name in tables:
        resources[f"{name.capitalize()}Table"] = {
            "Type": "AWS::DynamoDB::Table",
            **_KEPT,
            "Properties": table(NAMES.table(name), indexes),
        }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": resources,
        "Outputs": {"PackagesBucket": {"Value": {"Ref": "PackagesBucket"}}},
    }


def table(name: str, indexes: Sequence[str]) -> JsonObject:
    """Give a table's properties."""
    attributes = ["p", *(f"i_{index}" for index in indexes)]
    found: JsonObject = {
        "TableName": name,
        "AttributeDefinitions": [
            {"AttributeName": one, "AttributeType": "S"} for one in attributes
        ],
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
        "Tags": tags(),
    }
    if indexes:
        found["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index,
                "KeySchema": [{"AttributeName": f"i_{index}", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
            for index in indexes
        ]
    return found


def app_template(version: str, machine: str, health: str | None) -> JsonObject:
    """Give the template of everything else; without an address for health the function answers."""
    key, _ = package(version)
    function = NAMES.function("hello")
    states = {
        "StartAt": "Wait",
        "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}},
    }
    integration: JsonObject = (
        {
            "IntegrationType": "AWS_PROXY",
            "IntegrationUri": {"Fn::GetAtt": ["HelloFunction", "Arn"]},
            "PayloadFormatVersion": "2.0",
        }
        if health is None
        else {
            "IntegrationType": "HTTP_PROXY",
            "IntegrationMethod": "GET",
            "IntegrationUri": health,
            "PayloadFormatVersion": "1.0",
        }
    )
    resources: JsonObject = {
        "HelloLogs": {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {"LogGroupName": NAMES.log_group("hello")},
        },
        "HelloFunction": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": function,
                "Runtime": "python3.12",
                "Handler": "handler.handle",
                "Role": ROLE,
                "Code": {"S3Bucket": {"Ref": "PackagesBucket"}, "S3Key": key},
                "Tags": tags(),
            },
        },
        "WorkQueue": {
            "Type": "AWS::SQS::Queue",
            "Properties": {"QueueName": NAMES.queue("work"), "Tags": tags()},
        },
        "Machine" + machine: {
            "Type": "AWS::StepFunctions::StateMachine",
            "DeletionPolicy": "Retain",
            "Properties": {
                "StateMachineName": NAMES.machine("checkout", machine),
                "DefinitionString": json.dumps(states),
                "RoleArn": ROLE,
                "Tags": tags(),
            },
        },
        "Api": {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {"Name": NAMES.api, "ProtocolType": "HTTP"},
        },
        "ApiStage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {"ApiId": {"Ref": "Api"}, "StageName": "$default", "AutoDeploy": True},
        },
        "Integration": {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {"ApiId": {"Ref": "Api"}, **integration},
        },
        "HealthRoute": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "RouteKey": "GET /health",
                "Target": {"Fn::Sub": "integrations/${Integration}"},
            },
        },
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Parameters": {"PackagesBucket": {"Type": "String"}},
        "Resources": resources,
        "Outputs": {"Url": {"Value": {"Fn::GetAtt": ["Api", "ApiEndpoint"]}}},
    }


def bundle(
    version: str = "1",
    machine: str = MACHINE_V1,
    *,
    health: str | None = None,
    data: JsonObject | None = None,
    app: JsonObject | None = None,
) -> Bundle:
    """Put a bundle together."""
    key, content = package(version)
    return Bundle(
        "aws",
        APP,
        STAGE,
        {
            "data.yaml": json.dumps(data or data_template()).encode(),
            "template.yaml": _yaml(app or app_template(version, machine, health)),
            key: content,
        },
    )


def _yaml(template: JsonObject) -> bytes:
    import yaml

    return yaml.safe_dump(template, sort_keys=False).encode()
