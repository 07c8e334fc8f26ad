"""What each function may do: statements made from what its service declares, and nothing else.

No statement has `*` as its action. As its resource two have, because AWS knows no other for them:
answering a task token (the token itself, which nobody can guess, is the permission), and sending a
text message to a number, which excludes every topic instead. Ends of names are left open where AWS
adds them itself: executions, log streams, the suffix of a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cartwheel.access import KEEPER
from cartwheel.deadletters import DEAD_LETTERS
from cartwheel.manifest import CollectionSpec, FunctionSpec, Manifest
from cartwheel.ports import Json, JsonObject
from cartwheel.runs import LISTED, RUNS
from cartwheel.unit import OUTBOX_INDEX
from cartwheel_aws._names import Names
from cartwheel_aws.deploy._parts import arn, statement, sub

READ = ["dynamodb:GetItem", "dynamodb:Query"]
WRITE = ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:PutItem"]
SWEEP = ["dynamodb:DeleteItem", "dynamodb:GetItem"]
"""Reading is for a row that another transaction holds: whether our own deletion is done."""
OUTBOX = OUTBOX_INDEX.name
LISTS = (RUNS.name, LISTED.name)
"""The index by which operators list runs; no function does."""
POLL = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
HIDE = ["sqs:ChangeMessageVisibility", "sqs:GetQueueUrl"]
MOST_NAMED = 20
"""Workflows that a role names one by one."""
UNSCOPED = frozenset({"states:SendTaskFailure", "states:SendTaskSuccess"})
"""Actions for which AWS takes no resource but `*`."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Is who mails come from; a mail may be sent as this address or its domain's identity."""

    address: str

    @property
    def identities(self) -> tuple[str, str]:
        """Give the names of the two identities."""
        return self.address, self.address.rpartition("@")[2]


def function_policy(
    function: FunctionSpec,
    manifest: Manifest,
    names: Names,
    collections: Sequence[CollectionSpec],
    sender: Sender | None,
) -> list[Json]:
    """Give the statements of a function's role.

    `collections` are all that the stage has, the adapter's own included, and `function.uses` says
    which of them the function reads and writes.
    """
    uses = function.uses
    found: list[JsonObject] = [_logs(function, names), *_rows(function, collections, names)]
    if "events" in uses.ports:
        found.append(statement(["sns:Publish"], [arn("sns", names.topic)]))
    found += _sends(function, manifest, names)
    found += _consumes(function, names)
    found += _runs(function, manifest, names)
    if uses.secrets:
        secrets: list[Json] = [
            arn("secretsmanager", f"secret:{names.secret(one)}-??????") for one in uses.secrets
        ]
        found.append(statement(["secretsmanager:GetSecretValue"], secrets))
    if "mailer" in uses.ports and sender is not None:
        found.append(
            statement(
                ["ses:SendEmail"], [arn("ses", f"identity/{one}") for one in sender.identities]
            )
        )
    if "sms" in uses.ports:
        # A text message has no resource: everything that is one is left out instead.
        topics = sub("arn:${AWS::Partition}:sns:*:*:*")
        found.append({"Effect": "Allow", "Action": ["sns:Publish"], "NotResource": [topics]})
    return [*found]


def _sends(function: FunctionSpec, manifest: Manifest, names: Names) -> list[JsonObject]:
    """Let a function send to queues, and invoke the functions of direct consumers.

    Each may send to the queue of its own failed calls: Lambda puts them there in its name.
    """
    consumers = {one.queue: one for one in manifest.consumers if one.queue}
    to = [consumers[queue] for queue in function.uses.sends]
    queues: list[Json] = [arn("sqs", names.queue(one.name)) for one in to if not one.direct]
    called = sorted({one.name.partition(".")[0] for one in to if one.direct})
    functions: list[Json] = [arn("lambda", f"function:{names.function(one)}") for one in called]
    found: list[JsonObject] = []
    if queues:
        found.append(statement(["sqs:GetQueueUrl", "sqs:SendMessage"], queues))
    if functions:
        found.append(statement(["lambda:InvokeFunction"], functions))
    if any(one.direct for one in function.consumers):
        failed: list[Json] = [arn("sqs", names.failed_calls(function.name))]
        found.append(statement(["sqs:SendMessage"], failed))
    return found


