"""The local adapter's engine, with its threads on real files, means what the corpus says."""

from __future__ import annotations

from pathlib import Path

import pytest

from cartwheel.app import App
from cartwheel.host import Host, HostOptions
from cartwheel.log import discard
from cartwheel.plugins import load_adapter
from cartwheel.testing import OpenHost, WorkflowLanguageContract


@pytest.fixture
def open_host(tmp_path: Path) -> OpenHost:
    adapter = load_adapter("local")

    def opened(app: App) -> Host:
        return adapter.open(app, HostOptions(data=tmp_path, log=discard))

    return opened


class TestLanguage(WorkflowLanguageContract):
    virtual_time = False
