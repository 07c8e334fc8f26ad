"""The workflows that runtimes are tested with; their tasks note in the store what they did."""

from __future__ import annotations

from functools import cache

from pydantic import BaseModel

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.ports import DomainError, JsonObject, Ports, Put, Unavailable
from cartwheel.testing._base import note, notes, with_notes
from cartwheel.workflow import (
    Compensation,
    RetryPolicy,
    attempt,
    catch,
    fmt,
    map_each,
    parallel,
    result,
    saga,
    sleep,
    wait_for,
    workflow,
)

GATES = "kit_gates"
"""The collection whose rows open the gates that tasks wait before."""
ONCE = RetryPolicy(attempts=1)
THRICE = RetryPolicy(attempts=3, interval=0, jitter=False)


class OutOfLuck(DomainError):
    """Is the refusal that the kit's task declares."""


class StepIn(BaseModel):
    """Says what a step is to do: fail so many tries, take so long, need an open gate.

    `how` is `refused` (a declared error), `unavailable`, `bug`, `stuck` (it succeeds, and nothing
    undoes it), or empty.
    """

    name: str
    how: str = ""
    fails: int = 0
    takes: int = 0
    gate: str = ""


class StepOut(BaseModel):
    """Says what a step did, and at which try."""

    name: str
    tries: int


class Done(BaseModel):
    """Is the answer of what has none."""


class Nothing(BaseModel):
    """Is the input of workflows without one."""


class Named(BaseModel):
    """Is the input and the output of workflows that pass a name on."""

    name: str


class Plan(BaseModel):
    """Says how a workflow is to go on."""

    how: str = ""
    pause: int = 0
    gate: str = ""


class Names(BaseModel):
    """Is a list of names."""

    names: list[str]


class Approval(BaseModel):
    """Is the payload of the signal `approval`."""

    by: str
    amount: int


def calls(ports: Ports, run_id: str) -> list[str]:
    """Give the names of the steps that were called, `undo <name>` for compensations, in order."""
    return [str(found["name"]) for found in notes(ports, run_id)]


def call_notes(ports: Ports, run_id: str, name: str) -> list[JsonObject]:
    """Give what the calls of a step noted."""
    return [found for found in notes(ports, run_id) if found["name"] == name]


def open_gate(ports: Ports, gate: str) -> None:
    """Let the steps before a gate through from now on."""
    ports.store.commit(GATES, gate, [Put("open", {}, 0)])


_KIT = with_notes(Service("kit"))
_KIT.collection(GATES)


@_KIT.task(errors=[OutOfLuck], retry=THRICE)
def step(ctx: Context, cmd: StepIn) -> StepOut:
    """Do what the input says, and note it."""
    note(ctx.ports, ctx.run_id, {"name": cmd.name, "key": ctx.key, "input": cmd.model_dump()})
    tries = sum(1 for found in notes(ctx.ports, ctx.run_id) if found["key"] == ctx.key)
    if cmd.takes:
        ctx.ports.clock.sleep(cmd.takes)
    if cmd.gate and ctx.ports.store.get(GATES, cmd.gate, "open") is None:
        raise OutOfLuck(f"gate {cmd.gate} is shut", gate=cmd.gate)
    if tries <= cmd.fails:
        raise Unavailable(f"try {tries} of {cmd.fails} fails")
    match cmd.how:
        case "refused":
            raise OutOfLuck("this step has no luck", luck=0, name=cmd.name)
        case "unavailable":
            raise Unavailable("nobody answers")
        case "bug":
            raise RuntimeError("a bug in this step")
        case _:
            return StepOut(name=cmd.name, tries=tries)


@_KIT.task(retry=ONCE)
def undo(ctx: Context, cmd: Compensation[StepIn, StepOut]) -> Done:
    """Note what is undone."""
    output = cmd.output.model_dump() if cmd.output else None
    ctx_key: JsonObject = {"key": ctx.key, "undoes": cmd.key, "output": output}
    note(ctx.ports, ctx.run_id, {"name": f"undo {cmd.input.name}", **ctx_key})
    if cmd.input.how == "stuck":
        raise RuntimeError("nothing undoes this")
    return Done()


@workflow("kit_greet", version="7")
def greet(cmd: Named) -> Named:
    """Greet by name."""
    done = step(step="greet", name=cmd.name)
    return result(Named, name=fmt("hello {}", done.name))


@workflow("kit_nothing", version="1")
def nothing(cmd: Nothing) -> None:
    """Do one step and give nothing."""
    step(step="only", name="only")


