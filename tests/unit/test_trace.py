"""One trace id for a request and all that follows from it, on memory and local."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import BaseModel

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.host import Host, HostOptions
from cartwheel.http import ANYONE, Request
from cartwheel.ports import Event, Message
from cartwheel.trace import begun, current, is_traceparent, trace_id, within
from cartwheel.unit import Unit, transact
from cartwheel.workflow import wait_for, workflow
from cartwheel_local import LocalHost
from cartwheel_memory import MemoryHost

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


class Ask(BaseModel):
    name: str


jobs = Service("jobs")
jobs.collection("jobs")


@jobs.task()
def work(ctx: Context, cmd: Ask) -> Ask:
    """Say that a step is done."""
    ctx.log.info("step", ctx_trace=ctx.trace_id)
    return cmd


@workflow("do_it", version="1")
def do_it(cmd: Ask) -> Ask:
    """Do one step, wait, and do another."""
    work(name=cmd.name)
    wait_for("go", Ask)
    return work(name=cmd.name)


@jobs.route("POST", "/jobs/{name}", permission=ANYONE, status=202)
def begin(ctx: Context, name: str) -> None:
    """Do something that has consequences."""
    ctx.log.info("asked", ctx_trace=ctx.trace_id)

    def change(unit: Unit) -> None:
        unit.emit("job.begun", {"name": name})

    transact(ctx.ports, "jobs", name, change)
    ctx.ports.queue.send("later", Message(f"msg-{name}", {}))
    ctx.ports.workflows.start("do_it", f"run-{name}", {"name": name})


@jobs.on("job.begun")
def noticed(ctx: Context, event: Event) -> None:
    """Send on, so that a trace is carried over two hops."""
    ctx.log.info("noticed", ctx_trace=ctx.trace_id)
    ctx.ports.events.publish([Event(f"{event.id}-2", "job.noticed", {}, event.at)])


@jobs.on("job.noticed")
def noticed_again(ctx: Context, event: Event) -> None:
    """Say so."""
    ctx.log.info("noticed again", ctx_trace=ctx.trace_id)


@jobs.consume("later")
def later(ctx: Context, message: Message) -> None:
    """Say so."""
    ctx.log.info("later", ctx_trace=ctx.trace_id)


@dataclass
class World:
    """Is where the application can be opened again over the same data, with all log lines."""

    open: Callable[[], Host]
    lines: list[str] = field(default_factory=list)

    def logged(self, *events: str) -> list[dict[str, object]]:
        found = [json.loads(line) for line in self.lines]
        return [line for line in found if not events or line["event"] in events]


@pytest.fixture(params=["memory", "local"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    lines: list[str] = []
    app = App("tracing", services=[jobs], workflows=[do_it])
    if request.param == "memory":
        first = MemoryHost(app)
        yield World(lambda: MemoryHost(app, HostOptions(log=lines.append), disk=first.disk), lines)
    else:
        options = HostOptions(data=tmp_path, log=lines.append, background=False)
        yield World(lambda: LocalHost(app, options), lines)


def ask(host: Host, name: str, **headers: str) -> None:
    sent = {name: (value,) for name, value in headers.items()}
    assert host.dispatcher.http(Request("POST", f"/jobs/{name}", headers=sent)).status == 204
    host.settle()


FOLLOWING = {"asked", "request", "noticed", "noticed again", "later", "step"}


def test_a_requests_trace_is_in_every_line_of_its_events_messages_and_run(world: World) -> None:
    with world.open() as host:
        ask(host, "one", traceparent=PARENT)
    lines = world.logged()
    assert {line["event"] for line in lines} == FOLLOWING
    assert {line["trace_id"] for line in lines} == {TRACE}
    assert {line["ctx_trace"] for line in lines if line["event"] != "request"} == {TRACE}


def test_a_run_keeps_its_trace_over_a_restart(world: World) -> None:
    with world.open() as host:
        ask(host, "one", traceparent=PARENT)
    with world.open() as host, within(begun("whoever sends the signal")):
        host.ports.workflows.signal("run-one", "go", {"name": "x"}, signal_id="1")
        host.settle()
    steps = world.logged("step")
    assert len(steps) == 2
    assert {line["trace_id"] for line in steps} == {TRACE}


def test_a_request_without_a_trace_begins_one_of_its_own(world: World) -> None:
    with world.open() as host:
        ask(host, "one")
        ask(host, "two", traceparent="00-zz-zz-01")
    asked = world.logged("asked")
    ids = [line["trace_id"] for line in asked]
    assert len(set(ids)) == 2
    for line in asked:
        assert is_traceparent(f"00-{line['trace_id']}-00f067aa0ba902b7-01")
        following = [each for each in world.logged() if each["trace_id"] == line["trace_id"]]
        assert {each["event"] for each in following} == FOLLOWING


def test_an_event_that_a_crash_left_in_the_outbox_keeps_its_trace(world: World) -> None:
    with world.open() as host:
        from cartwheel.ports import Put
        from cartwheel.unit import outbox_key, outbox_row

        left = Event("evt-left", "job.begun", {}, "2025-12-31T23:59:00Z", PARENT)
        host.ports.store.commit("jobs", "p", [Put(outbox_key(left), outbox_row(left), 0)])
        host.dispatcher.tick("cartwheel.sweep_outbox")
        host.settle()
    assert {line["trace_id"] for line in world.logged("noticed", "noticed again")} == {TRACE}


def test_outside_of_a_trace_there_is_none() -> None:
    assert (current(), trace_id()) == ("", "")
    with within(PARENT):
        assert (current(), trace_id()) == (PARENT, TRACE)
        with within(""):
            assert trace_id() == ""
        assert trace_id() == TRACE
    assert trace_id() == ""


def test_a_trace_that_begins_follows_from_its_seed() -> None:
    assert begun("a") == begun("a") != begun("b")
    assert is_traceparent(begun("a\ud800"))


@pytest.mark.parametrize(
    "text",
    ["", "00", PARENT[:-1], PARENT + "0", PARENT.upper(), f"00-{'0' * 32}-00f067aa0ba902b7-01"],
)
def test_what_is_no_traceparent_is_not_taken_for_one(text: str) -> None:
    assert is_traceparent(PARENT)
    assert not is_traceparent(text)
