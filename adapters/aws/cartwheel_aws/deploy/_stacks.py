"""One stack of CloudFormation: looked at, brought to rest, changed, deleted."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cartwheel.deployment import DeploymentError, Progress, Step
from cartwheel_aws._calls import code_of
from cartwheel_aws.deploy._clients import message_of
from cartwheel_aws.deploy._progress import Events

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.literals import ChangeSetTypeType
    from mypy_boto3_cloudformation.type_defs import (
        CreateChangeSetInputTypeDef,
        DescribeChangeSetOutputTypeDef,
    )

OURS = "cartwheel-"
"""How the names of our change sets begin."""
GOOD = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
_RESTING = GOOD | {"UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE", "UPDATE_FAILED"}
NEVER_CAME_UP = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"})
_NOTHING = ("didn't contain changes", "no updates are to be performed")


@dataclass(frozen=True, slots=True)
class Pace:
    """Says how often AWS is asked while it works, and how long the application may take to answer.

    Both in seconds.
    """

    poll: float = 2.0
    health: float = 60.0
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Stack:
    """Is a stack as it stands; `at` is RFC 3339 in UTC."""

    id: str
    status: str
    reason: str
    outputs: Mapping[str, str]
    at: str


@dataclass(frozen=True, slots=True)
class Template:
    """Is a template on its way: `body`, or `url` where a body would be too long."""

    body: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Is a change set that can be executed, with what it would do as AWS tells it."""

    id: str
    stack_id: str
    pages: tuple[DescribeChangeSetOutputTypeDef, ...]


