"""A data folder of an earlier version is taken up as it is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import RunStatus
from cartwheel_local import LocalHost, _schema
from shopctl._apps import Project, load_project
from tests.unit.cli.conftest import HELLO


def test_a_run_of_a_folder_of_version_one_goes_on(tmp_path: Path) -> None:
    app = load_project(Project("hello:app", "this test", HELLO))
    options = HostOptions(data=tmp_path, background=False, log=discard)
    with LocalHost(app, options) as host:
        host.ports.workflows.start("welcome", "run-1", {"name": "ada"})
        host.settle()
    with sqlite3.connect(tmp_path / "cartwheel.db") as connection:
        connection.execute("DROP TABLE run_traces")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    with LocalHost(app, options) as host:
        host.ports.workflows.signal("run-1", "answered", {"text": "hi"}, signal_id="1")
        host.settle()
        assert host.ports.workflows.status("run-1").status is RunStatus.SUCCEEDED
    with sqlite3.connect(tmp_path / "cartwheel.db") as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == _schema.VERSION == 2
    connection.close()
