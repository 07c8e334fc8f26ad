"""What DynamoDB's errors mean to a caller of the port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn, TypedDict, cast

from cartwheel.ports import ConfigurationError, Unavailable
from cartwheel_aws._calls import code_of

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

    from cartwheel_aws._items import Item

CONDITION_FAILED = "ConditionalCheckFailedException"
CANCELLED = "TransactionCanceledException"
_HELD = "TransactionConflictException"
_OURS_RUNS = "TransactionInProgressException"
OF_COMMITS = frozenset({CONDITION_FAILED, CANCELLED, _HELD, _OURS_RUNS})
"""Errors of a commit whose meaning depends on what it wrote."""
PASSING = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Reasons why a transaction was cancelled that may be gone the next time."""
REFUSED = frozenset({"ValidationError", "ItemCollectionSizeLimitExceeded"})
"""Reasons why a transaction was cancelled that will never pass."""
_THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "ReplicatedWriteConflictException",
    }
)


class Reason(TypedDict, total=False):
    """Is why one write of a transaction failed; `Code` is "None" for the others."""

    Code: str
    Message: str


def answered(error: Exception) -> ClientError | None:
    """Give the error as DynamoDB's answer; None when no answer came."""
    from botocore.exceptions import ClientError

    return error if isinstance(error, ClientError) else None


def was_resent(error: ClientError) -> bool:
    """Tell whether the SDK sent the request again, so that an earlier one may have been applied."""
    if code_of(error) == _OURS_RUNS:
        return True
    return error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0) > 0


def old_item(error: ClientError) -> Item | None:
    """Give the row for which a condition failed."""
    return cast("dict[str, Item]", error.response).get("Item")


def reasons_of(error: ClientError) -> Sequence[Reason]:
    """Give why each write of a cancelled transaction failed, in their order."""
    return cast("dict[str, Sequence[Reason]]", error.response).get("CancellationReasons", ())


def raise_as_port_error(error: Exception, where: str, table: str) -> NoReturn:
    """Raise what a failed call means to the caller; what is unknown passes as it is."""
    answer = answered(error)
    if answer is None:
        raise Unavailable(f"{where}: DynamoDB did not answer: {error}") from error
    code = code_of(error)
    status = answer.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= 500 or code in _THROTTLED:
        raise Unavailable(f"{where}: DynamoDB answered {code}: {answer}") from error
    if code == "ResourceNotFoundException" or (
        code == "ValidationException" and "specified index" in str(error)
    ):
        raise ConfigurationError(
            f"{where}: table '{table}' or its index is not in this account and region; deploy the "
            f"application: {error}"
        ) from error
    if code == "AccessDeniedException":
        raise ConfigurationError(
            f"{where}: these credentials may not use table '{table}'; a function may use the "
            f"tables of its own collections: {error}"
        ) from error
    raise error
