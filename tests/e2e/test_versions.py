"""A run keeps the definition that it began with, whatever the code says by then."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import RunStatus
from cartwheel.workflow import WorkflowDefinition, result, wait_for, workflow
from cartwheel_local import LocalHost

notes = Service("notes")


class Note(BaseModel):
    """Is a line to be written down."""

    text: str


class Written(BaseModel):
    """Is what was written down."""

    text: str


class Go(BaseModel):
    """Is the signal that both versions wait for."""

    word: str


@notes.task()
def write(ctx: Context, cmd: Note) -> Written:
    """Write a line down."""
    return Written(text=cmd.text)


def old() -> WorkflowDefinition[Note, Written]:
    """Make the workflow as it was."""

    @workflow("letter", version="1")
    def letter(cmd: Note) -> Written:
        write(step="begin", text=cmd.text)
        go = wait_for("go", Go)
        return write(step="end", text=go.word)

    return letter


def new() -> WorkflowDefinition[Note, Written]:
    """Make the workflow as it is now: other steps, in another order, another result."""

    @workflow("letter", version="2")
    def letter(cmd: Note) -> Written:
        go = wait_for("go", Go)
        write(step="greet", text="hello")
        write(step="begin", text=go.word)
        return result(Written, text="by the new rules")

    return letter


def opened(folder: Path, letter: WorkflowDefinition[Note, Written] | None) -> LocalHost:
    """Open the data folder with one version of the application."""
    app = App("letters", services=[notes], workflows=[] if letter is None else [letter])
    return LocalHost(app, HostOptions(data=folder, background=False, log=discard))


def steps(host: LocalHost, run_id: str) -> list[str]:
    return [entry.step for entry in host.ports.workflows.history(run_id) if entry.kind == "task"]


def test_a_waiting_run_goes_on_by_its_old_definition_beside_runs_of_the_new_one(
    tmp_path: Path,
) -> None:
    with opened(tmp_path, old()) as host:
        begun = host.ports.workflows.start("letter", "run_old", {"text": "dear"})
        host.settle()
    with opened(tmp_path, new()) as host:
        runs = host.ports.workflows
        started = runs.start("letter", "run_new", {"text": "dear"})
        host.settle()
        for run_id in ("run_old", "run_new"):
            assert runs.status(run_id).waiting_for == ("signal:go",)
            runs.signal(run_id, "go", {"word": "goodbye"}, signal_id="s1")
        host.settle()
        first, second = runs.status("run_old"), runs.status("run_new")
        assert (first.version, first.output) == ("1", {"text": "goodbye"})
        assert (second.version, second.output) == ("2", {"text": "by the new rules"})
        assert first.definition == begun.definition != started.definition == second.definition
        assert steps(host, "run_old") == ["begin", "end"]
        assert steps(host, "run_new") == ["greet", "begin"]


@pytest.mark.parametrize("again", [1, 3])
def test_a_run_outlives_its_workflow_and_several_restarts(tmp_path: Path, again: int) -> None:
    with opened(tmp_path, old()) as host:
        host.ports.workflows.start("letter", "run_old", {"text": "dear"})
        host.settle()
    for _ in range(again):
        with opened(tmp_path, None) as host:
            host.settle()
            assert host.ports.workflows.status("run_old").status is RunStatus.RUNNING
    with opened(tmp_path, None) as host:
        host.ports.workflows.signal("run_old", "go", {"word": "goodbye"}, signal_id="s1")
        host.settle()
        run = host.ports.workflows.status("run_old")
        assert (run.status, run.output) == (RunStatus.SUCCEEDED, {"text": "goodbye"})
