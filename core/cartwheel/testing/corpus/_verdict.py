"""How a program was played, and whether that is what it claims."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cartwheel.ports import Json
from cartwheel.testing.corpus._expected import Called, first_difference
from cartwheel.testing.corpus._program import Program
from cartwheel.workflow import Workflow
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._values import mismatch

COMPENSATE = ".compensate"


@dataclass(frozen=True, slots=True)
class Played:
    """Is what came of a program, on whatever it was played."""

    status: str
    output: Json
    code: str | None
    message: str | None
    details: Json
    undone: tuple[tuple[str, str], ...]
    calls: tuple[Called, ...]
    happened: tuple[str, ...]
    in_flight: int
    seconds: float
    accepted: tuple[bool, ...] = ()
    """What the runtime answered to the signals among the program's actions."""
    earlier: tuple[str, ...] = ()
    """How the executions before the last redrive ended."""


def differences(program: Program, played: Played, *, slack: float = 0.0) -> list[str]:
    """List where a play is not what its program claims; `slack` is in seconds, for real clocks."""
    found: list[str] = []
    expected = program.expected

    def same(what: str, seen: object, wanted: object) -> None:
        if seen != wanted:
            found.append(f"{what} is {seen!r}, expected {wanted!r}")

    same("status", played.status, expected.status)
    same("output", played.output, expected.output)
    same("error code", played.code, expected.code)
    if expected.message is not None:
        same("error message", played.message, expected.message)
    if expected.details is not None:
        same("error details", played.details, expected.details)
    same("failed compensations", sorted(played.undone), sorted(expected.undone))
    same("earlier executions", played.earlier, ("failed",) * program.redrives)
    sent = [act for _, act in program.actions if hasattr(act, "accepted")]
    same("accepted signals", played.accepted, tuple(act.accepted for act in sent))
    difference = first_difference(program.calls, played.calls)
    if difference is not None:
        found.append(difference)
    found.extend(_wrong_calls(program.definition.ir, played))
    if program.left is not None:
        same("effects left", left_of(played), sorted(program.left))
    if program.in_flight is not None and played.in_flight > program.in_flight:
        found.append(f"{played.in_flight} calls at once, at most {program.in_flight} expected")
    if program.took is not None:
        low, high = program.took
        if not low - 0.01 <= played.seconds <= high + slack + 0.01:
            found.append(f"took {played.seconds:.2f} s, expected {low} to {high}")
    return found


def _wrong_calls(workflow: Workflow, played: Played) -> list[str]:
    """Report calls of another task than the step's, with another type of input, and a result of
    another type than the workflow's."""
    tasks: dict[str, str] = {}
    for step in ir.walk(workflow.body):
        if isinstance(step, ir.TaskStep | ir.PollStep):
            tasks[step.name] = step.task
        if isinstance(step, ir.TaskStep) and step.compensate is not None:
            tasks[step.name + COMPENSATE] = step.compensate.task
    found: list[str] = []
    for call in played.calls:
        step_name = call.key.partition(":")[0]
        if tasks.get(step_name) != call.task:
            found.append(f"{call} is not the task of its step ({tasks.get(step_name)})")
            continue
        problem = mismatch(call.input, workflow.tasks[call.task].input, "its input")
        if problem is not None:
            found.append(f"{call}: {problem}")
    if played.status == "succeeded":
        problem = mismatch(played.output, workflow.output, "output")
        if problem is not None:
            found.append(problem)
    return found


def left_of(played: Played) -> list[str]:
    """Return the keys whose effects were not undone; an effect is there once, however often."""
    happened = Counter(played.happened)
    undone = {_undone_by(key) for key in happened if COMPENSATE in key}
    return sorted(key for key in happened if COMPENSATE not in key and key not in undone)


def _undone_by(key: str) -> str:
    step, colon, index = key.partition(":")
    return step.removesuffix(COMPENSATE) + colon + index