def _consumes(function: FunctionSpec, names: Names) -> list[JsonObject]:
    """Let Lambda poll the queues as the function, and the function hide what it failed at."""
    queued = [one.name for one in function.consumers if not one.direct]
    polled = [name for one in queued for name in (names.queue(one), names.dead_queue(one))]
    if len(queued) < len(function.consumers):
        polled.append(names.failed_calls(function.name))
    hidden = [names.queue(one) for one in queued]
    return [
        statement(actions, [arn("sqs", name) for name in queues])
        for actions, queues in ((POLL, polled), (HIDE, hidden))
        if queues
    ]


def _logs(function: FunctionSpec, names: Names) -> JsonObject:
    group = names.log_group(function.name)
    return statement(
        ["logs:CreateLogStream", "logs:PutLogEvents"],
        [arn("logs", f"log-group:{group}:log-stream:*")],
    )


def _rows(
    function: FunctionSpec, collections: Sequence[CollectionSpec], names: Names
) -> list[JsonObject]:
    """Let a function read and write rows, and ask the indexes of what it queries.

    Events that a crash left in outboxes are the keeper's: it finds them by their index and takes
    them away, and may change no other row. A dead letter can be put down, and read by operators
    alone: it holds what another service was sent.
    """
    uses = function.uses
    swept = {
        one.name
        for one in collections
        if function.name == KEEPER and OUTBOX in {index.name for index in one.indexes}
    }
    indexes = {
        one.name: [
            index.name
            for index in one.indexes
            if (index.name == OUTBOX) == (one.name in swept) and (one.name, index.name) != LISTS
        ]
        for one in collections
    }
    writes = [name for name in uses.writes if name not in swept]
    granted: list[tuple[list[str], list[str]]] = [
        (READ, [names.table(name) for name in (*uses.reads, *writes)]),
        (WRITE, [names.table(name) for name in writes]),
        (SWEEP, [names.table(name) for name in uses.writes if name in swept]),
        (
            ["dynamodb:Query"],
            [
                f"{names.table(name)}/index/{index}"
                for name in uses.queries
                for index in indexes[name]
            ],
        ),
        (["dynamodb:PutItem"], [names.table(DEAD_LETTERS.name)] if function.consumers else []),
    ]
    return [
        statement(actions, [arn("dynamodb", f"table/{one}") for one in tables])
        for actions, tables in granted
        if tables
    ]


def _runs(function: FunctionSpec, manifest: Manifest, names: Names) -> list[JsonObject]:
    """Let a function start and look at runs, and wake those that wait.

    Machines of earlier definitions are included by the workflow's name: a run keeps its own.
    """
    keeper = function.name == KEEPER
    workflows = [one.name for one in manifest.workflows] if keeper else [*function.uses.runs]
    found: list[JsonObject] = []
    if workflows:
        # A role has room for some names; beyond that all machines of the stage are meant at once.
        few = len(workflows) <= MOST_NAMED
        named = [names.machines(one) for one in workflows] if few else [f"{names.prefix}-*"]
        machines: list[Json] = [arn("states", f"stateMachine:{one}") for one in named]
        executions: list[Json] = [arn("states", f"execution:{one}:*") for one in named]
        found.append(statement(["states:StartExecution"], machines))
        found.append(
            statement(["states:DescribeExecution", "states:GetExecutionHistory"], executions)
        )
        # A task answers Lambda itself; who signals a run, or looks after it, answers its waits.
        found.append(statement(sorted(UNSCOPED), ["*"]))
    return found
