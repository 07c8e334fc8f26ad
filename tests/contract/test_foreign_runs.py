"""The runtime over a foreign engine keeps its contract with an engine in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cartwheel import testing as kit
from cartwheel.app import App
from cartwheel.host import Host, HostOptions
from cartwheel.log import discard
from cartwheel.testing import OpenHost
from cartwheel_local import LocalHost
from tests.support.own_runs import open_over
from tests.support.thread_engine import QuickClock, ThreadEngine

SECOND = 0.4
"""How long a second takes."""


@pytest.fixture
def open_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenHost]:
    engines: list[ThreadEngine] = []

    def open_(app: App) -> Host:
        clock = QuickClock(SECOND)
        engine = ThreadEngine(app.workflows, clock)
        engines.append(engine)
        options = HostOptions(data=tmp_path_factory.mktemp("data"), log=discard)
        host, invocations = open_over(
            app,
            options,
            lambda app, options: LocalHost(app, options, clock=clock),
            engine,
            engine,
        )
        engine.handle = invocations.handle
        return host

    yield open_
    for engine in engines:
        engine.close()


class TestWorkflowRuntime(kit.WorkflowRuntimeContract):
    pass
