"""The portable workflow language: a typed surface, frozen data beneath it, and a reference
interpreter.

Names load on first use, so that importing this package costs nothing until a workflow is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cartwheel._lazy import attach

if TYPE_CHECKING:
    from cartwheel.workflow._blocks import (
        CaughtError,
        attempt,
        catch,
        map_each,
        otherwise,
        parallel,
        saga,
        when,
    )
    from cartwheel.workflow._check import check, find_problems
    from cartwheel.workflow._definition import WorkflowDefinition, workflow
    from cartwheel.workflow._diagram import mermaid
    from cartwheel.workflow._diagram_tree import tree
    from cartwheel.workflow._effects import (
        Call,
        CompensationFailure,
        Err,
        Error,
        Leaf,
        Ok,
        Outcome,
        Result,
        Sleep,
        Wait,
    )
    from cartwheel.workflow._execution import Execution
    from cartwheel.workflow._interpreter import Program, compile_program
    from cartwheel.workflow._ir import LANGUAGE_ERRORS, RetryPolicy, Workflow
    from cartwheel.workflow._lint import LintFinding, Severity, lint
    from cartwheel.workflow._lint_targets import TARGETS
    from cartwheel.workflow._lower_saga import lower_saga
    from cartwheel.workflow._problems import BuildError, Problem
    from cartwheel.workflow._python_types import UnsupportedType
    from cartwheel.workflow._surface import (
        Variable,
        and_,
        days,
        fail,
        finish,
        fmt,
        hours,
        is_null,
        length,
        minutes,
        not_,
        or_,
        result,
        seconds,
        sleep,
        variable,
        wait_for,
    )
    from cartwheel.workflow._targets import Compiled, Cost, Finding, Gap, Unsupported
    from cartwheel.workflow._task import Compensation, Task, poll

__getattr__, __dir__ = attach(
    __name__,
    {
        "_blocks": (
            "CaughtError",
            "attempt",
            "catch",
            "map_each",
            "otherwise",
            "parallel",
            "saga",
            "when",
        ),
        "_check": ("check", "find_problems"),
        "_definition": ("WorkflowDefinition", "workflow"),
        "_diagram": ("mermaid",),
        "_diagram_tree": ("tree",),
        "_effects": (
            "Call",
            "CompensationFailure",
            "Err",
            "Error",
            "Leaf",
            "Ok",
            "Outcome",
            "Result",
            "Sleep",
            "Wait",
        ),
        "_execution": ("Execution",),
        "_interpreter": ("Program", "compile_program"),
        "_ir": ("LANGUAGE_ERRORS", "RetryPolicy", "Workflow"),
        "_lint": ("LintFinding", "Severity", "lint"),
        "_lint_targets": ("TARGETS",),
        "_lower_saga": ("lower_saga",),
        "_problems": ("BuildError", "Problem"),
        "_python_types": ("UnsupportedType",),
        "_surface": (
            "Variable",
            "and_",
            "days",
            "fail",
            "finish",
            "fmt",
            "hours",
            "is_null",
            "length",
            "minutes",
            "not_",
            "or_",
            "result",
            "seconds",
            "sleep",
            "variable",
            "wait_for",
        ),
        "_targets": ("Compiled", "Cost", "Finding", "Gap", "Unsupported"),
        "_task": ("Compensation", "Task", "poll"),
    },
)

__all__ = [
    "LANGUAGE_ERRORS",
    "TARGETS",
    "BuildError",
    "Call",
    "CaughtError",
    "Compensation",
    "CompensationFailure",
    "Compiled",
    "Cost",
    "Err",
    "Error",
    "Execution",
    "Finding",
    "Gap",
    "Leaf",
    "LintFinding",
    "Ok",
    "Outcome",
    "Problem",
    "Program",
    "Result",
    "RetryPolicy",
    "Severity",
    "Sleep",
    "Task",
    "Unsupported",
    "UnsupportedType",
    "Variable",
    "Wait",
    "Workflow",
    "WorkflowDefinition",
    "and_",
    "attempt",
    "catch",
    "check",
    "compile_program",
    "days",
    "fail",
    "find_problems",
    "finish",
    "fmt",
    "hours",
    "is_null",
    "length",
    "lint",
    "lower_saga",
    "map_each",
    "mermaid",
    "minutes",
    "not_",
    "or_",
    "otherwise",
    "parallel",
    "poll",
    "result",
    "saga",
    "seconds",
    "sleep",
    "tree",
    "variable",
    "wait_for",
    "when",
    "workflow",
]
