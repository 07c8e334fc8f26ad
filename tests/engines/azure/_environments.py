"""The environments of the two SDKs: where they are, what is pinned in them, who runs in them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from cartwheel.ports import JsonObject
from cartwheel.workflow import Compiled
from tests.support.engines import require

ROOT = Path(__file__).parents[3]
SCRIPTS = "Scripts" if sys.platform == "win32" else "bin"


@dataclass(frozen=True, slots=True)
class Environment:
    """Is a virtual environment of an engine; `pins` are all that is installed by name."""

    name: str
    pins: tuple[str, ...]
    oldest_python: tuple[int, int]

    @property
    def folder(self) -> Path:
        """Give the environment's folder."""
        return ROOT / ".engines" / self.name

    @property
    def python(self) -> Path:
        """Give the environment's Python."""
        return self.folder / SCRIPTS / "python"

    @property
    def stamp(self) -> Path:
        """Give the file that says what is installed."""
        return self.folder / ".installed"

    @property
    def is_ready(self) -> bool:
        """Tell whether exactly the pins are installed."""
        return self.stamp.is_file() and self.stamp.read_text(encoding="utf-8") == self.wanted

    @property
    def wanted(self) -> str:
        """Give what the stamp of a ready environment says."""
        return "\n".join(self.pins) + "\n"

    def require(self) -> None:
        """Skip the test, or fail it in the gate, when the environment is missing."""
        require(self.name, self.is_ready, "run make engines")


DURABLE_1 = Environment("azure-durable-1", ("azure-functions-durable==1.7.0",), (3, 11))
DURABLE_2 = Environment(
    "azure-durable-2",
    ("azure-functions-durable==2.0.0rc3", "durabletask==1.12.0"),
    (3, 13),
)
WORKER = Environment(
    "azure-worker",
    (
        "azure-functions-runtime==1.3.0",
        "azure-functions==2.3.0",
        # What Cartwheel and its kit need beside them.
        "argon2-cffi==25.1.0",
        "pluggy==1.7.0",
        "pydantic==2.14.3",
        "PyJWT==2.15.1",
        "pytest==9.2.0",
    ),
    (3, 13),
)
"""Microsoft's Python worker, which Azure runs function apps with."""
ENVIRONMENTS = (DURABLE_1, DURABLE_2, WORKER)


@dataclass(frozen=True, slots=True)
class Packages:
    """Is a folder of npm packages of an engine; `pins` are all that is installed by name."""

    name: str
    pins: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Give the folder in which node_modules is."""
        return ROOT / ".engines" / self.name

    @property
    def stamp(self) -> Path:
        """Give the file that says what is installed."""
        return self.folder / ".installed"

    @property
    def is_ready(self) -> bool:
        """Tell whether exactly the pins are installed."""
        return self.stamp.is_file() and self.stamp.read_text(encoding="utf-8") == self.wanted

    @property
    def wanted(self) -> str:
        """Give what the stamp of a ready folder says."""
        return "\n".join(self.pins) + "\n"

    def require(self) -> None:
        """Skip the test, or fail it in the gate, when the packages are missing."""
        require(self.name, self.is_ready, "run make engines (it needs Node.js)")


AZURITE = Packages("azure-npm", ("azurite@3.35.0",))
"""Microsoft's emulator of Azure Storage."""


class Child:
    """Is a process in an engine's environment that answers lines of JSON, ended by its own id."""

    def __init__(self, environment: Environment, script: str) -> None:
        self._modules = tempfile.TemporaryDirectory(prefix="cartwheel-azure-")
        self._loaded: set[str] = set()
        self._process = subprocess.Popen(
            [str(environment.python), "-I", str(Path(__file__).with_name(script))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def ask(self, request: JsonObject) -> JsonObject:
        """Send a request and return the answer; AssertionError when the child failed at it."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()
        line = stdout.readline()
        assert line, f"the engine's process ended with {self._process.poll()}"
        answer = cast("JsonObject", json.loads(line))
        assert "failed" not in answer, answer["failed"]
        return answer

    def load(self, compiled: Compiled) -> str:
        """Import a compiled workflow, once; returns the name of its module."""
        module = compiled.entry.removesuffix(".py")
        if module not in self._loaded:
            folder = Path(self._modules.name)
            for path, text in compiled.files.items():
                (folder / path).write_text(text, encoding="utf-8")
            answer = self.ask({"load": str(folder), "module": module})
            assert answer["name"] == compiled.name
            self._loaded.add(module)
        return module

    def close(self) -> None:
        """End the process and remove its files."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is not None and stdout is not None:
            stdin.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            stdout.close()
        self._modules.cleanup()
