"""The @workflow decorator and what it makes."""

from __future__ import annotations

import inspect
import sys
import threading
import typing
from collections.abc import Callable
from pathlib import PurePath
from types import CodeType
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from pydantic import BaseModel

from cartwheel.workflow._expr import ObjectExpr
from cartwheel.workflow._ir import INPUT, AssignStep, ReturnStep, Workflow
from cartwheel.workflow._recorder import Recorder, named, recorder, recording
from cartwheel.workflow._symbol import (
    derive,
    expression,
    model_fields,
    refuse,
    source_line,
)
from cartwheel.workflow._types import ObjectType, Type

if TYPE_CHECKING:
    from cartwheel.workflow._interpreter import Program

In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out")


class WorkflowDefinition(Generic[In, Out]):
    """A workflow written in Python; it is built on first use, once."""

    def __init__(
        self,
        name: str,
        version: str,
        function: Callable[[In], Out],
        input_model: type[In],
        output_model: type[Out],
    ) -> None:
        self.name = name
        self.version = version
        self.function = function
        self.input_model = input_model
        self.output_model = output_model
        self.__name__ = name
        self.__doc__ = function.__doc__
        self.checked = False
        """Whether it was checked where the application was built, so that here it need not be."""
        self._lock = threading.Lock()
        self._ir: Workflow | None = None
        self._program: Program | None = None

    def __repr__(self) -> str:
        return f"<workflow {self.name} version {self.version}>"

    @property
    def ir(self) -> Workflow:
        """The workflow as data; raises BuildError with all problems."""
        if self._ir is None:
            with self._lock:
                if self._ir is None:
                    self._ir = self._build()
        return self._ir

    @property
    def program(self) -> Program:
        """The workflow compiled for the interpreter; raises BuildError."""
        if self._program is None:
            from cartwheel.workflow._interpreter import compile_program

            self._program = compile_program(self.ir)
        return self._program

    def __call__(self, *, step: str | None = None, **input: object) -> Out:
        """Put this workflow's steps into the one that is being built, under a prefix.

        The prefix is `step`, or the workflow's name. Fields of the input are given by name.
        """
        current = recorder(f"calling workflow {self.name!r}")
        at = source_line()
        given, _ = self._types()
        prefix = current.step_name(step, self.name.replace(".", "_").replace("-", "_"))
        name = current.value_name(f"{prefix}_input")
        current.add(
            AssignStep(
                name=current.step_name(f"{prefix.rpartition('.')[2]}.input", "input"),
                at=at,
                variable=name,
                value=ObjectExpr(fields=model_fields(self.input_model, input)),
                type=given,
            )
        )
        outer, current.prefix = current.prefix, f"{prefix}."
        try:
            return self.function(cast("In", named(name, given)))
        finally:
            current.prefix = outer

    def _types(self) -> tuple[ObjectType, Type]:
        given = derive(self.input_model, f"the input of workflow {self.name!r}")
        output = derive(self.output_model, f"the result of workflow {self.name!r}")
        if not isinstance(given, ObjectType):
            refuse(f"the input of workflow {self.name!r} is no model")
        return given, output

    def _build(self) -> Workflow:
        given, output = self._types()
        with recording(Recorder(self.name)) as current:
            value = self.function(cast("In", named(INPUT, given)))
            if value is not None:
                name, at = current.step_name(None, "end"), _last_line(self.function)
                current.add(ReturnStep(name=name, at=at, value=expression(value)))
            workflow = current.finish(self.version, given, output)
        if not self.checked:
            from cartwheel.workflow._check import check

            check(workflow)
        return workflow


def _last_line(function: Callable[..., object]) -> str | None:
    """Return `file.py:LINE` of a function's end, where it returns its value."""
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return None
    lines = [line for _, _, line in code.co_lines() if line is not None]
    return f"{PurePath(code.co_filename).name}:{max(lines)}"


def workflow(
    name: str, *, version: str
) -> Callable[[Callable[[In], Out]], WorkflowDefinition[In, Out]]:
    """Make a function of one model a workflow. The function runs once, with symbolic values."""
    caller = sys._getframe(1)
    names = {**caller.f_locals}

    def define(function: Callable[[In], Out]) -> WorkflowDefinition[In, Out]:
        parameters = list(inspect.signature(function).parameters)
        try:
            hints = typing.get_type_hints(function, localns=names, include_extras=True)
        except NameError as error:
            remedy = "define the models before the workflow"
            refuse(f"workflow {name!r} names a type that is not defined: {error}", remedy=remedy)
        if len(parameters) != 1 or parameters[0] not in hints or "return" not in hints:
            remedy = "write def name(cmd: InputModel) -> ResultModel: (or -> None)"
            refuse(
                f"workflow {name!r} must take one typed argument and have a result type",
                remedy=remedy,
            )
        given, output = hints[parameters[0]], hints["return"]
        if not (isinstance(given, type) and issubclass(given, BaseModel)):
            refuse(f"the input of workflow {name!r} is no pydantic model", remedy="make it one")
        return WorkflowDefinition(
            name, version, function, cast("type[In]", given), cast("type[Out]", output)
        )

    return define
