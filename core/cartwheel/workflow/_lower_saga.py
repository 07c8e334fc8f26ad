"""Rewrites sagas into attempts, assignments and explicit compensating steps, which any engine has.

Every compensable step gets a name that is null until the step is registered, and holds the step's
input, output and key from then on. A branch of a parallel, or an item of a map, cannot set names
outside; so inside a saga it ends with a settled record instead of raising: its value, its error,
and its registrations.

Order: within a line of steps compensations run in reverse. Between the branches of a parallel and
between the items of a map none is promised: the interpreter takes the highest position first, the
lowered program takes a map's items from the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from cartwheel.workflow import _ir as ir
from cartwheel.workflow._check import check
from cartwheel.workflow._expr import (
    Expr,
    IsNullExpr,
    KeyExpr,
    KnownExpr,
    LiteralExpr,
    NotExpr,
    ObjectExpr,
    RefExpr,
)
from cartwheel.workflow._types import NullType

Body: TypeAlias = tuple[ir.Step, ...]
Resolve: TypeAlias = Callable[[str], RefExpr]
"""Finds a registration by its name:

a name of this line of steps, or a field of a settled record.
"""

NOTHING = LiteralExpr(value=None)
VALUE = "value"
ERROR = "error"


def lower_saga(workflow: ir.Workflow) -> ir.Workflow:
    """Return a workflow without sagas that does the same: same result, same calls, same keys.

    Raises BuildError when the workflow has problems of its own.
    """
    check(workflow)
    lowering = _Lowering(workflow)
    return workflow.model_copy(update={"body": lowering.body(workflow.body, active=False)})


class _Lowering:
    """The names and registrations of one workflow; `active` says that a saga is around."""

    def __init__(self, workflow: ir.Workflow) -> None:
        self._tasks = workflow.tasks
        steps = tuple(ir.walk(workflow.body))
        self._steps = {step.name for step in steps if not isinstance(step, ir.SagaStep)}
        self._names = {ir.INPUT, *_all_names(workflow.body)}
        self._undo: dict[str, str] = {}
        for step in steps:
            for key in _slots(step):
                self._undo[key] = self._name("undo_" + key.replace(".", "_").replace(":", "_"))

    def body(self, steps: Body, *, active: bool) -> Body:
        """Lower the steps of a body in order."""
        return tuple(new for step in steps for new in self._lower(step, active=active))

    def _lower(self, step: ir.Step, *, active: bool) -> Body:
        match step:
            case ir.TaskStep(compensate=ir.CompensateSpec()):
                return self._task(step)
            case ir.SagaStep():
                return self._saga(step, active=active)
            case ir.ParallelStep() if active and _registers((step,)):
                return self._parallel(step)
            case ir.MapStep() if active and _registers((step,)):
                return self._map(step)
            case _:
                return (ir.with_bodies(step, lambda body: self.body(body, active=active)),)

    def _task(self, step: ir.TaskStep) -> Body:
        """Register, call, and note the output; a declared error takes the registration back."""
        undo, spec = self._undo[step.name], self._tasks[step.task]
        result = step.result
        if result is None and not isinstance(spec.output, NullType):
            result = self._name(f"output_{undo}")
        call: ir.Step = step.model_copy(update={"compensate": None, "result": result})
        given = ObjectExpr(fields=step.input)
        record = {"input": given, "output": NOTHING, "key": KeyExpr(step=step.name)}
        steps = [self._assign(step, "register", undo, ObjectExpr(fields=record))]
        if spec.errors:
            error = self._name(f"error_{undo}")
            handler = ir.Handler(
                codes=spec.errors,
                error=error,
                body=(self._assign(step, "refused", undo, NOTHING), self._raise(step, error)),
            )
            name = self._step(f"{step.name}.attempt")
            call = ir.TryStep(name=name, at=step.at, body=(call,), handlers=(handler,))
        steps.append(call)
        if result is not None and not isinstance(spec.output, NullType):
            done = {
                "input": RefExpr(name=undo, path=("input",)),
                "output": RefExpr(name=result),
                "key": RefExpr(name=undo, path=("key",)),
            }
            steps.append(self._assign(step, "done", undo, ObjectExpr(fields=done)))
        return tuple(steps)

    def _saga(self, step: ir.SagaStep, *, active: bool) -> Body:
        if not _registers(step.body):
            return self.body(step.body, active=active)
        slots = [self._undo[key] for key in _own_slots(step.body)]
        empty = tuple(self._assign(step, "forget", slot, NOTHING) for slot in slots)
        error = self._name(f"error_{step.name.replace('.', '_')}")
        # An outer saga must not undo again what this one has undone.
        forget: Body = ()
        if active:
            forget = tuple(self._assign(step, "undone", slot, NOTHING) for slot in slots)
        undo = tuple(self._undo_body(step.body, lambda name: RefExpr(name=name)))
        handler = ir.Handler(
            codes=(ir.ANY_ERROR,), error=error, body=(*undo, *forget, self._raise(step, error))
        )
        attempt = ir.TryStep(
            name=self._step(step.name),
            at=step.at,
            body=self.body(step.body, active=True),
            handlers=(handler,),
        )
        return (attempt,) if active else (*empty, attempt)

    def _settled(self, step: ir.Step, body: Body, value: Expr) -> tuple[Body, Expr]:
        """Return a branch that never raises, and the record which it ends with."""
        base = step.name.replace(".", "_")
        error, caught = self._name(f"settled_error_{base}"), self._name(f"caught_{base}")
        kept = self._name(f"settled_value_{base}")
        slots = [self._undo[key] for key in _own_slots(body)]
        start = tuple(self._assign(step, "start", name, NOTHING) for name in (error, kept, *slots))
        keep = () if _ends(body) else (self._assign(step, "keep", kept, value),)
        handler = ir.Handler(
            codes=(ir.ANY_ERROR,),
            error=caught,
            body=(self._assign(step, "caught", error, RefExpr(name=caught)),),
        )
        attempt = ir.TryStep(
            name=self._step(f"{step.name}.settle"),
            at=step.at,
            body=(*self.body(body, active=True), *keep),
            handlers=(handler,),
        )
        fields = {name: RefExpr(name=name) for name in slots}
        record = ObjectExpr(
            fields={ERROR: RefExpr(name=error), VALUE: RefExpr(name=kept), **fields}
        )
        return (*start, attempt), record

    def _parallel(self, step: ir.ParallelStep) -> Body:
        branches: list[ir.Branch] = []
        raises: list[ir.Step] = []
        values: list[ir.Step] = []
        for index, branch in enumerate(step.branches):
            settled = self._undo[_slot(step, index)]
            body, record = self._settled(step, branch.body, branch.value)
            branches.append(ir.Branch(body=body, value=record, result=settled))
            raises.append(self._raise_settled(step, settled))
            if branch.result is not None:
                value = KnownExpr(operand=RefExpr(name=settled, path=(VALUE,)))
                values.append(self._assign(step, "value", branch.result, value))
        lowered = step.model_copy(update={"branches": tuple(branches)})
        return (lowered, *raises, *values)

    def _map(self, step: ir.MapStep) -> Body:
        settled = self._undo[step.name]
        body, record = self._settled(step, step.body, step.value)
        lowered = step.model_copy(update={"body": body, "value": record, "result": settled})
        item = self._name(f"item_{settled}")
        # A map settles and raises its first failure: this one does so for what was settled.
        unpack = ir.MapStep(
            name=self._step(f"{step.name}.unpack"),
            at=step.at,
            items=RefExpr(name=settled),
            item=item,
            body=(self._raise_settled(step, item),),
            value=KnownExpr(operand=RefExpr(name=item, path=(VALUE,))),
            result=step.result,
        )
        return (lowered, unpack)

    def _undo_body(self, steps: Body, resolve: Resolve) -> Iterator[ir.Step]:
        """Yield the compensations of a body, in reverse."""
        for step in reversed(steps):
            match step:
                case ir.TaskStep(compensate=ir.CompensateSpec() as spec):
                    yield self._compensation(step, spec, resolve(self._undo[step.name]))
                case ir.ParallelStep():
                    for index, branch in reversed(list(enumerate(step.branches))):
                        if _registers(branch.body):
                            yield self._undo_branch(step, index, branch, resolve)
                case ir.MapStep() if _registers(step.body):
                    yield self._undo_items(step, resolve)
                case _:
                    for body in reversed(ir.bodies(step)):
                        yield from self._undo_body(body, resolve)

    def _compensation(self, step: ir.TaskStep, spec: ir.CompensateSpec, undo: RefExpr) -> ir.Step:
        call = ir.TaskStep(
            name=self._step(f"{step.name}.compensate"),
            at=step.at,
            task=spec.task,
            input={name: _field(undo, name) for name in ("input", "output", "key")},
            retry=spec.retry,
            timeout=spec.timeout,
            compensates=step.name,
        )
        return self._unless_null(step, undo, (call,))

    def _undo_branch(
        self, step: ir.ParallelStep, index: int, branch: ir.Branch, resolve: Resolve
    ) -> ir.Step:
        record = resolve(self._undo[_slot(step, index)])
        inside = tuple(self._undo_body(branch.body, lambda name: _field(record, name)))
        return self._unless_null(step, record, inside)

    def _undo_items(self, step: ir.MapStep, resolve: Resolve) -> ir.Step:
        records = resolve(self._undo[step.name])
        item = self._name(f"undo_item_{step.name.replace('.', '_')}")
        undo = ir.MapStep(
            name=self._step(f"{step.name}.undo"),
            at=step.at,
            items=records,
            item=item,
            body=tuple(self._undo_body(step.body, lambda name: RefExpr(name=item, path=(name,)))),
            concurrency=1,
        )
        return self._unless_null(step, records, (undo,))

    def _unless_null(self, step: ir.Step, value: RefExpr, then: Body) -> ir.Step:
        condition = NotExpr(operand=IsNullExpr(operand=value))
        name = self._step(f"{step.name}.registered")
        return ir.WhenStep(name=name, at=step.at, condition=condition, then=then)

    def _raise_settled(self, step: ir.Step, settled: str) -> ir.Step:
        error = RefExpr(name=settled, path=(ERROR,))
        raised = ir.RaiseStep(name=self._step(f"{step.name}.raise"), at=step.at, error=error)
        return self._unless_null(step, error, (raised,))

    def _raise(self, step: ir.Step, error: str) -> ir.Step:
        name = self._step(f"{step.name}.raise")
        return ir.RaiseStep(name=name, at=step.at, error=RefExpr(name=error))

    def _assign(self, step: ir.Step, what: str, name: str, value: Expr) -> ir.Step:
        return ir.AssignStep(
            name=self._step(f"{step.name}.{what}"), at=step.at, variable=name, value=value
        )

    def _step(self, wanted: str) -> str:
        return _fresh(wanted, self._steps)

    def _name(self, wanted: str) -> str:
        return _fresh(wanted, self._names)


def _fresh(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    taken.add(name)
    return name


def _all_names(steps: Body) -> Iterator[str]:
    for step in ir.walk(steps):
        match step:
            case ir.AssignStep(variable=name):
                yield name
            case ir.TaskStep(result=name) | ir.WaitStep(result=name) | ir.PollStep(result=name):
                yield name or ""
            case ir.MapStep(item=item, result=name):
                yield item
                yield name or ""
            case ir.ParallelStep(branches=branches):
                yield from (branch.result or "" for branch in branches)
            case ir.TryStep(handlers=handlers):
                yield from (handler.error or "" for handler in handlers)
            case _:
                pass


def _slot(step: ir.Step, index: int) -> str:
    return f"{step.name}:{index}"


def _slots(step: ir.Step) -> list[str]:
    """Return the keys of the registrations that a step itself makes in its line of steps."""
    match step:
        case ir.TaskStep(compensate=ir.CompensateSpec()):
            return [step.name]
        case ir.MapStep() if _registers(step.body):
            return [step.name]
        case ir.ParallelStep() if _registers((step,)):
            return [_slot(step, index) for index in range(len(step.branches))]
        case _:
            return []


def _own_slots(steps: Body) -> Iterator[str]:
    """Yield the registrations of a line of steps, those inside branches and items left out."""
    for step in steps:
        yield from _slots(step)
        if not isinstance(step, ir.ParallelStep | ir.MapStep):
            for body in ir.bodies(step):
                yield from _own_slots(body)


def _registers(steps: Body) -> bool:
    """Tell whether a body holds a compensable step."""
    return any(
        isinstance(step, ir.TaskStep) and step.compensate is not None for step in ir.walk(steps)
    )


def _ends(steps: Body) -> bool:
    """Tell whether the end of a body is never reached."""
    for step in steps:
        match step:
            case ir.FailStep() | ir.ReturnStep() | ir.RaiseStep():
                return True
            case ir.WhenStep() | ir.TryStep() | ir.SagaStep():
                if all(_ends(body) for body in ir.bodies(step)):
                    return True
            case _:
                pass
    return False


def _field(of: RefExpr, name: str) -> RefExpr:
    return RefExpr(name=of.name, path=(*of.path, name))
