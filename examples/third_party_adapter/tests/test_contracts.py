"""The adapter keeps the contracts of all ports: its own store, and what it takes from memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from cartwheel_jsonfile import JsonFileStore

from cartwheel import testing as kit
from cartwheel.app import App
from cartwheel.host import Host, HostOptions
from cartwheel.log import discard
from cartwheel.plugins import load_adapter
from cartwheel.ports import Collection, ConfigurationError, Put
from cartwheel.testing import OpenHost


@pytest.fixture
def open_host(tmp_path_factory: pytest.TempPathFactory) -> OpenHost:
    """Open an application on this adapter, found by its entry point as users find it."""
    adapter = load_adapter("jsonfile")

    def open_(app: App) -> Host:
        folder = tmp_path_factory.mktemp("data")
        options = HostOptions(data=folder, log=discard, secrets=kit.SecretsContract.given)
        return adapter.open(app, options)

    return open_


class TestStore(kit.StoreContract):
    virtual_time = True


class TestEventBus(kit.EventBusContract):
    virtual_time = True


class TestQueue(kit.QueueContract):
    virtual_time = True


class TestDeadLetters(kit.DeadLettersContract):
    virtual_time = True


class TestScheduler(kit.SchedulerContract):
    virtual_time = True


class TestWorkflowRuntime(kit.WorkflowRuntimeContract):
    virtual_time = True


class TestWorkflowLanguage(kit.WorkflowLanguageContract):
    virtual_time = True


def test_rows_are_in_the_file_and_in_the_next_host(tmp_path: Path) -> None:
    path, collections = tmp_path / "rows.json", {"things": Collection("things")}
    JsonFileStore(path, collections).commit("things", "p", [Put("a", {"n": 1}, 0)])
    assert path.read_text(encoding="utf-8") == '[\n["things", "p", "a", 1, {"n": 1}]\n]\n'
    row = JsonFileStore(path, collections).get("things", "p", "a")
    assert row is not None
    assert row.data == {"n": 1}


def test_a_file_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"rows\.json is not a file of rows"):
        JsonFileStore(path, {})
