"""The memory adapter's engine means what the corpus says."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from cartwheel.app import App
from cartwheel.host import Host, HostOptions
from cartwheel.testing.corpus import WorkflowLanguageContract
from cartwheel_memory._host import MemoryHost


class TestMemory(WorkflowLanguageContract):
    virtual_time = True

    @pytest.fixture
    def open_host(self) -> Iterator[Callable[[App], Host]]:
        opened: list[Host] = []

        def opened_host(app: App) -> Host:
            opened.append(MemoryHost(app, HostOptions(log=lambda line: None)))
            return opened[-1]

        yield opened_host
        for host in opened:
            host.close()
