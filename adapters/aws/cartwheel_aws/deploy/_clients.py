"""Makes clients of AWS when they are needed, and tells their errors as ours."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from urllib.parse import urlsplit

from cartwheel.deployment import Access, DeploymentError
from cartwheel.ports import CartwheelError, ConfigurationError

if TYPE_CHECKING:
    import boto3
    from botocore.client import BaseClient
    from botocore.config import Config
    from botocore.exceptions import ClientError
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_stepfunctions import SFNClient

    Client = TypeVar("Client", bound=BaseClient)

Observer: TypeAlias = Callable[[str, str], None]
"""Takes `before` or `after`, and the call as `s3.PutObject`; what it raises ends the call."""

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_UNKNOWN = frozenset(
    {
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "AuthFailure",
    }
)
_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "AuthorizationErrorException",
    }
)
_ACTION = re.compile(r"not authorized to perform: ([\w:-]+:\w+)")


class Clients:
    """Gives clients with the caller's credentials; each is made at its first use.

    Regions, profiles and endpoints come from where they always do for boto3.
    """

    def __init__(self, access: Access, observe: Observer | None = None) -> None:
        self._access = access
        self._observe = observe

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """Give the client of CloudFormation."""
        return self._observed(self._session.client("cloudformation", config=self._config))

    @cached_property
    def s3(self) -> S3Client:
        """Give the client of S3."""
        return self._observed(self._session.client("s3", config=self._config))

    @cached_property
    def functions(self) -> LambdaClient:
        """Give the client of Lambda."""
        return self._observed(self._session.client("lambda", config=self._config))

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        """Give the client of CloudWatch Logs."""
        return self._observed(self._session.client("logs", config=self._config))

    @cached_property
    def machines(self) -> SFNClient:
        """Give the client of Step Functions."""
        return self._observed(self._session.client("stepfunctions", config=self._config))

    @cached_property
    def tables(self) -> DynamoDBClient:
        """Give the client of DynamoDB."""
        return self._observed(self._session.client("dynamodb", config=self._config))

    @cached_property
    def secrets(self) -> SecretsManagerClient:
        """Give the client of Secrets Manager."""
        return self._observed(self._session.client("secretsmanager", config=self._config))

    @property
    def local_endpoint(self) -> str | None:
        """Give the address that stands in for AWS, if one does."""
        url = self.cloudformation.meta.endpoint_url
        host = urlsplit(url).hostname or ""
        return None if host.endswith((".amazonaws.com", ".amazonaws.com.cn")) else url

    @cached_property
    def _session(self) -> boto3.Session:
        import boto3

        made = boto3.Session(
            profile_name=self._access.profile, region_name=self._access.region or _region()
        )
        if made.region_name is None:
            raise ConfigurationError(
                "no region is given: use --region, AWS_REGION, or a profile that has one"
            )
        return made

    @cached_property
    def _config(self) -> Config:
        from botocore.config import Config

        # A local endpoint has no names of buckets before its own.
        local = any(os.environ.get(name) for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"))
        return Config(
            retries={"mode": "standard"},
            # A function may take a quarter of an hour to answer.
            read_timeout=910,
            connect_timeout=10,
            s3={"addressing_style": "path" if local else "auto"},
        )

    def _observed(self, client: Client) -> Client:
        observe = self._observe
        if observe is not None:
            service = client.meta.service_model.service_name

            def before(model: object, **_: object) -> None:
                observe("before", f"{service}.{getattr(model, 'name', '')}")

            def after(model: object, **_: object) -> None:
                observe("after", f"{service}.{getattr(model, 'name', '')}")

            client.meta.events.register("before-call", before)
            client.meta.events.register("after-call", after)
        return client


def _region() -> str | None:
    # boto3 itself reads AWS_DEFAULT_REGION; everything else of AWS reads this one, too.
    return os.environ.get("AWS_REGION")


def code_of(error: ClientError) -> str:
    """Give the service's name of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: ClientError) -> str:
    """Give what the service says."""
    return str(error.response.get("Error", {}).get("Message", ""))


@contextmanager
def talking() -> Iterator[None]:
    """Tell errors of AWS and of the way there as ConfigurationError or DeploymentError."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _refused(error) from error
    except BotoCoreError as error:
        raise _unreached(error) from error


def _refused(error: ClientError) -> CartwheelError:
    code, message = code_of(error), message_of(error)
    if code in _EXPIRED:
        return ConfigurationError(
            f"the credentials have expired ({code}): log in again, such as with `aws sso login`"
        )
    if code in _UNKNOWN:
        return ConfigurationError(
            f"AWS doesn't know these credentials ({code}): see which are used with "
            "`aws sts get-caller-identity`, or choose others with --profile"
        )
    if code in _DENIED or "not authorized to perform" in message:
        found = _ACTION.search(message)
        action = found[1] if found else error.operation_name
        return DeploymentError(
            f"AWS denies {action} to these credentials: {message}; have it allowed, or use others"
        )
    return DeploymentError(f"{error.operation_name} was refused ({code}): {message}")


def _unreached(error: Exception) -> CartwheelError:
    from botocore import exceptions as of

    match error:
        case of.NoCredentialsError() | of.PartialCredentialsError():
            return ConfigurationError(
                f"{error}: log in with `aws configure` or `aws sso login`, set AWS_ACCESS_KEY_ID "
                "and AWS_SECRET_ACCESS_KEY, or choose a profile with --profile"
            )
        case of.ProfileNotFound():
            return ConfigurationError(f"{error}: `aws configure list-profiles` lists what there is")
        case of.NoRegionError() | of.InvalidRegionError():
            return ConfigurationError(
                f"{error}: use --region, AWS_REGION, or a profile that has one"
            )
        case (
            of.TokenRetrievalError()
            | of.SSOTokenLoadError()
            | of.UnauthorizedSSOTokenError()
            | of.CredentialRetrievalError()
        ):
            return ConfigurationError(f"{error}: log in again, such as with `aws sso login`")
        case of.ConnectionError() | of.HTTPClientError():
            return ConfigurationError(
                f"AWS can't be reached: {error}; look at the region, the network, a proxy, and "
                "AWS_ENDPOINT_URL"
            )
        case _:
            return DeploymentError(f"{type(error).__name__}: {error}")
