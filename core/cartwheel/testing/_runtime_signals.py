"""What every WorkflowRuntime promises of signals and of cancelling."""

from __future__ import annotations

import pytest

from cartwheel.host import Host
from cartwheel.ports import (
    Json,
    JsonObject,
    RunStatus,
)
from cartwheel.testing._runtime_app import calls
from cartwheel.testing._runtime_case import APPROVAL, RuntimeCase, lasted, plan


class RuntimeSignals(RuntimeCase):
    """Holds a WorkflowRuntime to what its port says of signals and of cancelling."""

    # Signals.

    def test_a_signal_wakes_the_run_that_waits_for_it(self, host: Host, run_id: str) -> None:
        host.ports.workflows.start("kit_wait", run_id, plan())
        run = self.waiting(host, run_id, "signal:approval")
        assert (run.status, run.waiting_for) == (RunStatus.RUNNING, ("signal:approval",))
        self.pass_time(host, 0.3)
        assert host.ports.workflows.status(run_id).status == RunStatus.RUNNING
        assert host.ports.workflows.signal(run_id, "approval", APPROVAL, signal_id="s1") is True
        run = self.ended(host, run_id)
        assert (run.status, run.output) == (RunStatus.SUCCEEDED, APPROVAL)

    def test_a_signal_that_comes_early_is_kept(self, host: Host, run_id: str) -> None:
        host.ports.workflows.start("kit_wait", run_id, plan(pause=1))
        assert host.ports.workflows.signal(run_id, "approval", APPROVAL, signal_id="s1") is True
        run = self.ended(host, run_id)
        assert run.output == APPROVAL
        assert lasted(run) >= 0.9

    def test_a_second_signal_of_the_same_id_is_dropped(self, host: Host, run_id: str) -> None:
        signal = host.ports.workflows.signal
        host.ports.workflows.start("kit_two_waits", run_id, {})
        assert signal(run_id, "approval", {"by": "one", "amount": 1}, signal_id="s1") is True
        assert signal(run_id, "approval", {"by": "two", "amount": 1}, signal_id="s1") is False
        self.pass_time(host, 0.3)
        assert host.ports.workflows.status(run_id).status == RunStatus.RUNNING
        assert signal(run_id, "approval", {"by": "three", "amount": 1}, signal_id="s2") is True
        assert self.ended(host, run_id).output == {"names": ["one", "three"]}

    def test_signals_are_taken_in_the_order_in_which_they_came(
        self, host: Host, run_id: str
    ) -> None:
        host.ports.workflows.start("kit_two_waits", run_id, {})
        for number, by in enumerate(["first", "second"]):
            payload: JsonObject = {"by": by, "amount": number}
            assert host.ports.workflows.signal(run_id, "approval", payload, signal_id=f"s{number}")
        assert self.ended(host, run_id).output == {"names": ["first", "second"]}

    def test_a_signal_to_a_run_that_has_ended_is_false(self, host: Host, run_id: str) -> None:
        host.ports.workflows.start("kit_wait", run_id, plan())
        assert host.ports.workflows.signal(run_id, "approval", APPROVAL, signal_id="s1")
        run = self.ended(host, run_id)
        other: JsonObject = {"by": "too late", "amount": 1}
        assert host.ports.workflows.signal(run_id, "approval", other, signal_id="s2") is False
        assert host.ports.workflows.signal(run_id, "approval", APPROVAL, signal_id="s1") is False
        assert host.ports.workflows.status(run_id) == run

    @pytest.mark.parametrize(
        ("name", "payload"),
        [
            ("unknown", {"by": "x", "amount": 1}),
            ("", {"by": "x", "amount": 1}),
            ("!cancel", ""),
            ("approval", None),
            ("approval", {}),
            ("approval", {"by": "x"}),
            ("approval", {"by": "x", "amount": "1"}),
            ("approval", {"by": "x", "amount": 1.5}),
            ("approval", {"by": "x", "amount": 1, "more": 1}),
            ("approval", [APPROVAL]),
        ],
        ids=str,
    )
    def test_a_signal_that_the_workflow_does_not_know_is_a_value_error_and_does_nothing(
        self, host: Host, run_id: str, name: str, payload: Json
    ) -> None:
        host.ports.workflows.start("kit_wait", run_id, plan())
        with pytest.raises(ValueError, match="signal"):
            host.ports.workflows.signal(run_id, name, payload, signal_id="s1")
        self.waiting(host, run_id, "signal:approval")
        assert host.ports.workflows.signal(run_id, "approval", APPROVAL, signal_id="s1") is True
        assert self.ended(host, run_id).output == APPROVAL

    def test_a_wait_without_a_signal_times_out(self, host: Host, run_id: str) -> None:
        host.ports.workflows.start("kit_deadline", run_id, {})
        run = self.ended(host, run_id)
        assert run.status == RunStatus.SUCCEEDED
        assert calls(host.ports, run_id) == ["late", "after"]
        assert lasted(run) >= 0.9

    def test_a_signal_before_the_deadline_stops_the_timeout(self, host: Host, run_id: str) -> None:
        host.ports.workflows.start("kit_deadline", run_id, {})
        assert host.ports.workflows.signal(run_id, "approval", APPROVAL, signal_id="s1")
        assert self.ended(host, run_id).status == RunStatus.SUCCEEDED
        self.pass_time(host, 1.5)
        assert calls(host.ports, run_id) == ["after"]

    # Cancelling.

    def test_a_cancelled_run_is_refused_its_next_task_and_is_undone(
        self, host: Host, run_id: str
    ) -> None:
        host.ports.workflows.start("kit_saga", run_id, plan(pause=2))
        self.waiting(host, run_id, "sleep:")
        host.ports.workflows.cancel(run_id, "changed my mind")
        run = self.ended(host, run_id)
        assert run.status == RunStatus.CANCELLED
        assert run.error is not None
        assert run.error.code == "Cancelled"
        made = [name for name in calls(host.ports, run_id) if name != "undo three"]
        assert made == ["one", "two", "undo two", "undo one"]

    def test_a_cancel_does_not_cut_a_sleep_short(self, host: Host, run_id: str) -> None:
        host.ports.workflows.start("kit_sleep", run_id, plan(pause=2))
        self.waiting(host, run_id, "sleep:")
        host.ports.workflows.cancel(run_id)
        host.settle()
        run = host.ports.workflows.status(run_id)
        assert (run.status, run.cancel_requested) == (RunStatus.RUNNING, True)
        run = self.ended(host, run_id)
        assert run.status == RunStatus.CANCELLED
        assert lasted(run) >= 1.9
        assert calls(host.ports, run_id) == []

    def test_a_cancel_wakes_a_wait(self, host: Host, run_id: str) -> None:
        host.ports.workflows.start("kit_saga_wait", run_id, {})
        self.waiting(host, run_id, "signal:")
        host.ports.workflows.cancel(run_id)
        run = self.ended(host, run_id)
        assert run.status == RunStatus.CANCELLED
        assert calls(host.ports, run_id) == ["one", "undo one"]

    def test_a_cancel_is_asked_for_once(self, host: Host, run_id: str) -> None:
        host.ports.workflows.start("kit_sleep", run_id, plan(pause=1))
        for _ in range(3):
            host.ports.workflows.cancel(run_id, "why")
        self.ended(host, run_id)
        cancels = [one for one in host.ports.workflows.history(run_id) if one.kind == "cancel"]
        assert [one.output for one in cancels] == ["why"]

    def test_a_cancel_of_a_run_that_has_ended_changes_nothing(
        self, host: Host, run_id: str
    ) -> None:
        host.ports.workflows.start("kit_greet", run_id, {"name": "x"})
        run = self.ended(host, run_id)
        history = host.ports.workflows.history(run_id)
        host.ports.workflows.cancel(run_id)
        host.settle()
        assert host.ports.workflows.status(run_id) == run
        assert host.ports.workflows.history(run_id) == history
