"""An application that is deployed on ministack by hand, its functions held to their roles."""

from __future__ import annotations

import http.client
import json
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode, urlsplit

import boto3
import pytest

from cartwheel.deployment import BuildOptions, Bundle, Outside
from cartwheel.host import HostOptions
from cartwheel.http import Request, Response
from cartwheel.log import discard
from cartwheel.manifest import manifest_of
from cartwheel.packaging import PackagingError
from cartwheel_aws._clients import Clients
from cartwheel_aws._host import AwsHost
from cartwheel_aws._names import Names, Place
from cartwheel_aws.deploy import build
from cartwheel_aws.deploy._package import Architecture
from cartwheel_workflows.shop import shop_app
from tests.engines.aws._processes import ACCOUNT, REGION
from tests.support.aws_templates import MAIL, ROOT
from tests.support.engines import require
from tests.support.ministack import start_ministack

if TYPE_CHECKING:
    from cartwheel.dispatch import Dispatcher
    from cartwheel.ports import Ports

PATIENCE = 150.0
ARCHITECTURES: dict[str, Architecture] = {"aarch64": "arm64", "x86_64": "x86_64"}


@dataclass(frozen=True)
class Granted:
    """Is a request to AWS that a caller made: who, what, on what, and whether it was granted."""

    caller: str
    action: str
    resource: str
    granted: bool


class Deployed:
    """Is the shop at a stage; `host` is the operator's, with all rights."""

    def __init__(self, url: str, asked: Path, bundle: Bundle) -> None:
        self.names = Names(bundle.app, bundle.stage)
        self.place = Place(self.names, REGION, ACCOUNT)
        self._asked = asked
        self.url = url
        self._at = urlsplit(url).netloc
        session = boto3.session.Session("test", "test", region_name=REGION)
        self.client: Callable[..., Any] = lambda name: session.client(name, endpoint_url=url)
        self._api = self._deploy(bundle, url)
        self.host = AwsHost(shop_app(), HostOptions(log=discard), self.place, Clients(REGION), {})

    def _deploy(self, bundle: Bundle, url: str) -> str:
        stacks, s3 = self.client("cloudformation"), self.client("s3")
        files = bundle.files
        stacks.create_stack(StackName=self.names.data, TemplateBody=files["data.yaml"].decode())
        bucket = self._outputs(self.names.data)["PackagesBucket"]
        for key, content in files.items():
            if key.startswith("packages/") or key == "template.yaml":
                s3.put_object(Bucket=bucket, Key=key, Body=content)
        mails = self.client("sesv2")
        mails.create_email_identity(EmailIdentity="shop@example.com")
        stacks.create_stack(
            StackName=self.names.prefix,
            TemplateURL=f"{url}/{bucket}/template.yaml",
            Parameters=[{"ParameterKey": "PackagesBucket", "ParameterValue": bucket}],
            Capabilities=["CAPABILITY_IAM"],
        )
        return self._outputs(self.names.prefix)["ApiId"]

    def _outputs(self, stack: str) -> dict[str, str]:
        client = self.client("cloudformation")

        def made() -> dict[str, str] | None:
            (found,) = client.describe_stacks(StackName=stack)["Stacks"]
            assert found["StackStatus"].startswith("CREATE_"), found
            if found["StackStatus"] != "CREATE_COMPLETE":
                return None
            return {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}

        found: dict[str, str] = until(made, f"stack {stack}")
        return found

    @property
    def ports(self) -> Ports:
        """Give the operator's ports."""
        return self.host.ports

    @property
    def dispatcher(self) -> Dispatcher:
        """Give this as the way into the shop, for shoppers: over HTTP, to the API."""
        return cast("Dispatcher", self)

    def http(self, request: Request) -> Response:
        """Send a request to the API."""
        link = http.client.HTTPConnection(self._at, timeout=60)
        query = urlencode([(key, one) for key, values in request.query.items() for one in values])
        path = quote(request.path) + (f"?{query}" if query else "")
        port = self._at.rpartition(":")[2]
        headers = {
            "host": f"{self._api}.execute-api.localhost:{port}",
            **{name: values[0] for name, values in request.headers.items()},
        }
        try:
            link.request(request.method, path, request.body, headers)
            answer = link.getresponse()
            got = {name.lower(): value for name, value in answer.getheaders()}
            return Response(answer.status, got, answer.read())
        finally:
            link.close()

    def invoke(self, function: str, event: object) -> Any:
        """Invoke a function, and give its answer; an error fails."""
        answer = self.client("lambda").invoke(
            FunctionName=self.names.function(function), Payload=json.dumps(event).encode()
        )
        said = json.loads(answer["Payload"].read() or b"null")
        assert "FunctionError" not in answer, (function, event, said)
        return said

    def logged(self, function: str, word: str) -> list[str]:
        """Give the lines of a function's log that have a word in them."""
        found = self.client("logs").filter_log_events(logGroupName=self.names.log_group(function))
        return [one["message"] for one in found["events"] if word in one["message"]]

    def asked(self) -> list[Granted]:
        """Give what the functions have asked of AWS."""
        lines = self._asked.read_text(encoding="utf-8").splitlines()
        return [
            Granted(one.caller.rpartition("/")[2].removeprefix(f"{self.names.prefix}-"), *one.rest)
            for one in map(_Line.read, lines)
            if ":assumed-role/" in one.caller
        ]


@dataclass(frozen=True)
class _Line:
    caller: str
    rest: tuple[str, str, bool]

    @classmethod
    def read(cls, line: str) -> _Line:
        caller, action, resource, granted = json.loads(line)
        return cls(caller, (action, resource, granted))


def until(seen: Callable[[], Any], what: str) -> Any:
    """Wait until something is seen, and give it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = seen()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not seen within {PATIENCE:.0f} s")


def built(stage: str, cache: Path) -> Bundle:
    """Build the shop's bundle for this machine."""
    runs_here = platform.libc_ver()[0] == "glibc" and platform.machine() in ARCHITECTURES
    require("a machine like Lambda's", runs_here, "Linux with glibc on x86_64 or aarch64")
    options = BuildOptions(
        stage, ROOT, architecture=ARCHITECTURES[platform.machine()], outside=Outside(MAIL)
    )
    try:
        return build(manifest_of(shop_app(), "cartwheel_workflows.shop:app"), options)
    except PackagingError as error:
        require("a package index", "package index does not answer" not in str(error), str(error))
        raise


@contextmanager
def deployed(folder: Path) -> Iterator[Deployed]:
    """Deploy the shop, held to its roles."""
    bundle = built("test", folder)
    asked = folder / "asked.jsonl"
    process = start_ministack(0.5, functions=True, asked=asked)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", process.url)
            patch.setenv("AWS_ACCESS_KEY_ID", "test")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
            yield Deployed(process.url, asked, bundle)
    finally:
        process.stop()
