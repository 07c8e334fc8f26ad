"""The HTTP edge of the adapter for Azure keeps its contract under Microsoft's Python worker."""

from __future__ import annotations

import http.client
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cartwheel import testing as kit
from cartwheel.app import App
from cartwheel.host import Host, HostOptions
from cartwheel.http import Request, Response
from cartwheel.log import discard
from cartwheel.plugins import load_adapter
from cartwheel.testing import OpenHost, Send, Serve, target_of
from tests.engines.azure._environments import ROOT, WORKER

FUNCTION_APP = """\
import sys

sys.path[:0] = {paths!r}

import azure.functions as func

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.testing._httpgateway import http_app
from cartwheel_azure import http_functions
from cartwheel_memory import MemoryHost

host = MemoryHost(http_app(), HostOptions(log=discard))
app = func.FunctionApp()
app.register_functions(http_functions(host.dispatcher.http))
"""
HOST = '{"version": "2.0", "extensions": {"http": {"routePrefix": ""}}}'
CHILD = ROOT / "tests" / "engines" / "azure" / "_worker_child.py"
FRAMEWORK = [str(ROOT / "core"), *(str(ROOT / "adapters" / each) for each in ("azure", "memory"))]


@pytest.fixture(scope="session")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run the kit's application under the worker; gives the port of its front end."""
    WORKER.require()
    folder = tmp_path_factory.mktemp("functions")
    (folder / "function_app.py").write_text(FUNCTION_APP.format(paths=FRAMEWORK))
    (folder / "host.json").write_text(HOST)
    with subprocess.Popen(
        [str(WORKER.python), "-I", str(CHILD), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(10)


@pytest.fixture
def open_host(tmp_path: Path) -> OpenHost:
    def open_(app: App) -> Host:
        # The worker opens the kit's application in its own process; this one only has a clock.
        return load_adapter("memory").open(app, HostOptions(data=tmp_path, log=discard))

    return open_


@pytest.fixture
def serve(worker: int) -> Serve:
    @contextmanager
    def before(host: Host) -> Iterator[Send]:
        yield lambda request: send_to(worker, request)

    return before


def send_to(port: int, request: Request) -> Response:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest(request.method, target_of(request))
        for name, values in request.headers.items():
            for value in values:
                connection.putheader(name, value)
        if request.body or request.method in {"POST", "PUT", "PATCH"}:
            connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body or None)
        answer = connection.getresponse()
        return Response(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


class TestHttpGateway(kit.HttpGatewayContract):
    pass


def test_corruptions_are_refused_with_the_workers_own_sdk_too(tmp_path: Path) -> None:
    # It is a newer one than ours, with other classes for headers.
    WORKER.require()
    settings = tmp_path / "pytest.ini"
    settings.write_text("[pytest]\n")
    corruptions = ROOT / "tests" / "unit" / "azure" / "test_http.py"
    plain = ["-q", "-p", "no:cacheprovider", "--noconftest", "--import-mode=importlib"]
    done = subprocess.run(
        [str(WORKER.python), "-m", "pytest", *plain, "-c", str(settings), str(corruptions)],
        cwd=tmp_path,
        env={"PYTHONPATH": os.pathsep.join([*FRAMEWORK, str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "12 passed" in done.stdout
