"""What a change set would do, in the words that are the same on every provider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from cartwheel.deployment import Action, Change

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import (
        DescribeChangeSetOutputTypeDef,
        ResourceChangeTypeDef,
        ResourceTargetDefinitionTypeDef,
    )

DATA_KINDS = frozenset({"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SecretsManager::Secret"})
"""Types of resources that keep what nobody can make again."""
_LONGEST = 80
"""Characters of a property's value that are shown."""


def changes_of(pages: Iterable[DescribeChangeSetOutputTypeDef]) -> tuple[Change, ...]:
    """Read a change set, all pages of it."""
    return tuple(
        _change(change["ResourceChange"])
        for page in pages
        for change in page.get("Changes", [])
        if "ResourceChange" in change
    )


def additions_of(template: Mapping[str, object]) -> tuple[Change, ...]:
    """Read what a template adds where there is nothing yet that it could be compared with."""
    resources = template.get("Resources")
    found = resources.items() if isinstance(resources, Mapping) else ()
    return tuple(
        Change("add", str(one["Type"]), str(name), data=one["Type"] in DATA_KINDS)
        for name, one in found
    )


def _change(found: ResourceChangeTypeDef) -> Change:
    kind = found.get("ResourceType", "")
    action = _action(found)
    details = list(dict.fromkeys(_details(found)))
    if action in {"replace", "remove"} and "Retain" in found.get("PolicyAction", ""):
        details.append("the old one stays, and nobody uses it any more")
    return Change(
        action=action,
        kind=kind,
        name=found.get("LogicalResourceId", ""),
        details=tuple(details),
        data=kind in DATA_KINDS,
    )


def _action(found: ResourceChangeTypeDef) -> Action:
    match found.get("Action"):
        case "Add" | "Import":
            return "add"
        case "Remove":
            return "remove"
        case _:
            # Conditional: AWS knows only while it does it. What may happen is told as if it did.
            return "change" if found.get("Replacement", "False") == "False" else "replace"


def _details(found: ResourceChangeTypeDef) -> Iterable[str]:
    for detail in found.get("Details", []):
        target = detail.get("Target", {})
        where = target.get("Path") or target.get("Name") or target.get("Attribute") or ""
        said = where.removeprefix("/Properties/") + _values(target)
        if target.get("RequiresRecreation", "Never") != "Never":
            said += " (needs a new one)"
        if said:
            yield said


def _values(target: ResourceTargetDefinitionTypeDef) -> str:
    before, after = target.get("BeforeValue"), target.get("AfterValue")
    if before is None and after is None:
        return ""
    return f": {_short(before)} -> {_short(after)}"


def _short(value: str | None) -> str:
    if value is None:
        return "nothing"
    return value if len(value) <= _LONGEST else f"{value[: _LONGEST - 3]}..."
