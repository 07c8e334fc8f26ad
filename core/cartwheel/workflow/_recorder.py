"""Records the steps of a workflow function while it runs at build time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeAlias

from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import Expr, RefExpr, walk_expr
from cartwheel.workflow._symbol import Symbol, refuse
from cartwheel.workflow._types import ObjectType, Type

_STEP_NAME = re.compile(rf"^{ir.SEGMENT}(\.{ir.SEGMENT})*$")


@dataclass(slots=True)
class WhenDraft:
    """A when that may still get its otherwise."""

    name: str
    at: str
    condition: Expr
    then: list[Draft]
    otherwise: list[Draft] | None = None


@dataclass(slots=True)
class TryDraft:
    """An attempt that may still get handlers."""

    name: str
    at: str
    body: list[Draft]
    handlers: list[tuple[ir.Handler, list[Draft]]] = field(default_factory=list)


Draft: TypeAlias = ir.Step | WhenDraft | TryDraft


class Recorder:
    """The steps, names and tasks of one workflow under construction."""

    def __init__(self, workflow: str) -> None:
        self.workflow = workflow
        self.tasks: dict[str, ir.TaskSpec] = {}
        self.prefix = ""
        self.unopened: list[str] = []
        self._open: list[list[Draft]] = [[]]
        self._steps: set[str] = set()
        self._names: set[str] = {ir.INPUT}

    @property
    def body(self) -> list[Draft]:
        """The innermost open body."""
        return self._open[-1]

    def add(self, step: Draft) -> None:
        """Append a step to the innermost open body."""
        self.body.append(step)

    @contextmanager
    def opened(self, body: list[Draft]) -> Iterator[list[Draft]]:
        """Record into another body for a while."""
        self._open.append(body)
        try:
            yield body
        finally:
            self._open.pop()

    def step_name(self, wanted: str | None, default: str) -> str:
        """Return the full name of a new step; a default is numbered when it is taken."""
        if wanted is not None:
            name = self.prefix + wanted
            if not _STEP_NAME.match(wanted):
                remedy = "use letters, digits and underscores"
                refuse(f"{wanted!r} is no name for a step", remedy=remedy)
            if name in self._steps:
                refuse(f"the step name {name!r} is taken", remedy="give step= another name")
        else:
            name = base = self.prefix + default
            number = 2
            while name in self._steps:
                name, number = f"{base}_{number}", number + 1
        self._steps.add(name)
        return name

    def value_name(self, step: str) -> str:
        """Return a new name for the value of a step."""
        name = base = step.replace(".", "_")
        number = 2
        while name in self._names:
            name, number = f"{base}_{number}", number + 1
        self._names.add(name)
        return name

    def take_name(self, name: str) -> None:
        """Reserve a name that the user chose."""
        if not name.isidentifier() or name in self._names:
            refuse(f"the name {name!r} is taken or no identifier", remedy="choose another name")
        self._names.add(name)

    def task(self, name: str, spec: ir.TaskSpec) -> None:
        """Note a task that the workflow calls."""
        if self.tasks.setdefault(name, spec) != spec:
            refuse(f"two different tasks are named {name!r}", remedy="rename one of them")

    def finish(self, version: str, given: ObjectType, output: Type) -> ir.Workflow:
        """Return the workflow; values that nobody reads get no name."""
        if self.unopened:
            refuse(
                f"{self.unopened[0]} is not used with `with`", remedy="write with ...: before it"
            )
        drafts = self._open[0]
        read: set[str] = set()
        body = tuple(_freeze(draft) for draft in drafts)
        for step in ir.walk(body):
            for expr in ir.expressions(step):
                read |= {part.name for part in walk_expr(expr) if isinstance(part, RefExpr)}
        body = tuple(_without_unread(step, read) for step in body)
        return ir.Workflow(
            name=self.workflow,
            version=version,
            input=given,
            output=output,
            tasks=dict(sorted(self.tasks.items())),
            body=body,
        )


_current: ContextVar[Recorder | None] = ContextVar("cartwheel_workflow_recorder", default=None)


def recorder(what: str) -> Recorder:
    """Return the recorder of the workflow that is being built, or refuse."""
    current = _current.get()
    if current is None:
        remedy = "call it in the function under @workflow; a task's handler is task.handler"
        refuse(f"{what} belongs inside a workflow function", remedy=remedy)
    return current


def recorder_if_any() -> Recorder | None:
    """Return the recorder of the workflow that is being built, if one is."""
    return _current.get()


@contextmanager
def recording(new: Recorder) -> Iterator[Recorder]:
    """Make a recorder the current one."""
    token = _current.set(new)
    try:
        yield new
    finally:
        _current.reset(token)


def named(name: str, of: Type) -> Symbol:
    """Return the symbol of a name."""
    return Symbol(RefExpr(name=name), of)


def frozen(drafts: list[Draft]) -> tuple[ir.Step, ...]:
    """Return recorded steps as data."""
    return tuple(_freeze(draft) for draft in drafts)


def _freeze(draft: Draft) -> ir.Step:
    match draft:
        case WhenDraft():
            return ir.WhenStep(
                name=draft.name,
                at=draft.at,
                condition=draft.condition,
                then=frozen(draft.then),
                otherwise=frozen(draft.otherwise or []),
            )
        case TryDraft():
            if not draft.handlers:
                refuse(
                    f"the attempt at {draft.at} has no catch", remedy="follow it with catch(...)"
                )
            handlers = tuple(
                handler.model_copy(update={"body": frozen(body)})
                for handler, body in draft.handlers
            )
            return ir.TryStep(
                name=draft.name, at=draft.at, body=frozen(draft.body), handlers=handlers
            )
        case _:
            return draft


def _without_unread(step: ir.Step, read: set[str]) -> ir.Step:
    """Drop the names of values that nothing reads, so that no engine has to carry them."""

    def keep(name: str | None) -> str | None:
        return name if name in read else None

    match step:
        case ir.TaskStep() | ir.WaitStep() | ir.MapStep():
            step = step.model_copy(update={"result": keep(step.result)})
        case ir.ParallelStep():
            branches = tuple(
                branch.model_copy(update={"result": keep(branch.result)})
                for branch in step.branches
            )
            step = step.model_copy(update={"branches": branches})
        case ir.TryStep():
            handlers = tuple(
                handler.model_copy(update={"error": keep(handler.error)})
                for handler in step.handlers
            )
            step = step.model_copy(update={"handlers": handlers})
        case _:
            pass
    return ir.with_bodies(step, lambda body: tuple(_without_unread(s, read) for s in body))
