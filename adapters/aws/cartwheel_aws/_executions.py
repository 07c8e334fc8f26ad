"""Step Functions as the engine of a `ForeignRuntime`, and as what its waits are woken through.

A definition has a state machine of its own, named by its content hash, so a run keeps the one that
it began with, also when it is redriven. An execution is named after its run and its number, so
starting it twice starts one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar, cast

from cartwheel.ports import ConfigurationError, Json, JsonObject
from cartwheel.runs import Launch, Pause, Seen
from cartwheel.workflow import Err, Outcome
from cartwheel.workflow._effects import Error
from cartwheel_aws._calls import code_of, sdk_errors, unavailable
from cartwheel_aws._handler import task_answer
from cartwheel_aws._names import Place
from cartwheel_aws._outcome import ended

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

T = TypeVar("T")

LONGEST_NAME = 80
LONGEST_INPUT = 256 * 1024
"""Bytes of an execution's input, and of what wakes a wait."""
GONE = frozenset({"InvalidToken", "TaskDoesNotExist", "TaskTimedOut"})
_ALREADY = frozenset({"ExecutionAlreadyExists"})
_UNKNOWN = frozenset({"ExecutionDoesNotExist"})
_MISSING = frozenset({"StateMachineDeleting", "StateMachineDoesNotExist"})
_REFUSED = frozenset(
    {
        "InvalidArn",
        "InvalidExecutionInput",
        "InvalidName",
        "InvalidOutput",
        "StateMachineTypeNotSupported",
        "ValidationException",
    }
)
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_STEP = re.compile(r"[\w.]+")
_PART = re.compile(r"\.(\w+)|\['((?:[^'\\]|\\.)*)'\]|\[(\d+)\]")


