"""Judges the fields of a state: paths, templates, retriers, catchers, and what each type needs."""

from __future__ import annotations

from collections.abc import Iterator

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow._targets import Finding
from cartwheel_aws._errors import ALL
from cartwheel_aws.machines import _grammar as grammar

LONGEST_DELAY = 31_622_400
LONGEST_WAIT = 99_999_999
LONGEST_CAUSE = 32_768
_INVOKE = "arn:aws:states:::lambda:invoke"
_TEMPLATES = ("Parameters", "ResultSelector", "ItemSelector")
_PATHS = ("InputPath", "OutputPath", "ItemsPath", "SecondsPath", "TimestampPath", "Variable")
_COMMON = {"Type", "Comment", "Next", "End"}
_IO = {"InputPath", "OutputPath"}
_DATA = _COMMON | _IO | {"Parameters", "ResultPath"}
_TRIED = _DATA | {"ResultSelector", "Retry", "Catch"}
_FIELDS: dict[str, set[str]] = {
    "Task": _TRIED | {"Resource", "TimeoutSeconds", "HeartbeatSeconds"},
    "Pass": _DATA | {"Result"},
    "Choice": {"Type", "Comment", "Choices", "Default"} | _IO,
    "Wait": _COMMON | _IO | {"Seconds", "Timestamp", "SecondsPath", "TimestampPath"},
    "Parallel": _TRIED | {"Branches"},
    "Map": _TRIED | {"ItemsPath", "ItemSelector", "ItemProcessor", "MaxConcurrency"},
    "Fail": {"Type", "Comment", "Error", "Cause", "ErrorPath", "CausePath"},
    "Succeed": {"Type", "Comment"} | _IO,
}


def check_fields(name: str, state: JsonObject) -> Iterator[Finding]:
    """Yield what is wrong with a state's fields."""
    kind = str(state["Type"])
    for key in sorted(state.keys() - _FIELDS[kind]):
        yield Finding("field", name, f"a {kind} state has no field {key!r}")
    yield from _paths(name, state)
    match kind:
        case "Task":
            yield from _task(name, state)
        case "Wait":
            yield from _wait(name, state)
        case "Fail":
            yield from _fail(name, state)
        case "Choice" if not state.get("Choices"):
            yield Finding("field", name, "it has no Choices")
        case "Parallel" if not state.get("Branches"):
            yield Finding("field", name, "it has no Branches")
        case "Map" if "ItemProcessor" not in state:
            yield Finding("field", name, "it has no ItemProcessor")
        case _:
            pass
    yield from _retry(name, state.get("Retry"))
    yield from _catch(name, state.get("Catch"))


def _paths(name: str, state: JsonObject) -> Iterator[Finding]:
    for key in _TEMPLATES:
        for wrong in _template(state.get(key), many=key == "ResultSelector"):
            yield Finding("expression", name, f"{key}: {wrong}")
    what: str | None
    for key, value in _fields_of(state):
        if key in _PATHS or (key.endswith("Path") and key not in ("ResultPath", *_FAIL_PATHS)):
            what = None if value is None else grammar.wrong_path(str(value))
        elif key == "ResultPath":
            what = None if value is None else grammar.wrong_reference(str(value))
        elif key in _FAIL_PATHS:
            what = grammar.wrong_expression(str(value))
        else:
            continue
        if what is not None:
            yield Finding("path", name, f"{key}: {what}")


_FAIL_PATHS = ("ErrorPath", "CausePath")


def _fields_of(state: JsonObject) -> Iterator[tuple[str, Json]]:
    """Yield the fields of a state, of its rules and of its catchers."""
    yield from state.items()
    todo: list[Json] = [state.get("Choices"), state.get("Catch")]
    while todo:
        one = todo.pop()
        if isinstance(one, list):
            todo.extend(one)
        elif isinstance(one, dict):
            yield from one.items()
            todo.extend(one.get(key) for key in ("And", "Or", "Not"))


def _template(value: Json, *, many: bool) -> Iterator[str]:
    match value:
        case dict():
            for key, inner in value.items():
                if key.endswith(".$"):
                    what = grammar.wrong_expression(str(inner), many=many)
                    if what is not None:
                        yield what
                    if key.removesuffix(".$") in value:
                        yield f"{key!r} and {key.removesuffix('.$')!r} are the same field"
                else:
                    yield from _template(inner, many=many)
        case list():
            for inner in value:
                yield from _template(inner, many=many)
        case _:
            pass


