"""Limits of AWS that a large application meets, said while building and not by a failed stack.

What AWS raises on request (routes of an API, roles of an account) is left to the deployment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import cast

from cartwheel.ports import ConfigurationError, Json, JsonObject

LARGEST_TEMPLATE = 1024 * 1024
"""Bytes of a template that is read from a bucket."""
LARGEST_INLINE = 51_200
"""Bytes of a template that is sent with the request, as that of the bucket itself has to be."""
MOST_RESOURCES = 500
LARGEST_MACHINE = 1024 * 1024
LARGEST_ENVIRONMENT = 4 * 1024
LARGEST_POLICIES = 10_240
"""Characters of a role's inline policies, white space left out."""
_SPLIT = "; split the application into two, each with a stack of its own"


def check_limits(
    data: JsonObject,
    app: JsonObject,
    written: Mapping[str, bytes],
    machines: Mapping[str, JsonObject],
    environment: JsonObject,
) -> None:
    """Raise ConfigurationError for what AWS would refuse: every limit, how far it is exceeded."""
    found = [
        *_templates(written),
        *_resources("data.yaml", data, "tables and signing keys"),
        *_resources("template.yaml", app, "routes, consumers and functions"),
        *_machines(machines),
        *_environment(environment),
        *_roles(app),
    ]
    if found:
        raise ConfigurationError("\n".join(found))


def _templates(written: Mapping[str, bytes]) -> Iterator[str]:
    limits = {"data.yaml": LARGEST_INLINE, "template.yaml": LARGEST_TEMPLATE}
    causes = {"data.yaml": "collections and indexes", "template.yaml": "routes and workflows"}
    for name, limit in limits.items():
        size = len(written[name])
        if size > limit:
            yield (
                f"{name} has {size} bytes and CloudFormation takes {limit}: declare fewer "
                f"{causes[name]}{_SPLIT}"
            )


def _resources(name: str, template: JsonObject, causes: str) -> Iterator[str]:
    count = len(cast("JsonObject", template["Resources"]))
    if count > MOST_RESOURCES:
        yield (
            f"{name} has {count} resources and a stack takes {MOST_RESOURCES}: declare fewer "
            f"{causes}{_SPLIT}"
        )


def _machines(machines: Mapping[str, JsonObject]) -> Iterator[str]:
    for name, machine in machines.items():
        size = len(json.dumps(machine).encode())
        if size > LARGEST_MACHINE:
            yield (
                f"workflow '{name}' has a definition of {size} bytes and Step Functions takes "
                f"{LARGEST_MACHINE}: let a second workflow do a part of it, or move constants into "
                "a task"
            )


def _environment(environment: JsonObject) -> Iterator[str]:
    texts = [
        *environment,
        *(one if isinstance(one, str) else "0" * 12 for one in environment.values()),
    ]
    size = sum(len(text.encode()) for text in texts)
    if size > LARGEST_ENVIRONMENT:
        largest = max(environment, key=lambda name: len(str(environment[name])))
        yield (
            f"the functions' environment has {size} bytes and Lambda takes {LARGEST_ENVIRONMENT}: "
            f"shorten {largest}"
        )


def _plain(value: Json) -> Json:
    """Put something as long in the place of what CloudFormation puts in."""
    match value:
        case {"Fn::Sub": str(text)}:
            return text.replace("${AWS::Partition}", "aws").replace("${AWS::Region}", "0" * 14)
        case {"Fn::GetAtt": _} | {"Ref": _}:
            return "0" * 100
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case list():
            return [_plain(one) for one in value]
        case _:
            return value


def _roles(app: JsonObject) -> Iterator[str]:
    for name, resource in cast("dict[str, JsonObject]", app["Resources"]).items():
        if resource["Type"] == "AWS::IAM::Role":
            policies = cast("JsonObject", resource["Properties"])["Policies"]
            size = len(json.dumps(_plain(policies), separators=(",", ":")))
            if size > LARGEST_POLICIES:
                yield (
                    f"{name} has policies of {size} characters and IAM takes {LARGEST_POLICIES}: "
                    "let fewer services share collections, or split the application"
                )
