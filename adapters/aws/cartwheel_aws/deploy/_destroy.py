"""Takes a stage away: its stacks, and what stacks leave because it is to outlive them.

Touched is only what a stack of ours holds, or what has both our name and our tag.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from cartwheel.deployment import Progress, Removed, Step
from cartwheel_aws._calls import code_of
from cartwheel_aws._names import Names
from cartwheel_aws.deploy._clients import DeployClients
from cartwheel_aws.deploy._parts import TAG
from cartwheel_aws.deploy._records import Bucket
from cartwheel_aws.deploy._stacks import Pace, StackDriver

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.type_defs import ListSecretsResponseTypeDef

MACHINE = "AWS::StepFunctions::StateMachine"
LOGS = "AWS::Logs::LogGroup"
TABLE = "AWS::DynamoDB::Table"
SECRET = "AWS::SecretsManager::Secret"  # noqa: S105  # a type of resource
BUCKET = "AWS::S3::Bucket"
STACK = "AWS::CloudFormation::Stack"
_COUNTED = 100
"""Executions that are counted at most before a machine goes."""


@dataclass(slots=True)
class Leftovers:
    """Finds what is a stage's: `held` by its data stack, by physical id, or by name and tag."""

    clients: DeployClients
    names: Names
    held: frozenset[str] = frozenset()

    def machines(self) -> Iterator[str]:
        """Give the ARNs of state machines."""
        client = self.clients.stepfunctions
        for page in client.get_paginator("list_state_machines").paginate():
            for one in page["stateMachines"]:
                if self._named(one["name"]):
                    arn = one["stateMachineArn"]
                    tags = client.list_tags_for_resource(resourceArn=arn)["tags"]
                    if (TAG, self.names.prefix) in {(t.get("key"), t.get("value")) for t in tags}:
                        yield arn

    def log_groups(self) -> Iterator[str]:
        """Give the names of log groups."""
        client = self.clients.logs
        prefix = self.names.log_group("")
        for page in client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
            for one in page["logGroups"]:
                arn = one["arn"].removesuffix(":*")
                if client.list_tags_for_resource(resourceArn=arn)["tags"].get(TAG) == (
                    self.names.prefix
                ):
                    yield one["logGroupName"]

    def tables(self) -> Iterator[str]:
        """Give the names of tables."""
        client = self.clients.dynamodb
        for page in client.get_paginator("list_tables").paginate():
            for name in filter(self._named, page["TableNames"]):
                table = client.describe_table(TableName=name)["Table"]
                if table["TableStatus"] == "DELETING":
                    continue
                tags = client.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
                if name in self.held or self._tagged([(tag["Key"], tag["Value"]) for tag in tags]):
                    yield name

    def secrets(self) -> Iterator[str]:
        """Give the names of secrets."""
        client = self.clients.secretsmanager
        prefix = self.names.secret("")
        pages: Iterator[ListSecretsResponseTypeDef] = iter(
            client.get_paginator("list_secrets").paginate(
                Filters=[{"Key": "name", "Values": [prefix]}]
            )
        )
        for page in pages:
            for one in page["SecretList"]:
                tags = [(tag.get("Key", ""), tag.get("Value", "")) for tag in one.get("Tags", [])]
                ours = one["ARN"] in self.held or self._tagged(tags)
                if one["Name"].startswith(prefix) and ours:
                    yield one["Name"]

    def buckets(self) -> Iterator[str]:
        """Give the names of buckets of this region."""
        client = self.clients.s3
        region = client.meta.region_name
        for one in client.list_buckets()["Buckets"]:
            name = one["Name"]
            if not (name.startswith(f"{self.names.bucket}-") and name.endswith(f"-{region}")):
                continue
            if name in self.held or self._tagged(self._bucket_tags(name)):
                yield name

    def _bucket_tags(self, name: str) -> list[tuple[str, str]]:
        from botocore.exceptions import ClientError

        try:
            found = self.clients.s3.get_bucket_tagging(Bucket=name)["TagSet"]
        except ClientError as error:
            # Another account's bucket may have a name like ours.
            if code_of(error) in {"NoSuchTagSet", "NoSuchBucket", "AccessDenied"}:
                return []
            raise
        return [(tag["Key"], tag["Value"]) for tag in found]

    def _named(self, name: str) -> bool:
        return name.startswith(f"{self.names.prefix}-")

    def _tagged(self, tags: list[tuple[str, str]]) -> bool:
        return (TAG, self.names.prefix) in tags


