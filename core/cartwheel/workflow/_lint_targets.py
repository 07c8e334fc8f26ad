"""The limits of the engines that workflows are compiled to, and the workflows that exceed them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cartwheel.workflow import _ir as ir
from cartwheel.workflow._estimate import (
    ASSUMPTIONS,
    Estimate,
    estimate,
    item_count,
    longest_expression,
)
from cartwheel.workflow._expr import LiteralExpr

KIB = 1024
YEAR = 365 * 86_400

AWS_STATE_BYTES = 256 * KIB
AWS_EVENTS = 25_000
AWS_NAME = 80
AWS_FUNCTION_SECONDS = 900
AWS_INLINE_ITEMS = 40
"""Items of one inline Map under way at once; more wait."""

GCP_BRANCHES = 10
GCP_NESTING = 2
GCP_EXPRESSION = 400
GCP_VARIABLE_BYTES = 512 * KIB
GCP_ARGUMENT_BYTES = 32 * KIB
GCP_STEPS = 100_000
GCP_STEP_ENTRIES = 50
"""Assignments in one assign step, conditions in one switch."""
GCP_SOURCE_BYTES = 128 * KIB
GCP_CALL_SECONDS = 1800
GCP_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")

AZURE_FUNCTION_SECONDS = 600
AZURE_NAME = re.compile(r"^[a-z][a-z0-9_-]{0,127}$")
AZURE_RESULT_BYTES = 4 * KIB * KIB


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A limit that a workflow exceeds: for certain, or by an estimate only."""

    step: ir.Step | None
    code: str
    message: str
    remedy: str
    certain: bool = True


def exceeded(workflow: ir.Workflow, target: str) -> Iterator[Exceeded]:
    """Yield the limits of a target that a checked workflow exceeds."""
    yield from _TARGETS[target](workflow, estimate(workflow))


def _aws(workflow: ir.Workflow, cost: Estimate) -> Iterator[Exceeded]:
    if len(workflow.name) > AWS_NAME or "." in workflow.name:
        message = f"a state machine's name has no '.' and at most {AWS_NAME} characters"
        yield Exceeded(
            None, "name", f"{message}: {workflow.name!r}", "rename the workflow", certain=False
        )
    yield from _over("events", cost.events, AWS_EVENTS, "entries in an execution's history")
    yield from _over("state-size", cost.state_bytes, AWS_STATE_BYTES, "bytes of state")
    yield from _too_long_in_all(workflow)
    for step in ir.walk(workflow.body):
        if len(step.name) > AWS_NAME:
            message = f"a state's name has at most {AWS_NAME} characters, this has {len(step.name)}"
            yield Exceeded(step, "name", message, "shorten it with step=...", certain=False)
        yield from _slow(step, AWS_FUNCTION_SECONDS, "a Lambda function")
        if isinstance(step, ir.MapStep) and (step.concurrency or 0) > AWS_INLINE_ITEMS:
            message = f"an inline Map runs {AWS_INLINE_ITEMS} items at once, not {step.concurrency}"
            yield Exceeded(
                step, "concurrency", message, "lower it; the rest waits anyhow", certain=False
            )
        for code in _codes(workflow, step):
            if code.partition(".")[0] == "States":
                message = f"the code {code!r} is among those that Step Functions keeps for itself"
                yield Exceeded(step, "reserved-code", message, "choose another code")


def _gcp(workflow: ir.Workflow, cost: Estimate) -> Iterator[Exceeded]:
    if not GCP_NAME.match(workflow.name):
        message = "a workflow's name has a letter first, then letters, digits, '_', '-', 64 in all"
        yield Exceeded(
            None, "name", f"{message}: {workflow.name!r}", "rename the workflow", certain=False
        )
    yield from _over("steps", cost.steps, GCP_STEPS, "steps in an execution")
    yield from _over("argument-size", cost.input_bytes, GCP_ARGUMENT_BYTES, "bytes of input")
    yield from _over("variable-size", cost.state_bytes, GCP_VARIABLE_BYTES, "bytes of variables")
    yield from _over("source-size", _source_bytes(workflow), GCP_SOURCE_BYTES, "bytes of source")
    yield from _too_long_in_all(workflow)
    yield from _gcp_nesting(workflow.body, 0)
    for step in ir.walk(workflow.body):
        yield from _slow(step, GCP_CALL_SECONDS, "a call of a workflow")
        if isinstance(step, ir.ParallelStep) and len(step.branches) > GCP_BRANCHES:
            message = f"a parallel has at most {GCP_BRANCHES} branches, this has "
            remedy = "use map_each, or put some branches after the others"
            yield Exceeded(step, "branches", f"{message}{len(step.branches)}", remedy)
        if isinstance(step, ir.TryStep):
            codes = sum(len(handler.codes) for handler in step.handlers)
            if codes > GCP_STEP_ENTRIES:
                message = f"a switch has at most {GCP_STEP_ENTRIES} conditions, the handlers "
                remedy = "catch fewer codes, or * with a when inside"
                yield Exceeded(step, "conditions", f"{message}list {codes} codes", remedy)
        if isinstance(step, ir.SagaStep):
            undone = sum(
                isinstance(inner, ir.TaskStep) and inner.compensate is not None
                for inner in ir.walk(step.body)
            )
            if undone > GCP_STEP_ENTRIES:
                message = f"an assign step sets at most {GCP_STEP_ENTRIES} names, this saga needs "
                remedy = "split the saga into an outer and inner ones"
                yield Exceeded(step, "assignments", f"{message}{undone}", remedy)
        longest = max((longest_expression(expr) for expr in ir.expressions(step)), default=0)
        if longest > GCP_EXPRESSION:
            message = f"an expression has at most {GCP_EXPRESSION} characters, this about {longest}"
            remedy = "let a task decide, or split it by variables"
            yield Exceeded(step, "expression-length", message, remedy, certain=False)


