"""Looks at a workflow before a deployment does: general advice, and the limits of each target.

Figures of the limits are those that the providers document; what depends on a run's data is
estimated, under the assumptions of `_estimate`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from cartwheel.ports import ConfigurationError
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._check import find_problems
from cartwheel.workflow._expr import RefExpr, walk_expr
from cartwheel.workflow._lint_targets import TARGETS, exceeded
from cartwheel.workflow._types import NullType


class Severity(StrEnum):
    """Says how much a finding matters."""

    ERROR = "error"
    """It does not work."""
    WARNING = "warning"
    """It works until it does not."""
    ADVICE = "advice"
    """It could be better."""


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One remark on a workflow; without a `target` it holds wherever the workflow runs."""

    step: str | None
    at: str | None
    target: str | None
    code: str
    severity: Severity
    message: str
    remedy: str

    def __str__(self) -> str:
        where = "" if self.at is None else f"{self.at}: "
        step = "" if self.step is None else f" step {self.step!r}:"
        target = "" if self.target is None else f" on {self.target}:"
        tail = f"; {self.remedy}" if self.remedy else ""
        return f"{where}{self.severity} {self.code}:{target}{step} {self.message}{tail}"


def lint(workflow: ir.Workflow, target: str | None = None) -> tuple[LintFinding, ...]:
    """Return all findings about a workflow: on one target, or on all of them.

    A workflow that does not build is reported as errors, and judged no further. Raises
    ConfigurationError for an unknown target.
    """
    if target is not None and target not in TARGETS:
        known = ", ".join(TARGETS)
        raise ConfigurationError(f"there is no target {target!r} to lint for; there are: {known}")
    problems = find_problems(workflow)
    if problems:
        return tuple(
            LintFinding(
                problem.step,
                problem.at,
                None,
                "does-not-build",
                Severity.ERROR,
                problem.what,
                "; ".join(part for part in (problem.exists, problem.remedy) if part),
            )
            for problem in problems
        )
    findings = [*_advice(workflow)]
    for name in TARGETS if target is None else (target,):
        for limit in exceeded(workflow, name):
            step = limit.step
            findings.append(
                LintFinding(
                    None if step is None else step.name,
                    None if step is None else step.at,
                    name,
                    limit.code,
                    Severity.ERROR if limit.certain else Severity.WARNING,
                    limit.message,
                    limit.remedy,
                )
            )
    return tuple(dict.fromkeys(findings))


def _advice(workflow: ir.Workflow) -> Iterator[LintFinding]:
    compensated = {
        step.task: step.compensate.task
        for step in ir.walk(workflow.body)
        if isinstance(step, ir.TaskStep) and step.compensate is not None
    }
    undoing = set(compensated.values())
    yield from _unused(workflow)
    for step, in_saga in _with_sagas(workflow.body, in_saga=False):
        match step:
            case ir.TaskStep():
                yield from _call(step)
                if in_saga and step.compensate is None and step.compensates is None:
                    undo = compensated.get(step.task)
                    if undo is not None and step.task not in undoing:
                        yield _find(
                            step,
                            "not-compensated",
                            Severity.WARNING,
                            f"task {step.task!r} is undone by {undo!r} elsewhere, but not here",
                            f"give it compensate={undo} if it has to be undone here too",
                        )
            case ir.PollStep():
                yield from _call(step)
                if step.interval == 0 and step.attempts > 1:
                    yield _find(
                        step,
                        "poll-without-pause",
                        Severity.WARNING,
                        f"{step.attempts} calls follow each other without a pause",
                        "give it an interval of some seconds",
                    )
            case ir.WaitStep(timeout=None):
                yield _find(
                    step,
                    "wait-without-end",
                    Severity.WARNING,
                    f"a run whose signal {step.signal!r} never comes waits for ever",
                    "give it a timeout, and catch Timeout",
                )
            case ir.SagaStep() if not _compensates(step.body):
                yield _find(
                    step,
                    "saga-without-compensation",
                    Severity.WARNING,
                    "no step inside can be undone",
                    "give the steps that have an effect compensate=, or remove the saga",
                )
            case ir.TryStep():
                yield from _swallowed(step)
            case _:
                pass


