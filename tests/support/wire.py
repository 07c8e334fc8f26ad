"""Stands between an SDK and a server: loses replies and requests, and gives answers of its own."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from cartwheel.ports import JsonObject

WRITES = ("DynamoDB_20120810.PutItem", "DynamoDB_20120810.TransactWriteItems")


@dataclass(frozen=True, slots=True)
class Fault:
    """Says what happens to one write.

    It reaches the server when `forward`. Then `meanwhile` is done. Then the client gets `answer`
    (status and body), or nothing: the connection ends.
    """

    forward: bool = True
    meanwhile: Callable[[], object] | None = None
    answer: tuple[int, JsonObject] | None = None


class Wire:
    """Forwards to a server on loopback; the first writes meet `faults`, one each, in order."""

    def __init__(self, port: int) -> None:
        self._faults: deque[Fault] = deque()
        self.writes = 0
        self.bodies: list[JsonObject] = []
        wire = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                wire.bodies.append(json.loads(body))
                fault = wire._next(self.headers.get("X-Amz-Target", ""))
                if fault is None:
                    self._reply(*self._forward(body))
                    return
                if fault.forward:
                    self._forward(body)
                if fault.meanwhile is not None:
                    fault.meanwhile()
                if fault.answer is None:
                    self.close_connection = True
                else:
                    status, said = fault.answer
                    self._reply(status, {}, json.dumps(said).encode())

            def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
                server = HTTPConnection("127.0.0.1", port, timeout=30)
                try:
                    server.request("POST", self.path, body, dict(self.headers.items()))
                    answer = server.getresponse()
                    return answer.status, dict(answer.getheaders()), answer.read()
                finally:
                    server.close()

            def _reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower().startswith(("x-amz", "content-type")):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Give the address for the client."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def will(self, *faults: Fault) -> None:
        """Let the next writes meet these, count writes from now on, and note what is sent."""
        self._faults = deque(faults)
        self.writes = 0
        self.bodies.clear()

    @property
    def left(self) -> int:
        """Give how many faults no write has met yet."""
        return len(self._faults)

    def _next(self, target: str) -> Fault | None:
        if target not in WRITES:
            return None
        self.writes += 1
        return self._faults.popleft() if self._faults else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
