"""The function that answers a machine's invocations: what a deployed handler calls."""

from __future__ import annotations

import json
from collections.abc import Callable

from cartwheel.ports import Json
from cartwheel.runs import Invocations, task_error
from cartwheel.workflow import Ok, Outcome
from cartwheel.workflow._effects import Error
from cartwheel_aws._errors import cause


def handler(invocations: Invocations) -> Callable[[Json, object], Json]:
    """Return a Lambda handler over a function's invocations.

    It returns the task's output, or raises an exception that is named as the error's code: that is
    how Retry and Catch know it.
    """

    def handle(event: Json, context: object) -> Json:
        outcome = invocations.handle(event)
        if isinstance(outcome, Ok):
            return outcome.value
        raise task_error(outcome.error)

    return handle


def task_answer(token: str, outcome: Outcome) -> tuple[str, dict[str, str]]:
    """Return the call that wakes a wait: its name in the Step Functions API, and its arguments."""
    if isinstance(outcome, Ok):
        return "SendTaskSuccess", {"taskToken": token, "output": json.dumps(outcome.value)}
    error: Error = outcome.error
    told: Json = dict(error.to_json())
    return "SendTaskFailure", {
        "taskToken": token,
        "error": error.code,
        "cause": cause(error.code, told),
    }
