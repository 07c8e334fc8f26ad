"""Starts servers on free loopback ports, waits until they answer, and ends them by their own id."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import HTTPError

from cartwheel.ports import JsonObject

ACCOUNT = "123456789012"
REGION = "us-east-1"
PATIENCE = 60.0
_CREDENTIAL = f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/states/aws4_request"


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Process:
    """Is a server that was started, and the folder which it works in."""

    child: subprocess.Popen[bytes]
    port: int
    folder: TemporaryDirectory[str]

    @property
    def url(self) -> str:
        """Give the address."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End the process and take its folder away."""
        self.child.terminate()
        try:
            self.child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.folder.cleanup()


def start(command: Sequence[str | Path], port: int, ready: str, env: Mapping[str, str]) -> Process:
    """Start a server and return once `ready`, a path, is answered."""
    folder = TemporaryDirectory(prefix="cartwheel-aws-")
    clean = {"PATH": os.environ["PATH"], "HOME": folder.name, "TMPDIR": folder.name, **env}
    log = Path(folder.name, "log.txt")
    with log.open("wb") as out:
        child = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder.name,
            env=clean,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    process = Process(child, port, folder)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if child.poll() is not None:
            break
        try:
            with urllib.request.urlopen(process.url + ready, timeout=5):  # noqa: S310  # loopback
                return process
        except (OSError, HTTPException):
            time.sleep(0.05)
    said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    process.stop()
    raise AssertionError(f"{command[0]} did not start:\n{said}")


class ApiError(Exception):
    """Says that an API call was refused; `code` is the provider's name of the error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def call(url: str, action: str, **arguments: object) -> JsonObject:
    """Call the Step Functions API."""
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": f"AWSStepFunctions.{action}",
        "Authorization": f"{_CREDENTIAL}, SignedHeaders=host, Signature=0",
    }
    return post(url, arguments, headers)


def post(url: str, body: object, headers: Mapping[str, str], method: str = "POST") -> JsonObject:
    """Send JSON and read JSON; raises ApiError."""
    data = json.dumps(body).encode("utf-8")
    asked = urllib.request.Request(url, data=data, headers=dict(headers), method=method)  # noqa: S310  # same
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:  # noqa: S310  # same
            found: JsonObject = json.loads(answer.read() or b"{}")
            return found
    except HTTPError as error:
        text = error.read().decode("utf-8", "replace")
        try:
            told = json.loads(text)
        except ValueError:
            told = {}
        code = str(told.get("__type") or told.get("Type") or error.code).rpartition("#")[2]
        raise ApiError(code, str(told.get("message") or told.get("Message") or text)) from error
