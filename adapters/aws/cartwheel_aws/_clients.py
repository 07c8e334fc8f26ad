"""Clients of AWS's services, each made once and when it is first used.

boto3 takes a third of a second of processor time for a client, so none is made that is not needed.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from cartwheel.ports import ConfigurationError

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.config import Config
    from mypy_boto3_dynamodb import DynamoDBClient
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
    when there is none.
    """

    def __init__(self, region: str | None = None, profile: str | None = None) -> None:
        self._region = region
        self._profile = profile

    @cached_property
    def session(self) -> Session:
        """Give the session; raises ConfigurationError for a profile that there is none of."""
        from boto3.session import Session
        from botocore.exceptions import ProfileNotFound

        try:
            return Session(profile_name=self._profile, region_name=self._region)
        except ProfileNotFound as error:
            raise ConfigurationError(
                f"there is no AWS profile '{self._profile}'; "
                "`aws configure list-profiles` shows those that there are"
            ) from error

    @property
    def region(self) -> str:
        """Give the region."""
        region: str | None = self.session.region_name
        if region is None:
            raise ConfigurationError(
                "no AWS region is set: pass --region, or set AWS_REGION or the profile's region"
            )
        return region

    @cached_property
    def account(self) -> str:
        """Give the number of the account that the credentials are of."""
        return self.sts.get_caller_identity()["Account"]

    @property
    def _config(self) -> Config:
        from botocore.config import Config

        return Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": TRIES},
        )

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """Give DynamoDB's client."""
        return self.session.client("dynamodb", region_name=self.region, config=self._config)

    @cached_property
    def sqs(self) -> SQSClient:
        """Give SQS's client."""
        return self.session.client("sqs", region_name=self.region, config=self._config)

    @cached_property
    def sns(self) -> SNSClient:
        """Give SNS's client."""
        return self.session.client("sns", region_name=self.region, config=self._config)

    @cached_property
    def stepfunctions(self) -> SFNClient:
        """Give Step Functions' client."""
        return self.session.client("stepfunctions", region_name=self.region, config=self._config)

    @cached_property
    def secretsmanager(self) -> SecretsManagerClient:
        """Give Secrets Manager's client."""
        return self.session.client("secretsmanager", region_name=self.region, config=self._config)

    @cached_property
    def sesv2(self) -> SESV2Client:
        """Give SES's client."""
        return self.session.client("sesv2", region_name=self.region, config=self._config)

    @cached_property
    def sts(self) -> STSClient:
        """Give the client that tells who asks."""
        return self.session.client("sts", region_name=self.region, config=self._config)
