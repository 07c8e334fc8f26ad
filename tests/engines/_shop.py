"""The shop in memory whose workflows run on another engine, and what is left when one has ended."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from cartwheel.dispatch import TaskReply
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import (
    HistoryEntry,
    Json,
    JsonObject,
    Ports,
    Run,
    RunError,
    RunNotFound,
    RunPage,
    RunStatus,
)
from cartwheel.runs import WAIT
from cartwheel.testing.corpus._expected import seq
from cartwheel.testing.corpus._program import Expected, Program
from cartwheel.testing.corpus._rules import Rule
from cartwheel.testing.randomly import definition_of
from cartwheel.workflow import Err, Error
from cartwheel_memory import MemoryHost
from cartwheel_workflows.shop import shop_app
from tests.engines._driver import Engine
from tests.engines._world import RunTask, Served, World
from tests.support.shopping import Shopper, customer, known, product

Fault = Callable[[RunTask, str, str, str, bytes], TaskReply]
"""Stands around a task: is given the real one and a call, and gives the reply."""

LONG = 1200
"""Seconds in which waits, retries, reconcilers and sweepers come to their end."""
LOST = TaskReply(ok=False, json=b'{"code": "Unavailable", "message": "lost", "retryable": true}')
BUG = TaskReply(ok=False, json=b'{"code": "Unexpected", "message": "a bug"}')


class Hurried(World):
    """Is a world for engines with a real clock, in which the time of every wait is over at once."""

    def serve(self, invocation: Json) -> Served:
        """Answer an invocation, and end a wait as its own timeout would."""
        served = super().serve(invocation)
        call = cast("JsonObject", invocation)
        if call["task"] == WAIT:
            token = str(cast("JsonObject", call["input"])["token"])
            self.wake(token, Err(Error("Timeout", "nobody came", retryable=True)))
        return served


class OnEngine:
    """Is a WorkflowRuntime that plays each run on an engine, to its end, when it is started."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._runs: dict[str, Run] = {}
        self.host: MemoryHost | None = None
        self.fault: Fault | None = None
        self.calls: list[str] = []
        """The tasks' steps as they were called, each try."""

    def start(self, workflow: str, run_id: str, input: JsonObject) -> Run:
        """Play a run; the same id again gives what came of it."""
        if run_id not in self._runs:
            assert self.host is not None
            definition = self.host.app.workflows[workflow]
            self._runs[run_id] = _run(definition.ir.content_hash, workflow, run_id, input)
            program = Program(
                name=workflow,
                rule=Rule.SEQUENCE,
                definition=definition_of(definition.ir),
                expected=Expected("succeeded"),
                calls=seq(),
                input=input,
                script={},
            )
            kind = Hurried if self._engine.real_time else World
            world = kind(
                program, clock=self._engine.clock(), run_id=run_id, run_task=self._run_task
            )
            self._engine.execute(world)
            self._runs[run_id] = _ended(self._runs[run_id], world.documents[-1])
        return self._runs[run_id]

    def start_many(self, workflow: str, inputs: Mapping[str, JsonObject]) -> Sequence[Run]:
        """Play several runs one after the other."""
        return [self.start(workflow, run_id, value) for run_id, value in inputs.items()]

    def _run_task(self, name: str, key: str, run_id: str, input: bytes) -> TaskReply:
        assert self.host is not None
        self.calls.append(key.removeprefix(f"{run_id}:"))
        real = self.host.dispatcher.task
        if self.fault is None:
            return real(name, key, run_id, input)
        return self.fault(real, name, key, run_id, input)

    def status(self, run_id: str) -> Run:
        """Give a run."""
        if run_id not in self._runs:
            raise RunNotFound(run_id)
        return self._runs[run_id]

    def signal(self, run_id: str, name: str, payload: Json, *, signal_id: str) -> bool:
        """Refuse: the shop's workflows wait for nothing."""
        raise AssertionError(f"nobody signals {run_id}")

    def cancel(self, run_id: str, reason: str = "") -> None:
        """Do nothing: a run has ended before anybody could ask."""

    def history(self, run_id: str) -> Sequence[HistoryEntry]:
        """Give nothing."""
        return ()

    def list(
        self,
        *,
        status: RunStatus | None = None,
        workflow: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> RunPage:
        """List all runs."""
        return RunPage(tuple(self._runs.values()))

    def redrive(self, run_id: str) -> Run:
        """Refuse."""
        raise AssertionError(f"nobody redrives {run_id}")


def _run(definition: str, workflow: str, run_id: str, input: JsonObject) -> Run:
    at = "2026-01-01T00:00:00Z"
    return Run(run_id, workflow, "1", definition, RunStatus.RUNNING, input, at)


def _ended(run: Run, document: JsonObject) -> Run:
    error = cast("JsonObject | None", document.get("error"))
    told = None if error is None else RunError(str(error["code"]), str(error["message"]))
    status = RunStatus(str(document["status"]))
    return dataclasses.replace(run, status=status, output=document.get("output"), error=told)


@dataclasses.dataclass(frozen=True, slots=True)
class Left:
    """Is what a customer and a member of staff see in the end; times and ids left out."""

    order: tuple[str, str | None, str]
    events: tuple[str, ...]
    stock: tuple[int, int, int]
    charges: tuple[tuple[str, int, int], ...]
    mails: tuple[tuple[str, str], ...]
    run: tuple[str, str | None]

    def __str__(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1)


Act = Callable[[Shopper, str], object]
"""Something that staff do once the checkout has ended, given the order's id."""


def shop_on(
    engine: Engine | None,
    *,
    card: str = "tok_ok",
    quantity: int = 2,
    fault: Fault | None = None,
    then: Act | None = None,
) -> Left:
    """Buy mugs with the workflows on an engine, or on memory's own; tell what is left."""
    runtime = None if engine is None else OnEngine(engine)

    def replace(ports: Ports) -> Ports:
        return ports if runtime is None else dataclasses.replace(ports, workflows=runtime)

    with MemoryHost(shop_app(), HostOptions(log=discard, replace=replace)) as host:
        if runtime is not None:
            runtime.host, runtime.fault = host, fault
        product(host.ports, "prd_mug", stock=10, cents=1290)
        ada = customer(host.dispatcher)
        ada.fill_cart(("prd_mug", quantity))
        answer: Any = ada.check_out(card).json()
        host.settle(LONG)
        order_id = str(answer["order_id"])
        if then is not None:
            then(_staff(host), order_id)
            host.settle(LONG)
        staff = _staff(host)
        order = staff.get(f"/orders/{order_id}")
        level = staff.get("/products/prd_mug/stock")
        events = staff.get(f"/orders/{order_id}/events")["items"]
        page = host.ports.workflows.list()
        run = next(run for run in page.runs if run.workflow == "checkout")
        return Left(
            (order["status"], order["reason"], order["payment"]["status"]),
            tuple(event["status"] for event in events),
            (level["available"], level["reserved"], level["sold"]),
            tuple((c.status.value, c.captured, c.refunded) for c in host.bank.charges()),
            tuple((m.to, m.subject.replace(order_id, "ORDER")) for m in host.mailbox.mails()),
            (run.status.value, None if run.error is None else run.error.code),
        )


def _staff(host: MemoryHost) -> Shopper:
    """Give a member of staff whose token is new."""
    return known(host.dispatcher, "usr_staff", "staff")
