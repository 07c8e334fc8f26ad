"""Runs in a data folder: read and steered without the server, picked up by the next start."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cartwheel.app import App
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import HistoryEntry, Run, RunError, RunStatus
from cartwheel_local import LocalHost
from shopctl._apps import Project, load_project
from shopctl._runs import watch_run
from tests.unit.cli.conftest import HELLO, Call

RUN = "welcome-1"


@pytest.fixture
def app() -> App:
    return load_project(Project("hello:app", "this test", HELLO))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def serve(app: App, data: Path) -> Callable[[], LocalHost]:
    """Open the application as a server does, but working only when it is told to."""
    return lambda: LocalHost(app, HostOptions(data=data, background=False, log=discard))


@pytest.fixture
def waiting(hello: Call, serve: Callable[[], LocalHost], data: Path) -> Call:
    """Leave a run that waits for its signal, and call shopctl on it."""
    with serve() as host:
        host.ports.workflows.start("welcome", RUN, {"name": "ada"})
        host.settle()
    return lambda *words, **more: hello(*words, "--data", str(data), **more)


def test_runs_are_listed(waiting: Call) -> None:
    assert RUN in waiting("runs", "list").out
    listed = json.loads(waiting("runs", "list", "--json").out)
    assert [run["run_id"] for run in listed["runs"]] == [RUN]
    assert listed["more"] is False
    assert waiting("runs", "list", "--status", "failed").out == "no runs\n"


def test_a_run_is_shown_with_what_it_waits_for(waiting: Call) -> None:
    text = waiting("runs", "show", RUN).out
    assert "waits for signal:answered" in text
    shown = json.loads(waiting("runs", "show", RUN, "--json").out)
    assert shown["run"]["waiting_for"] == ["signal:answered"]
    assert [entry["step"] for entry in shown["history"]] == ["say"]


def test_a_signal_is_kept_and_the_next_start_goes_on(
    waiting: Call, serve: Callable[[], LocalHost]
) -> None:
    sent = ("runs", "signal", RUN, "answered", "--payload", '{"text": "hi"}', "--id", "one")
    assert json.loads(waiting(*sent, "--json").out)["kept"] is True
    with serve() as host:
        host.settle()
        run = host.ports.workflows.status(RUN)
    assert run.status is RunStatus.SUCCEEDED
    assert run.output == {"greeting": "hello ada", "answer": "hi"}


def test_a_signal_of_the_same_id_is_dropped(waiting: Call) -> None:
    sent = ("runs", "signal", RUN, "answered", "--payload", '{"text": "hi"}', "--id", "one")
    assert "gets signal" in waiting(*sent).out
    again = waiting(*sent)
    assert "was dropped" in again.out
    assert again.code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("asked", "--payload", "{}"), "waits for no signal 'asked'; it waits for: answered"),
        (("answered", "--payload", "{}"), "payload.text is missing"),
        (("answered", "--payload", '{"text": 1}'), "payload.text is int, not str"),
    ],
)
def test_a_signal_that_does_not_fit_is_refused(
    waiting: Call, words: tuple[str, ...], message: str
) -> None:
    done = waiting("runs", "signal", RUN, *words)
    assert done.code == 1
    assert message in done.err


def test_a_cancelled_run_ends_at_the_next_start(
    waiting: Call, serve: Callable[[], LocalHost]
) -> None:
    assert "is asked to end" in waiting("runs", "cancel", RUN, "--reason", "enough").out
    assert "was asked to end before" in waiting("runs", "cancel", RUN).out
    shown = json.loads(waiting("runs", "show", RUN, "--json").out)
    assert shown["run"]["cancel_requested"] is True
    with serve() as host:
        host.settle()
        assert host.ports.workflows.status(RUN).status is RunStatus.CANCELLED
    ended = waiting("runs", "cancel", RUN)
    assert ended.code == 1
    assert "has ended (cancelled)" in ended.err


def test_a_cancelled_run_is_redriven_at_the_next_start(
    waiting: Call, serve: Callable[[], LocalHost]
) -> None:
    waiting("runs", "cancel", RUN)
    with serve() as host:
        host.settle()
    redriven = json.loads(waiting("runs", "redrive", RUN, "--json").out)
    assert redriven == {"run_id": RUN, "redriven": True}
    again = waiting("runs", "redrive", RUN)
    assert again.code == 1
    assert "has running" in again.err
    waiting("runs", "signal", RUN, "answered", "--payload", '{"text": "hi"}')
    with serve() as host:
        host.settle()
        assert host.ports.workflows.status(RUN).status is RunStatus.SUCCEEDED


def test_a_server_goes_on_with_a_redriven_run_within_a_second(
    waiting: Call, app: App, data: Path
) -> None:
    waiting("runs", "cancel", RUN)
    with LocalHost(app, HostOptions(data=data, log=discard)) as host:
        ended(host, RunStatus.CANCELLED)
        began = time.monotonic()
        assert "goes on; a server that is up" in waiting("runs", "redrive", RUN).out
        while host.ports.workflows.status(RUN).waiting_for != ("signal:answered",):
            assert time.monotonic() - began < 1.0
            time.sleep(0.01)
        waiting("runs", "signal", RUN, "answered", "--payload", '{"text": "hi"}')
        ended(host, RunStatus.SUCCEEDED)
        history = host.ports.workflows.history(RUN)
    steps = [entry.step for entry in history if entry.kind == "signal"]
    assert steps[-1] == "answered"
    assert not [step for step in steps if "redrive" in step]


def ended(host: LocalHost, status: RunStatus) -> None:
    """Wait until the run has ended, and demand how."""
    end = time.monotonic() + 5
    while host.ports.workflows.status(RUN).status is RunStatus.RUNNING and time.monotonic() < end:
        time.sleep(0.01)
    assert host.ports.workflows.status(RUN).status is status


def test_a_second_server_on_the_same_folder_is_refused(
    waiting: Call, serve: Callable[[], LocalHost]
) -> None:
    with serve():
        done = waiting("dev", "--port", "0")
    assert done.code == 1
    assert "is being served by process" in done.err
    assert done.out == ""


def test_watching_shows_the_rest_and_ends_with_the_run(
    waiting: Call, serve: Callable[[], LocalHost]
) -> None:
    waiting("runs", "cancel", RUN)
    with serve() as host:
        host.settle()
    lines = waiting("runs", "show", RUN, "--watch").out.splitlines()
    assert lines[0].startswith(f"{RUN}: welcome")
    assert any(line.startswith("cancelled after") for line in lines)


def test_watching_tells_tries_errors_and_what_was_undone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    at, error = "2026-01-01T00:00:00.000Z", RunError("Unavailable", "no answer", retryable=True)
    before = Run("r", "w", "1", "d", RunStatus.RUNNING, {}, at)
    first = HistoryEntry("task", "pay", at, "k", 1, "payments.pay", error=error)
    second = HistoryEntry("task", "pay", at, "k", 2, "payments.pay", error=error)
    late = HistoryEntry("signal", "hint", at, output=1)
    undone = HistoryEntry("compensation", "release", at, "k2", 1, "stock.release", output={})
    after = replace(before, status=RunStatus.FAILED, ended_at=at, error=error)
    # A signal's place may be before what was shown already; each line is shown once all the same.
    looks = iter([(before, [first]), (after, [late, first, second, undone])])
    watch_run(lambda: next(looks), 0.01)
    lines = [
        line.split("s  ", 1)[1]
        for line in capsys.readouterr().out.splitlines()[1:]
        if "0.000 s  " in line
    ]
    assert lines == [
        "task pay: Unavailable: no answer",
        "signal hint: 1",
        "task pay (try 2): Unavailable: no answer",
        "compensation release: {}",
    ]
