"""Small pieces of templates: references, ARNs, logical ids, tags."""

from __future__ import annotations

import hashlib
import re

from cartwheel.ports import ConfigurationError, Json, JsonObject
from cartwheel_aws._names import Names

TAG = "cartwheel:stage"
"""The tag that says whose a resource is: `<app>-<stage>`."""


LONGEST_ID = 255


def logical(*words: str) -> str:
    """Make a logical id of words: `orders.on_paid`, `queue` is OrdersOnPaidQueue."""
    parts = [part for word in words for part in re.split(r"[^A-Za-z0-9]+", word) if part]
    made = "".join(part[0].upper() + part[1:] for part in parts)
    return made if len(made) <= LONGEST_ID else f"{made[: LONGEST_ID - 12]}{mark(made)}"


def mark(text: str) -> str:
    """Give what tells a text from others in a logical id, in 12 letters and digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def put(resources: JsonObject, logical_id: str, resource: Json) -> None:
    """Add a resource; raises ConfigurationError when its logical id is another's."""
    if logical_id in resources:
        raise ConfigurationError(
            f"two parts of the application are called {logical_id} in the template: they differ in "
            "underscores only; rename one"
        )
    resources[logical_id] = resource


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


def assumed_by(service: str, **condition: Json) -> JsonObject:
    """Write the policy that lets a service of AWS take a role, on a condition."""
    more: JsonObject = {"Condition": condition} if condition else {}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": f"{service}.amazonaws.com"},
                "Action": "sts:AssumeRole",
                **more,
            }
        ],
    }


def policy(statements: list[Json]) -> JsonObject:
    """Write a policy document."""
    return {"Version": "2012-10-17", "Statement": statements}
