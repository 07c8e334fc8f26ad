"""Runs in a data folder: read and steered without the server, picked up by the next start."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cartwheel.app import App
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import RunStatus
from cartwheel_local import LocalHost
from shopctl._apps import Project, load_project
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
    assert json.loads(waiting("runs", "redrive", RUN, "--json").out)["generation"] == 2
    again = waiting("runs", "redrive", RUN)
    assert again.code == 1
    assert "has running" in again.err
    waiting("runs", "signal", RUN, "answered", "--payload", '{"text": "hi"}')
    with serve() as host:
        host.settle()
        assert host.ports.workflows.status(RUN).status is RunStatus.SUCCEEDED


def test_a_redrive_beside_a_server_is_refused(
    waiting: Call, serve: Callable[[], LocalHost]
) -> None:
    waiting("runs", "cancel", RUN)
    with serve() as host:
        host.settle()
        done = waiting("runs", "redrive", RUN)
    assert done.code == 1
    assert "is being served by process" in done.err


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
