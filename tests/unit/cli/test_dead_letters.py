"""Dead letters of a data folder, beside a server and without one."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.declared import Delivery
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import Message
from cartwheel_local import LocalHost
from tests.unit.cli.conftest import Call


class World:
    """Is an application whose consumer fails until it is mended."""

    def __init__(self) -> None:
        self.broken = True
        self.taken: list[str] = []
        service = Service("jobs")

        @service.consume("jobs", delivery=Delivery(attempts=1))
        def work(ctx: Context, message: Message) -> None:
            if self.broken:
                raise RuntimeError("the printer is out of paper")
            self.taken.append(message.id)

        self.app = App("printing", services=[service])


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def data(world: World, tmp_path: Path) -> Path:
    """Leave two dead letters in a folder."""
    folder = tmp_path / "data"
    with LocalHost(world.app, HostOptions(data=folder, background=False, log=discard)) as host:
        for number in (1, 2):
            host.ports.queue.send("jobs", Message(f"msg-{number}", {"page": number}))
        host.settle()
    return folder


@pytest.fixture
def ask(shopctl: Call, data: Path) -> Call:
    return lambda *words: shopctl("dead-letters", *words, "--data", str(data))


def listed(ask: Call) -> list[str]:
    found = json.loads(ask("list", "--json").out)
    return [letter["id"] for letter in found["dead_letters"]]


def test_dead_letters_are_listed_with_why_they_failed(ask: Call) -> None:
    text = ask("list").out
    assert "jobs.work" in text
    assert "RuntimeError: the printer is out of paper" in text
    assert len(listed(ask)) == 2
    assert json.loads(ask("list", "--json", "--limit", "1").out)["more"] is True
    assert ask("list", "--consumer", "others.work").out == "no dead letters\n"


def test_a_dead_letter_is_shown_with_what_it_carries(ask: Call) -> None:
    first = listed(ask)[0]
    assert '"page": 1' in ask("show", first).out
    shown = json.loads(ask("show", first, "--json").out)
    assert shown["body"] == {"page": 1}
    assert shown["attempts"] == 1


def test_a_discarded_letter_is_gone(ask: Call) -> None:
    first, second = listed(ask)
    assert json.loads(ask("discard", first, "--json").out) == {"id": first, "discarded": True}
    assert listed(ask) == [second]


def test_a_redriven_letter_is_delivered_at_the_next_start(
    ask: Call, world: World, data: Path
) -> None:
    first, second = listed(ask)
    assert "is delivered again" in ask("redrive", first).out
    assert listed(ask) == [second]
    world.broken = False
    with LocalHost(world.app, HostOptions(data=data, background=False, log=discard)) as host:
        host.settle()
    assert world.taken == ["msg-1"]


def test_a_redriven_letter_is_delivered_by_the_server_that_is_up(
    ask: Call, world: World, data: Path
) -> None:
    world.broken = False
    with LocalHost(world.app, HostOptions(data=data, log=discard)):
        for letter in listed(ask):
            assert ask("redrive", letter).code == 0
        end = time.monotonic() + 8
        while len(world.taken) < 2 and time.monotonic() < end:
            time.sleep(0.05)
    assert sorted(world.taken) == ["msg-1", "msg-2"]
    assert listed(ask) == []


@pytest.mark.parametrize("verb", ["show", "redrive", "discard"])
@pytest.mark.parametrize("letter", ["dlv_999999", "nonsense", "dlv_", "dlv_-1", "dlv_1e3"])
def test_an_unknown_letter_is_said_and_nothing_changes(ask: Call, verb: str, letter: str) -> None:
    done = ask(verb, letter)
    assert done.code == 1
    assert f"there is no dead letter '{letter}'" in done.err
    assert "Traceback" not in done.err
    assert len(listed(ask)) == 2


def test_a_folder_without_data_is_said(shopctl: Call, tmp_path: Path) -> None:
    done = shopctl("dead-letters", "list", "--data", str(tmp_path / "none"))
    assert done.code == 1
    assert "there is no data" in done.err
