"""The kit's applications, built and deployed on ministack, each once for all tests of a module.

What runs there is what a bundle holds: both stacks by CloudFormation, the functions from their
packages under AWS's own runtime client. The kit is in no package, so it is added to the shared
layer; all applications share both layers.
"""

from __future__ import annotations

import io
import json
import platform
import sys
import tempfile
import time
import uuid
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from boto3.session import Session

from cartwheel import testing as kit
from cartwheel.app import App
from cartwheel.deployment import BuildOptions, Bundle, Outside
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.manifest import manifest_of
from cartwheel.packaging import PackagingError, Target, archive, compiled, unpacked_size
from cartwheel.ports import Hook, JsonObject
from cartwheel.testing import apps
from cartwheel_aws import Names, Package, Packages, Place, packages
from cartwheel_aws._clients import Clients
from cartwheel_aws._host import SENDER, AwsHost
from cartwheel_aws.deploy import build
from tests.engines.aws._processes import ACCOUNT, REGION, Process
from tests.support.engines import require
from tests.support.ministack import start_ministack

MAILS_FROM = "Köder & Söhne <shop@example.com>"
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}
PATIENCE = 120.0
_KIT = Path(kit.__file__).parent


class NearClients(Clients):
    """Is the adapter's clients, with ministack for AWS."""

    def __init__(self, url: str) -> None:
        super().__init__(REGION, endpoint=url)
        self._session.set_credentials("test", "test")


@dataclass(frozen=True, slots=True)
class Stage:
    """Is an application's stage as it was deployed."""

    app: App
    place: Place
    forms: dict[str, JsonObject]
    api: str


