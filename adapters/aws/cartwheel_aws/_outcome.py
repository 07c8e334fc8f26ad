"""Reads how an execution ended into the document that is the same on every target."""

from __future__ import annotations

import json
from collections.abc import Iterator

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow import _ir as ir
from cartwheel_aws._errors import code_of, message_of


def ended(
    status: str, output: str | None = None, error: str | None = None, cause: str | None = None
) -> JsonObject:
    """Return `{status, output, error, compensation_failures}` of an execution that has ended.

    The arguments are those of DescribeExecution. An execution that failed ends with the error's
    code as its error; its cause is what a function gave, or a document of the machine's own.
    """
    if status == "SUCCEEDED":
        document = _parsed(output)
        found: JsonObject = document if isinstance(document, dict) else {}
        failures = list(_failures(found.get("compensation_failures")))
        return {
            "status": "succeeded",
            "output": found.get("output"),
            "error": None,
            "compensation_failures": [*failures],
        }
    told = _parsed(cause)
    document = told if isinstance(told, dict) else {}
    failures = list(_failures(document.get("compensation_failures")))
    if status == "TIMED_OUT":
        error = "States.Timeout"
    if status == "ABORTED":
        error = error or ir.CANCELLED
    if isinstance(document.get("error"), dict):
        problem: Json = document["error"]
    elif isinstance(document.get("caught"), dict):
        problem = _caught(document["caught"])
    else:
        problem = _caught({"Error": error or "", "Cause": cause or ""})
    code = problem["code"] if isinstance(problem, dict) else ir.UNEXPECTED
    return {
        "status": "cancelled" if code == ir.CANCELLED else "failed",
        "output": None,
        "error": problem,
        "compensation_failures": [*failures],
    }


def _failures(found: Json) -> Iterator[JsonObject]:
    """Yield the compensations that failed, those in branches and items too."""
    match found:
        case {"step": step, "key": key, "caught": caught}:
            if caught is not None:
                yield {"step": step, "key": key, "error": _caught(caught)}
        case {"items": items}:
            inside = items.get("failed") if isinstance(items, dict) else None
            yield from _failures(inside)
        case list():
            for one in found:
                yield from _failures(one)
        case _:
            pass


def _caught(caught: Json) -> JsonObject:
    """Return the error that a catcher's output stands for."""
    if not isinstance(caught, dict):
        return _error(ir.UNEXPECTED, "")
    if isinstance(caught.get("error"), dict):
        known = caught["error"]
        if not isinstance(known, dict):
            raise AssertionError("the generator is at fault")
        return known
    name = str(caught.get("Error") or "")
    text = str(caught.get("Cause") or "")
    code = code_of(name)
    told = _parsed(text)
    error = _parsed(str(told.get("errorMessage"))) if isinstance(told, dict) else None
    if isinstance(error, dict) and error.get("code") == code:
        return error
    return _error(code, text or message_of(code))


def _error(code: str, message: str) -> JsonObject:
    retryable = code in (ir.TIMEOUT, ir.UNAVAILABLE)
    return {"code": code, "message": message, "details": None, "retryable": retryable}


def _parsed(text: str | None) -> Json:
    try:
        parsed: Json = json.loads(text or "")
    except ValueError:
        return None
    return parsed