def execution_name(run_id: str, number: int) -> str:
    """Name an execution of a run, so that no other execution has the name.

    A run's id that does not fit is hashed; the name then ends in a letter, as no other does.
    """
    name = f"{run_id}-{number}"
    if len(name) <= LONGEST_NAME and _NAME.fullmatch(name):
        return name
    digest = hashlib.sha256(run_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{digest}-{number}h"


def ended_run(event: Json) -> str | None:
    """Name the run of which EventBridge says that an execution has ended, for `note_end`.

    None when the event says of no end, or its run is not to be told: a schedule finds it.
    """
    match event:
        case {"detail-type": "Step Functions Execution Status Change", "detail": detail}:
            pass
        case _:
            return None
    match detail:
        case {"status": "RUNNING" | "PENDING_REDRIVE"}:
            return None
        case {"input": str(text)}:
            given: Json = json.loads(text)
            run_id = given.get("run_id") if isinstance(given, dict) else None
            return run_id if isinstance(run_id, str) else None
        case {"name": str(name)} if name[-1:].isdigit():
            # A long input is left out of the event; the name of most executions tells the run.
            return name.rpartition("-")[0] or None
        case _:
            return None


class StepFunctionsEngine:
    """Executes runs as executions of Step Functions; `forms` are those of the current definitions.

    A run's sleeps are read from its execution's history. For `waiting_for` the newest events are
    read only, so a sleep beside a branch that has made 100 events since is not named.
    """

    def __init__(self, client: SFNClient, place: Place, forms: Mapping[str, JsonObject]) -> None:
        self._client = client
        self._place = place
        self._forms = forms

    def form(self, definition: str) -> JsonObject:
        """Give a current definition's form; see ExecutionEngine."""
        form = self._forms.get(definition)
        if form is None:
            raise ConfigurationError(
                f"definition {definition[:12]} is not one of the {len(self._forms)} that this "
                "function was built with: build and deploy the application as a whole"
            )
        return form

    def start(self, launch: Launch, input: JsonObject) -> None:
        """Start an execution; see ExecutionEngine."""
        own: JsonObject = {"run_id": launch.run_id, "input": input, "execution": launch.number}
        given = _text({**own, **cast("JsonObject", launch.form["frame"])})
        if len(given.encode()) > LONGEST_INPUT:
            raise ValueError(
                f"an execution of Step Functions takes {LONGEST_INPUT} bytes of input, and this "
                f"is {len(given.encode())}: keep large data in the store and pass its key"
            )
        machine = self._place.machine(launch.workflow, launch.definition)
        name = execution_name(launch.run_id, launch.number)
        _called(
            f"starting run '{launch.run_id}'",
            "states:StartExecution",
            lambda: self._client.start_execution(stateMachineArn=machine, name=name, input=given),
            _ALREADY,
        )

    def look(self, launch: Launch) -> Seen | None:
        """See how an execution stands; see ExecutionEngine."""
        arn = self._arn(launch)
        told = _called(
            f"looking at run '{launch.run_id}'",
            "states:DescribeExecution",
            lambda: self._client.describe_execution(executionArn=arn),
            _UNKNOWN,
        )
        if told is None:
            return None
        if "stopDate" not in told or told["status"] in {"RUNNING", "PENDING_REDRIVE"}:
            return Seen()
        parts = (told.get("output"), told.get("error"), told.get("cause"))
        return Seen(ended(told["status"], *parts), told["stopDate"].timestamp())

    def pauses(self, launch: Launch, *, latest: bool) -> Sequence[Pause]:
        """Give an execution's sleeps; see ExecutionEngine."""
        waits = cast("Mapping[str, JsonObject]", launch.form["waits"])
        if not waits:
            return ()
        pauses: dict[int, tuple[str, Pause]] = {}
        for event in self._events(launch, waits, latest=latest):
            if event["type"] == "WaitStateEntered":
                entered = event["stateEnteredEventDetails"]
                name = entered["name"]
                wait = waits.get(name, {})
                until = _until(wait, event["timestamp"], entered.get("input"))
                pauses[event["id"]] = name, Pause(_step(name), until)
            elif event["type"] == "WaitStateExited":
                name = event["stateExitedEventDetails"]["name"]
                place = _entered(pauses, event.get("previousEventId"), name)
                if place is not None:
                    pause = pauses[place][1]
                    fired = event["timestamp"].timestamp()
                    pauses[place] = name, Pause(pause.step, pause.until, fired)
        return tuple(pause for _, pause in pauses.values())

    def _events(
        self, launch: Launch, waits: Mapping[str, JsonObject], *, latest: bool
    ) -> list[HistoryEventTypeDef]:
        """Give events oldest first, with their data where a sleep's length is in it."""
        arn = self._arn(launch)
        data = any("SecondsPath" in wait or "TimestampPath" in wait for wait in waits.values())
        found: list[HistoryEventTypeDef] = []
        token = ""
        while True:
            more = {"nextToken": token} if token else {}
            page = _called(
                f"reading the history of run '{launch.run_id}'",
                "states:GetExecutionHistory",
                lambda more=more: self._client.get_execution_history(  # type: ignore[misc]  # mypy can't infer a lambda's default
                    executionArn=arn,
                    maxResults=100 if latest else 1000,
                    reverseOrder=latest,
                    includeExecutionData=data,
                    **more,
                ),
                _UNKNOWN,
            )
            if page is None:
                return []
            found += page["events"]
            token = page.get("nextToken") or ""
            if latest:
                return found[::-1]
            if not token:
                return found

    def _arn(self, launch: Launch) -> str:
        name = execution_name(launch.run_id, launch.number)
        return self._place.execution(launch.workflow, launch.definition, name)


class TaskTokenWakeup:
    """Wakes the waits of executions through their task tokens."""

    def __init__(self, client: SFNClient) -> None:
        self._client = client

    def wake(self, token: str, outcome: Outcome) -> bool:
        """Wake a wait; see Wakeup."""
        action, arguments = task_answer(token, outcome)
        if len(arguments.get("output", "").encode()) > LONGEST_INPUT:
            message = f"a signal's payload is larger than the {LONGEST_INPUT} bytes that wake a run"
            action, arguments = task_answer(token, Err(Error("Unexpected", message)))
        client = self._client
        send = client.send_task_success if action == "SendTaskSuccess" else client.send_task_failure
        answered = _called("waking a run", f"states:{action}", lambda: send(**arguments), GONE)
        return answered is not None


def _called(
    what: str, permission: str, call: Callable[[], T], expected: frozenset[str]
) -> T | None:
    """Call the API; None for an error that was expected, ours for all others."""
    try:
        return call()
    except sdk_errors() as error:
        code = code_of(error)
        if code in expected:
            return None
        if code in _MISSING:
            raise ConfigurationError(
                f"{what}: {code}; each definition of a workflow has a state machine of its own: "
                "deploy the application, and keep the machines of definitions that still have runs"
            ) from error
        if code in _REFUSED:
            raise ConfigurationError(f"{what}: Step Functions refuses it with {code}") from error
        raise unavailable(error, what, permission) from error


def _entered(
    pauses: Mapping[int, tuple[str, Pause]], previous: int | None, name: str
) -> int | None:
    """Find where a sleep that ended began: the event before, or the first of the name."""
    if previous:
        return previous if previous in pauses else None
    found = (place for place, (of, pause) in pauses.items() if of == name and pause.fired is None)
    return next(found, None)


def _until(wait: JsonObject, began: datetime, given: str | None) -> float:
    """Give when a sleep ends; when it began, if its length is not to be found."""
    seconds, time = wait.get("Seconds"), wait.get("Timestamp")
    data: Json = json.loads(given or "null")
    if "SecondsPath" in wait:
        seconds = _at(data, str(wait["SecondsPath"]))
    if "TimestampPath" in wait:
        time = _at(data, str(wait["TimestampPath"]))
    if isinstance(time, str):
        return datetime.fromisoformat(time).timestamp()
    return began.timestamp() + (seconds if isinstance(seconds, int) else 0)


def _at(data: Json, path: str) -> Json:
    """Read a path as the compiler writes them, `$.a['b c'][0]`."""
    for plain, quoted, index in _PART.findall(path):
        name = plain or re.sub(r"\\(.)", r"\1", quoted)
        if name and isinstance(data, dict):
            data = data.get(name)
        elif index and isinstance(data, list) and int(index) < len(data):
            data = data[int(index)]
        else:
            return None
    return data


def _step(state: str) -> str:
    """Give the step that a state is of: states are named after their steps."""
    found = _STEP.match(state)
    return found[0] if found else state


def _text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
