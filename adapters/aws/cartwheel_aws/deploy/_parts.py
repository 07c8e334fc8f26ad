"""Small pieces of templates: references, ARNs, logical ids, tags."""

from __future__ import annotations

import re

from cartwheel.ports import Json, JsonObject
from cartwheel_aws._names import Names

TAG = "cartwheel:stage"
"""The tag that says whose a resource is: `<app>-<stage>`."""


def logical(*words: str) -> str:
    """Make a logical id of words: `orders.on_paid`, `queue` is OrdersOnPaidQueue."""
    parts = [part for word in words for part in re.split(r"[^A-Za-z0-9]+", word) if part]
    return "".join(part[0].upper() + part[1:] for part in parts)


def sub(text: str) -> JsonObject:
    """Give a text in which `${AWS::Region}` and the like are put in."""
    return {"Fn::Sub": text}


def ref(logical_id: str) -> JsonObject:
    """Refer to a resource or a parameter."""
    return {"Ref": logical_id}


def get(logical_id: str, attribute: str = "Arn") -> JsonObject:
    """Refer to an attribute of a resource."""
    return {"Fn::GetAtt": [logical_id, attribute]}


def arn(service: str, resource: str) -> JsonObject:
    """Give the ARN of a resource of this account and region, by its name."""
    place = "${AWS::Region}:${AWS::AccountId}"
    return sub(f"arn:${{AWS::Partition}}:{service}:{place}:{resource}")


def tags(names: Names) -> list[Json]:
    """Give the tags of everything that belongs to a stage."""
    return [{"Key": TAG, "Value": names.prefix}]


def statement(actions: list[str], resources: list[Json], **more: Json) -> JsonObject:
    """Write a statement that allows actions on resources."""
    return {"Effect": "Allow", "Action": [*actions], "Resource": [*resources], **more}


def assumed_by(service: str) -> JsonObject:
    """Write the policy that lets a service of AWS, and only this account's, take a role."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": f"{service}.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }


def policy(statements: list[Json]) -> JsonObject:
    """Write a policy document."""
    return {"Version": "2012-10-17", "Statement": statements}
