"""Clients of AWS's services for ports, each made once and when it is first used.

A client takes tens of milliseconds of processor time, and importing boto3 a hundred more; so none
is made that is not needed, and botocore, on which boto3 rests, makes them.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, cast

from cartwheel.ports import ConfigurationError

if TYPE_CHECKING:
    from botocore.config import Config
    from botocore.session import Session
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_sts import STSClient

CONNECT_SECONDS, READ_SECONDS, TRIES = 2, 10, 3
"""Seconds and tries of a call, far less than a transaction's token lives."""


class Clients:
    """Makes clients for a region; credentials come from where boto3 looks for them.

    Without a region that of the profile or the environment is taken; raises ConfigurationError
    when there is none. `endpoint` is the address of what stands in for AWS.
    """

    def __init__(
        self,
        region: str | None = None,
        profile: str | None = None,
        *,
        endpoint: str | None = None,
    ) -> None:
        self._region = region
        self._profile = profile
        self._endpoint = endpoint

    @cached_property
    def _session(self) -> Session:
        from botocore.session import Session

        return Session(profile=self._profile)

    @cached_property
    def region(self) -> str:
        """Give the region; raises ConfigurationError without one, and for an unknown profile."""
        from botocore.exceptions import ProfileNotFound

        try:
            configured: str | None = self._session.get_config_variable("region")
        except ProfileNotFound as error:
            raise ConfigurationError(
                f"there is no AWS profile '{self._profile}'; "
                "`aws configure list-profiles` shows those that there are"
            ) from error
        region = self._region or os.environ.get("AWS_REGION") or configured
        if region is None:
            raise ConfigurationError(
                "no AWS region is set: pass --region, or set AWS_REGION or the profile's region"
            )
        return region

    @cached_property
    def account(self) -> str:
        """Give the number of the account that the credentials are of."""
        return self.sts.get_caller_identity()["Account"]

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """Give DynamoDB's client."""
        return cast("DynamoDBClient", self._made("dynamodb"))

    @cached_property
    def functions(self) -> LambdaClient:
        """Give Lambda's client."""
        return cast("LambdaClient", self._made("lambda"))

    @cached_property
    def sqs(self) -> SQSClient:
        """Give SQS's client."""
        return cast("SQSClient", self._made("sqs"))

    @cached_property
    def sns(self) -> SNSClient:
        """Give SNS's client."""
        return cast("SNSClient", self._made("sns"))

    @cached_property
    def stepfunctions(self) -> SFNClient:
        """Give Step Functions' client."""
        return cast("SFNClient", self._made("stepfunctions"))

    @cached_property
    def secretsmanager(self) -> SecretsManagerClient:
        """Give Secrets Manager's client."""
        return cast("SecretsManagerClient", self._made("secretsmanager"))

    @cached_property
    def sesv2(self) -> SESV2Client:
        """Give SES's client."""
        return cast("SESV2Client", self._made("sesv2"))

    @cached_property
    def sts(self) -> STSClient:
        """Give the client that tells who asks."""
        return cast("STSClient", self._made("sts"))

    def _made(self, service: str) -> object:
        return self._session.create_client(
            service, region_name=self.region, config=self._config, endpoint_url=self._endpoint
        )

    @cached_property
    def _config(self) -> Config:
        from botocore.config import Config

        return Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": TRIES},
        )
