"""The application in memory: no server, no file, and a day takes no time."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hello import app

from cartwheel.app import App
from cartwheel.host import Host
from cartwheel.http import Request
from cartwheel.ports import Json, RunStatus

DAY = 86_400


@pytest.fixture
def host(memory_host: Callable[[App], Host]) -> Host:
    return memory_host(app)


def ask(
    host: Host, method: str, path: str, body: Json = None, *, key: str | None = None
) -> tuple[int, Json]:
    headers = {"content-type": ("application/json",)} if body is not None else {}
    if key is not None:
        headers["idempotency-key"] = (key,)
    content = json.dumps(body).encode() if body is not None else b""
    response = host.dispatcher.http(Request(method, path, headers=headers, body=content))
    return response.status, response.json()


def start(host: Host, key: str = "visit-1") -> str:
    status, started = ask(host, "POST", "/welcomes", {"name": "ada"}, key=key)
    assert status == 202
    assert isinstance(started, dict)
    return str(started["run_id"])


def test_it_greets(host: Host) -> None:
    assert ask(host, "GET", "/greetings/ada") == (200, {"text": "hello ada"})


def test_a_welcome_ends_with_the_answer(host: Host) -> None:
    run_id = start(host)
    assert ask(host, "POST", f"/welcomes/{run_id}/answer", {"text": "hi"})[0] == 202
    host.settle()
    run = host.ports.workflows.status(run_id)
    assert run.status is RunStatus.SUCCEEDED
    assert run.output == {"greeting": "hello ada", "answer": "hi"}


def test_a_welcome_without_an_answer_ends_after_a_day(host: Host) -> None:
    run_id = start(host)
    host.settle(DAY - 1)
    assert host.ports.workflows.status(run_id).status is RunStatus.RUNNING
    host.settle(2)
    run = host.ports.workflows.status(run_id)
    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert run.error.code == "Timeout"


def test_a_request_sent_twice_is_one_visit(host: Host) -> None:
    assert start(host, "same") == start(host, "same")
    host.settle(40)
    assert ask(host, "GET", "/visits/ada") == (200, {"name": "ada", "count": 1})


def test_nobody_was_here_before(host: Host) -> None:
    assert ask(host, "GET", "/visits/bob")[0] == 404
