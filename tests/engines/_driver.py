"""What a driver of a third-party engine is, and the server through which engines call tasks."""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Literal

from cartwheel.ports import Clock, Json
from cartwheel.runs import envelope, problem
from cartwheel.testing.corpus import Played, Program
from cartwheel.workflow import Compiled
from tests.engines._world import World


class Engine(ABC):
    """Is one engine under test: started once per session, then it plays any number of programs.

    `real_time` says whether seconds of a program are seconds of the wall; `skips_time` that waits
    end at once, so that nothing can be said of how long a run took.
    """

    name: ClassVar[str]
    target: ClassVar[str]
    real_time: ClassVar[bool] = True
    skips_time: ClassVar[bool] = False
    slack: ClassVar[float] = 20.0
    """Seconds by which the engine may be late before that is a fault."""

    @abstractmethod
    def start(self) -> None:
        """Start the engine; `tests.support.engines.require` when its environment is missing."""

    @abstractmethod
    def stop(self) -> None:
        """End what was started, by its own process id, and leave nothing behind."""

    @abstractmethod
    def execute(self, world: World) -> None:
        """Play one execution to its end.

        Compile and deploy `world.workflow`, set `world.wake`, start the engine with
        `world.begin()`, answer its calls with `world.call` or `world.serve`, let
        `world.start_actions()` or `world.act()` happen in the first execution, and say how it ended
        with `world.end(document)`.
        """

    def lacks(self, compiled: Compiled) -> str | None:
        """Name what a compiled workflow needs and this engine is known to do wrong."""
        return None

    def clock(self) -> Clock | None:
        """Give the engine's own clock for a new run, None for the wall's."""
        return None

    def world(self, program: Program) -> World:
        """Make the world for a run of a program."""
        return World(program, clock=self.clock())

    def play(self, program: Program) -> Played:
        """Play a program, redrives included."""
        world = self.world(program)
        for _ in range(1 + program.redrives):
            self.execute(world)
        return world.played()


Kind = Literal["engine bug", "documented only", "not possible"]


@dataclass(frozen=True, slots=True)
class Known:
    """Is a program that an engine can't run as the language says: a strict expected failure.

    `kind` says whose fault that is: the engine's bug (`probe` names the test that shows it in the
    engine alone), a feature that its provider documents and the engine lacks, or something that the
    target can't do. `tests/engines/<target>/known.py` lists them as `KNOWN`.
    """

    engine: str
    program: str
    kind: Kind
    reason: str
    probe: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Is an HTTP request to the test's server."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """Is the answer to one."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Asked], Answered]


def as_json(status: int, value: Json, **headers: str) -> Answered:
    """Answer with JSON."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return Answered(status, text, {"Content-Type": "application/json", **headers})


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    """Engines connect anew for each call: a short queue resets some when many come at once."""


class Server:
    """Serves worlds over HTTP on loopback, told apart by the run's id in the invocation.

    `POST /invoke` answers with a status and a problem body, `POST /envelope` with data. An engine's
    driver may mount handlers of its own under other paths, longest prefix first.
    """

    def __init__(self) -> None:
        self._worlds: dict[str, World] = {}
        self._lock = threading.Lock()
        self._handlers: dict[str, Handler] = {"/invoke": self._invoke, "/envelope": self._envelope}
        server = self

        class Inside(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                asked = Asked(self.command, self.path, dict(self.headers.items()), body)
                try:
                    answered = server.answer(asked)
                except Exception as error:  # noqa: BLE001  # the engine must see a bug here
                    answered = as_json(500, {"bug in the test": f"{type(error).__name__}: {error}"})
                try:
                    self.send_response(answered.status)
                    for name, value in answered.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(answered.body)))
                    self.end_headers()
                    self.wfile.write(answered.body)
                except OSError:
                    self.close_connection = True

            do_GET = do_PUT = do_DELETE = do_POST

            def log_message(self, format: str, *args: object) -> None:
                """Log nothing."""

        self._http = _Http(("127.0.0.1", 0), Inside)
        self.port = int(self._http.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def add(self, world: World) -> None:
        """Serve a world until the server closes."""
        with self._lock:
            self._worlds[world.run_id] = world

    def mount(self, prefix: str, handler: Handler) -> None:
        """Serve paths that start with a prefix."""
        self._handlers[prefix] = handler

    def answer(self, asked: Asked) -> Answered:
        """Answer a request."""
        for prefix in sorted(self._handlers, key=len, reverse=True):
            if asked.path.startswith(prefix):
                return self._handlers[prefix](asked)
        return as_json(404, {"error": f"nothing is served at {asked.path}"})

    def world_of(self, invocation: Json) -> World:
        """Find the world that an invocation belongs to."""
        assert isinstance(invocation, dict), f"not an invocation: {invocation!r}"
        with self._lock:
            return self._worlds[str(invocation.get("run_id"))]

    def close(self) -> None:
        """Stop serving."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _invoke(self, asked: Asked) -> Answered:
        invocation: Json = json.loads(asked.body)
        return as_json(*problem(self.world_of(invocation).call(invocation)))

    def _envelope(self, asked: Asked) -> Answered:
        invocation: Json = json.loads(asked.body)
        return as_json(200, envelope(self.world_of(invocation).call(invocation)))
