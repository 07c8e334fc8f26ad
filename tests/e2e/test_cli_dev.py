"""`shopctl dev` as a real process: served over a socket, steered from beside, ended by a signal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.engines import require

ROOT = Path(__file__).resolve().parents[2]
HELLO = ROOT / "examples" / "hello"
SECONDS = 30

require("POSIX signals", os.name == "posix", "run this on Linux or macOS")


@dataclass(frozen=True, slots=True)
class Server:
    """Is a running `shopctl dev`."""

    process: subprocess.Popen[str]
    facts: dict[str, object]
    log: Path

    @property
    def url(self) -> str:
        return str(self.facts["url"])

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


@contextmanager
def serving(cwd: Path, data: Path, *more: str) -> Iterator[Server]:
    """Start `shopctl dev` and kill it in the end, should it still be there."""
    log = data.with_suffix(".log")
    command = [sys.executable, "-m", "shopctl", "dev", "--json", "--data", str(data)]
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            [*command, *(more or ("--port", "0"))],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, log.read_text(encoding="utf-8")
            yield Server(process, json.loads(line), log)
        finally:
            if process.poll() is None:
                process.kill()


def shopctl(*words: str, stdin: str = "", cwd: Path = HELLO) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shopctl", *words],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=SECONDS,
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_and_ends_cleanly(data: Path, number: signal.Signals) -> None:
    with serving(HELLO, data) as server:
        assert httpx.get(f"{server.url}/greetings/ada").json() == {"text": "hello ada"}
        assert httpx.get(str(server.facts["docs"])).status_code == 200
        assert httpx.get(str(server.facts["mailbox"])).status_code == 200
        assert server.facts["pid"] == server.process.pid
        assert server.end(number) == 0
    log = server.log.read_text(encoding="utf-8")
    assert log.endswith("ended cleanly; start again to go on\n")
    assert "Traceback" not in log


def test_a_signal_from_beside_reaches_a_run_within_a_second(data: Path) -> None:
    with serving(HELLO, data) as server:
        started = httpx.post(
            f"{server.url}/welcomes", json={"name": "ada"}, headers={"Idempotency-Key": "k"}
        )
        run = started.json()["run_id"]
        sent = shopctl(
            "runs", "signal", run, "answered", "--payload", '{"text": "hi"}', "--data", str(data)
        )
        written = time.monotonic()
        assert sent.returncode == 0, sent.stderr
        # Watching prints what happens and ends with the run.
        watched = shopctl("runs", "show", run, "--watch", "--data", str(data))
        assert time.monotonic() - written < 3
        assert "succeeded" in watched.stdout
        assert server.end() == 0


def test_a_second_server_names_the_first(data: Path) -> None:
    with serving(HELLO, data) as server:
        second = shopctl("dev", "--data", str(data), "--port", "0")
        assert second.returncode == 1
        assert f"is being served by process {server.process.pid}" in second.stderr
        port = server.url.rpartition(":")[2]
        third = shopctl("dev", "--data", str(data) + "2", "--port", port)
        assert third.returncode == 1
        assert f"port {port}" in third.stderr
        assert server.end() == 0


def test_a_user_added_while_it_serves_can_log_in(data: Path) -> None:
    credentials = {"email": "staff@example.com", "password": "correct horse battery"}
    with serving(data.parent, data, "--port", "0", "--seed") as server:
        added = shopctl(
            "users",
            "add",
            credentials["email"],
            "--role",
            "staff",
            "--password-stdin",
            "--json",
            "--data",
            str(data),
            stdin=credentials["password"] + "\n",
            cwd=data.parent,
        )
        assert added.returncode == 0, added.stderr
        assert json.loads(added.stdout)["role"] == "staff"
        tokens = httpx.post(f"{server.url}/users/login", json=credentials).json()
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        product = httpx.get(f"{server.url}/products").json()["items"][0]["product_id"]
        stock = httpx.get(f"{server.url}/products/{product}/stock", headers=headers)
        assert stock.status_code == 200
        assert server.end() == 0
    assert credentials["password"] not in server.log.read_text(encoding="utf-8")