class Sky:
    """Is ministack with the kit's applications on it."""

    def __init__(self) -> None:
        with ExitStack() as opened:
            self.process: Process = start_ministack(functions=True)
            opened.callback(self.process.stop)
            self.folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
            self.clients = NearClients(self.process.url)
            session, url = Session("test", "test", region_name=REGION), self.process.url
            self.cloudformation = session.client("cloudformation", endpoint_url=url)
            self.s3 = session.client("s3", endpoint_url=url)
            self.functions = session.client("lambda", endpoint_url=url)
            self.scheduler = session.client("scheduler", endpoint_url=url)
            self._opened = opened.pop_all()
        self.clients.sesv2.create_email_identity(EmailIdentity="example.com")
        self._stages: dict[str, Stage] = {}
        self._packed: Packages | None = None
        self.spent: dict[str, float] = {}
        """Seconds that building and deploying took, by what."""

    def close(self) -> None:
        """End the engine and what it runs."""
        self._opened.close()

    def open(self, app: App, *, hook: Hook | None = None) -> AwsHost:
        """Open a host beside the stage of one of the kit's applications."""
        return self.host(self.stage(name_of(app)), app, hook=hook)

    def host(self, stage: Stage, app: App, *, hook: Hook | None = None) -> AwsHost:
        """Open a host beside a stage."""
        options = HostOptions(log=discard, hook=hook)
        return AwsHost(app, options, stage.place, self.clients, stage.forms, sender=MAILS_FROM)

    def stage(self, name: str) -> Stage:
        """Give the one stage of an application, which is deployed when it is first asked for."""
        if name not in self._stages:
            self._stages[name] = self.deployed(name)
        return self._stages[name]

    def deployed(self, name: str, stage: str | None = None) -> Stage:
        """Deploy an application to a stage that is new, or once more to `stage`."""
        app: App = getattr(apps, name)
        began = time.monotonic()
        bundle = self.built(app, name, stage or f"t{uuid.uuid4().hex[:10]}")
        built = time.monotonic()
        names = Names(app.name, bundle.stage)
        template = bundle.files["data.yaml"].decode()
        bucket = self._apply(names.data, {"TemplateBody": template})["PackagesBucket"]
        for path, content in bundle.files.items():
            if path == "template.yaml" or path.startswith("packages/"):
                self.s3.put_object(Bucket=bucket, Key=path, Body=content)
        outputs = self._apply(
            names.prefix,
            {
                "TemplateURL": f"{self.process.url}/{bucket}/template.yaml",
                "Parameters": [{"ParameterKey": "PackagesBucket", "ParameterValue": bucket}],
                "Capabilities": ["CAPABILITY_IAM"],
            },
        )
        self.spent[f"build {name}"] = built - began
        self.spent[f"deploy {name}"] = time.monotonic() - built
        return Stage(app, Place(names, REGION, ACCOUNT), _forms(bundle), outputs["ApiId"])

    def built(self, app: App, name: str, stage: str) -> Bundle:
        """Build an application's bundle, with the kit in its shared layer."""
        machine = platform.machine()
        require("a machine like Lambda's", machine in ARCHITECTURES, "x86_64 or aarch64")
        options = BuildOptions(
            stage,
            self.folder,
            architecture=cast("Any", ARCHITECTURES[machine]),
            outside=Outside({SENDER: MAILS_FROM}),
        )
        return build(manifest_of(app, apps.source(name)), options, package=self._packages)

    def _packages(self, *args: Any, **options: Any) -> Packages:
        """Build packages as the adapter does; layers once, and with the kit."""
        services = args[2]
        if self._packed is None:
            try:
                built = packages(*args, **options)
            except PackagingError as error:
                silent = "package index does not answer" in str(error)
                require("a package index", not silent, str(error))
                raise
            self._packed = replace(built, shared=_with_kit(built.shared))
        functions = {
            name: Package(archive(files), unpacked_size(files)) for name, files in services.items()
        }
        return replace(self._packed, functions=functions)

    def _apply(self, stack: str, request: dict[str, Any]) -> dict[str, str]:
        """Make a stack what a template says, and give its outputs."""
        known = [one["StackName"] for one in self.cloudformation.list_stacks()["StackSummaries"]]
        verb: Callable[..., object] = (
            self.cloudformation.update_stack if stack in known else self.cloudformation.create_stack
        )
        try:
            verb(StackName=stack, **request)
        except self.cloudformation.exceptions.ClientError as error:
            if "No updates" not in str(error):
                raise
        until = time.monotonic() + PATIENCE
        while True:
            (told,) = self.cloudformation.describe_stacks(StackName=stack)["Stacks"]
            if not told["StackStatus"].endswith("IN_PROGRESS"):
                break
            assert time.monotonic() < until, f"{stack} is still {told['StackStatus']}"
            time.sleep(0.05)
        if told["StackStatus"] not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            events = self.cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
            why = [e for e in events if "FAILED" in e["ResourceStatus"]]
            raise AssertionError(f"{stack} is {told['StackStatus']}: {why}")
        return {one["OutputKey"]: one["OutputValue"] for one in told.get("Outputs", [])}


def name_of(app: App) -> str:
    """Give the name under which the kit has an application."""
    waiting = app.workflows.get("kit_wait")
    if waiting is not None and waiting.version == "2":
        return "kit_runtime_changed"
    steady = app.schedules.get("kit.steady")
    if steady is not None and steady.seconds == 60:
        return "kit_scheduled_minutely"
    return app.name


def _forms(bundle: Bundle) -> dict[str, JsonObject]:
    """Read what the functions know of workflows from one of their packages."""
    keeper = next(path for path in bundle.files if path.startswith("packages/keeper-"))
    with zipfile.ZipFile(io.BytesIO(bundle.files[keeper])) as packed:
        found: dict[str, JsonObject] = json.loads(packed.read("forms.json"))
        return found


def _with_kit(shared: Package) -> Package:
    """Add the kit to a layer."""
    with zipfile.ZipFile(io.BytesIO(shared.content)) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    sources = {
        f"cartwheel/testing/{path.relative_to(_KIT).as_posix()}": path.read_bytes()
        for path in sorted(_KIT.rglob("*.py"))
    }
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    built = compiled(sources, Target(version, platform.machine(), 26), root="/opt/python")
    files |= {f"python/{path}": content for path, content in built.files.items()}
    return Package(archive(files), unpacked_size(files))
