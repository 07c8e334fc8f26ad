"""Error names: what the engine calls what the language calls otherwise, and retries by name."""

from __future__ import annotations

import json
from collections.abc import Iterable

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow import _ir as ir

ALL = "States.ALL"
TIMED_OUT = ("States.Timeout", "Sandbox.Timedout")
SERVICE = (
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Runtime.ExitError",
)
"""What the function service raises without having run the function to its end.

A process that is gone in the middle, for lack of memory or with its machine, is no answer either:
what it had done by then is not known, as after a call that timed out.
"""
BROKEN = (
    "Runtime.HandlerNotFound",
    "Runtime.ImportModuleError",
    "Runtime.MarshalError",
    "Runtime.UserCodeSyntaxError",
)
"""What a function raises that never came to its handler's answer."""
FOREIGN = ("States.*", "Lambda.*", "Runtime.*", "Sandbox.*")
"""Patterns of names that no task may declare: the engine's own."""

_ALSO = {ir.TIMEOUT: TIMED_OUT, ir.UNAVAILABLE: SERVICE, ir.UNEXPECTED: BROKEN}
_MESSAGES = {
    ir.TIMEOUT: "the task did not answer in time",
    ir.UNAVAILABLE: "the function service could not run the task",
    ir.UNEXPECTED: "the function failed without an answer",
}


def names_of(codes: Iterable[str]) -> tuple[str, ...]:
    """Return the engine's names for codes, in their order, each once."""
    found: dict[str, None] = {}
    for code in codes:
        found.update(dict.fromkeys((code, *_ALSO.get(code, ()))))
    return tuple(found)


def code_of(name: str) -> str:
    """Return the language's code for a name that the engine reports."""
    for code, names in _ALSO.items():
        if name in names:
            return code
    foreign = any(name.startswith(pattern.removesuffix("*")) for pattern in FOREIGN)
    return ir.UNEXPECTED if foreign or not name else name


def standard(code: str) -> JsonObject:
    """Return what an engine's own error becomes, as if a function had raised the code."""
    error: Json = {
        "code": code,
        "message": _MESSAGES[code],
        "details": None,
        "retryable": code != ir.UNEXPECTED,
    }
    return {"Error": code, "Cause": cause(code, error)}


def cause(code: str, error: Json) -> str:
    """Return the text that a function's error has as its cause."""
    return json.dumps({"errorType": code, "errorMessage": json.dumps(error)})


def message_of(code: str) -> str:
    """Return what is said of an engine's own error."""
    return _MESSAGES.get(code, "")


def retriers(policy: ir.RetryPolicy) -> list[Json]:
    """Return the retriers of a policy; none when there is one try.

    Step Functions waits at least a second before a retry: an interval of nothing becomes one.
    """
    if policy.attempts == 1:
        return []
    longest = policy.interval if policy.cap is None else min(policy.interval, policy.cap)
    retrier: JsonObject = {"IntervalSeconds": max(1, longest), "MaxAttempts": policy.attempts - 1}
    grows = policy.rate > 1 and longest > 0 and (policy.cap is None or policy.cap > longest)
    retrier["BackoffRate"] = policy.rate if grows else 1
    if grows and policy.cap is not None and policy.attempts > 2:
        retrier["MaxDelaySeconds"] = policy.cap
    if policy.jitter:
        retrier["JitterStrategy"] = "FULL"
    if ir.ANY_ERROR in policy.on:
        # The first retrier that lists an error decides, and a cancelled run stays cancelled.
        never: Json = {"ErrorEquals": [ir.CANCELLED], "MaxAttempts": 0}
        return [never, {"ErrorEquals": [ALL], **retrier}]
    codes = [code for code in policy.on if code != ir.CANCELLED]
    return [{"ErrorEquals": list(names_of(codes)), **retrier}] if codes else []
