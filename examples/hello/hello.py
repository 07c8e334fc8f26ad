"""A whole application in one file: it greets people and waits for what they answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from cartwheel.access import Uses
from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.http import ANYONE, Body, NotFound, Reply, View
from cartwheel.ports import Event, JsonObject
from cartwheel.unit import Unit, transact
from cartwheel.workflow import days, result, wait_for, workflow

hello = Service("hello", Uses(runs=("welcome",), ports=("events",)))
GREETINGS = hello.collection("greetings").name

Name = Annotated[str, Field(min_length=1, max_length=40)]


class Ask(Body):
    """Is what somebody who wants a welcome sends."""

    name: Name


class Greeting(View):
    """Is what one says."""

    text: str


class Answer(Body):
    """Is what the person who was greeted says."""

    text: str


class Welcome(View):
    """Is how a welcome went."""

    greeting: str
    answer: str


class Visits(View):
    """Counts how often somebody was greeted."""

    name: str
    count: int


class Started(View):
    """Names the run that was started."""

    run_id: str


class _Row(BaseModel):
    count: int = 0


@hello.route("GET", "/greetings/{name}", permission=ANYONE)
def greet(ctx: Context, name: str) -> Greeting:
    """Greet somebody, without any further ado."""
    return Greeting(text=f"hello {name}")


@hello.route("GET", "/visits/{name}", permission=ANYONE, errors=[NotFound])
def visits(ctx: Context, name: str) -> Visits:
    """Tell how often somebody has been welcomed."""
    row = Unit(ctx.ports, GREETINGS, name).get("visits", _Row)
    if row is None:
        raise NotFound(f"nobody has welcomed {name}")
    return Visits(name=name, count=row.count)


@hello.route("POST", "/welcomes", permission=ANYONE, status=202, idempotent=True)
def welcome_somebody(ctx: Context, body: Ask) -> Reply[Started]:
    """Start a welcome; it goes on when the answer comes."""
    # The key makes the id, so that a request that is sent twice starts one run.
    run_id = f"welcome-{ctx.key[-24:]}"
    ctx.ports.workflows.start("welcome", run_id, {"name": body.name})
    return Reply(Started(run_id=run_id))


@hello.route("POST", "/welcomes/{run_id}/answer", permission=ANYONE, status=202)
def answer(ctx: Context, run_id: str, body: Answer) -> Started:
    """Answer a greeting."""
    signal: JsonObject = {"text": body.text}
    ctx.ports.workflows.signal(run_id, "answered", signal, signal_id="the-answer")
    return Started(run_id=run_id)


@hello.task(timeout=10)
def say(ctx: Context, ask: Ask) -> Greeting:
    """Say hello, once however often it is tried, and tell the others."""

    def work(unit: Unit) -> Greeting:
        unit.emit("hello.said", {"name": ask.name})
        return Greeting(text=f"hello {ask.name}")

    return transact(ctx.ports, GREETINGS, ask.name, work, key=ctx.key, result=Greeting)


@hello.on("hello.said")
def count_visit(ctx: Context, event: Event) -> None:
    """Count the visit, once however often the event comes."""
    name = str(event.data["name"])

    def work(unit: Unit) -> None:
        row = unit.get("visits", _Row) or _Row()
        unit.put("visits", _Row(count=row.count + 1))

    transact(ctx.ports, GREETINGS, name, work, key=ctx.key)


@hello.every(60)
def look_around(ctx: Context) -> None:
    """Say that somebody is still here."""
    ctx.log.info("nobody has left")


@workflow("welcome", version="1")
def welcome(ask: Ask) -> Welcome:
    """Greet somebody and wait a day for the answer."""
    greeting = say(name=ask.name)
    said = wait_for("answered", Answer, timeout=days(1))
    return result(Welcome, greeting=greeting.text, answer=said.text)


app = App("hello", title="Hello", services=[hello], workflows=[welcome])
