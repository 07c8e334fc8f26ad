"""What diagrams say about a step, the same in all of them."""

from __future__ import annotations

from cartwheel.workflow import _ir as ir
from cartwheel.workflow._estimate import text_of
from cartwheel.workflow._expr import Expr

LONGEST = 48


def printable(text: str) -> str:
    """Return text for one line: what does not print is written as an escape."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def title(workflow: ir.Workflow) -> str:
    """Name a workflow."""
    return f"{workflow.name} (version {printable(workflow.version)})"


def shown(expr: Expr) -> str:
    """Return an expression for people, cut where it gets long."""
    text = printable(text_of(expr))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def call_title(step: ir.TaskStep | ir.PollStep) -> str:
    """Name a step and its task; the last part of the task's name goes without saying."""
    short = step.task.rpartition(".")[2]
    return step.task if step.name == short else f"{step.name}: {step.task}"


def call_settings(step: ir.TaskStep | ir.PollStep) -> str:
    """Say how often and how long a call is tried."""
    parts: list[str] = []
    if isinstance(step, ir.PollStep):
        every = f"every {step.interval} s, at most {step.attempts} times"
        parts.append(f"until {shown(step.until)}, {every}")
    if step.retry.attempts > 1:
        parts.append(f"{step.retry.attempts} tries")
    if step.timeout is not None:
        parts.append(f"{step.timeout} s each")
    return ", ".join(parts)


def assign_title(step: ir.AssignStep) -> str:
    """Say what an assignment sets."""
    return f"{step.variable} = {shown(step.value)}"


def sleep_title(step: ir.SleepStep) -> str:
    """Say how long a sleep lasts."""
    if step.seconds is not None:
        return f"sleep {shown(step.seconds)} s"
    return f"sleep until {'' if step.until is None else shown(step.until)}"


def wait_title(step: ir.WaitStep) -> str:
    """Say what is waited for, and how long."""
    bound = "" if step.timeout is None else f", at most {step.timeout} s"
    return f"wait for {step.signal}{bound}"


def map_title(step: ir.MapStep) -> str:
    """Say what a map goes over."""
    limit = "" if step.concurrency is None else f", {step.concurrency} at once"
    return f"for each {step.item} in {shown(step.items)}{limit}"


def fail_title(step: ir.FailStep) -> str:
    """Say how the run fails."""
    return f"fail {step.code}"


def return_title(step: ir.ReturnStep) -> str:
    """Say what the run ends with."""
    return f"return {shown(step.value)}"


def codes_title(handler: ir.Handler) -> str:
    """Say which errors a handler takes."""
    return "on " + ("any error" if handler.codes == (ir.ANY_ERROR,) else ", ".join(handler.codes))
