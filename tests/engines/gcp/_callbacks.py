"""Callback endpoints: real HTTP on loopback, waiting in virtual time."""

from __future__ import annotations

import itertools
import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.engines.gcp._timeline import Timeline, Waiting


class Callbacks:
    """Is the `events` module of the standard library."""

    def __init__(self, timeline: Timeline, error: Any) -> None:  # the emulator's class
        self._timeline = timeline
        self._error = error
        self._lock = threading.Lock()
        self._came: dict[str, deque[Any]] = {}
        self._waiting: dict[str, Waiting] = {}
        self._numbers = itertools.count(1)
        self._port = 0

    def __deepcopy__(self, memo: Any) -> Callbacks:
        return self

    def create_callback_endpoint(self, http_callback_method: str = "POST") -> dict[str, Any]:
        """Open an address."""
        path = f"/callback/{next(self._numbers)}"
        with self._lock:
            self._came[path] = deque()
            if not self._port:
                self._port = self._serve()
        return {"url": f"http://127.0.0.1:{self._port}{path}", "method": http_callback_method}

    def await_callback(self, callback: dict[str, Any], timeout: float = 43_200) -> dict[str, Any]:
        """Wait for a request to an address; the address is closed after it, or after a timeout."""
        path = callback["url"].partition("//")[2].partition("/")[2]
        path = f"/{path}"
        with self._lock:
            came = self._came[path]
            waiting = None
            if not came:
                waiting = self._waiting[path] = self._timeline.wait(timeout)
        if waiting is not None:
            self._timeline.block(waiting)
        with self._lock:
            del self._came[path]
            self._waiting.pop(path, None)
        if not came:
            raise self._error(message="TimeoutError: no callback", tags=["TimeoutError"])
        return {"http_request": {"body": came.popleft(), "method": "POST"}, "type": "HTTP"}

    def _take(self, path: str, body: Any) -> bool:  # any JSON
        with self._lock:
            if path not in self._came:
                return False
            self._came[path].append(body)
            waiting = self._waiting.pop(path, None)
        if waiting is not None:
            self._timeline.wake(waiting)
        return True

    def _serve(self) -> int:
        callbacks = self

        class Inside(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length))
                self.send_response(200 if callbacks._take(self.path, body) else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Log nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Inside)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return int(server.server_address[1])
