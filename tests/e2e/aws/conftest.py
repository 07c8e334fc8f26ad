"""A stage on ministack, a deployer of it, and eyes that see everything there."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cartwheel.deployment import Access, Step
from cartwheel_aws.deploy._clients import DeployClients
from cartwheel_aws.deploy._driver import AwsDeployer
from cartwheel_aws.deploy._stacks import Pace
from tests.engines.aws._processes import REGION, Process
from tests.support.aws_bundle import APP, NAMES, STAGE
from tests.support.ministack import start_ministack

ACCESS = Access(STAGE)


class Crash(BaseException):
    """Ends a run as a kill would: nothing of ours catches it."""


@dataclass
class Wire:
    """Counts the calls of AWS, and ends the run at one of them."""

    calls: list[str] = field(default_factory=list)
    crash_at: int | None = None

    def __call__(self, when: str, call: str) -> None:
        """Note a moment before or after a call; raises Crash at the chosen one."""
        self.calls.append(f"{when} {call}")
        if self.crash_at is not None and len(self.calls) > self.crash_at:
            raise Crash(self.calls[-1])


class Backend(ThreadingHTTPServer):
    """Is what the API passes requests on to where no function is needed; answers any path."""

    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer with the server's status."""
        assert isinstance(self.server, Backend)
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@dataclass
class Sky:
    """Is ministack with one stage of the small bundle."""

    process: Process
    backend: Backend
    wire: Wire
    clients: DeployClients
    eyes: DeployClients
    steps: list[Step] = field(default_factory=list)

    @property
    def health(self) -> str:
        """Give the address of the backend, which starts no function."""
        return f"http://127.0.0.1:{self.backend.server_port}"

    def deployer(self) -> AwsDeployer:
        """Make a deployer, as each run does."""
        self.steps.clear()
        self.wire.calls.clear()
        self.wire.crash_at = None
        return AwsDeployer(APP, ACCESS, self.clients, Pace(poll=0.005, health=10))

    def reset(self) -> None:
        """Take everything away."""
        request = urllib.request.Request(f"{self.process.url}/_ministack/reset", method="POST")  # noqa: S310  # loopback
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310  # same
            assert answer.status == 200

    def seen(self) -> dict[str, object]:
        """Give all that is there of this stage or any other, but for ids and times."""
        eyes = self.eyes
        cloud = eyes.cloudformation
        stacks = {one["StackName"]: one for one in cloud.describe_stacks()["Stacks"]}
        tables = eyes.dynamodb.list_tables()["TableNames"]
        return {
            "stacks": {
                name: (
                    one["StackStatus"],
                    sorted(output["OutputKey"] for output in one.get("Outputs", [])),
                    cloud.get_template(StackName=name, TemplateStage="Original")["TemplateBody"],
                    [
                        change["ChangeSetName"]
                        for change in cloud.list_change_sets(StackName=name)["Summaries"]
                        if change["ExecutionStatus"] == "AVAILABLE"
                    ],
                )
                for name, one in stacks.items()
            },
            "tables": {
                name: sorted(
                    index["IndexName"]
                    for index in eyes.dynamodb.describe_table(TableName=name)["Table"].get(
                        "GlobalSecondaryIndexes", []
                    )
                )
                for name in tables
            },
            "secrets": sorted(
                one["Name"] for one in eyes.secretsmanager.list_secrets()["SecretList"]
            ),
            "buckets": {
                one["Name"]: self._objects(one["Name"]) for one in eyes.s3.list_buckets()["Buckets"]
            },
            "machines": sorted(
                one["name"] for one in eyes.stepfunctions.list_state_machines()["stateMachines"]
            ),
            "functions": {
                one["FunctionName"]: one["CodeSha256"]
                for one in eyes.functions.list_functions()["Functions"]
            },
            "logs": sorted(
                one["logGroupName"] for one in eyes.logs.describe_log_groups()["logGroups"]
            ),
        }

    def _objects(self, bucket: str) -> list[str]:
        found: list[str] = []
        for one in self.eyes.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            key = one["Key"]
            if key.startswith("deployments/"):
                # Its key begins with the time; what it says counts.
                body = self.eyes.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
                lines = [line for line in body.splitlines() if '"at"' not in line]
                found.append("\n".join(lines))
            else:
                found.append(key)
        return found


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    started = start_ministack()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def stage(process: Process) -> Iterator[Sky]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", process.url)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_REGION", REGION)
        wire = Wire()
        with Backend() as backend:
            threading.Thread(target=backend.serve_forever, daemon=True).start()
            yield Sky(process, backend, wire, DeployClients(ACCESS, wire), DeployClients(ACCESS))
            backend.shutdown()


@pytest.fixture
def sky(stage: Sky) -> Sky:
    """Give the stage with nothing in it."""
    stage.reset()
    stage.backend.status = 200
    assert NAMES.prefix not in stage.seen()["stacks"]  # type: ignore[operator]  # it is a mapping
    return stage
