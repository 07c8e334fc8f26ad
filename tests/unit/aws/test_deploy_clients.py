"""What AWS and the way there say is told with what to do."""

from __future__ import annotations

import pytest
from botocore import exceptions as of

from cartwheel.deployment import Access, DeploymentError
from cartwheel.ports import ConfigurationError
from cartwheel_aws.deploy._clients import DeployClients, talking

DENIED = (
    "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: "
    "cloudformation:CreateChangeSet on resource: arn:aws:cloudformation:eu-west-1:123456789012:x"
)


def refusal(code: str, message: str) -> of.ClientError:
    """Make an error as a service answers it."""
    return of.ClientError({"Error": {"Code": code, "Message": message}}, "CreateChangeSet")


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (refusal("AccessDenied", DENIED), DeploymentError, "denies cloudformation:CreateChangeSet"),
        (refusal("AccessDenied", "Access Denied"), DeploymentError, "AWS denies CreateChangeSet"),
        (refusal("ExpiredToken", "x"), ConfigurationError, "have expired .*aws sso login"),
        (refusal("InvalidClientTokenId", "x"), ConfigurationError, "aws sts get-caller-identity"),
        (refusal("Throttling", "Rate"), DeploymentError, r"was refused \(Throttling\): Rate"),
        (of.NoCredentialsError(), ConfigurationError, "--profile"),
        (of.ProfileNotFound(profile="x"), ConfigurationError, "configure list-profiles"),
        (of.NoRegionError(), ConfigurationError, "--region"),
        (of.UnauthorizedSSOTokenError(), ConfigurationError, "aws sso login"),
        (of.EndpointConnectionError(endpoint_url="x"), ConfigurationError, "AWS_ENDPOINT_URL"),
        (of.ReadTimeoutError(endpoint_url="x"), ConfigurationError, "can't be reached"),
        (of.ParamValidationError(report="x"), DeploymentError, "ParamValidationError"),
    ],
)
def test_errors_say_what_to_do(error: Exception, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said), talking():
        raise error


def test_what_is_no_error_of_aws_is_left_alone() -> None:
    with pytest.raises(KeyError), talking():
        raise KeyError("x")


def test_endpoints_of_aws_are_told_from_those_that_stand_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    assert DeployClients(Access("test", "eu-west-1")).local_endpoint is None
    assert DeployClients(Access("test", "cn-north-1")).local_endpoint is None
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert DeployClients(Access("test", "eu-west-1")).local_endpoint == "http://127.0.0.1:4566"