@dataclass(frozen=True, slots=True)
class StackDriver:
    """Drives the stack of a name.

    Whatever an interrupted run left is brought to rest before anything else: a stack under review,
    an operation that still goes on, a first creation that failed, a roll back that got stuck.
    """

    client: CloudFormationClient
    name: str
    tags: Mapping[str, str]
    pace: Pace = field(default_factory=Pace)

    def look(self, stack_id: str = "") -> Stack | None:
        """Give the stack as it stands; None when there is none."""
        from botocore.exceptions import ClientError

        try:
            (found,) = self.client.describe_stacks(StackName=stack_id or self.name)["Stacks"]
        except ClientError as error:
            if code_of(error) == "ValidationError" and "does not exist" in message_of(error):
                return None
            raise
        if found["StackStatus"] == "DELETE_COMPLETE":
            return None
        at = found.get("LastUpdatedTime") or found["CreationTime"]
        return Stack(
            id=found["StackId"],
            status=found["StackStatus"],
            reason=found.get("StackStatusReason", ""),
            outputs={o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", [])},
            at=at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        )

    def settle(self, progress: Progress) -> Stack | None:
        """Bring the stack to rest and give it; None when there is none that ever came up.

        Raises DeploymentError when only a person can help.
        """
        stack = self._settled(progress)
        if stack is None:
            return None
        self._forget_change_sets()
        return None if stack.status == "REVIEW_IN_PROGRESS" else stack

    def _settled(self, progress: Progress) -> Stack | None:
        stack = self.look()
        while stack is not None and stack.status != "REVIEW_IN_PROGRESS":
            if stack.status.endswith("_IN_PROGRESS"):
                doing = f"stack {self.name}: waiting for what goes on already ({stack.status})"
                progress(Step("doing", doing))
                stack = self._rest(stack.id, Events(self.client, stack.id, None), progress)
            elif stack.status in _RESTING:
                return stack
            elif stack.status in NEVER_CAME_UP:
                progress(Step("doing", f"stack {self.name}: clearing away a first try that failed"))
                self.delete(progress)
                stack = self.look()
            elif stack.status == "UPDATE_ROLLBACK_FAILED":
                progress(Step("doing", f"stack {self.name}: going on with a roll back that failed"))
                token = _token()
                self.client.continue_update_rollback(StackName=stack.id, ClientRequestToken=token)
                stack = self._rest(stack.id, Events(self.client, stack.id, token), progress)
                if stack is not None and stack.status == "UPDATE_ROLLBACK_FAILED":
                    raise DeploymentError(
                        f"stack {self.name} can't be rolled back: {stack.reason}; mend what it "
                        "names, or have CloudFormation skip it, then run this again"
                    )
            else:
                raise DeploymentError(
                    f"stack {self.name} is in state {stack.status}: {stack.reason}; "
                    + (
                        "`shopctl destroy` tries again"
                        if stack.status == "DELETE_FAILED"
                        else "mend it in CloudFormation, then run this again"
                    )
                )
        return stack

    # Changes.

    def change_set(
        self, template: Template, parameters: Mapping[str, str], *, update: bool
    ) -> ChangeSet | None:
        """Have AWS compare a template with the stack; None when there is nothing to change."""
        kind: ChangeSetTypeType = "UPDATE" if update else "CREATE"
        request: CreateChangeSetInputTypeDef = {
            "StackName": self.name,
            "ChangeSetName": _token(),
            "ChangeSetType": kind,
            "Capabilities": ["CAPABILITY_IAM"],
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()],
        }
        if template.url:
            request["TemplateURL"] = template.url
        else:
            request["TemplateBody"] = template.body
        made = self.client.create_change_set(**request)
        found = ChangeSet(made["Id"], made["StackId"], self._described(made["Id"]))
        first = found.pages[0]
        if first["Status"] != "FAILED":
            return found
        self.client.delete_change_set(ChangeSetName=found.id)
        reason = first.get("StatusReason", "")
        if any(words in reason.lower() for words in _NOTHING):
            return None
        raise DeploymentError(f"stack {self.name}: CloudFormation can't plan this: {reason}")

    def _described(self, change_set: str) -> tuple[DescribeChangeSetOutputTypeDef, ...]:
        while True:
            page = self.client.describe_change_set(
                ChangeSetName=change_set, IncludePropertyValues=True
            )
            if page["Status"] in {"CREATE_COMPLETE", "FAILED"}:
                break
            self.pace.sleep(self.pace.poll)
        pages = [page]
        while after := page.get("NextToken"):
            page = self.client.describe_change_set(
                ChangeSetName=change_set, IncludePropertyValues=True, NextToken=after
            )
            pages.append(page)
        return tuple(pages)

    def execute(self, change: ChangeSet, progress: Progress) -> Stack:
        """Execute a change set and wait; raises DeploymentError with what failed first."""
        token = _token()
        self.client.execute_change_set(
            ChangeSetName=change.id,
            ClientRequestToken=token,
            # What a first try makes goes again with it, even what is kept otherwise: it is empty.
            RetainExceptOnCreate=True,
        )
        events = Events(self.client, change.stack_id, token)
        stack = self._rest(change.stack_id, events, progress)
        if stack is not None and stack.status in GOOD:
            return stack
        why = events.why or (stack.reason if stack else "") or "AWS doesn't say why"
        raise DeploymentError(f"stack {self.name} was not changed: {why}; {self._stands(stack)}")

    def discard(self, change: ChangeSet, *, made_stack: bool) -> None:
        """Take a change set away, and the empty stack that making it has made."""
        self.client.delete_change_set(ChangeSetName=change.id)
        if made_stack:
            stack = self.look(change.stack_id)
            if stack is not None and stack.status == "REVIEW_IN_PROGRESS":
                self._deleted(stack, lambda step: None)

    def _forget_change_sets(self) -> None:
        """Take away the change sets that interrupted runs left."""
        after: str | None = None
        while True:
            page = (
                self.client.list_change_sets(StackName=self.name, NextToken=after)
                if after
                else self.client.list_change_sets(StackName=self.name)
            )
            for one in page["Summaries"]:
                if one["ChangeSetName"].startswith(OURS) and one["ExecutionStatus"] not in {
                    "EXECUTE_COMPLETE",
                    "EXECUTE_IN_PROGRESS",
                }:
                    self.client.delete_change_set(ChangeSetName=one["ChangeSetId"])
            after = page.get("NextToken")
            if not after:
                return

    def delete(self, progress: Progress) -> bool:
        """Delete the stack and wait; tells whether there was one. Raises DeploymentError."""
        stack = self.look()
        while stack is not None and _busy(stack):
            doing = f"stack {self.name}: waiting for what goes on already ({stack.status})"
            progress(Step("doing", doing))
            stack = self._rest(stack.id, Events(self.client, stack.id, None), progress)
        if stack is None:
            return False
        self._deleted(stack, progress)
        return True

    def _deleted(self, stack: Stack, progress: Progress) -> None:
        token = _token()
        self.client.delete_stack(StackName=stack.id, ClientRequestToken=token)
        events = Events(self.client, stack.id, token)
        left = self._rest(stack.id, events, progress)
        if left is not None:
            raise DeploymentError(
                f"stack {self.name} was not deleted: {events.why or left.reason}; "
                f"{self._stands(left)}, "
                "run this again once that is mended"
            )

    def template(self, stack: Stack) -> str | Mapping[str, object]:
        """Give the template that the stack has, as it was sent; JSON comes parsed."""
        found: str | Mapping[str, object] = self.client.get_template(
            StackName=stack.id, TemplateStage="Original"
        )["TemplateBody"]
        return found

    def resources(self, stack: Stack) -> list[tuple[str, str]]:
        """List the stack's resources: type and physical id."""
        pages = self.client.get_paginator("list_stack_resources").paginate(StackName=stack.id)
        return [
            (one["ResourceType"], one.get("PhysicalResourceId", ""))
            for page in pages
            for one in page["StackResourceSummaries"]
        ]

    def _rest(self, stack_id: str, events: Events, progress: Progress) -> Stack | None:
        """Wait until nothing goes on any more, and tell what happens meanwhile."""
        while True:
            # First the state, then the events: so none of the last ones is missed.
            stack = self.look(stack_id)
            events.tell(progress)
            if stack is None or not stack.status.endswith("_IN_PROGRESS"):
                return stack
            if stack.status == "REVIEW_IN_PROGRESS" and not events.token:
                return stack
            self.pace.sleep(self.pace.poll)

    def _stands(self, stack: Stack | None) -> str:
        if stack is None:
            return f"stack {self.name} is gone"
        if stack.status in NEVER_CAME_UP:
            return f"nothing is deployed ({stack.status}), and the next try clears that away"
        if stack.status.endswith("ROLLBACK_COMPLETE"):
            return f"what was deployed before stands as it was ({stack.status})"
        return f"it is in state {stack.status} now"


def _busy(stack: Stack) -> bool:
    return stack.status.endswith("_IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS"


def _token() -> str:
    return f"{OURS}{uuid.uuid4().hex[:16]}"