@dataclass(slots=True)
class Destroyer:
    """Takes a stage away, step by step; each step is found anew, so a run may end anywhere."""

    clients: DeployClients
    names: Names
    app: StackDriver
    data: StackDriver
    pace: Pace
    progress: Progress
    _removed: list[str] = field(default_factory=list)
    _kept: list[str] = field(default_factory=list)

    def destroy(self, *, delete_data: bool) -> Removed:
        """Take away the application, and its data if told so."""
        data = self.data.look()
        held = frozenset(name for _, name in self.data.resources(data)) if data else frozenset()
        leftovers = Leftovers(self.clients, self.names, held)
        self._stack(self.app, {MACHINE})
        for arn in leftovers.machines():
            self._machine(arn)
        for group in leftovers.log_groups():
            self._take(LOGS, group, partial(self._delete_log_group, group))
        if delete_data:
            self._data(leftovers)
        else:
            self._keep(leftovers)
        return Removed(tuple(self._removed), tuple(self._kept))

    def _stack(self, driver: StackDriver, kept_kinds: set[str]) -> None:
        stack = driver.look()
        if stack is None:
            return
        held = driver.resources(stack)
        driver.delete(self.progress)
        # What its stack doesn't take along is told when it goes itself.
        self._removed += [f"{kind} {name}" for kind, name in held if kind not in kept_kinds]
        self._removed.append(f"{STACK} {driver.name}")

    def _machine(self, arn: str) -> None:
        name = arn.rpartition(":")[2]
        client = self.clients.stepfunctions
        running = client.list_executions(
            stateMachineArn=arn, statusFilter="RUNNING", maxResults=_COUNTED
        )["executions"]
        if running:
            count = f"{len(running)}{'+' if len(running) == _COUNTED else ''}"
            self.progress(Step("doing", f"{name}: {count} runs end with it", MACHINE))
        self._take(MACHINE, name, lambda: client.delete_state_machine(stateMachineArn=arn))

    def _delete_log_group(self, group: str) -> None:
        self.clients.logs.delete_log_group(logGroupName=group)

    def _data(self, leftovers: Leftovers) -> None:
        tables = list(leftovers.tables())
        for table in tables:
            self._take(TABLE, table, partial(self._delete_table, table))
        for table in tables:
            waiter = self.clients.dynamodb.get_waiter("table_not_exists")
            delay = max(1, round(self.pace.poll))
            waiter.wait(TableName=table, WaiterConfig={"Delay": delay, "MaxAttempts": 150})
        for secret in leftovers.secrets():
            self._take(SECRET, secret, partial(self._delete_secret, secret))
        for name in leftovers.buckets():
            foreign = Bucket(self.clients.s3, name).empty()
            if foreign:
                self._kept.append(f"{BUCKET} {name} (not all in it is ours: {foreign[0]})")
            else:
                self._take(BUCKET, name, partial(self._delete_bucket, name))
        # The stack goes last: until then it says what is ours.
        self._stack(self.data, {TABLE, SECRET, BUCKET})

    def _delete_table(self, name: str) -> None:
        self.clients.dynamodb.delete_table(TableName=name)

    def _delete_secret(self, name: str) -> None:
        self.clients.secretsmanager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)

    def _delete_bucket(self, name: str) -> None:
        self.clients.s3.delete_bucket(Bucket=name)

    def _keep(self, leftovers: Leftovers) -> None:
        if self.data.look() is not None:
            self._kept.append(f"{STACK} {self.data.name}")
        self._kept += [f"{TABLE} {name}" for name in leftovers.tables()]
        self._kept += [f"{SECRET} {name}" for name in leftovers.secrets()]
        self._kept += [f"{BUCKET} {name}" for name in leftovers.buckets()]

    def _take(self, kind: str, name: str, act: Callable[[], object]) -> None:
        self.progress(Step("doing", name, kind, action="remove"))
        act()
        self.progress(Step("done", name, kind, action="remove"))
        self._removed.append(f"{kind} {name}")
