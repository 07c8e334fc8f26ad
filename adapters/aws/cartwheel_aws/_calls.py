"""What a call to a service of AWS raises, and what that means to the caller of a port."""

from __future__ import annotations

from functools import cache

from cartwheel.ports import Unavailable

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError"})
_MISSING = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "NotFound",
        "NotFoundException",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)


@cache
def sdk_errors() -> tuple[type[Exception], ...]:
    """Give the errors of a call that was refused or got no answer.

    What the SDK raises before it calls (a parameter of a wrong type, no credentials) is not among
    them: that is a bug or a deployment gone wrong, and shows as it is.
    """
    from botocore import exceptions as sdk
    from botocore.parsers import ResponseParserError

    return (sdk.ClientError, sdk.ConnectionError, sdk.HTTPClientError, ResponseParserError)


def code_of(error: Exception) -> str:
    """Give the service's name for the error; "" when no answer came."""
    from botocore.exceptions import ClientError

    if not isinstance(error, ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_denied(error: Exception) -> bool:
    """Tell whether the caller lacks a permission."""
    return code_of(error) in _DENIED


def unavailable(error: Exception, what: str, permission: str) -> Unavailable:
    """Say what a failed call means: nobody knows whether it was done, or it was refused for now.

    Missing permissions and resources are among them: just after a deployment they pass by
    themselves, and whoever calls keeps what it wanted sent until then. The service's own text is
    left out: it may quote a recipient's address or number.
    """
    code = code_of(error)
    if not code:
        return Unavailable(f"{what}: no answer came ({type(error).__name__})")
    if is_denied(error):
        return Unavailable(f"{what}: the function's role lacks {permission} ({code})")
    if code in _MISSING:
        return Unavailable(f"{what}: it does not exist in this account and region; deploy it")
    return Unavailable(f"{what}: refused with {code}")
