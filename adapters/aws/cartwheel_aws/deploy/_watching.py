"""Looks at what is deployed: what functions wrote, what they answer, what somebody changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, cast

from cartwheel.deployment import DeploymentError, Drift, LogLine
from cartwheel.ports import Json
from cartwheel_aws._calls import code_of
from cartwheel_aws.deploy._clients import DeployClients
from cartwheel_aws.deploy._stacks import Pace, Stack, StackDriver

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackResourceDriftTypeDef

PLATFORM = ("START RequestId:", "END RequestId:", "REPORT RequestId:", "INIT_START ")
"""How the lines begin that Lambda writes itself."""
_LATE = 10_000
"""Milliseconds by which a line may come after others of a later time."""


@dataclass(slots=True)
class Tail:
    """Reads the log groups of functions, oldest lines first and each once."""

    clients: DeployClients
    groups: Sequence[tuple[str, str]]
    """Functions with the names of their groups."""
    pace: Pace

    def lines(self, since: float, *, follow: bool) -> Iterator[LogLine]:
        """Give the lines since an epoch time; goes on for ever with `follow`."""
        start = int(since * 1000)
        seen: dict[str, int] = {}
        while True:
            found = [
                (at, event, LogLine(_rfc3339(at), function, text))
                for function, group in self.groups
                for at, event, text in self._events(group, start)
                if event not in seen
            ]
            for at, event, line in sorted(found, key=itemgetter(0)):
                seen[event] = at
                if not line.text.startswith(PLATFORM):
                    yield line
            if not follow:
                return
            newest = max(seen.values(), default=0)
            start = max(start, newest - _LATE)
            seen = {event: at for event, at in seen.items() if at >= start}
            self.pace.sleep(self.pace.poll)

    def _events(self, group: str, start: int) -> Iterator[tuple[int, str, str]]:
        from botocore.exceptions import ClientError

        pages = self.clients.logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=start
        )
        try:
            for page in pages:
                for event in page["events"]:
                    text = event.get("message", "").rstrip("\n")
                    at = event.get("timestamp", 0)
                    stream = event.get("logStreamName", "")
                    yield at, event.get("eventId") or f"{stream}/{at}/{text}", text
        except ClientError as error:
            # A function that was never called may have no group yet.
            if code_of(error) != "ResourceNotFoundException":
                raise


def call(clients: DeployClients, function: str, event: Json) -> Json:
    """Call a function and give its answer; raises DeploymentError with what it raised."""
    done = clients.functions.invoke(
        FunctionName=function, Payload=json.dumps(event, ensure_ascii=False).encode()
    )
    text = done["Payload"].read().decode("utf-8", "replace")
    try:
        answer: Json = json.loads(text) if text else None
    except ValueError as error:
        raise DeploymentError(f"{function} answered what is no JSON: {text[:200]}") from error
    if done.get("FunctionError"):
        said = cast("dict[str, object]", answer if isinstance(answer, dict) else {})
        kind, message = said.get("errorType", done["FunctionError"]), said.get("errorMessage", text)
        raise DeploymentError(f"{function} failed with {kind}: {message}; see `shopctl logs`")
    return answer


def drift_of(driver: StackDriver, stack: Stack) -> Iterator[Drift]:
    """Have AWS look for what differs from a stack's template, and give it."""
    client = driver.client
    looking = client.detect_stack_drift(StackName=stack.id)["StackDriftDetectionId"]
    while True:
        found = client.describe_stack_drift_detection_status(StackDriftDetectionId=looking)
        if found["DetectionStatus"] != "DETECTION_IN_PROGRESS":
            break
        driver.pace.sleep(driver.pace.poll)
    # A failed detection has looked at what it could; AWS says of which it could not.
    if found["DetectionStatus"] == "DETECTION_FAILED":
        reason = found.get("DetectionStatusReason", "")
        raise DeploymentError(f"stack {driver.name}: AWS could not look for drift: {reason}")
    after: str | None = None
    while True:
        page = (
            client.describe_stack_resource_drifts(
                StackName=stack.id,
                StackResourceDriftStatusFilters=["MODIFIED", "DELETED"],
                NextToken=after,
            )
            if after
            else client.describe_stack_resource_drifts(
                StackName=stack.id, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"]
            )
        )
        for one in page["StackResourceDrifts"]:
            yield _drift(one)
        after = page.get("NextToken")
        if not after:
            return


def _drift(found: StackResourceDriftTypeDef) -> Drift:
    return Drift(
        kind=found["ResourceType"],
        name=found["LogicalResourceId"],
        state="deleted" if found["StackResourceDriftStatus"] == "DELETED" else "modified",
        details=tuple(
            f"{one['PropertyPath'].lstrip('/')}: {one['ExpectedValue']} -> {one['ActualValue']}"
            for one in found.get("PropertyDifferences", [])
        ),
    )


def _rfc3339(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"
