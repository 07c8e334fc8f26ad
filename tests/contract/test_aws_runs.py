"""Step Functions keeps the contract of WorkflowRuntimes, on ministack's interpreter.

The store and the functions are those of the local adapter; functions are called over HTTP, as the
Lambda service calls them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from cartwheel import testing as kit
from cartwheel.app import App
from cartwheel.host import Host, HostOptions
from cartwheel.log import discard
from cartwheel.ports import Json, JsonObject
from cartwheel.runs import Invocations
from cartwheel.testing import OpenHost
from cartwheel.testing._runtime_app import runtime_app
from cartwheel_aws import (
    Names,
    Place,
    StepFunctionsEngine,
    TaskTokenWakeup,
    compile_workflow,
    form_of,
    handler,
)
from cartwheel_local import LocalHost
from tests.engines._driver import Answered, Asked, Server, as_json
from tests.engines.aws import setup
from tests.engines.aws._processes import ACCOUNT, REGION, Process, call
from tests.engines.aws.engines import (
    PLACEHOLDER,
    ROLE,
    Ministack,
    create_function,
    function_arn,
)
from tests.support.engines import require
from tests.support.ministack import HOW
from tests.support.own_runs import open_over

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

PLACE = Place(Names("kit_runtime", "test"), REGION, ACCOUNT)


class Account:
    """Is an account with the kit's machines, and the functions of the hosts that are open."""

    def __init__(self) -> None:
        import boto3

        self.server = Server()
        self.server.mount("/lambda/", self._invoked)
        self.process: Process = Ministack().launch(1.0)
        self.client: SFNClient = boto3.client(
            "stepfunctions",
            endpoint_url=self.process.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self.open: list[Invocations] = []
        self.forms: dict[str, JsonObject] = {}
        functions: set[str] = set()
        for workflow in runtime_app().workflows.values():
            compiled, content = compile_workflow(workflow.ir), workflow.ir.content_hash
            self.forms[content] = form_of(compiled)
            for function in sorted(set(PLACEHOLDER.findall(compiled.main)) - functions):
                create_function(self.process.url, function, f"{self.server.url}/lambda/{function}")
                functions.add(function)
            call(
                self.process.url,
                "CreateStateMachine",
                name=PLACE.names.machine(workflow.name, content),
                definition=PLACEHOLDER.sub(lambda found: function_arn(found[1]), compiled.main),
                roleArn=ROLE,
            )

    def close(self) -> None:
        self.client.close()
        self.process.stop()
        self.server.close()

    def _invoked(self, asked: Asked) -> Answered:
        """Answer as the Lambda service does, with the function of the host that has the run."""
        event: Json = json.loads(asked.body)
        assert isinstance(event, dict)
        owner = next(one for one in self.open if one.letters.head(str(event["run_id"])).version)
        try:
            return as_json(200, handler(owner)(event, None))
        except Exception as error:  # noqa: BLE001  # what a function raises, the service tells
            told: JsonObject = {"errorMessage": str(error), "errorType": type(error).__name__}
            return as_json(200, told, **{"X-Amz-Function-Error": "Unhandled"})


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    require("ministack", setup.is_ready(setup.MINISTACK), HOW)
    made = Account()
    yield made
    made.close()


@pytest.fixture
def open_host(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenHost]:
    def open_(app: App) -> Host:
        options = HostOptions(data=tmp_path_factory.mktemp("data"), log=discard)
        engine = StepFunctionsEngine(account.client, PLACE, account.forms)
        wakeup = TaskTokenWakeup(account.client)
        host, invocations = open_over(app, options, LocalHost, engine, wakeup)
        account.open.append(invocations)
        return host

    yield open_
    account.open.clear()


class TestWorkflowRuntime(kit.WorkflowRuntimeContract):
    pass