def _find(
    step: ir.Step | None, code: str, severity: Severity, message: str, remedy: str
) -> LintFinding:
    name, at = (None, None) if step is None else (step.name, step.at)
    return LintFinding(name, at, None, code, severity, message, remedy)


def _with_sagas(body: tuple[ir.Step, ...], *, in_saga: bool) -> Iterator[tuple[ir.Step, bool]]:
    """Yield all steps in order, each with whether a saga is around it."""
    for step in body:
        yield step, in_saga
        for inner in ir.bodies(step):
            yield from _with_sagas(inner, in_saga=in_saga or isinstance(step, ir.SagaStep))


def _compensates(body: tuple[ir.Step, ...]) -> bool:
    return any(
        isinstance(step, ir.TaskStep) and step.compensate is not None for step in ir.walk(body)
    )


def _call(step: ir.TaskStep | ir.PollStep) -> Iterator[LintFinding]:
    if step.timeout is None:
        yield _find(
            step,
            "no-timeout",
            Severity.ADVICE,
            f"task {step.task!r} has no timeout: only its platform ends a call that hangs",
            "give the task or this step a timeout",
        )
    careless = sorted({ir.UNEXPECTED, ir.ANY_ERROR} & set(step.retry.on))
    if careless and step.retry.attempts > 1:
        yield _find(
            step,
            "retries-bugs",
            Severity.ADVICE,
            f"the retry on {', '.join(careless)} repeats calls that fail by a bug",
            "list the codes that may pass by themselves: Unavailable, Timeout",
        )
    longest = sum(step.retry.delay(failures) for failures in range(1, step.retry.attempts))
    if longest > 3600:
        yield _find(
            step,
            "long-retry",
            Severity.ADVICE,
            f"the tries of {step.task!r} may go on for {longest} seconds",
            "give the policy a cap or fewer attempts",
        )
    undo = step.compensate if isinstance(step, ir.TaskStep) else None
    if undo is not None and undo.retry.attempts == 1:
        yield _find(
            step,
            "compensation-without-retry",
            Severity.WARNING,
            f"the compensation {undo.task!r} is tried once; then somebody has to undo it",
            "give the compensating task a retry policy",
        )


def _swallowed(step: ir.TryStep) -> Iterator[LintFinding]:
    for handler in step.handlers:
        if ir.ANY_ERROR in handler.codes and not handler.body:
            yield _find(
                step,
                "swallowed-error",
                Severity.ADVICE,
                "every error, bugs and cancellation included, is caught and forgotten",
                "catch the codes that are expected, or do something about the error",
            )


def _unused(workflow: ir.Workflow) -> Iterator[LintFinding]:
    """Report names and input fields that nothing reads."""
    steps = list(ir.walk(workflow.body))
    refs = [
        part
        for step in steps
        for expr in ir.expressions(step)
        for part in walk_expr(expr)
        if isinstance(part, RefExpr)
    ]
    read = {ref.name for ref in refs}
    for step in steps:
        for name in _sets(step):
            if name not in read:
                yield _find(
                    step,
                    "unused-result",
                    Severity.ADVICE,
                    f"the value {name!r} is never read, but carried through the run",
                    "drop it",
                )
    whole = any(ref.name == ir.INPUT and not ref.path for ref in refs)
    if whole:
        return
    fields = {ref.path[0] for ref in refs if ref.name == ir.INPUT and ref.path}
    for name, of in workflow.input.fields.items():
        if name not in fields and not isinstance(of, NullType):
            yield _find(
                None,
                "unused-input",
                Severity.ADVICE,
                f"the input's field {name!r} is never read",
                "remove it from the input, or use it",
            )


def _sets(step: ir.Step) -> tuple[str, ...]:
    match step:
        case ir.AssignStep(variable=name):
            return (name,)
        case (
            ir.TaskStep(result=str(name))
            | ir.WaitStep(result=str(name))
            | ir.MapStep(result=str(name))
        ):
            return (name,)
        case ir.ParallelStep(branches=branches):
            return tuple(branch.result for branch in branches if branch.result is not None)
        case _:
            return ()
