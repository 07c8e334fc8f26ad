"""The intermediate form of a workflow: frozen data with a JSON form, a JSON Schema and a content
hash.

Everything downstream reads this and nothing else: the checker, the interpreter, the lowering
passes, the lint, the diagrams and one generator per engine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from cartwheel.workflow._expr import Expr, LiteralExpr
from cartwheel.workflow._types import Node, ObjectType, Type

TIMEOUT = "Timeout"
UNAVAILABLE = "Unavailable"
UNEXPECTED = "Unexpected"
CANCELLED = "Cancelled"
LANGUAGE_ERRORS = (TIMEOUT, UNAVAILABLE, UNEXPECTED, CANCELLED)
"""The language's own error codes, which no task declares and every handler may name."""

ANY_ERROR = "*"
INPUT = "input"
"""The name under which expressions see the run's input."""

SEGMENT = r"[A-Za-z_][A-Za-z0-9_]*"
StepName = Annotated[str, Field(pattern=rf"^{SEGMENT}(\.{SEGMENT})*$")]
Name = Annotated[str, Field(pattern=rf"^{SEGMENT}$")]
Code = Annotated[str, Field(pattern=rf"^{SEGMENT}(\.{SEGMENT})*$")]
CaughtCode = Annotated[str, Field(pattern=rf"^(\*|{SEGMENT}(\.{SEGMENT})*)$")]
Seconds = Annotated[int, Field(ge=0, le=366 * 86_400, strict=True)]
Positive = Annotated[int, Field(ge=1, le=366 * 86_400, strict=True)]


class RetryPolicy(Node):
    """How often and when a task is tried again.

    `attempts` counts every try, the first included. The wait before try n + 1 is `interval *
    rate**(n - 1)` seconds, at most `cap`; with `jitter` it is a random part of that. `on` lists the
    codes that are retried.
    """

    attempts: Annotated[int, Field(ge=1, le=100, strict=True)] = 3
    interval: Seconds = 1
    rate: Annotated[int, Field(ge=1, le=10, strict=True)] = 2
    cap: Seconds | None = 30
    jitter: bool = True
    on: tuple[CaughtCode, ...] = (UNAVAILABLE, TIMEOUT)

    def delay(self, failures: int) -> int:
        """Return the longest wait in seconds after this many failed tries."""
        limit = 366 * 86_400 if self.cap is None else self.cap
        seconds = self.interval
        for _ in range(failures - 1):
            if seconds >= limit or self.rate == 1:
                break
            seconds *= self.rate
        return min(seconds, limit)


class CompensateSpec(Node):
    """The task that undoes a step; its input is `{input, output, key}` of the step."""

    task: str
    retry: RetryPolicy = RetryPolicy()
    timeout: Positive | None = None


class TaskSpec(Node):
    """What a workflow knows of a task: its types and the error codes that it declares."""

    input: ObjectType
    output: Type
    errors: tuple[Code, ...] = ()


class StepBase(Node):
    """What every step has: a name unique in its workflow, and the source line that made it."""

    name: StepName
    at: str | None = None

    @model_serializer(mode="wrap")
    def _serialize(
        self, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, object]:
        data: dict[str, object] = handler(self)
        if info.context is _CANONICAL:
            data.pop("at", None)
        return data


_CANONICAL = {"canonical": True}


class TaskStep(StepBase):
    """Calls a task. `result` names its output; None drops it.

    `compensates` is set by the saga lowering only: the step then runs under the compensation key of
    the step that it names, is never cancelled, and does not raise: its final failure is recorded
    with the run.
    """

    kind: Literal["task"] = "task"
    task: str
    input: dict[str, Expr] = Field(default_factory=dict)
    retry: RetryPolicy = RetryPolicy()
    timeout: Positive | None = None
    compensate: CompensateSpec | None = None
    result: Name | None = None
    compensates: StepName | None = None


class AssignStep(StepBase):
    """Sets a name to a value; no effect happens.

    `type` widens the name's type beyond the value's.
    """

    kind: Literal["assign"] = "assign"
    variable: Name
    value: Expr
    type: Type | None = None


class WhenStep(StepBase):
    """Runs one of two arms."""

    kind: Literal["when"] = "when"
    condition: Expr
    then: tuple[Step, ...]
    otherwise: tuple[Step, ...] = ()


class Branch(Node):
    """One branch of a parallel:

    its steps, the value that it ends with, and the name which that value gets.
    """

    body: tuple[Step, ...]
    value: Expr = LiteralExpr()
    result: Name | None = None


class ParallelStep(StepBase):
    """Runs branches at once; all settle, then the lowest-numbered failure is raised."""

    kind: Literal["parallel"] = "parallel"
    branches: Annotated[tuple[Branch, ...], Field(min_length=1)]


class MapStep(StepBase):
    """Runs a body for each item of a list; all settle, then the failure of the first failed item
    is raised."""

    kind: Literal["map"] = "map"
    items: Expr
    item: Name
    body: tuple[Step, ...]
    value: Expr = LiteralExpr()
    concurrency: Annotated[int, Field(ge=1, strict=True)] | None = None
    result: Name | None = None


class Handler(Node):
    """What to do about some error codes; `*` is any. `error` names the caught error."""

    codes: Annotated[tuple[CaughtCode, ...], Field(min_length=1)]
    error: Name | None = None
    body: tuple[Step, ...] = ()


class TryStep(StepBase):
    """Runs a body; an error goes to the first handler that lists its code."""

    kind: Literal["try"] = "try"
    body: tuple[Step, ...]
    handlers: Annotated[tuple[Handler, ...], Field(min_length=1)]


