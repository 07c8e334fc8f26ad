"""Bugs as compilers have them, planted into a workflow before or after its sagas are lowered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import LiteralExpr, NotExpr
from cartwheel.workflow._ir import Workflow

Change = Callable[[Workflow], Workflow]
Edit = Callable[[ir.Step], tuple[ir.Step, ...]]


@dataclass(frozen=True, slots=True)
class Bug:
    """Is one planted bug; `lowered` says whether it is planted after the sagas were lowered."""

    name: str
    change: Change
    lowered: bool = False

    def __str__(self) -> str:
        return self.name


def everywhere(edit: Edit) -> Change:
    """Edit every step of a workflow, inner ones first."""

    def body(steps: tuple[ir.Step, ...]) -> tuple[ir.Step, ...]:
        return tuple(new for step in steps for new in edit(ir.with_bodies(step, body)))

    return lambda workflow: workflow.model_copy(update={"body": body(workflow.body)})


def _retry(**update: object) -> Edit:
    def edit(step: ir.Step) -> tuple[ir.Step, ...]:
        if isinstance(step, ir.TaskStep | ir.PollStep):
            retry = step.retry.model_copy(update=update)
            return (step.model_copy(update={"retry": retry}),)
        return (step,)

    return edit


def _one_more_try(step: ir.Step) -> tuple[ir.Step, ...]:
    if isinstance(step, ir.TaskStep):
        return _retry(attempts=step.retry.attempts + 1)(step)
    return (step,)


def _one_try_less(step: ir.Step) -> tuple[ir.Step, ...]:
    if isinstance(step, ir.TaskStep) and step.retry.attempts > 1:
        return _retry(attempts=step.retry.attempts - 1)(step)
    return (step,)


def _first_handler_for_all(step: ir.Step) -> tuple[ir.Step, ...]:
    if isinstance(step, ir.TryStep):
        first = step.handlers[0].model_copy(update={"codes": ("*",)})
        return (step.model_copy(update={"handlers": (first,)}),)
    return (step,)


def _swallowed_branch_error(step: ir.Step) -> tuple[ir.Step, ...]:
    if not isinstance(step, ir.ParallelStep):
        return (step,)
    branches = []
    for number, branch in enumerate(step.branches):
        handler = ir.Handler(codes=("*",))
        caught = ir.TryStep(name=f"{step.name}.c{number}", body=branch.body, handlers=(handler,))
        # A result reads names that may not be set now: leave such branches alone.
        quiet = branch.result is None
        branches.append(branch.model_copy(update={"body": (caught,)}) if quiet else branch)
    return (step.model_copy(update={"branches": tuple(branches)}),)


def _missing_await(step: ir.Step) -> tuple[ir.Step, ...]:
    if isinstance(step, ir.TaskStep) and step.result is None and step.compensate is None:
        return ()
    return (step,)


def _no_timeout(step: ir.Step) -> tuple[ir.Step, ...]:
    if isinstance(step, ir.TaskStep | ir.PollStep | ir.WaitStep):
        return (step.model_copy(update={"timeout": None}),)
    return (step,)


def _refused_is_undone(step: ir.Step) -> tuple[ir.Step, ...]:
    refused = isinstance(step, ir.AssignStep) and step.name.endswith(".refused")
    return () if refused else (step,)


def _no_compensation_retry(step: ir.Step) -> tuple[ir.Step, ...]:
    if isinstance(step, ir.TaskStep) and step.compensates is not None:
        return _retry(attempts=1)(step)
    return (step,)


def _compensations_forward(step: ir.Step) -> tuple[ir.Step, ...]:
    if isinstance(step, ir.TryStep) and step.handlers[0].codes == ("*",):
        handler = step.handlers[0]
        undo = [s for s in handler.body if isinstance(s, ir.WhenStep)]
        rest = [s for s in handler.body if not isinstance(s, ir.WhenStep)]
        changed = handler.model_copy(update={"body": (*undo[::-1], *rest)})
        return (step.model_copy(update={"handlers": (changed, *step.handlers[1:])}),)
    return (step,)


def _no_output_for_compensation(step: ir.Step) -> tuple[ir.Step, ...]:
    done = isinstance(step, ir.AssignStep) and step.name.endswith(".done")
    return () if done else (step,)


def _undone_twice(step: ir.Step) -> tuple[ir.Step, ...]:
    again = isinstance(step, ir.AssignStep) and ".undone" in step.name
    return () if again else (step,)


def _saga_swallows_its_error(step: ir.Step) -> tuple[ir.Step, ...]:
    if isinstance(step, ir.TryStep) and step.name.startswith("saga"):
        handler = step.handlers[0]
        kept = tuple(s for s in handler.body if not isinstance(s, ir.RaiseStep))
        changed = handler.model_copy(update={"body": kept})
        return (step.model_copy(update={"handlers": (changed,)}),)
    return (step,)


def _return_goes_on(step: ir.Step) -> tuple[ir.Step, ...]:
    dropped = isinstance(step, ir.ReturnStep) and step.name != "end"
    return () if dropped else (step,)


def _otherwise_first(step: ir.Step) -> tuple[ir.Step, ...]:
    if isinstance(step, ir.WhenStep) and step.otherwise:
        return (step.model_copy(update={"condition": NotExpr(operand=step.condition)}),)
    return (step,)


def _poll_once_less(step: ir.Step) -> tuple[ir.Step, ...]:
    if isinstance(step, ir.PollStep) and step.attempts > 1:
        return (step.model_copy(update={"attempts": step.attempts - 1}),)
    return (step,)


def _fail_without_details(step: ir.Step) -> tuple[ir.Step, ...]:
    if isinstance(step, ir.FailStep):
        return (step.model_copy(update={"details": LiteralExpr()}),)
    return (step,)


BUGS: tuple[Bug, ...] = (
    Bug("one try more than attempts", everywhere(_one_more_try)),
    Bug("one try less than attempts", everywhere(_one_try_less)),
    Bug("every error is tried again", everywhere(_retry(on=("*",)))),
    Bug("the first handler takes everything", everywhere(_first_handler_for_all)),
    Bug("a branch's error is swallowed", everywhere(_swallowed_branch_error)),
    Bug("a call is never awaited", everywhere(_missing_await)),
    Bug("timeouts are left out", everywhere(_no_timeout)),
    Bug("a refused step is compensated", everywhere(_refused_is_undone), lowered=True),
    Bug("a compensation is tried once", everywhere(_no_compensation_retry), lowered=True),
    Bug("compensations run forward", everywhere(_compensations_forward), lowered=True),
    Bug("a compensation gets no output", everywhere(_no_output_for_compensation), lowered=True),
    Bug("the outer saga undoes again", everywhere(_undone_twice), lowered=True),
    Bug("a saga swallows its error", everywhere(_saga_swallows_its_error), lowered=True),
    Bug("a return goes on", everywhere(_return_goes_on)),
    Bug("a condition is turned round", everywhere(_otherwise_first)),
    Bug("a poll gives up early", everywhere(_poll_once_less)),
    Bug("fail loses its details", everywhere(_fail_without_details)),
)
