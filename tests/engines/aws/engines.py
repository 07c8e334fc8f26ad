"""Drives ministack and moto: two Step Functions interpreters that call tasks over HTTP.

Each is started three times: with waits that take their time, with quick ones for programs that last
long, and with waits that end at once for those that say nothing of time. Programs of the corpus
that follow the one asked for are played beside it, so that their waits pass together.
"""

from __future__ import annotations

import base64
import io
import json
import re
import threading
import time
import zipfile
from abc import abstractmethod
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, cast

from cartwheel.ports import Json, JsonObject
from cartwheel.testing.corpus import PROGRAMS, Played, Program
from cartwheel.workflow import Compiled, Ok, Outcome
from cartwheel_aws import compile_workflow, ended, frame, task_answer
from tests.engines._driver import Answered, Asked, Engine, Server, as_json
from tests.engines._world import World
from tests.engines.aws import setup
from tests.engines.aws._processes import (
    ACCOUNT,
    REGION,
    ApiError,
    Process,
    call,
    free_port,
    post,
    start,
)
from tests.support.engines import require
from tests.support.ministack import HOW, start_ministack

HERE = Path(__file__).parent
ROLE = f"arn:aws:iam::{ACCOUNT}:role/cartwheel"
LONGEST = 20
"""Seconds that a program may wait on a clock that is not hurried."""
PATIENCE = 60.0
QUICK = 0.2
"""Seconds that a second takes for a program that lasts long."""
AHEAD = 40
PLACEHOLDER = re.compile(r"\$\{(\w+)_function_arn\}")


@dataclass(eq=False, slots=True)
class Side:
    """Is one of an engine's two processes; `functions` are those that it knows."""

    process: Process
    functions: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


class StepFunctions(Engine):
    """Is what both engines have in common: the API, and the Lambda service that calls the world."""

    target = "aws"
    real_time: ClassVar[bool] = True

    def __init__(self) -> None:
        self._ahead: dict[str, Future[Played]] = {}
        self._numbers = iter(range(1, 1_000_000))

    @property
    @abstractmethod
    def home(self) -> Path:
        """Give the engine's environment."""

    @abstractmethod
    def launch(self, second: float) -> Process:
        """Start a process whose waits take so many seconds for one."""

    def start(self) -> None:
        """Start the engine."""
        require(self.name, setup.is_ready(self.home), HOW)
        self.server = Server()
        self.server.mount("/lambda/", self._invoked)
        self.server.mount("/2015-03-31/functions/", self._invoked)
        self._pool = ThreadPoolExecutor(16, thread_name_prefix=self.name)
        self._sides = {second: Side(self.launch(second)) for second in (0.0, QUICK, 1.0)}

    def stop(self) -> None:
        """End both processes."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for side in self._sides.values():
            side.process.stop()
        self.server.close()

    def play(self, program: Program) -> Played:
        """Play a program; those of the corpus after it are begun too."""
        place = next((i for i, one in enumerate(PROGRAMS) if one is program), None)
        if place is None:
            return super().play(program)
        for each in PROGRAMS[place : place + AHEAD]:
            if each.name not in self._ahead:
                self._ahead[each.name] = self._pool.submit(super().play, each)
        return self._ahead.pop(program.name).result()

    def execute(self, world: World) -> None:
        """Deploy, start, and await an execution."""
        program = world.program
        low = 0 if program.took is None else program.took[0]
        longest = LONGEST / world.second
        assert low <= longest, f"{program.name} lasts {low} s, and nobody can wait that long"
        side = self._sides[world.second if low else 0.0]
        url = side.process.url
        compiled = compile_workflow(world.workflow)
        world.wake = lambda token, outcome: self._wake(url, token, outcome)
        machine = self._deploy(side, compiled)
        self.server.add(world)
        given = world.begin()
        started = frame(compiled, str(given["run_id"]), given["input"], world.execution)
        name = f"{world.run_id}-{world.execution}"[-80:]
        execution = call(
            url, "StartExecution", stateMachineArn=machine, name=name, input=json.dumps(started)
        )
        if world.execution == 1:
            world.start_actions()
        world.end(self._await(url, str(execution["executionArn"])))

    def world(self, program: Program) -> World:
        """Make the world for a run; time runs quicker for a program that lasts long."""
        return World(program, second=QUICK if program.long else 1.0)

    def side(self, second: float) -> Side:
        """Give the process in which a second takes so long."""
        return self._sides[second]

    def prepare(self, side: Side, function: str) -> None:
        """Make a function known to the engine; moto asks for none."""

    def _deploy(self, side: Side, compiled: Compiled) -> str:
        with side.lock:
            for function in sorted(set(PLACEHOLDER.findall(compiled.main)) - side.functions):
                self.prepare(side, function)
                side.functions.add(function)
        made = call(
            side.process.url,
            "CreateStateMachine",
            name=f"m{next(self._numbers)}",
            definition=PLACEHOLDER.sub(lambda found: function_arn(found[1]), compiled.main),
            roleArn=ROLE,
        )
        return str(made["stateMachineArn"])

    def _await(self, url: str, execution: str) -> JsonObject:
        pause, until = 0.02, time.monotonic() + PATIENCE
        while time.monotonic() < until:
            told = call(url, "DescribeExecution", executionArn=execution)
            if told["status"] != "RUNNING":
                parts = [told.get(name) for name in ("output", "error", "cause")]
                return ended(str(told["status"]), *cast("list[str | None]", parts))
            time.sleep(pause)
            pause = min(0.2, pause * 1.3)
        call(url, "StopExecution", executionArn=execution)
        raise AssertionError(f"{execution} is still running after {PATIENCE:.0f} s")

    def _wake(self, url: str, token: str, outcome: Outcome) -> bool:
        action, arguments = task_answer(token, outcome)
        try:
            call(url, action, **arguments)
        except ApiError as error:
            if error.code in ("TaskDoesNotExist", "TaskTimedOut", "InvalidToken"):
                return False
            raise
        return True

    def _invoked(self, asked: Asked) -> Answered:
        """Answer as the Lambda service does, with what a function's handler makes of the world."""
        event: Json = json.loads(asked.body or b"null")
        outcome = self.server.world_of(event).call(event)
        if isinstance(outcome, Ok):
            return as_json(200, outcome.value)
        error = outcome.error
        told: JsonObject = {
            "errorMessage": json.dumps(error.to_json()),
            "errorType": error.code,
            "requestId": "00000000-0000-0000-0000-000000000000",
            "stackTrace": [],
        }
        return as_json(200, told, **{"X-Amz-Function-Error": "Unhandled"})