class SagaStep(StepBase):
    """Runs a body; an error undoes its compensable steps in reverse order and is then raised
    again."""

    kind: Literal["saga"] = "saga"
    body: tuple[Step, ...]


class SleepStep(StepBase):
    """Sleeps for some seconds, or until a time (RFC 3339); one of the two is set.

    The past does not wait.
    """

    kind: Literal["sleep"] = "sleep"
    seconds: Expr | None = None
    until: Expr | None = None

    @model_validator(mode="after")
    def _has_one_end(self) -> Self:
        if (self.seconds is None) == (self.until is None):
            raise ValueError("a sleep takes either seconds or until")
        return self


class WaitStep(StepBase):
    """Waits for a named signal. Past `timeout` seconds `Timeout` is raised."""

    kind: Literal["wait"] = "wait"
    signal: Name
    payload: Type
    timeout: Positive | None = None
    result: Name | None = None


class PollStep(StepBase):
    """Calls a task again and again until an expression over `result` holds.

    Between two calls lie `interval` seconds. After `attempts` calls `Timeout` is raised. Call n
    (from 0) has the key `<run>:<step>[:<index>]:<n>` and the whole retry policy for itself.
    """

    kind: Literal["poll"] = "poll"
    task: str
    input: dict[str, Expr] = Field(default_factory=dict)
    retry: RetryPolicy = RetryPolicy()
    timeout: Positive | None = None
    result: Name
    until: Expr
    interval: Seconds
    attempts: Annotated[int, Field(ge=1, strict=True)]


class FailStep(StepBase):
    """Raises an error of the workflow's own; uncaught, it ends the run as failed."""

    kind: Literal["fail"] = "fail"
    code: Code
    message: Expr
    details: Expr = LiteralExpr()


class ReturnStep(StepBase):
    """Ends the run as succeeded with a value."""

    kind: Literal["return"] = "return"
    value: Expr = LiteralExpr()


class RaiseStep(StepBase):
    """Raises a caught error again. Made by the saga lowering only."""

    kind: Literal["raise"] = "raise"
    error: Expr


Step = Annotated[
    TaskStep
    | AssignStep
    | WhenStep
    | ParallelStep
    | MapStep
    | TryStep
    | SagaStep
    | SleepStep
    | WaitStep
    | PollStep
    | FailStep
    | ReturnStep
    | RaiseStep,
    Field(discriminator="kind"),
]


class Workflow(Node):
    """A whole workflow: typed input and output, the tasks that it knows, and its steps."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")]
    version: Annotated[str, Field(min_length=1)]
    input: ObjectType
    output: Type
    tasks: dict[str, TaskSpec] = Field(default_factory=dict)
    body: tuple[Step, ...] = ()

    def to_json(self, *, indent: int | None = None) -> str:
        """Return the workflow as JSON text, source lines included."""
        return self.model_dump_json(indent=indent)

    @classmethod
    def from_json(cls, text: str | bytes) -> Workflow:
        """Read a workflow from JSON text; its shape is validated, its meaning is the checker's to
        judge.

        Raises pydantic.ValidationError.
        """
        return cls.model_validate_json(text)

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) of the canonical JSON without source lines: equal hashes behave equally."""
        data = self.model_dump(mode="json", context=_CANONICAL)
        text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()


def bodies(step: Step) -> tuple[tuple[Step, ...], ...]:
    """Return the bodies directly inside a step, in source order."""
    match step:
        case WhenStep(then=then, otherwise=otherwise):
            return (then, otherwise)
        case ParallelStep(branches=branches):
            return tuple(branch.body for branch in branches)
        case TryStep(body=body, handlers=handlers):
            return (body, *(handler.body for handler in handlers))
        case MapStep(body=body) | SagaStep(body=body):
            return (body,)
        case _:
            return ()


def walk(body: tuple[Step, ...]) -> Iterator[Step]:
    """Yield all steps of a body in source order, each before those inside it."""
    for step in body:
        yield step
        for inner in bodies(step):
            yield from walk(inner)


def with_bodies(step: Step, change: Callable[[tuple[Step, ...]], tuple[Step, ...]]) -> Step:
    """Return a step with every body directly inside it changed."""
    match step:
        case WhenStep():
            arms = {"then": change(step.then), "otherwise": change(step.otherwise)}
            return step.model_copy(update=arms)
        case ParallelStep():
            branches = tuple(
                branch.model_copy(update={"body": change(branch.body)}) for branch in step.branches
            )
            return step.model_copy(update={"branches": branches})
        case TryStep():
            handlers = tuple(
                handler.model_copy(update={"body": change(handler.body)})
                for handler in step.handlers
            )
            return step.model_copy(update={"body": change(step.body), "handlers": handlers})
        case MapStep() | SagaStep():
            return step.model_copy(update={"body": change(step.body)})
        case _:
            return step


def expressions(step: Step) -> tuple[Expr, ...]:
    """Return the expressions of a step itself, without those of the steps inside it."""
    match step:
        case TaskStep(input=given):
            return tuple(given.values())
        case PollStep(input=given, until=until):
            return (*given.values(), until)
        case AssignStep(value=value) | ReturnStep(value=value):
            return (value,)
        case WhenStep(condition=condition):
            return (condition,)
        case ParallelStep(branches=branches):
            return tuple(branch.value for branch in branches)
        case MapStep(items=items, value=value):
            return (items, value)
        case SleepStep(seconds=seconds, until=end):
            return tuple(expr for expr in (seconds, end) if expr is not None)
        case FailStep(message=message, details=details):
            return (message, details)
        case RaiseStep(error=error):
            return (error,)
        case TryStep() | SagaStep() | WaitStep():
            return ()
