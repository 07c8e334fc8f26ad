"""What every WorkflowRuntime promises of histories, listings and redriving."""

from __future__ import annotations

from itertools import pairwise

import pytest

from cartwheel.host import Host
from cartwheel.ports import (
    Run,
    RunConflict,
    RunStatus,
)
from cartwheel.testing._base import fresh
from cartwheel.testing._runtime_app import call_notes, calls, open_gate
from cartwheel.testing._runtime_case import APPROVAL, RuntimeCase, plan, tasks


class RuntimeRecords(RuntimeCase):
    """Holds a WorkflowRuntime to what its port says of histories, listings and redriving."""

    # History and listings.

    def test_the_history_names_each_try_with_key_attempt_and_outcome(
        self, host: Host, run_id: str
    ) -> None:
        host.ports.workflows.start("kit_retry", run_id, {})
        self.ended(host, run_id)
        tries = tasks(host, run_id)
        assert [(one.step, one.task, one.key, one.attempt) for one in tries] == [
            ("shaky", "kit.step", f"{run_id}:shaky", attempt) for attempt in (1, 2, 3)
        ]
        assert [one.error.code if one.error else None for one in tries] == [
            "Unavailable",
            "Unavailable",
            None,
        ]
        assert [one.output for one in tries] == [None, None, {"name": "shaky", "tries": 3}]

    def test_the_history_is_in_the_order_of_time(self, host: Host, run_id: str) -> None:
        host.ports.workflows.start("kit_saga_wait", run_id, {})
        self.waiting(host, run_id, "signal:")
        host.ports.workflows.signal(run_id, "approval", APPROVAL, signal_id="s1")
        self.ended(host, run_id)
        history = host.ports.workflows.history(run_id)
        assert [(one.kind, one.step) for one in history] == [
            ("task", "one"),
            ("signal", "approval"),
            ("task", "two"),
        ]
        assert history[1].output == APPROVAL
        assert all(sooner.at <= later.at for sooner, later in pairwise(history))

    def test_the_history_shows_sleeps_cancels_and_compensations(
        self, host: Host, run_id: str
    ) -> None:
        host.ports.workflows.start("kit_saga", run_id, plan(pause=1))
        self.waiting(host, run_id, "sleep:")
        host.ports.workflows.cancel(run_id, "why")
        self.ended(host, run_id)
        history = host.ports.workflows.history(run_id)
        kinds = [(one.kind, one.step) for one in history]
        assert kinds[:4] == [("task", "one"), ("task", "two"), ("cancel", ""), ("timer", "sleep")]
        undone = [one for one in history if one.kind == "compensation"]
        assert [one.key for one in undone][-2:] == [
            f"{run_id}:two.compensate",
            f"{run_id}:one.compensate",
        ]
        assert {one.task for one in undone} == {"kit.undo"}

    def test_runs_are_listed_newest_first_page_by_page(self, host: Host, run_id: str) -> None:
        ids = [f"{run_id}-{number}" for number in range(5)]
        for one in ids:
            host.ports.workflows.start("kit_greet", one, {"name": one})
            self.ended(host, one)
            self.pass_time(host, 0.01)
        for limit in (1, 2, 5, 50):
            listed = self.listed(host, run_id, limit)
            assert [run.run_id for run in listed] == ids[::-1]
        assert listed == [host.ports.workflows.status(one) for one in ids[::-1]]

    def listed(
        self,
        host: Host,
        prefix: str,
        limit: int = 50,
        *,
        status: RunStatus | None = None,
        workflow: str | None = None,
    ) -> list[Run]:
        """List all runs page by page and give those whose id has the prefix."""
        found: list[Run] = []
        cursor: str | None = None
        while True:
            page = host.ports.workflows.list(
                status=status, workflow=workflow, cursor=cursor, limit=limit
            )
            assert len(page.runs) <= limit
            found += [run for run in page.runs if run.run_id.startswith(prefix)]
            cursor = page.next
            if cursor is None:
                return found

    @pytest.mark.parametrize("cursor", ["", "garbage", "-1", "1.5", "9" * 40, "0x1", "é"])
    def test_a_cursor_that_no_listing_gave_is_a_value_error(self, host: Host, cursor: str) -> None:
        with pytest.raises(ValueError, match="cursor"):
            host.ports.workflows.list(cursor=cursor)

    def test_runs_are_listed_by_status_and_workflow(self, host: Host, run_id: str) -> None:
        start = host.ports.workflows.start
        start("kit_greet", f"{run_id}-done", {"name": "x"})
        start("kit_fails", f"{run_id}-failed", plan(how="bug"))
        start("kit_wait", f"{run_id}-open", plan())
        start("kit_wait", f"{run_id}-cancelled", plan())
        host.ports.workflows.cancel(f"{run_id}-cancelled")
        for one in ("done", "failed", "cancelled"):
            self.ended(host, f"{run_id}-{one}")
        for status, expected in {
            RunStatus.SUCCEEDED: ["done"],
            RunStatus.FAILED: ["failed"],
            RunStatus.CANCELLED: ["cancelled"],
            RunStatus.RUNNING: ["open"],
        }.items():
            found = self.listed(host, run_id, status=status)
            assert [run.run_id for run in found] == [f"{run_id}-{one}" for one in expected]
        assert len(self.listed(host, run_id, workflow="kit_wait")) == 2
        both = self.listed(host, run_id, workflow="kit_wait", status=RunStatus.RUNNING)
        assert [run.run_id for run in both] == [f"{run_id}-open"]
        assert self.listed(host, run_id, workflow="kit_unknown") == []

    # Redriving.

    def test_a_redriven_run_answers_from_its_records_and_does_the_rest(
        self, host: Host, run_id: str
    ) -> None:
        gate = fresh("gate")
        host.ports.workflows.start("kit_gate", run_id, plan(gate=gate))
        failed = self.ended(host, run_id)
        assert failed.error is not None
        assert failed.error.code == "OutOfLuck"
        assert calls(host.ports, run_id) == ["first", "second"]
        open_gate(host.ports, gate)
        again = host.ports.workflows.redrive(run_id)
        assert (again.run_id, again.definition) == (run_id, failed.definition)
        run = self.ended(host, run_id)
        assert (run.status, run.output) == (RunStatus.SUCCEEDED, {"name": "first and second"})
        assert (run.error, run.started_at) == (None, failed.started_at)
        assert calls(host.ports, run_id) == ["first", "second", "second", "third"]
        assert {str(one["key"]) for one in call_notes(host.ports, run_id, "second")} == {
            f"{run_id}:second"
        }

    def test_a_redriven_run_that_fails_again_may_be_redriven_again(
        self, host: Host, run_id: str
    ) -> None:
        gate = fresh("gate")
        host.ports.workflows.start("kit_gate", run_id, plan(gate=gate))
        self.ended(host, run_id)
        host.ports.workflows.redrive(run_id)
        assert self.ended(host, run_id).status == RunStatus.FAILED
        open_gate(host.ports, gate)
        host.ports.workflows.redrive(run_id)
        assert self.ended(host, run_id).status == RunStatus.SUCCEEDED
        assert calls(host.ports, run_id) == ["first", "second", "second", "second", "third"]

    def test_a_cancelled_run_goes_on_when_it_is_redriven(self, host: Host, run_id: str) -> None:
        host.ports.workflows.start("kit_sleep", run_id, plan(pause=1))
        host.ports.workflows.cancel(run_id)
        assert self.ended(host, run_id).status == RunStatus.CANCELLED
        host.ports.workflows.redrive(run_id)
        run = self.ended(host, run_id)
        assert (run.status, run.cancel_requested) == (RunStatus.SUCCEEDED, False)
        assert calls(host.ports, run_id) == ["awake"]

    def test_a_run_that_is_open_or_has_succeeded_is_not_redriven(
        self, host: Host, run_id: str
    ) -> None:
        host.ports.workflows.start("kit_wait", run_id, plan())
        with pytest.raises(RunConflict, match=run_id):
            host.ports.workflows.redrive(run_id)
        host.ports.workflows.signal(run_id, "approval", APPROVAL, signal_id="s1")
        run = self.ended(host, run_id)
        with pytest.raises(RunConflict, match=run_id):
            host.ports.workflows.redrive(run_id)
        assert host.ports.workflows.status(run_id) == run
        assert calls(host.ports, run_id) == ["before"]