def _azure(workflow: ir.Workflow, cost: Estimate) -> Iterator[Exceeded]:
    if not AZURE_NAME.match(workflow.name):
        message = "a function's name has a small letter first, then small letters, digits, '_', '-'"
        yield Exceeded(
            None, "name", f"{message}: {workflow.name!r}", "rename the workflow", certain=False
        )
    yield from _over("result-size", cost.state_bytes, AZURE_RESULT_BYTES, "bytes of values")
    for step in ir.walk(workflow.body):
        yield from _slow(step, AZURE_FUNCTION_SECONDS, "a function of the consumption plan")


_TARGETS: dict[str, Callable[[ir.Workflow, Estimate], Iterator[Exceeded]]] = {
    "aws": _aws,
    "azure": _azure,
    "gcp": _gcp,
}
TARGETS = tuple(_TARGETS)
"""The targets whose limits are known."""


def _over(code: str, figure: int, limit: int, what: str) -> Iterator[Exceeded]:
    if figure > limit:
        message = f"about {figure:,} {what}, of {limit:,} allowed (assuming {ASSUMPTIONS})"
        remedy = "keep large data in the store and pass its key, or split the workflow"
        yield Exceeded(None, code, message, remedy, certain=False)


def _slow(step: ir.Step, limit: int, what: str) -> Iterator[Exceeded]:
    timeouts: list[int] = []
    if isinstance(step, ir.TaskStep | ir.PollStep) and step.timeout is not None:
        timeouts.append(step.timeout)
    if isinstance(step, ir.TaskStep) and step.compensate and step.compensate.timeout is not None:
        timeouts.append(step.compensate.timeout)
    if timeouts and max(timeouts) > limit:
        message = f"{what} ends after {limit} seconds, the timeout is {max(timeouts)}"
        remedy = "start the work in one task and poll for its end"
        yield Exceeded(step, "task-timeout", message, remedy)


def _codes(workflow: ir.Workflow, step: ir.Step) -> Iterator[str]:
    """Yield the error codes that a step itself may raise."""
    match step:
        case ir.TaskStep(task=task) | ir.PollStep(task=task):
            yield from workflow.tasks[task].errors
        case ir.FailStep(code=code):
            yield code
        case _:
            return


def _gcp_nesting(body: tuple[ir.Step, ...], depth: int) -> Iterator[Exceeded]:
    """Yield the parallels and concurrent maps that lie too deep in others."""
    for step in body:
        branches = isinstance(step, ir.ParallelStep) or (
            isinstance(step, ir.MapStep) and step.concurrency != 1
        )
        inside = depth + branches
        if branches and inside > GCP_NESTING:
            message = f"parallels and maps nest {GCP_NESTING} deep at most, this is number {inside}"
            remedy = "give the inner map concurrency=1, or flatten the lists in a task"
            yield Exceeded(step, "nesting", message, remedy)
            continue
        for inner in ir.bodies(step):
            yield from _gcp_nesting(inner, inside)


def _too_long_in_all(workflow: ir.Workflow) -> Iterator[Exceeded]:
    """Report sleeps and waits that add up to more than a year, after which executions end."""
    total = _seconds(workflow.body)
    if total > YEAR:
        message = f"an execution lasts at most {YEAR} seconds, its pauses add up to {total}"
        remedy = "end the run, and let a schedule start the next one"
        yield Exceeded(None, "duration", message, remedy)


def _seconds(body: tuple[ir.Step, ...]) -> int:
    total = 0
    for step in body:
        inner = [_seconds(each) for each in ir.bodies(step)]
        match step:
            case ir.SleepStep(seconds=LiteralExpr(value=int(seconds))):
                total += seconds
            case ir.WaitStep(timeout=int(timeout)):
                total += timeout
            case ir.PollStep(interval=interval, attempts=attempts):
                total += interval * (attempts - 1)
            case ir.MapStep(concurrency=int(limit), items=items):
                total += max(inner) * -(-item_count(items) // limit)
            case _:
                total += max(inner, default=0)
    return total


def _source_bytes(workflow: ir.Workflow) -> int:
    """Return about how long the source is: as long as our own JSON of the steps without types."""
    data = workflow.model_dump_json(include={"body"}, exclude_defaults=True)
    return len(data.encode("utf-8"))
