"""What happens to a stack, told once and while it happens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from cartwheel.deployment import Progress, Step

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef

STACK = "AWS::CloudFormation::Stack"
_BEGINS = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"})
"""What an operation begins with, as an event of the stack itself."""
_CANCELLED = "cancelled"
"""What CloudFormation says of resources that it gave up because another one had failed."""


@dataclass(slots=True)
class Events:
    """Follows one operation on a stack, told from others by its token.

    Without a token it is the operation that runs already: the one of the newest event.
    """

    client: CloudFormationClient
    stack_id: str
    token: str | None
    failures: list[Step] = field(default_factory=list)
    reason: str = ""
    """Why the stack as a whole failed."""
    _seen: set[str] = field(default_factory=set)

    def tell(self, progress: Progress) -> None:
        """Tell what is new, oldest first."""
        for event in reversed(self._new()):
            step = step_of(event)
            if step is None:
                self._note(event)
                continue
            if step.state == "failed":
                self.failures.append(step)
            progress(step)

    @property
    def why(self) -> str:
        """Say what failed first, and why; empty when nothing did."""
        step = self.first_failure
        if step is not None:
            return f"{step.kind} {step.what}: {step.reason}"
        if "DescribeEvents" in self.reason:
            return self._invalid() or self.reason
        return self.reason

    def _invalid(self) -> str:
        """Say what AWS found wrong before it began."""
        found = self.client.describe_events(StackName=self.stack_id)["OperationEvents"]
        return "; ".join(
            f"{one.get('ResourceType', '')} {one.get('LogicalResourceId', '')}: "
            f"{one['ValidationStatusReason']}"
            for one in found
            if one.get("ValidationStatusReason")
        )

    def _note(self, event: StackEventTypeDef) -> None:
        status = event.get("ResourceStatus", "")
        if not self.reason and ("ROLLBACK" in status or status.endswith("_FAILED")):
            self.reason = event.get("ResourceStatusReason", "")

    @property
    def first_failure(self) -> Step | None:
        """Give what failed first by itself; what was given up because of it comes after."""
        own = [step for step in self.failures if _CANCELLED not in step.reason.lower()]
        return next(iter(own or self.failures), None)

    def _new(self) -> list[StackEventTypeDef]:
        found: list[StackEventTypeDef] = []
        after: str | None = None
        while True:
            page = (
                self.client.describe_stack_events(StackName=self.stack_id, NextToken=after)
                if after
                else self.client.describe_stack_events(StackName=self.stack_id)
            )
            for event in page["StackEvents"]:
                token = event.get("ClientRequestToken")
                if self.token is None and token:
                    self.token = token
                # The newest come first: what is before the operation is nobody's concern.
                if event["EventId"] in self._seen or token != self.token:
                    return self._taken(found)
                found.append(event)
                if _own(event) and event.get("ResourceStatus") in _BEGINS:
                    return self._taken(found)
            after = page.get("NextToken")
            if not after:
                return self._taken(found)

    def _taken(self, found: list[StackEventTypeDef]) -> list[StackEventTypeDef]:
        self._seen.update(event["EventId"] for event in found)
        return found


def _own(event: StackEventTypeDef) -> bool:
    """Tell whether an event is of the stack itself."""
    kind, what = event.get("ResourceType"), event.get("PhysicalResourceId")
    return kind == STACK and what == event["StackId"]


def step_of(event: StackEventTypeDef) -> Step | None:
    """Give the step that an event of a resource is.

    None for those of the stack itself, and for a resource that is left as it is.
    """
    kind, status = event.get("ResourceType", ""), event.get("ResourceStatus", "")
    if _own(event) or status.endswith("_SKIPPED"):
        return None
    return Step(
        state=_state(status),
        what=event.get("LogicalResourceId", ""),
        kind=kind,
        reason=event.get("ResourceStatusReason", "") if status.endswith("_FAILED") else "",
        action=_action(status),
    )


def _state(status: str) -> Literal["doing", "done", "failed"]:
    if status.endswith("_FAILED"):
        return "failed"
    return "done" if status.endswith("_COMPLETE") else "doing"


def _action(status: str) -> Literal["add", "change", "remove", "back"]:
    if "ROLLBACK" in status:
        return "back"
    match status.partition("_")[0]:
        case "CREATE" | "IMPORT":
            return "add"
        case "DELETE":
            return "remove"
        case _:
            return "change"
