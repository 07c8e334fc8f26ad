"""One commit on DynamoDB: what is sent, and what an answer says of it.

The SDK sends a request again when its reply was lost. A transaction carries a token, by which
DynamoDB knows it again and answers as it did before. A single put costs half of a transaction and
has no token: there the row's nonce tells whether the write that is in the way was our own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from cartwheel.ports import (
    Check,
    Clock,
    Collection,
    Conflict,
    Delete,
    InvalidWrite,
    Put,
    Randomness,
    Unavailable,
    Write,
)
from cartwheel_aws._calls import code_of, sdk_errors
from cartwheel_aws._items import KEY, NONCE, VERSION, Item, item_of, key_of, version_of
from cartwheel_aws._store_errors import (
    CANCELLED,
    CONDITION_FAILED,
    OF_COMMITS,
    PASSING,
    REFUSED,
    answered,
    old_item,
    raise_as_port_error,
    reasons_of,
    was_resent,
)

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        PutItemInputTypeDef,
        TransactWriteItemTypeDef,
    )

TRIES = 10
"""Times that a commit is sent while other transactions hold its rows."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.5
_ACTIONS: dict[type[Write], str] = {Put: "Put", Delete: "Delete", Check: "ConditionCheck"}


@dataclass(eq=False, slots=True)
class Commit:
    """Is a commit under way; `nonce` names it and no other."""

    client: DynamoDBClient
    table: str
    collection: Collection
    partition: str
    writes: Sequence[Write]
    nonce: str
    _resent: bool = field(init=False, default=False)
    """Whether an earlier request may have been applied though a later one was refused."""
    _cancelled: int = field(init=False, default=0)

    def apply(self, clock: Clock, random: Randomness) -> None:
        """Apply it; raises what the port promises."""
        send = self._request()
        errors = sdk_errors()
        for attempt in range(TRIES):
            if attempt:
                longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt)
                clock.sleep(longest * (1 + random.uniform()) / 2)
            try:
                send()
            except errors as error:
                if self._was_applied(error):
                    return
            else:
                return
        raise Unavailable(
            f"{self._where}: transactions held rows of this commit each of {TRIES} times"
        )

    @property
    def _where(self) -> str:
        return f"{self.collection.name}/{self.partition}"

    def _request(self) -> Callable[[], object]:
        put = self.writes[0]
        if len(self.writes) == 1 and isinstance(put, Put):
            action = self._action(put) | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
            request = cast("PutItemInputTypeDef", action)
            return lambda: self.client.put_item(**request)
        actions = [{_ACTIONS[type(write)]: self._action(write)} for write in self.writes]
        items = cast("list[TransactWriteItemTypeDef]", actions)
        return lambda: self.client.transact_write_items(
            # A transaction that was cancelled is over: what is tried again is another.
            ClientRequestToken=f"{self.nonce}-{self._cancelled}",
            TransactItems=items,
        )

    def _action(self, write: Write) -> dict[str, object]:
        action: dict[str, object] = {"TableName": self.table}
        if isinstance(write, Put):
            action["Item"] = item_of(self.collection, self.partition, write, self.nonce)
        else:
            action["Key"] = key_of(self.partition, write.key)
        if write.expect:
            action["ConditionExpression"] = f"{VERSION} = :v"
            action["ExpressionAttributeValues"] = {":v": {"N": str(write.expect)}}
        else:
            action["ConditionExpression"] = f"attribute_not_exists({KEY})"
        return action

    def _was_applied(self, error: Exception) -> bool:
        """Tell whether the commit is done all the same, or else is to be sent again."""
        answer, code = answered(error), code_of(error)
        if code == "ValidationException" and "size" in str(error).lower():
            raise InvalidWrite(f"{self._where}: DynamoDB refuses it: {error}") from error
        if answer is None or code not in OF_COMMITS:
            raise_as_port_error(error, self._where, self.table)
        self._resent = self._resent or was_resent(answer)
        if code == CONDITION_FAILED:
            return self._was_applied_though_failed(old_item(answer))
        if code == CANCELLED:
            return self._was_applied_though_cancelled(answer)
        return self._is_there(self.writes[0])

    def _was_applied_though_failed(self, item: Item | None) -> bool:
        """Tell that the row which a single put met is the put's own; raises for another's."""
        put = self.writes[0]
        if self._is_ours(item):
            return True
        # The version after `expect` was written once: if by another, then not by us.
        if self._resent and version_of(item) != put.expect + 1:
            raise Unavailable(
                f"{self._where}: the reply to a put of '{put.key}' was lost and the row has "
                "changed since; nobody knows whether it was applied"
            )
        raise Conflict(self.collection.name, self.partition, (put.key,))

    def _was_applied_though_cancelled(self, answer: ClientError) -> bool:
        """Raise why a transaction was cancelled unless the reason may pass."""
        self._cancelled += 1
        reasons = list(zip(self.writes, reasons_of(answer), strict=False))
        failed = tuple(w.key for w, why in reasons if why.get("Code") == "ConditionalCheckFailed")
        if failed:
            raise Conflict(self.collection.name, self.partition, failed)
        codes = {why.get("Code", "None") for _, why in reasons} - {"None"}
        if not codes or codes - PASSING:
            if codes & REFUSED:
                raise InvalidWrite(f"{self._where}: DynamoDB refuses it: {answer}") from answer
            raise answer
        held = next((w for w, why in reasons if why.get("Code") == "TransactionConflict"), None)
        return held is not None and self._is_there(held)

    def _is_there(self, write: Write) -> bool:
        """Tell whether our own write is there; raises Conflict when another's is.

        Reading holds no row, so writers that have lost leave those alone who are still at it.
        """
        try:
            answer = self.client.get_item(
                TableName=self.table, Key=key_of(self.partition, write.key), ConsistentRead=True
            )
        except sdk_errors() as error:
            raise_as_port_error(error, self._where, self.table)
        item = answer.get("Item")
        if self._is_ours(item):
            return True
        if version_of(item) != write.expect and not self._resent:
            raise Conflict(self.collection.name, self.partition, (write.key,))
        return False

    def _is_ours(self, item: Item | None) -> bool:
        return item is not None and item.get(NONCE) == {"S": self.nonce}