class Ministack(StepFunctions):
    """Drives ministack."""

    name = "ministack"
    home = setup.MINISTACK

    def lacks(self, compiled: Compiled) -> str | None:
        """Tell that ministack does not order two paths of texts (see known.py and its probe)."""
        ordered = re.search(r'"String(Less|Greater)Than(Equals)?Path"', compiled.main)
        return None if ordered is None else "two texts of the frame are ordered"

    def launch(self, second: float) -> Process:
        """Start ministack."""
        return start_ministack(second)

    def prepare(self, side: Side, function: str) -> None:
        """Create a function whose invocations go to this test's server."""
        create_function(side.process.url, function, f"{self.server.url}/lambda/{function}")


class Moto(StepFunctions):
    """Drives moto."""

    name = "moto"
    home = setup.MOTO

    def launch(self, second: float) -> Process:
        """Start moto; it looks for other services on the port of this test's server."""
        port = free_port()
        env = {
            "MOTO_PORT": str(self.server.port),
            "MOTO_WAIT_SCALE": str(second),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        child = [setup.python(self.home), HERE / "_moto_child.py"]
        process = start([*child, "-H", "127.0.0.1", "-p", str(port)], port, "/moto-api/", env)
        settings = {"stepfunctions": {"execute_state_machine": True}}
        post(f"{process.url}/moto-api/config", settings, {"Content-Type": "application/json"})
        return process


def function_arn(name: str) -> str:
    """Give the name that AWS has for a function."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def create_function(url: str, function: str, target: str) -> None:
    """Create a function on ministack whose invocations go to another server."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("handler.py", "def handle(event, context):\n    return event\n")
    body = {
        "FunctionName": function,
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "handler.handle",
        "Code": {"ZipFile": base64.b64encode(code.getvalue()).decode("ascii")},
        "Environment": {"Variables": {"MINISTACK_LAMBDA_PROXY_URL": target}},
        "Timeout": 900,
    }
    headers = {"Content-Type": "application/json", "Authorization": lambda_credential()}
    post(f"{url}/2015-03-31/functions", body, headers)


def lambda_credential() -> str:
    """Give the header that a request to the Lambda API is signed with; nobody checks it."""
    scope = f"test/20260101/{REGION}/lambda/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
