"""Tasks: what services offer and workflows call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict

from cartwheel.workflow import _ir as ir
from cartwheel.workflow._python_types import UnsupportedType, object_type
from cartwheel.workflow._recorder import Recorder, named, recorder
from cartwheel.workflow._symbol import condition, derive, made, model_fields, refuse, source_line

In_co = TypeVar("In_co", bound=BaseModel, covariant=True)
Out_co = TypeVar("Out_co", covariant=True)
Answer = TypeVar("Answer")
CompensatedIn = TypeVar("CompensatedIn", bound=BaseModel)
CompensatedOut = TypeVar("CompensatedOut", bound=BaseModel)


class Compensation(BaseModel, Generic[CompensatedIn, CompensatedOut]):
    """The input of a compensating task: what the step was given, what came of it, and its key.

    `output` is null when nobody knows whether the step happened.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: CompensatedIn
    output: CompensatedOut | None
    key: str


@dataclass(frozen=True, slots=True)
class Task(Generic[In_co, Out_co]):
    """A unit of work with typed input, output and errors.

    `handler` does the work; calling the task itself inside a workflow function records a step.
    """

    name: str
    handler: Callable[..., Out_co]
    input_model: type[In_co]
    output_model: type[Out_co]
    errors: tuple[str, ...] = ()
    retry: ir.RetryPolicy | None = None
    timeout: int | None = None

    def __call__(
        self,
        *,
        step: str | None = None,
        compensate: Task[BaseModel, object] | None = None,
        retry: ir.RetryPolicy | None = None,
        timeout: int | None = None,
        **input: object,
    ) -> Out_co:
        """Record a step that calls this task, and return what its output will be.

        Fields of the input are given by name. `step` names the step; by default it is the last part
        of the task's name, numbered when taken. `compensate` is the task that undoes the step when
        the saga around it fails. `timeout` is in seconds per try. Raises BuildError.
        """
        current = recorder(f"calling task {self.name!r}")
        spec = self.note(current)
        name = current.step_name(step, self.name.rpartition(".")[2])
        result = current.value_name(name)
        undo = None
        if compensate is not None:
            compensate.note(current)
            undo = made(
                ir.CompensateSpec,
                task=compensate.name,
                retry=compensate.retry or ir.RetryPolicy(),
                timeout=compensate.timeout,
            )
        current.add(
            made(
                ir.TaskStep,
                name=name,
                at=source_line(),
                task=self.name,
                input=model_fields(self.input_model, input),
                retry=retry or self.retry or ir.RetryPolicy(),
                timeout=timeout or self.timeout,
                compensate=undo,
                result=result,
            )
        )
        return cast("Out_co", named(result, spec.output))

    def note(self, current: Recorder) -> ir.TaskSpec:
        """Make the task known to the workflow that is being built."""
        try:
            given = object_type(self.input_model)
        except UnsupportedType as error:
            refuse(f"task {self.name!r}: {error}")
        output = derive(self.output_model, f"the output of task {self.name!r}")
        spec = ir.TaskSpec(input=given, output=output, errors=self.errors)
        current.task(self.name, spec)
        return spec


def poll(
    task: Task[BaseModel, Answer],
    *,
    until: Callable[[Answer], object],
    interval: int,
    attempts: int,
    step: str | None = None,
    retry: ir.RetryPolicy | None = None,
    timeout: int | None = None,
    **input: object,
) -> Answer:
    """Call a task every `interval` seconds until a condition over its output holds.

    After `attempts` calls without it `Timeout` is raised. Each call has its own key and tries.
    """
    current = recorder("poll")
    spec = task.note(current)
    name = current.step_name(step, task.name.rpartition(".")[2])
    result = current.value_name(name)
    answer = cast("Answer", named(result, spec.output))
    current.add(
        made(
            ir.PollStep,
            name=name,
            at=source_line(),
            task=task.name,
            input=model_fields(task.input_model, input),
            retry=retry or task.retry or ir.RetryPolicy(),
            timeout=timeout or task.timeout,
            result=result,
            until=condition(until(answer), "until"),
            interval=interval,
            attempts=attempts,
        )
    )
    return answer
