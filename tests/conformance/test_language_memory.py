"""The memory adapter's engine means what the corpus says."""

from __future__ import annotations

import pytest

from cartwheel.app import App
from cartwheel.host import Host, HostOptions
from cartwheel.log import discard
from cartwheel.plugins import load_adapter
from cartwheel.testing import OpenHost, WorkflowLanguageContract


@pytest.fixture
def open_host() -> OpenHost:
    adapter = load_adapter("memory")

    def opened(app: App) -> Host:
        return adapter.open(app, HostOptions(log=discard))

    return opened


class TestLanguage(WorkflowLanguageContract):
    virtual_time = True
