"""The adapter for Amazon Web Services: native parts for an application, and what deploys them.

Names load on first use: a function needs a part of this only, and only that part is with it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

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

_HOMES = {
    "DynamoStore": "_store",
    "HttpKind": "_http_events",
    "Names": "_names",
    "Package": "deploy._package",
    "Packages": "deploy._package",
    "Place": "_names",
    "StepFunctionsEngine": "_executions",
    "TaskTokenWakeup": "_executions",
    "answer_http": "_http",
    "check": "machines._check",
    "compile_workflow": "machines._compile",
    "cost": "machines._cost",
    "ended": "_outcome",
    "ended_run": "_executions",
    "form_of": "machines._compile",
    "frame": "machines._compile",
    "handler": "_handler",
    "http_kind": "_http_events",
    "packages": "deploy._package",
    "table_of": "deploy._tables",
    "task_answer": "_handler",
}

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


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"cartwheel_aws.{home}"), name)
