"""Drives workflows-emulator: the compiled workflow in a child process, its calls over HTTP."""

from __future__ import annotations

import itertools
import json
import subprocess
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, cast
from urllib.error import HTTPError

from cartwheel.ports import Clock, Json, JsonObject
from cartwheel.runs import envelope, problem
from cartwheel.testing.corpus._simulation import START
from cartwheel.workflow import Compiled, Outcome, Workflow
from cartwheel_gcp import compile_workflow, frame
from tests.engines._driver import Answered, Asked, Engine, Server, as_json
from tests.engines._world import Served, World
from tests.engines.gcp import setup
from tests.support.engines import require

CHILD = Path(__file__).with_name("_child.py")
HOW = "run `make engines`, which installs workflows-emulator under .engines/gcp"


class Following:
    """Is a clock that shows the time which the emulator last told."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> float:
        """Give epoch seconds."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Refuse: the emulator alone moves this clock."""
        raise AssertionError(f"nobody but the emulator sleeps, asked for {seconds} s")


class Emulator:
    """Is the child process: one job at a time."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [setup.python(), "-I", "-c", _BOOT, str(CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._lock = threading.Lock()
        ready = self._line()
        assert ready == "ready", f"the emulator did not start: {ready!r}"

    def run(self, job: JsonObject) -> JsonObject:
        """Run a workflow and say how it ended."""
        with self._lock:
            assert self._child.stdin is not None
            self._child.stdin.write(json.dumps(job) + "\n")
            self._child.stdin.flush()
            ended: JsonObject = json.loads(self._line())
            return ended

    def close(self) -> None:
        """End the process."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        self._child.wait(timeout=30)
        self._child.stdout.close()

    def _line(self) -> str:
        assert self._child.stdout is not None
        return self._child.stdout.readline().strip()


_BOOT = (
    "import pathlib, runpy, sys; path = sys.argv[1]; "
    "sys.path.insert(0, str(pathlib.Path(path).parents[3])); "
    "runpy.run_path(path, run_name='__main__')"
)


class WorkflowsEmulator(Engine):
    """Plays programs on workflows-emulator 1.10.0 with the corrections."""

    name: ClassVar[str] = "workflows-emulator"
    target: ClassVar[str] = "gcp"
    real_time: ClassVar[bool] = False
    slack: ClassVar[float] = 0.0

    def __init__(self, compile: Callable[[Workflow], Compiled] = compile_workflow) -> None:
        self._compile = compile
        self._clock = Following()
        self._numbers = itertools.count(1)
        self._open: dict[str, Served] = {}
        self._world: World | None = None
        self.steps = 0
        """How many steps the last execution took."""

    def start(self) -> None:
        """Start the child and the server of the tasks."""
        require(self.name, setup.is_ready(), HOW)
        self.emulator = Emulator()
        self._server = Server()
        self._server.mount("/gcp/invoke", self._invoke)
        self._server.mount("/gcp/ended", self._ended)
        self._server.mount("/gcp/act", self._act)

    def stop(self) -> None:
        """End both."""
        self.emulator.close()
        self._server.close()

    def clock(self) -> Clock:
        """Give a new clock that follows the emulator's."""
        self._clock = Following()
        return self._clock

    def execute(self, world: World) -> None:
        """Play one execution."""
        self._world = world
        self._server.add(world)
        world.wake = self._wake
        given = {**world.begin(), **self._slots(world.workflow)}
        first = world.execution == 1
        at = sorted(seconds for seconds, _ in world.program.actions) if first else []
        ended = self.emulator.run(
            {
                "source": json.loads(self._compile(world.workflow).main),
                "input": given,
                "act": f"{self._server.url}/gcp/act",
                "at": list(at),
                "now": self._clock.time - START,
            }
        )
        self._clock.time = START + cast("float", ended.get("now", 0.0))
        self.steps = cast("int", ended.get("steps", 0))
        document = ended.get("result", ended.get("error"))
        if not isinstance(document, dict) or "status" not in document:
            raise AssertionError(f"{world.program.name} ended without its document: {ended}")
        world.end(document, self._clock.time - START)

    def _slots(self, workflow: Workflow) -> JsonObject:
        urls = cast("JsonObject", frame(workflow)["urls"])
        address: Json = f"{self._server.url}/gcp/invoke"
        return {"urls": dict.fromkeys(urls, address)}

    def _invoke(self, asked: Asked) -> Answered:
        if not asked.headers.get("Authorization", "").startswith("Bearer "):
            return as_json(403, {"error": "the call carries no token"})
        self._tick(asked)
        invocation: Json = json.loads(asked.body)
        served = self._server.world_of(invocation).serve(invocation)
        status, body = problem(served.outcome)
        if not served.seconds:
            served.end()
            return as_json(status, body)
        number = str(next(self._numbers))
        self._open[number] = served
        ended = f"{self._server.url}/gcp/ended/{number}"
        takes: dict[str, str] = {"X-Seconds": str(served.seconds), "X-Ended": ended}
        return as_json(status, body, **takes)

    def _ended(self, asked: Asked) -> Answered:
        self._tick(asked)
        self._open.pop(asked.path.rpartition("/")[2]).end()
        return Answered(204)

    def _act(self, asked: Asked) -> Answered:
        self._tick(asked)
        assert self._world is not None
        self._world.act()
        return Answered(204)

    def _tick(self, asked: Asked) -> None:
        self._clock.time = START + float(asked.headers["X-Now"])

    @staticmethod
    def _wake(token: str, outcome: Outcome) -> bool:
        body = json.dumps(envelope(outcome)).encode("utf-8")
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(token, body, headers, method="POST")  # noqa: S310  # loopback
        try:
            with urllib.request.urlopen(request, timeout=5):  # noqa: S310  # same
                return True
        except HTTPError as error:
            error.close()
            return False
        except OSError:
            # The run has ended, and its process with it.
            return False
