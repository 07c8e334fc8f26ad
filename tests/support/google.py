"""Starts Google's own servers on loopback: the Firestore emulator and functions-framework.

Each is started once a process, on first use, and ended by its own id when the process ends.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.engines.gcp import setup
from tests.support.engines import require

if TYPE_CHECKING:
    from google.cloud.firestore import Client

ROOT = Path(__file__).parents[2]
PROJECT = "demo-cartwheel"
PATIENCE = 60.0
_JAR = Path("platform", "cloud-firestore-emulator", "cloud-firestore-emulator.jar")
_MAIN = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
_HOW_FIRESTORE = (
    "install the Google Cloud SDK with its component cloud-firestore-emulator, and Java 17 or later"
)


@cache
def firestore_emulator() -> str:
    """Give the address of the emulator, `127.0.0.1:port`; skips where it can't be started."""
    jar = _firestore_jar()
    java = shutil.which("java")
    require("Firestore emulator", jar is not None and java is not None, _HOW_FIRESTORE)
    port = _free_port()
    serving = ("--host=127.0.0.1", f"--port={port}")
    _start([str(java), "-Xmx512m", "-cp", str(jar), _MAIN, *serving], port, {})
    return f"127.0.0.1:{port}"


def firestore_client(address: str, project: str = PROJECT) -> Client:
    """Make a client of an emulator, or of what stands before one; projects share nothing."""
    from google.cloud import firestore

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIRESTORE_EMULATOR_HOST", address)
        return firestore.Client(project=project)


@cache
def function(source: str) -> str:
    """Give the address, `127.0.0.1:port`, of a function: `handle` in a main.py of that text."""
    ready = setup.is_ready(setup.FUNCTIONS)
    require("functions-framework", ready, f"run {setup.__file__}, or make engines")
    folder = TemporaryDirectory(prefix="cartwheel-gcp-")
    atexit.register(folder.cleanup)
    main = Path(folder.name, "main.py")
    main.write_text(source, encoding="utf-8")
    port = _free_port()
    serving = ("--target=handle", "--host=127.0.0.1", f"--port={port}", f"--source={main}")
    packages = ("core", "adapters/memory", "adapters/gcp")
    path = os.pathsep.join(str(ROOT / each) for each in packages)
    command = [str(setup.python(setup.FUNCTIONS)), "-m", "functions_framework", *serving]
    _start(command, port, {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"})
    return f"127.0.0.1:{port}"


@cache
def _firestore_jar() -> Path | None:
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        return None
    command = [gcloud, "info", "--format=value(installation.sdk_root)"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    jar = Path(told.stdout.strip(), _JAR)
    return jar if told.returncode == 0 and jar.is_file() else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(command: Sequence[str], port: int, env: Mapping[str, str]) -> None:
    """Start a server and return once it takes connections; it ends with this process."""
    folder = TemporaryDirectory(prefix="cartwheel-gcp-")
    log = Path(folder.name, "log.txt")
    clean = {"PATH": os.environ["PATH"], "HOME": folder.name, "TMPDIR": folder.name, **env}
    with log.open("wb") as out:
        child = subprocess.Popen(
            command,
            cwd=folder.name,
            env=clean,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    atexit.register(_stop, child, folder)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and child.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise AssertionError(f"{command[0]} did not start:\n{said}")


def _stop(child: subprocess.Popen[bytes], folder: TemporaryDirectory[str]) -> None:
    child.terminate()
    try:
        child.wait(timeout=20)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    folder.cleanup()
