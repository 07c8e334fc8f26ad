"""The tasks that the programs call: each call is noted in the store and answered by the script.

Nothing is kept in memory, so that the tasks may be served by other processes than the test's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, JsonValue

from cartwheel.app import Service
from cartwheel.context import Context
from cartwheel.ports import Conflict, DomainError, JsonObject, Put, Row, Store, Unavailable
from cartwheel.testing.corpus._expected import Called
from cartwheel.testing.corpus._program import Cancel, Line, Owner, Program
from cartwheel.workflow import Compensation, RetryPolicy

ONCE = RetryPolicy(attempts=1)
TWICE = RetryPolicy(attempts=2, interval=0, jitter=False, on=("*",))
RUN_ENDING = "--"
"""Parts a run's id into the program's name and whatever makes it unique."""

service = Service("corpus")
CALLS = service.collection("corpus_calls")


class Model(BaseModel):
    """Base of the tasks' models: no field that nobody knows."""

    model_config = ConfigDict(extra="forbid")


class Text(Model):
    """Some text."""

    text: str


class Take(Model):
    """What to take from the shelf."""

    item: str
    count: int = 1


class Taken(Model):
    """What was taken."""

    id: str
    count: int


class Pay(Model):
    """What to pay."""

    amount: int


class Paid(Model):
    """The payment."""

    id: str


class Look(Model):
    """What to look at."""

    id: str


class Seen(Model):
    """What was seen; several fields may be null."""

    id: str
    status: str
    count: int
    note: str | None
    owner: Owner | None
    lines: list[Line]


class Cargo(Model):
    """Opaque JSON on its way."""

    value: JsonValue


class Done(Model):
    """Nothing to tell."""


class OutOfStock(DomainError):
    """The shelf is empty."""


class Declined(DomainError):
    """The payment was declined."""


class NotFound(DomainError):
    """There is nothing to look at."""


class Gone(DomainError):
    """There is nothing to look at any more."""


@service.task(retry=ONCE)
def say(ctx: Context, cmd: Text) -> Text:
    """Say something."""
    return Text.model_validate(_serve(ctx, "corpus.say", cmd))


@service.task()
def ask(ctx: Context, cmd: Text) -> Text:
    """Say something; tried again as the language does by default."""
    return Text.model_validate(_serve(ctx, "corpus.ask", cmd))


@service.task(errors=[OutOfStock], retry=ONCE)
def take(ctx: Context, cmd: Take) -> Taken:
    """Take something from the shelf."""
    return Taken.model_validate(_serve(ctx, "corpus.take", cmd))


@service.task(retry=TWICE)
def put_back(ctx: Context, cmd: Compensation[Take, Taken]) -> Done:
    """Undo a taking."""
    return Done.model_validate(_serve(ctx, "corpus.put_back", cmd))


@service.task(errors=[Declined], retry=ONCE)
def pay(ctx: Context, cmd: Pay) -> Paid:
    """Pay."""
    return Paid.model_validate(_serve(ctx, "corpus.pay", cmd))


@service.task(retry=ONCE, timeout=1)
def pay_back(ctx: Context, cmd: Compensation[Pay, Paid]) -> Done:
    """Undo a payment."""
    return Done.model_validate(_serve(ctx, "corpus.pay_back", cmd))


@service.task(errors=[NotFound, Gone], retry=ONCE)
def look(ctx: Context, cmd: Look) -> Seen:
    """Look at something."""
    return Seen.model_validate(_serve(ctx, "corpus.look", cmd))


@service.task(retry=ONCE)
def carry(ctx: Context, cmd: Cargo) -> Cargo:
    """Carry opaque JSON."""
    return Cargo.model_validate(_serve(ctx, "corpus.carry", cmd))


_REFUSALS = {error.code: error for error in (OutOfStock, Declined, NotFound, Gone)}
_programs: dict[str, Program] = {}


def learn(programs: Iterable[Program]) -> None:
    """Make programs known to the tasks that answer for them."""
    _programs.update((program.name, program) for program in programs)


