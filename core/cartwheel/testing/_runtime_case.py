"""What the parts of the contract of WorkflowRuntimes share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cartwheel.host import Host
from cartwheel.ports import HistoryEntry, JsonObject, Run, RunStatus, from_rfc3339
from cartwheel.testing._base import Contract, OpenHost, fresh
from cartwheel.testing._runtime_app import runtime_app

APPROVAL: JsonObject = {"by": "a person", "amount": 12}


class RuntimeCase(Contract):
    """Opens the host whose runtime the parts of the contract look at."""

    @pytest.fixture
    def host(self, open_host: OpenHost) -> Iterator[Host]:
        """Give a host that is closed afterwards."""
        with open_host(runtime_app()) as host:
            yield host

    @pytest.fixture
    def run_id(self) -> str:
        """Make the id of a run that nobody has started."""
        return fresh("run")

    def ended(self, host: Host, run_id: str) -> Run:
        """Wait until a run has ended, and give it."""

        def look() -> Run | None:
            run = host.ports.workflows.status(run_id)
            return None if run.status == RunStatus.RUNNING else run

        return self.eventually(host, look, f"end of run {run_id}")

    def waiting(self, host: Host, run_id: str, what: str) -> Run:
        """Wait until a run waits for something, `signal:` or `sleep:`, and give it."""

        def look() -> Run | None:
            run = host.ports.workflows.status(run_id)
            return run if any(one.startswith(what) for one in run.waiting_for) else None

        return self.eventually(host, look, f"wait of run {run_id} for {what}")


def plan(how: str = "", pause: int = 0, gate: str = "") -> JsonObject:
    """Make the input of the workflows that go on as they are told."""
    return {"how": how, "pause": pause, "gate": gate}


def tasks(host: Host, run_id: str) -> list[HistoryEntry]:
    """Give the tries of tasks in a run's history."""
    return [one for one in host.ports.workflows.history(run_id) if one.kind == "task"]


def lasted(run: Run) -> float:
    """Give how many seconds a run took."""
    assert run.ended_at is not None
    return from_rfc3339(run.ended_at) - from_rfc3339(run.started_at)
