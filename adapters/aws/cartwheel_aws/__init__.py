"""The adapter for Amazon Web Services: native parts for an application, and what deploys them.

Names load on first use: a function needs a part of this only, and only that part is with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cartwheel._lazy import attach

if TYPE_CHECKING:
    from cartwheel_aws._executions import StepFunctionsEngine, TaskTokenWakeup, ended_run
    from cartwheel_aws._handler import handler, task_answer
    from cartwheel_aws._http import answer_http
    from cartwheel_aws._http_events import HttpKind, http_kind
    from cartwheel_aws._names import Names, Place
    from cartwheel_aws._outcome import ended
    from cartwheel_aws._store import DynamoStore
    from cartwheel_aws.deploy._package import Package, Packages, packages
    from cartwheel_aws.deploy._tables import table_of
    from cartwheel_aws.machines._check import check
    from cartwheel_aws.machines._compile import compile_workflow, form_of, frame
    from cartwheel_aws.machines._cost import cost

__getattr__, __dir__ = attach(
    __name__,
    {
        "_executions": ("StepFunctionsEngine", "TaskTokenWakeup", "ended_run"),
        "_handler": ("handler", "task_answer"),
        "_http": ("answer_http",),
        "_http_events": ("HttpKind", "http_kind"),
        "_names": ("Names", "Place"),
        "_outcome": ("ended",),
        "_store": ("DynamoStore",),
        "deploy._package": ("Package", "Packages", "packages"),
        "deploy._tables": ("table_of",),
        "machines._check": ("check",),
        "machines._compile": ("compile_workflow", "form_of", "frame"),
        "machines._cost": ("cost",),
    },
)

__all__ = [
    "DynamoStore",
    "HttpKind",
    "Names",
    "Package",
    "Packages",
    "Place",
    "StepFunctionsEngine",
    "TaskTokenWakeup",
    "answer_http",
    "check",
    "compile_workflow",
    "cost",
    "ended",
    "ended_run",
    "form_of",
    "frame",
    "handler",
    "http_kind",
    "packages",
    "table_of",
    "task_answer",
]
