"""What the generator asks about steps: who writes and reads names, and what can fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TypeAlias

from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import Expr, LiteralExpr, RefExpr, walk_expr

Body: TypeAlias = tuple[ir.Step, ...]


def frame_steps(body: Body) -> list[ir.Step]:
    """Give the steps of a line in source order, without those of branches and items."""
    found: list[ir.Step] = []
    for step in body:
        found.append(step)
        if not isinstance(step, ir.ParallelStep | ir.MapStep):
            for inner in ir.bodies(step):
                found.extend(frame_steps(inner))
    return found


def writes(step: ir.Step) -> list[str]:
    """Give the names that a step itself sets in its line."""
    match step:
        case ir.AssignStep(variable=name):
            return [name]
        case ir.TaskStep(result=name) | ir.WaitStep(result=name) | ir.MapStep(result=name):
            return [] if name is None else [name]
        case ir.PollStep(result=name):
            return [name]
        case ir.ParallelStep(branches=branches):
            return [branch.result for branch in branches if branch.result is not None]
        case ir.TryStep(handlers=handlers):
            return [handler.error for handler in handlers if handler.error is not None]
        case _:
            return []


def reads(body: Body) -> Counter[str]:
    """Count the references to each name in a body, branches and items included."""
    return Counter(name for step in ir.walk(body) for name in names_in(*ir.expressions(step)))


def names_in(*exprs: Expr) -> list[str]:
    """Give the names that expressions refer to."""
    return [part.name for expr in exprs for part in walk_expr(expr) if isinstance(part, RefExpr)]


def is_null(expr: Expr) -> bool:
    """Tell whether an expression is the constant null."""
    return isinstance(expr, LiteralExpr) and expr.value is None


def first_nulls(body: Body) -> frozenset[str]:
    """Give the steps that set a name of their line to null before anything else does.

    Their names begin as null, together, in one step.
    """
    seen: set[str] = set()
    found: set[str] = set()
    for step in frame_steps(body):
        if isinstance(step, ir.AssignStep) and step.variable not in seen and is_null(step.value):
            found.add(step.name)
        seen.update(writes(step))
    return frozenset(found)


def escaping(body: Body) -> set[str]:
    """Give the names that a handler sets and steps outside it read.

    A variable made inside an except block is gone after it, so these must exist before.
    """
    everywhere = reads(body)
    found: set[str] = set()
    for step in frame_steps(body):
        if isinstance(step, ir.TryStep):
            for handler in step.handlers:
                inside = reads(handler.body)
                for written in (n for s in frame_steps(handler.body) for n in writes(s)):
                    if everywhere[written] > inside[written]:
                        found.add(written)
    return found


def can_raise(body: Iterable[ir.Step]) -> bool:
    """Tell whether steps may raise an error to what is around them."""
    return any(_can_raise(step) for step in body)


def _can_raise(step: ir.Step) -> bool:
    match step:
        case ir.TaskStep(compensates=compensates):
            return compensates is None
        case ir.AssignStep() | ir.ReturnStep():
            return False
        case ir.SleepStep(until=until):
            return until is not None
        case ir.TryStep(handlers=handlers):
            whole = any(ir.ANY_ERROR in handler.codes for handler in handlers)
            inside = not whole and can_raise(step.body)
            return inside or any(can_raise(handler.body) for handler in handlers)
        case ir.WhenStep() | ir.ParallelStep() | ir.MapStep() | ir.SagaStep():
            return any(can_raise(inner) for inner in ir.bodies(step))
        case _:
            return True


def is_pure(body: Body) -> bool:
    """Tell whether steps only compute: no call, no waiting."""
    waiting = ir.TaskStep | ir.SleepStep | ir.WaitStep | ir.PollStep
    return not any(isinstance(step, waiting) for step in ir.walk(body))


def compensates(body: Body) -> bool:
    """Tell whether some step of a body, however deep, undoes another."""
    return any(
        isinstance(step, ir.TaskStep) and step.compensates is not None for step in ir.walk(body)
    )


def ends(body: Body) -> bool:
    """Tell whether the end of a body is never reached."""
    for step in body:
        match step:
            case ir.FailStep() | ir.ReturnStep() | ir.RaiseStep():
                return True
            case ir.WhenStep() | ir.TryStep():
                if all(ends(inner) for inner in ir.bodies(step)):
                    return True
            case _:
                pass
    return False
