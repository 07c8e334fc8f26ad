"""Takes the registrations of a saga off the path on which all goes well.

The saga lowering registers a step before its call and completes the entry after it: two assignments
for each effect, both billed. Here the answer of the call itself says that the step was done, and an
entry is written only when a call fails, or when somebody is about to read it. That is possible
where the step's input can still be computed later, because the names in it are set once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import KeyExpr, ObjectExpr
from cartwheel_gcp._shape import Body, is_null, names_in, writes

_RECORD = frozenset({"input", "output", "key"})


@dataclass(frozen=True, slots=True)
class Registration:
    """Is an entry that is written late: `undo` names it, `marker` the answer of the call.

    `codes` are the errors after which nothing has happened.
    """

    step: str
    undo: str
    marker: str
    input: ObjectExpr
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tight:
    """Is a lowered workflow without the registrations that can be written late."""

    workflow: ir.Workflow
    by_step: dict[str, Registration]
    by_undo: dict[str, Registration]


def tighten(workflow: ir.Workflow) -> Tight:
    """Take out what can be written late from a workflow whose sagas are lowered."""
    pass_ = _Pass(workflow)
    body = pass_.body(workflow.body)
    found = pass_.found
    return Tight(
        workflow.model_copy(update={"body": body}),
        {each.step: each for each in found},
        {each.undo: each for each in found},
    )


class _Pass:
    def __init__(self, workflow: ir.Workflow) -> None:
        self.found: list[Registration] = []
        steps = tuple(ir.walk(workflow.body))
        self._writers = Counter(name for step in steps for name in writes(step))
        self._writers.update(step.item for step in steps if isinstance(step, ir.MapStep))
        self._in_handlers = {
            name
            for step in steps
            if isinstance(step, ir.TryStep)
            for handler in step.handlers
            for name in (handler.error, *_written(handler.body))
        }

    def body(self, steps: Body) -> Body:
        """Rewrite a body."""
        kept: list[ir.Step] = []
        index = 0
        while index < len(steps):
            taken, step = self._registered(steps[index : index + 3])
            kept.append(step if taken > 1 else ir.with_bodies(step, self.body))
            index += taken
        return tuple(kept)

    def _registered(self, steps: Body) -> tuple[int, ir.Step]:
        """Give how many steps are one registered call, and the call alone."""
        first = steps[0]
        record = _record(first)
        if record is None or len(steps) < 2 or not isinstance(first, ir.AssignStep):
            return 1, first
        call, codes = _call(steps[1])
        given, key = record.fields["input"], record.fields["key"]
        if call is None or not isinstance(key, KeyExpr) or call.name != key.step:
            return 1, first
        if not isinstance(given, ObjectExpr):
            return 1, first
        marker = call.result or f"answer_{first.variable}"
        if self._writers[marker] > 1 or not self._is_stable(given):
            return 1, first
        self.found.append(Registration(call.name, first.variable, marker, given, codes))
        last = steps[2] if len(steps) > 2 else None
        done = isinstance(last, ir.AssignStep) and last.variable == first.variable
        return (3 if done else 2), call.model_copy(update={"result": marker})

    def _is_stable(self, given: ObjectExpr) -> bool:
        names = [name for name in names_in(given) if name != ir.INPUT]
        return all(self._writers[name] == 1 and name not in self._in_handlers for name in names)


def _record(step: ir.Step) -> ObjectExpr | None:
    """Give what a step registers, if it does."""
    if not isinstance(step, ir.AssignStep) or not isinstance(step.value, ObjectExpr):
        return None
    fields = step.value.fields
    registers = fields.keys() == _RECORD and is_null(fields["output"])
    return step.value if registers and isinstance(fields["key"], KeyExpr) else None


def _call(step: ir.Step) -> tuple[ir.TaskStep | None, tuple[str, ...]]:
    """Give the call in a step, and the codes after which its registration is taken back."""
    match step:
        case ir.TaskStep():
            return step, ()
        case ir.TryStep(body=(ir.TaskStep() as call,), handlers=(handler,)):
            return call, handler.codes
        case _:
            return None, ()


def _written(body: Body) -> list[str]:
    return [name for step in ir.walk(body) for name in writes(step)]