def usual_output(task: str, key: str, input: JsonObject) -> JsonObject:
    """Give what a task answers when the script says nothing else."""
    match task:
        case "corpus.take":
            return {"id": f"id of {key}", "count": input["count"]}
        case "corpus.pay":
            return {"id": f"id of {key}"}
        case "corpus.look":
            nulls: JsonObject = {"note": None, "owner": None, "lines": []}
            return {"id": input["id"], "status": "ready", "count": 0, **nulls}
        case "corpus.put_back" | "corpus.pay_back":
            return {}
        case _:
            return dict(input)


@dataclass(frozen=True, slots=True)
class Observed:
    """Is what the world has seen of a run."""

    calls: tuple[Called, ...]
    happened: tuple[str, ...]
    """Keys under which a task had its effect."""
    in_flight: int


def as_seen(input: JsonObject, run_id: str) -> JsonObject:
    """Return a call's input with the run's id taken from the key in it, if it has one."""
    key = input.get("key")
    return {**input, "key": key.removeprefix(f"{run_id}:")} if isinstance(key, str) else input


def observed(store: Store, run_id: str) -> Observed:
    """Read what was noted of a run."""
    calls: list[Called] = []
    happened: list[str] = []
    running = most = 0
    for row in _rows(store, run_id):
        data = row.data
        if data["event"] == "end":
            running -= 1
            continue
        running += 1
        most = max(most, running)
        given, attempt = data["input"], data["attempt"]
        assert isinstance(given, dict)
        assert isinstance(attempt, int)
        calls.append(Called(str(data["task"]), str(data["key"]), given, attempt))
        if data["happened"]:
            happened.append(str(data["key"]))
    return Observed(tuple(calls), tuple(happened), most)


def _rows(store: Store, run_id: str) -> Iterator[Row]:
    after: str | None = None
    while True:
        page = store.scan(CALLS.name, run_id, after=after)
        yield from page.rows
        after = page.next
        if after is None:
            return


def _serve(ctx: Context, task: str, given: BaseModel) -> JsonObject:
    """Note a call and do what the script says about it."""
    program = _programs[ctx.run_id.partition(RUN_ENDING)[0]]
    key = ctx.key.removeprefix(f"{ctx.run_id}:")
    sent: JsonObject = given.model_dump(mode="json")
    store = ctx.ports.store
    while True:
        rows = list(_rows(store, ctx.run_id))
        attempt = 1 + sum(row.data.get("key") == key for row in rows if "attempt" in row.data)
        answer = program.answer(task, key, attempt)
        began: JsonObject = {"event": "begin", "task": task, "key": key, "attempt": attempt}
        began |= {"input": as_seen(sent, ctx.run_id), "happened": answer.happened}
        if _append(store, ctx.run_id, len(rows), began):
            break
    runtime = ctx.ports.workflows
    for act in answer.acts:
        if isinstance(act, Cancel):
            runtime.cancel(ctx.run_id)
        else:
            runtime.signal(ctx.run_id, act.name, act.payload, signal_id=act.id)
    if answer.seconds:
        ctx.ports.clock.sleep(answer.seconds)
    while not _append(
        store, ctx.run_id, len(list(_rows(store, ctx.run_id))), {"event": "end", "key": key}
    ):
        pass
    match answer.kind:
        case "ok":
            return usual_output(task, key, sent) if answer.value is None else answer.value
        case "declared":
            raise _REFUSALS[answer.code](answer.message, **answer.details)
        case "unavailable":
            raise Unavailable(f"the script has {key} unavailable at try {attempt}")
        case "unexpected":
            raise ZeroDivisionError(f"the script has a bug in {key} at try {attempt}")


def _append(store: Store, run_id: str, count: int, event: JsonObject) -> bool:
    try:
        store.commit(CALLS.name, run_id, [Put(f"{count + 1:06d}", event, 0)])
    except Conflict:
        return False
    return True