def _task(name: str, state: JsonObject) -> Iterator[Finding]:
    resource = str(state.get("Resource") or "")
    if not resource.startswith(("arn:", "${")):
        yield Finding("resource", name, f"its Resource {resource!r} is no ARN")
    given = state.get("Parameters")
    if resource.startswith(_INVOKE):
        keys = given.keys() if isinstance(given, dict) else set()
        if not {"FunctionName", "FunctionName.$"} & keys:
            yield Finding("function", name, "it invokes no function", "give FunctionName")
    if resource.endswith(".waitForTaskToken") and "$$.Task.Token" not in _texts(given):
        remedy = "pass $$.Task.Token in its Parameters"
        yield Finding("token", name, "nobody learns its token, so it waits for ever", remedy)
    for key in ("TimeoutSeconds", "HeartbeatSeconds"):
        value = state.get(key, 1)
        if not isinstance(value, int) or not 1 <= value <= LONGEST_WAIT:
            yield Finding("number", name, f"{key} must be 1 to {LONGEST_WAIT}, not {value!r}")


def _texts(value: Json) -> set[str]:
    match value:
        case dict():
            return set().union(*map(_texts, value.values())) if value else set()
        case list():
            return set().union(*map(_texts, value)) if value else set()
        case str():
            return {value}
        case _:
            return set()


def _wait(name: str, state: JsonObject) -> Iterator[Finding]:
    keys = [key for key in ("Seconds", "Timestamp", "SecondsPath", "TimestampPath") if key in state]
    if len(keys) != 1:
        yield Finding("field", name, "it needs one of Seconds, Timestamp and their paths")
    seconds = state.get("Seconds", 0)
    if not isinstance(seconds, int) or not 0 <= seconds <= LONGEST_WAIT:
        yield Finding("number", name, f"Seconds must be 0 to {LONGEST_WAIT}, not {seconds!r}")


def _fail(name: str, state: JsonObject) -> Iterator[Finding]:
    for key in ("Error", "Cause"):
        if key in state and f"{key}Path" in state:
            yield Finding("field", name, f"it has both {key} and {key}Path")
    if len(str(state.get("Cause", ""))) > LONGEST_CAUSE:
        yield Finding("size", name, f"its Cause is longer than {LONGEST_CAUSE} characters")
    if str(state.get("Error", "")).startswith("States."):
        yield Finding("error", name, "an error of one's own must not begin with 'States.'")


def _retry(name: str, retriers: Json) -> Iterator[Finding]:
    found = _objects(retriers)
    yield from _errors(name, "Retry", found)
    for one in found:
        for key, low, high in (
            ("IntervalSeconds", 1, LONGEST_WAIT),
            ("MaxAttempts", 0, LONGEST_WAIT),
            ("BackoffRate", 1, LONGEST_WAIT),
            ("MaxDelaySeconds", 1, LONGEST_DELAY),
        ):
            value = one.get(key, low)
            if not isinstance(value, int | float) or not low <= value <= high:
                yield Finding("number", name, f"{key} must be {low} to {high}, not {value!r}")
        interval, delay = one.get("IntervalSeconds", 1), one.get("MaxDelaySeconds")
        if isinstance(delay, int) and isinstance(interval, int) and delay <= interval:
            yield Finding("number", name, "MaxDelaySeconds must be more than IntervalSeconds")
        if one.get("JitterStrategy", "NONE") not in ("FULL", "NONE"):
            yield Finding("field", name, f"there is no jitter {one['JitterStrategy']!r}")


def _catch(name: str, catchers: Json) -> Iterator[Finding]:
    yield from _errors(name, "Catch", _objects(catchers))


def _errors(name: str, key: str, found: list[JsonObject]) -> Iterator[Finding]:
    """Yield what is wrong with the order of error names."""
    seen: set[str] = set()
    for index, one in enumerate(found):
        listed = one.get("ErrorEquals")
        errors = [str(error) for error in listed] if isinstance(listed, list) else []
        if not errors:
            yield Finding("error", name, f"{key}[{index}] lists no errors")
        if ALL in errors and len(errors) > 1:
            yield Finding("error", name, f"{key}[{index}]: {ALL} must stand alone")
        if ALL in errors and index < len(found) - 1:
            yield Finding("error", name, f"{key}[{index}]: {ALL} must be last")
        for error in errors:
            if error in seen:
                yield Finding("error", name, f"{key}[{index}]: {error} is taken by one before")
        seen.update(errors)


def _objects(value: Json) -> list[JsonObject]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
