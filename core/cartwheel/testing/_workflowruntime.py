"""What every WorkflowRuntime promises of its verbs; the language has a contract of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from cartwheel.host import Host
from cartwheel.ports import (
    Json,
    JsonObject,
    RunConflict,
    RunNotFound,
    RunStatus,
    UnknownWorkflow,
    from_rfc3339,
)
from cartwheel.testing._runtime_app import call_notes, calls
from cartwheel.testing._runtime_case import APPROVAL, lasted, plan, tasks
from cartwheel.testing._runtime_records import RuntimeRecords
from cartwheel.testing._runtime_signals import RuntimeSignals


class WorkflowRuntimeContract(RuntimeSignals, RuntimeRecords):
    """Holds a WorkflowRuntime to its port: starting runs, and what they come to."""

    # Starting.

    def test_a_run_goes_to_its_end_and_tells_how_it_went(self, host: Host, run_id: str) -> None:
        before = host.ports.clock.now()
        started = host.ports.workflows.start("kit_greet", run_id, {"name": "ünï 😀"})
        assert (started.run_id, started.workflow, started.version) == (run_id, "kit_greet", "7")
        assert started.input == {"name": "ünï 😀"}
        run = self.ended(host, run_id)
        assert run.status == RunStatus.SUCCEEDED
        assert run.output == {"name": "hello ünï 😀"}
        assert (run.error, run.compensation_failures, run.cancel_requested) == (None, (), False)
        assert run.waiting_for == ()
        assert run.definition == started.definition != ""
        assert run.started_at == started.started_at
        assert run.ended_at is not None
        assert before - 1 <= from_rfc3339(run.started_at) <= from_rfc3339(run.ended_at)
        assert host.ports.workflows.status(run_id) == run

    def test_a_workflow_without_a_result_ends_with_null(self, host: Host, run_id: str) -> None:
        host.ports.workflows.start("kit_nothing", run_id, {})
        run = self.ended(host, run_id)
        assert (run.status, run.output) == (RunStatus.SUCCEEDED, None)

    def test_a_task_gets_the_key_of_its_run_and_step(self, host: Host, run_id: str) -> None:
        host.ports.workflows.start("kit_greet", run_id, {"name": "x"})
        self.ended(host, run_id)
        (called,) = call_notes(host.ports, run_id, "x")
        assert called["key"] == f"{run_id}:greet"

    def test_a_run_id_started_again_with_the_same_input_starts_nothing(
        self, host: Host, run_id: str
    ) -> None:
        host.ports.workflows.start("kit_greet", run_id, {"name": "x"})
        run = self.ended(host, run_id)
        assert host.ports.workflows.start("kit_greet", run_id, {"name": "x"}) == run
        self.pass_time(host, 0.3)
        assert calls(host.ports, run_id) == ["x"]
        assert host.ports.workflows.status(run_id) == run

    def test_a_run_started_again_while_it_is_open_goes_on(self, host: Host, run_id: str) -> None:
        plan: JsonObject = {"how": "", "pause": 0, "gate": ""}
        host.ports.workflows.start("kit_wait", run_id, plan)
        self.waiting(host, run_id, "signal:approval")
        again = host.ports.workflows.start("kit_wait", run_id, plan)
        assert again.status == RunStatus.RUNNING
        assert host.ports.workflows.signal(run_id, "approval", APPROVAL, signal_id="s1")
        assert self.ended(host, run_id).output == APPROVAL
        assert calls(host.ports, run_id) == ["before"]

    def test_a_run_id_with_another_input_or_workflow_is_a_conflict(
        self, host: Host, run_id: str
    ) -> None:
        start = host.ports.workflows.start
        start("kit_greet", run_id, {"name": "x"})
        self.ended(host, run_id)
        with pytest.raises(RunConflict, match=run_id):
            start("kit_greet", run_id, {"name": "y"})
        with pytest.raises(RunConflict, match=run_id):
            start("kit_nothing", run_id, {})
        assert calls(host.ports, run_id) == ["x"]

    @pytest.mark.parametrize(
        "input",
        [
            {},
            {"name": None},
            {"name": 1},
            {"name": ["x"]},
            {"name": "x", "more": 1},
            {"nam": "x"},
            [],
            "x",
            None,
        ],
        ids=str,
    )
    def test_an_input_that_does_not_fit_is_a_value_error_and_starts_nothing(
        self, host: Host, run_id: str, input: JsonObject
    ) -> None:
        with pytest.raises(ValueError, match="input"):
            host.ports.workflows.start("kit_greet", run_id, input)
        with pytest.raises(RunNotFound):
            host.ports.workflows.status(run_id)

    @pytest.mark.parametrize("pause", [0.5, True, "1", 2**53])
    def test_a_number_that_is_no_integer_of_the_language_is_a_value_error(
        self, host: Host, run_id: str, pause: Json
    ) -> None:
        with pytest.raises(ValueError, match="pause"):
            host.ports.workflows.start("kit_sleep", run_id, {"how": "", "pause": pause, "gate": ""})

    def test_an_unknown_workflow_is_refused_with_those_that_exist(
        self, host: Host, run_id: str
    ) -> None:
        with pytest.raises(UnknownWorkflow, match=r"kit_unknown.*kit_greet"):
            host.ports.workflows.start("kit_unknown", run_id, {})
        with pytest.raises(RunNotFound):
            host.ports.workflows.status(run_id)

    @pytest.mark.parametrize(
        "ask",
        [
            lambda runtime, run_id: runtime.status(run_id),
            lambda runtime, run_id: runtime.history(run_id),
            lambda runtime, run_id: runtime.cancel(run_id),
            lambda runtime, run_id: runtime.redrive(run_id),
            lambda runtime, run_id: runtime.signal(run_id, "approval", APPROVAL, signal_id="s"),
        ],
        ids=["status", "history", "cancel", "redrive", "signal"],
    )
    def test_an_unknown_run_is_not_found(
        self, host: Host, run_id: str, ask: Callable[[object, str], object]
    ) -> None:
        with pytest.raises(RunNotFound, match=run_id):
            ask(host.ports.workflows, run_id)

    def test_starts_of_one_run_at_the_same_time_make_one_run(self, host: Host, run_id: str) -> None:
        def start(_: int) -> str:
            return host.ports.workflows.start("kit_greet", run_id, {"name": "x"}).started_at

        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(start, range(8)))) == 1
        assert self.ended(host, run_id).status == RunStatus.SUCCEEDED
        assert calls(host.ports, run_id) == ["x"]

    def test_20_runs_at_once_keep_apart(self, host: Host, run_id: str) -> None:
        def start(number: int) -> None:
            names: Json = [f"{number}-{n}" for n in range(3)]
            host.ports.workflows.start("kit_map", f"{run_id}-{number}", {"names": names})

        with ThreadPoolExecutor(20) as pool:
            list(pool.map(start, range(20)))
        for number in range(20):
            run = self.ended(host, f"{run_id}-{number}")
            assert run.output == {"names": [f"{number}-{n}" for n in range(3)]}

    # What runs come to.

    def test_a_declared_error_ends_the_run_with_its_code_message_and_details(
        self, host: Host, run_id: str
    ) -> None:
        host.ports.workflows.start("kit_fails", run_id, plan(how="refused"))
        run = self.ended(host, run_id)
        assert (run.status, run.output) == (RunStatus.FAILED, None)
        assert run.error is not None
        assert run.error.code == "OutOfLuck"
        assert run.error.message == "this step has no luck"
        assert run.error.details == {"luck": 0, "name": "failing"}
        assert calls(host.ports, run_id) == ["failing"]

    def test_a_bug_in_a_task_is_unexpected_and_is_not_tried_again(
        self, host: Host, run_id: str
    ) -> None:
        host.ports.workflows.start("kit_fails", run_id, plan(how="bug"))
        run = self.ended(host, run_id)
        assert run.status == RunStatus.FAILED
        assert run.error is not None
        assert run.error.code == "Unexpected"
        assert calls(host.ports, run_id) == ["failing"]

    def test_an_unavailable_task_is_tried_again_under_the_same_key(
        self, host: Host, run_id: str
    ) -> None:
        host.ports.workflows.start("kit_retry", run_id, {})
        assert self.ended(host, run_id).output == {"name": "try 3"}
        assert [one["key"] for one in call_notes(host.ports, run_id, "shaky")] == [
            f"{run_id}:shaky"
        ] * 3

    def test_tries_that_are_used_up_end_the_run_as_unavailable(
        self, host: Host, run_id: str
    ) -> None:
        host.ports.workflows.start("kit_fails", run_id, plan(how="unavailable"))
        run = self.ended(host, run_id)
        assert run.error is not None
        assert (run.error.code, run.error.retryable) == ("Unavailable", True)
        assert calls(host.ports, run_id) == ["failing"] * 3

    def test_a_failed_saga_is_undone_in_reverse(self, host: Host, run_id: str) -> None:
        host.ports.workflows.start("kit_saga", run_id, plan(how="refused"))
        run = self.ended(host, run_id)
        assert run.status == RunStatus.FAILED
        assert run.error is not None
        assert run.error.code == "OutOfLuck"
        assert run.compensation_failures == ()
        assert calls(host.ports, run_id) == ["one", "two", "three", "undo two", "undo one"]
        (undone,) = call_notes(host.ports, run_id, "undo two")
        assert undone["key"] == f"{run_id}:two.compensate"
        assert undone["undoes"] == f"{run_id}:two"
        assert undone["output"] == {"name": "two", "tries": 1}

    def test_a_step_that_may_have_happened_is_undone_without_an_output(
        self, host: Host, run_id: str
    ) -> None:
        host.ports.workflows.start("kit_saga", run_id, plan(how="bug"))
        self.ended(host, run_id)
        assert calls(host.ports, run_id) == [
            "one",
            "two",
            "three",
            "undo three",
            "undo two",
            "undo one",
        ]
        (undone,) = call_notes(host.ports, run_id, "undo three")
        assert undone["output"] is None

    def test_a_task_that_does_not_answer_in_time_is_a_timeout_and_is_undone(
        self, host: Host, run_id: str
    ) -> None:
        host.ports.workflows.start("kit_slow", run_id, {})
        run = self.ended(host, run_id)
        assert run.status == RunStatus.FAILED
        assert run.error is not None
        assert run.error.code == "Timeout"
        assert calls(host.ports, run_id) == ["slow", "undo slow"]
        (undone,) = call_notes(host.ports, run_id, "undo slow")
        assert undone["output"] is None

    def test_a_compensation_that_fails_for_good_is_reported_and_the_rest_runs(
        self, host: Host, run_id: str
    ) -> None:
        host.ports.workflows.start("kit_stuck", run_id, {})
        run = self.ended(host, run_id)
        assert run.error is not None
        assert run.error.code == "OutOfLuck"
        assert calls(host.ports, run_id) == ["one", "two", "three", "undo two", "undo one"]
        (failure,) = run.compensation_failures
        assert (failure.step, failure.error.code) == ("two", "Unexpected")

    def test_all_branches_settle_before_the_error_of_one_is_raised(
        self, host: Host, run_id: str
    ) -> None:
        host.ports.workflows.start("kit_parallel", run_id, plan(how="refused"))
        run = self.ended(host, run_id)
        assert run.error is not None
        assert run.error.code == "OutOfLuck"
        assert sorted(calls(host.ports, run_id)) == ["one", "three", "two"]
        kinds = [(one.step, one.error is None) for one in tasks(host, run_id)]
        assert sorted(kinds) == [("one", True), ("three", True), ("two", False)]

    def test_results_of_branches_come_by_position(self, host: Host, run_id: str) -> None:
        host.ports.workflows.start("kit_parallel", run_id, plan())
        assert self.ended(host, run_id).output == {"names": ["one", "two", "three"]}

    @pytest.mark.parametrize("names", [[], ["a"], ["c", "b", "a", "b"]], ids=len)
    def test_a_map_gives_results_by_position_and_keys_by_index(
        self, host: Host, run_id: str, names: list[str]
    ) -> None:
        host.ports.workflows.start("kit_map", run_id, {"names": [*names]})
        assert self.ended(host, run_id).output == {"names": names}
        keys = sorted(str(one.key) for one in tasks(host, run_id))
        assert keys == [f"{run_id}:each:{index}" for index in range(len(names))]

    def test_a_sleep_lasts_as_long_as_it_says(self, host: Host, run_id: str) -> None:
        host.ports.workflows.start("kit_sleep", run_id, plan(pause=2))
        run = self.waiting(host, run_id, "sleep:sleep until ")
        assert run.status == RunStatus.RUNNING
        assert calls(host.ports, run_id) == []
        run = self.ended(host, run_id)
        assert run.output == {"name": "awake"}
        assert lasted(run) >= 1.9
