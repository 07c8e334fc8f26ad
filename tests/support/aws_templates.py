"""The templates of applications, without the packages that they name: those take long to build."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cartwheel.app import App
from cartwheel.deployment import Outside
from cartwheel.manifest import Manifest, manifest_of
from cartwheel.ports import JsonObject
from cartwheel_aws._host import SENDER
from cartwheel_aws._names import Names
from cartwheel_aws.deploy._app_stack import AppStack, Code
from cartwheel_aws.deploy._bundle import _settings, _workflows
from cartwheel_aws.deploy._data_stack import data_stack
from cartwheel_aws.deploy._everything import everything
from cartwheel_workflows.shop import shop_app

ROOT = Path(__file__).resolve().parents[2]
HELLO = ROOT / "examples" / "hello"
MAIL = {SENDER: "Shop <shop@example.com>"}
REGION, ACCOUNT, BUCKET = "eu-central-1", "123456789012", "the-bucket"


@dataclass(frozen=True)
class Templates:
    """Is a stage's two templates, and the manifest of all that they are made of."""

    manifest: Manifest
    names: Names
    data: JsonObject
    app: JsonObject

    @property
    def resources(self) -> dict[str, Any]:
        """Give the resources of both, by logical id."""
        return {**_resources(self.data), **_resources(self.app)}

    def of(self, kind: str) -> dict[str, Any]:
        """Give the properties of the resources of a kind, by logical id."""
        found = {key: one for key, one in self.resources.items() if one["Type"] == kind}
        return {key: one["Properties"] for key, one in found.items()}

    def statements(self, function: str) -> list[dict[str, Any]]:
        """Give the statements of a function's role, its ARNs put together."""
        role = f"{function[0].upper()}{function[1:]}Role"
        (policy,) = self.resources[role]["Properties"]["Policies"]
        return cast("list[dict[str, Any]]", resolved(policy["PolicyDocument"]["Statement"]))


def _resources(template: JsonObject) -> dict[str, Any]:
    return cast("dict[str, Any]", template["Resources"])


def resolved(value: Any) -> Any:
    """Put pseudo parameters into a value's texts; references to resources stay as they are."""
    match value:
        case {"Fn::Sub": str(text)}:
            for name, put in (("Partition", "aws"), ("Region", REGION), ("AccountId", ACCOUNT)):
                text = text.replace(f"${{AWS::{name}}}", put)
            return text
        case dict():
            return {key: resolved(one) for key, one in value.items()}
        case list():
            return [resolved(one) for one in value]
        case _:
            return value


def templates_of(
    manifest: Manifest, stage: str = "test", settings: Mapping[str, str] = MAIL
) -> Templates:
    """Make the templates of a manifest."""
    names = Names(manifest.app, stage)
    outside = Outside(settings)
    whole = everything(manifest, outside.replaces)
    machines, _ = _workflows(manifest)
    code = Code(
        layers={one: f"packages/{one}-0123456789abcdef.zip" for one in ("dependencies", "shared")},
        functions={
            one.name: f"packages/{one.name}-0123456789abcdef.zip" for one in whole.functions
        },
        architecture="arm64",
        runtime="python3.12",
    )
    told = _settings(manifest, outside)
    app = AppStack(whole, names, code, machines, told).template()
    return Templates(whole, names, data_stack(whole, names), app)


def hello_app() -> App:
    """Give the example that is one file."""
    if "hello" not in sys.modules:
        spec = importlib.util.spec_from_file_location("hello", HELLO / "hello.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules["hello"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return cast("App", sys.modules["hello"].app)


def shop() -> Templates:
    """Give the shop's templates."""
    return templates_of(manifest_of(shop_app(), "cartwheel_workflows.shop:app"))


def hello() -> Templates:
    """Give the templates of the example."""
    return templates_of(manifest_of(hello_app(), "hello:app"))


def size(template: JsonObject) -> int:
    """Count a template's bytes as JSON."""
    return len(json.dumps(template).encode())
