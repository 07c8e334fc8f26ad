"""The clients of a deployer, and what errors of AWS mean to whoever deploys."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias, cast
from urllib.parse import urlsplit

from cartwheel.deployment import Access, DeploymentError
from cartwheel.ports import CartwheelError, ConfigurationError
from cartwheel_aws._calls import code_of
from cartwheel_aws._clients import Clients

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.config import Config
    from botocore.exceptions import ClientError
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client

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


class DeployClients(Clients):
    """Gives the clients of a deployer; endpoints come from where boto3 looks for them, too."""

    def __init__(self, access: Access, observe: Observer | None = None) -> None:
        super().__init__(access.region, access.profile)
        self._observe = observe

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """Give CloudFormation's client."""
        return cast("CloudFormationClient", self._made("cloudformation"))

    @cached_property
    def s3(self) -> S3Client:
        """Give S3's client."""
        return cast("S3Client", self._made("s3"))

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        """Give the client of CloudWatch Logs."""
        return cast("CloudWatchLogsClient", self._made("logs"))

    @property
    def local_endpoint(self) -> str | None:
        """Give the address that stands in for AWS, if one does."""
        url = self.cloudformation.meta.endpoint_url
        host = urlsplit(url).hostname or ""
        return None if host.endswith((".amazonaws.com", ".amazonaws.com.cn")) else url

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
            tcp_keepalive=True,
            s3={"addressing_style": "path" if local else "auto"},
        )

    def _made(self, service: str) -> object:
        client = cast("BaseClient", super()._made(service))
        observe = self._observe
        if observe is not None:

            def before(model: object, **_: object) -> None:
                observe("before", f"{service}.{getattr(model, 'name', '')}")

            def after(model: object, **_: object) -> None:
                observe("after", f"{service}.{getattr(model, 'name', '')}")

            client.meta.events.register("before-call", before)
            client.meta.events.register("after-call", after)
        return client


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
