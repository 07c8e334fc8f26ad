"""A runtime over an engine on paper, a clock that is moved, and tasks that a test answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cartwheel.app import DeclaredWorkflow
from cartwheel.dispatch import TaskReply
from cartwheel.ports import (
    JsonObject,
    Run,
    Store,
)
from cartwheel.ports._hook import Hook, hooked
from cartwheel.runs import (
    WAIT,
    ExecutionEngine,
    ForeignRuntime,
    Invocations,
)
from cartwheel.testing._runtime_app import runtime_app
from cartwheel.trace import current
from cartwheel.workflow import Ok
from tests.support.paper_engine import PaperEngine

PLAN: JsonObject = {"how": "", "pause": 0, "gate": ""}
APPROVAL: JsonObject = {"by": "a person", "amount": 12}
OK = TaskReply(ok=True, json=b'{"n": 1}')
DOWN = TaskReply(ok=False, json=b'{"code": "Unavailable", "message": "down"}')
NO = TaskReply(ok=False, json=b'{"code": "Declined", "message": "no"}')


class Clock:
    def __init__(self) -> None:
        self.time = 1_000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class Desk:
    """Puts runtimes together that share a store, a clock and an engine."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock, self.engine = Clock(), PaperEngine()
        self.engine.knows(runtime_app().workflows)
        self.reply = OK
        self.during: Callable[[], object] | None = None
        """Is done once, while the next task is at work."""
        self.traces: list[str] = []
        self.runtime, self.invocations = self.over()

    def over(
        self, hook: Hook | None = None, workflows: Mapping[str, DeclaredWorkflow] | None = None
    ) -> tuple[ForeignRuntime, Invocations]:
        """Make a runtime as another process would, with a hook on its store and its engine."""
        store = hooked("store", self.store, Store, hook)  # type: ignore[type-abstract]  # a protocol names the methods
        engine = hooked("engine", self.engine, ExecutionEngine, hook)  # type: ignore[type-abstract]  # same
        invocations = Invocations(self._run, store, self.clock, self.engine)
        known = runtime_app().workflows if workflows is None else workflows
        return ForeignRuntime(known, store, invocations, engine, self.clock), invocations

    def _run(self, task: str, key: str, run_id: str, input: bytes) -> TaskReply:
        self.traces.append(current())
        during, self.during = self.during, None
        if during is not None:
            during()
        return self.reply

    def call(self, run_id: str, step: str, reply: TaskReply = OK, *, undo: bool = False) -> None:
        self.reply = reply
        self.clock.sleep(1)
        self.invocations.handle({**_invocation(run_id, "a.task", step, {}), "compensation": undo})

    def wait(self, run_id: str, step: str) -> None:
        given: JsonObject = {"signal": "approval", "token": f"token of {step}", "timeout": None}
        assert self.invocations.handle(_invocation(run_id, WAIT, step, given)) == Ok(None)

    def failed(self, run_id: str, code: str = "Declined") -> Run:
        """Start a run and let it fail."""
        self.runtime.start("kit_wait", run_id, PLAN)
        self.engine.fails(run_id, code=code, at=self.clock.now())
        return self.runtime.status(run_id)

    @property
    def started(self) -> list[tuple[str, int]]:
        return [(launch.run_id, launch.number) for launch, _ in self.engine.started]


def _invocation(run_id: str, task: str, step: str, given: JsonObject) -> JsonObject:
    name = step.partition(":")[0]
    return {"run_id": run_id, "task": task, "step": name, "key": f"{run_id}:{step}", "input": given}
