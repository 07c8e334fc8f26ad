"""The names of what an application has on AWS: from them alone a function or an operator finds it.

Everything is called `<app>-<stage>-<what>`, so that nothing has to be looked up, and nobody has to
tell a function where its table is.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from cartwheel.ports import ConfigurationError

STAGE = re.compile(r"[a-z](?:[a-z0-9-]{0,14}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Names:
    """Names the parts of an application's stage; raises ConfigurationError for a bad stage.

    A name that is longer than the service allows is cut and ends in a hash of the whole.
    """

    app: str
    stage: str

    def __post_init__(self) -> None:
        if not STAGE.fullmatch(self.stage):
            raise ConfigurationError(
                f"stage '{self.stage}' is no name: 1 to 16 lower case letters, digits and hyphens, "
                "a letter first, such as 'test' or 'prod'"
            )

    @property
    def prefix(self) -> str:
        """Give what all names begin with; the stack is called that."""
        return f"{self.app.replace('_', '-')}-{self.stage}"

    @property
    def topic(self) -> str:
        """Name the SNS topic of events."""
        return self._fit("events", 256)

    @property
    def data(self) -> str:
        """Name the stack that keeps data."""
        return f"{self.prefix}-data"

    @property
    def bucket(self) -> str:
        """Give what the bucket of packages is called, before account and region.

        A bucket's name has 63 characters, of which account and region take up to 28.
        """
        return f"{_cut(self.prefix, 26)}-packages"

    @property
    def api(self) -> str:
        """Name the HTTP API."""
        return self._fit("api", 128)

    @property
    def rule(self) -> str:
        """Name the EventBridge rule that tells of the ends of runs."""
        return self._fit("ends", 64)

    def layer(self, what: str) -> str:
        """Name a Lambda layer."""
        return self._fit(what, 140)

    def table(self, collection: str) -> str:
        """Name a collection's DynamoDB table."""
        return self._fit(collection, 255)

    def function(self, service: str) -> str:
        """Name a service's Lambda function."""
        return self._fit(service, 64)

    def queue(self, consumer: str) -> str:
        """Name the SQS queue of a consumer or subscription, `orders.on_paid`."""
        return self._fit(consumer.replace(".", "-"), 75)

    def dead_queue(self, consumer: str) -> str:
        """Name the SQS queue of what a consumer never answered to."""
        return f"{self.queue(consumer)}-dead"

    def failed_calls(self, service: str) -> str:
        """Name the SQS queue of the asynchronous invocations of a function that failed for good.

        No service is called `cartwheel`, so no consumer's queue is either.
        """
        return self._fit(f"cartwheel-{service}-failed", 80)

    def schedule(self, schedule: str) -> str:
        """Name the EventBridge schedule of a function."""
        return self._fit(schedule.replace(".", "-"), 64)

    def machine(self, workflow: str, definition: str) -> str:
        """Name the state machine of one definition of a workflow, by its content hash.

        A definition has a machine of its own, so a run keeps the one that it began with.
        """
        return f"{self.machine_prefix(workflow)}{definition[:12]}"

    def machines(self, workflow: str) -> str:
        """Give the pattern of the machines of all definitions of a workflow."""
        return f"{self.machine_prefix(workflow)}????????????"

    def machine_prefix(self, workflow: str) -> str:
        """Give what the names of the machines of all definitions of a workflow begin with."""
        return f"{self._fit(workflow, 80 - 13)}-"

    def secret(self, name: str) -> str:
        """Name a secret in Secrets Manager."""
        return f"{self.prefix}/{name}"

    def log_group(self, service: str) -> str:
        """Name the log group of a service's function."""
        return f"/aws/lambda/{self.function(service)}"

    @property
    def api_log_group(self) -> str:
        """Name the log group of the API's requests."""
        return f"/aws/vendedlogs/{self.api}"

    def _fit(self, what: str, longest: int) -> str:
        return _cut(f"{self.prefix}-{what}", longest)


def _cut(name: str, longest: int) -> str:
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: longest - 9]}-{digest}"


@dataclass(frozen=True, slots=True)
class Place:
    """Is where a stage lives: names become ARNs."""

    names: Names
    region: str
    account: str
    partition: str = "aws"

    def arn(self, service: str, resource: str) -> str:
        """Give the ARN of a resource, `sns` and a topic's name."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    @property
    def topic(self) -> str:
        """Give the topic's ARN."""
        return self.arn("sns", self.names.topic)

    def queue(self, consumer: str) -> str:
        """Give the ARN of a consumer's queue."""
        return self.arn("sqs", self.names.queue(consumer))

    def machine(self, workflow: str, definition: str) -> str:
        """Give the ARN of a definition's state machine."""
        return self.arn("states", f"stateMachine:{self.names.machine(workflow, definition)}")

    def execution(self, workflow: str, definition: str, name: str) -> str:
        """Give the ARN of an execution."""
        machine = self.names.machine(workflow, definition)
        return self.arn("states", f"execution:{machine}:{name}")