@workflow("kit_wait", version="1")
def wait(cmd: Plan) -> Approval:
    """Wait for an approval after a step and a pause."""
    step(step="before", name="before")
    sleep(cmd.pause)
    return wait_for("approval", Approval)


@workflow("kit_wait", version="2")
def wait_changed(cmd: Plan) -> Approval:
    """Be what `kit_wait` is in a later version of the application."""
    step(step="changed", name="changed")
    wait_for("something_else", Named)
    return result(Approval, by="the changed definition", amount=0)


@workflow("kit_two_waits", version="1")
def two_waits(cmd: Nothing) -> Names:
    """Wait for two approvals."""
    one = wait_for("approval", Approval)
    two = wait_for("approval", Approval)
    return result(Names, names=[one.by, two.by])


@workflow("kit_deadline", version="1")
def deadline(cmd: Nothing) -> None:
    """Wait for an approval for a second."""
    with attempt():
        wait_for("approval", Approval, timeout=1)
    with catch("Timeout"):
        step(step="late", name="late")
    step(step="after", name="after")


@workflow("kit_saga", version="1")
def undone(cmd: Plan) -> Named:
    """Do three steps that are undone when the third fails."""
    with saga():
        step(step="one", name="one", compensate=undo)
        step(step="two", name="two", compensate=undo)
        sleep(cmd.pause)
        step(step="three", name="three", how=cmd.how, gate=cmd.gate, compensate=undo)
    return result(Named, name="done")


@workflow("kit_saga_wait", version="1")
def undone_wait(cmd: Nothing) -> Approval:
    """Wait for an approval between steps that are undone."""
    with saga():
        step(step="one", name="one", compensate=undo)
        approval = wait_for("approval", Approval)
        step(step="two", name="two", compensate=undo)
    return approval


@workflow("kit_stuck", version="1")
def stuck(cmd: Nothing) -> None:
    """Fail after a step that cannot be undone."""
    with saga():
        step(step="one", name="one", compensate=undo)
        step(step="two", name="two", how="stuck", compensate=undo)
        step(step="three", name="three", how="refused", compensate=undo)


@workflow("kit_slow", version="1")
def slow(cmd: Nothing) -> None:
    """Call a task that takes longer than it may."""
    with saga():
        step(step="slow", name="slow", takes=2, timeout=1, retry=ONCE, compensate=undo)


@workflow("kit_retry", version="1")
def retry(cmd: Nothing) -> Named:
    """Call a task that fails twice."""
    done = step(step="shaky", name="shaky", fails=2)
    return result(Named, name=fmt("try {}", done.tries))


@workflow("kit_fails", version="1")
def fails(cmd: Plan) -> None:
    """Call a task that fails in one way."""
    step(step="failing", name="failing", how=cmd.how)


@workflow("kit_parallel", version="1")
def at_once(cmd: Plan) -> Names:
    """Do three steps at once."""
    one, two, three = parallel(
        lambda: step(step="one", name="one"),
        lambda: step(step="two", name="two", how=cmd.how),
        lambda: step(step="three", name="three", takes=1),
    )
    return result(Names, names=[one.name, two.name, three.name])


@workflow("kit_map", version="1")
def each(cmd: Names) -> Names:
    """Do a step for each name."""
    done = map_each(cmd.names, lambda name: step(step="each", name=name).name, concurrency=2)
    return result(Names, names=done)


@workflow("kit_gate", version="1")
def gate(cmd: Plan) -> Named:
    """Do a step between two others that needs an open gate."""
    first = step(step="first", name="first")
    sleep(cmd.pause)
    second = step(step="second", name="second", gate=cmd.gate)
    step(step="third", name="third")
    return result(Named, name=fmt("{} and {}", first.name, second.name))


@workflow("kit_sleep", version="1")
def sleeper(cmd: Plan) -> Named:
    """Sleep, then do a step."""
    sleep(cmd.pause)
    done = step(step="awake", name="awake")
    return result(Named, name=done.name)


@cache
def runtime_app(changed: bool = False) -> App:
    """Make the application; `changed` gives the workflow `kit_wait` another definition."""
    return App(
        "kit_runtime",
        services=[_KIT],
        workflows=[
            greet,
            nothing,
            wait_changed if changed else wait,
            two_waits,
            deadline,
            undone,
            undone_wait,
            stuck,
            slow,
            retry,
            fails,
            at_once,
            each,
            gate,
            sleeper,
        ],
    )
