"""The shop as a process of its own: started, killed, started again, ended."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from shopctl._apps import SHOP
from shopctl._errors import CliError

START_SECONDS = 30.0
END_SECONDS = 20.0


class ShopProcess:
    """Is `shopctl dev` in a child process, on a free port and one data folder."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.log = data / "server.log"
        self._process: subprocess.Popen[str] | None = None

    def add_staff(self, email: str, password: str) -> None:
        """Add a user of the staff, as an operator would."""
        command = [*_shopctl("users", "add", email, "--role", "staff", "--name", "Staff")]
        command += ["--password-stdin", "--app", SHOP, "--data", str(self.data)]
        done = subprocess.run(  # noqa: S603  # our own program with our own arguments
            command, input=password + "\n", capture_output=True, encoding="utf-8", check=False
        )
        if done.returncode:
            raise CliError(f"the staff's account could not be made: {done.stderr.strip()}")

    def start(self) -> str:
        """Start the server and give its URL once it answers."""
        command = _shopctl("dev", "--port", "0", "--seed", "--json", "--app", SHOP)
        command += ["--data", str(self.data)]
        with self.log.open("a", encoding="utf-8") as log:
            # In a session of its own, so that a Ctrl-C comes to us and we end it in good order.
            process = subprocess.Popen(  # noqa: S603  # our own program with our own arguments
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
                start_new_session=True,
            )
        self._process = process
        line = _first_line(process)
        if line is None:
            code = self.stop()
            raise CliError(
                f"the shop's server did not start within {START_SECONDS:.0f} s (exit code {code})",
                f"its log is {self.log}:\n{self._end_of_log()}",
            )
        return str(json.loads(line)["url"])

    def kill(self) -> None:
        """End the server with SIGKILL: it gets no chance to do anything."""
        if self._process is not None:
            self._process.kill()
            self._reap(self._process)

    def stop(self) -> int | None:
        """Ask the server to end and give its exit code; kill it when it does not."""
        process = self._process
        if process is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        return self._reap(process)

    def _reap(self, process: subprocess.Popen[str]) -> int:
        code = process.wait()
        if process.stdout is not None:
            process.stdout.close()
        self._process = None
        return code

    def _end_of_log(self) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-5:])


def _shopctl(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "shopctl", *arguments]


def _first_line(process: subprocess.Popen[str]) -> str | None:
    """Read the first line of output; None when there is none in time."""
    lines: list[str] = []

    def read(stream: IO[str]) -> None:
        lines.append(stream.readline())

    if process.stdout is None:
        return None
    reader = threading.Thread(target=read, args=(process.stdout,), daemon=True)
    reader.start()
    reader.join(START_SECONDS)
    return lines[0] if lines and lines[0] else None
