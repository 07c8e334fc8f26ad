"""A function under AWS's own runtime client answers a machine: codes travel as class names."""

from __future__ import annotations

import base64
import io
import json
import time
import zipfile
from pathlib import Path

import pydantic

from cartwheel.testing.corpus import PROGRAMS
from cartwheel_aws import compile_workflow, ended, frame
from tests.engines.aws import setup
from tests.engines.aws._processes import ACCOUNT, call, free_port, post, start
from tests.engines.aws.engines import PLACEHOLDER, ROLE, function_arn, lambda_credential
from tests.support.engines import require
from tests.support.ministack import HOW

ROOT = Path(__file__).parents[3]
HANDLER = """\
from cartwheel.dispatch import TaskReply
from cartwheel.runs import RUNS, Invocations
from cartwheel_aws import handler
from cartwheel_memory import MemoryDisk
from cartwheel_memory._store import MemoryStore


class Clock:
    def now(self):
        return 0.0


class Nobody:
    def wake(self, token, outcome):
        return False


def run_task(task, key, run_id, given):
    print(f"called {task} with {given.decode()}")
    if task == "corpus.take":
        error = b'{"code": "OutOfStock", "message": "none", "details": {}, "retryable": false}'
        return TaskReply(ok=False, json=error)
    return TaskReply(ok=True, json=given)


store = MemoryStore(MemoryDisk(), {RUNS.name: RUNS})
handle = handler(Invocations(run_task, store, Clock(), Nobody()))
"""


def test_an_error_raised_under_the_runtime_client_is_caught_by_its_code() -> None:
    ready = setup.is_ready(setup.MINISTACK) and setup.is_ready(setup.FUNCTIONS)
    require("ministack with awslambdaric", ready, HOW)
    port = free_port()
    env = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "ERROR",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
    }
    process = start([setup.python(setup.MINISTACK), "-m", "ministack"], port, _HEALTH, env)
    try:
        _create_function(process.url)
        program = next(each for each in PROGRAMS if each.name == "a_handler_catches_its_code")
        compiled = compile_workflow(program.definition.ir)
        definition = PLACEHOLDER.sub(lambda found: function_arn(found[1]), compiled.main)
        made = call(
            process.url, "CreateStateMachine", name="real", definition=definition, roleArn=ROLE
        )
        given = json.dumps(frame(compiled, "run-1", program.input))
        arn = made["stateMachineArn"]
        started = call(process.url, "StartExecution", stateMachineArn=arn, input=given)
        for _ in range(600):
            told = call(process.url, "DescribeExecution", executionArn=started["executionArn"])
            if told["status"] != "RUNNING":
                break
            time.sleep(0.05)
        assert ended(str(told["status"]), str(told["output"])) == {
            "status": "succeeded",
            "output": "out",
            "error": None,
            "compensation_failures": [],
        }
    finally:
        process.stop()


_HEALTH = "/_ministack/health"


def _create_function(url: str) -> None:
    """Create the function as it would be deployed, with a bootstrap that starts the client."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("handler.py", HANDLER)
        bootstrap = zipfile.ZipInfo("bootstrap")
        bootstrap.external_attr = 0o755 << 16
        client = setup.python(setup.FUNCTIONS)
        archive.writestr(bootstrap, f'#!/bin/sh\nexec {client} -m awslambdaric "$_HANDLER"\n')
    packages = Path(pydantic.__file__).parents[1]
    sources = [ROOT / "core", ROOT / "adapters" / "aws", ROOT / "adapters" / "memory", packages]
    body = {
        "FunctionName": "corpus",
        "Runtime": "provided.al2023",
        "Role": ROLE,
        "Handler": "handler.handle",
        "Code": {"ZipFile": base64.b64encode(code.getvalue()).decode("ascii")},
        "Environment": {"Variables": {"PYTHONPATH": ":".join(map(str, sources))}},
        "Timeout": 30,
    }
    headers = {"Content-Type": "application/json", "Authorization": lambda_credential()}
    post(f"{url}/2015-03-31/functions", body, headers)
