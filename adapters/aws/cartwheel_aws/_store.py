"""The store on DynamoDB: a table for each collection, an index of the table for each index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cartwheel.indexing import Position, cursor_of, page_size, position_of
from cartwheel.ports import (
    MAX_PAGE,
    Clock,
    Collection,
    ConfigurationError,
    Ids,
    Page,
    Randomness,
    Row,
    Write,
    check_commit,
)
from cartwheel_aws._calls import sdk_errors
from cartwheel_aws._commit import Commit
from cartwheel_aws._items import (
    KEY,
    PARTITION,
    Item,
    cut,
    encodable,
    indexed,
    key_of,
    order_name,
    row_of,
    storable,
    value_name,
)
from cartwheel_aws._store_errors import raise_as_port_error

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import QueryInputTypeDef


class DynamoStore:
    """Keeps rows in DynamoDB; `tables` names the table of each collection.

    The client repeats what got no answer. Its time-outs have to end a call within ten minutes, all
    repetitions included: so long DynamoDB knows a transaction that comes again.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        collections: Mapping[str, Collection],
        tables: Mapping[str, str],
        *,
        clock: Clock,
        ids: Ids,
        random: Randomness,
    ) -> None:
        self._client = client
        self._collections = collections
        self._tables = tables
        self._clock = clock
        self._ids = ids
        self._random = random
        self._errors = sdk_errors()

    def get(self, collection: str, partition: str, key: str) -> Row | None:
        """Read one row."""
        table = self._table(collection)
        if not storable(partition, key):
            return None
        try:
            answer = self._client.get_item(
                TableName=table, Key=key_of(partition, key), ConsistentRead=True
            )
        except self._errors as error:
            raise_as_port_error(error, f"{collection}/{partition}/{key}", table)
        item = answer.get("Item")
        return None if item is None else row_of(item)

    def scan(
        self,
        collection: str,
        partition: str,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int = MAX_PAGE,
    ) -> Page:
        """Read a partition's rows in key order."""
        table = self._table(collection)
        size = page_size(limit, MAX_PAGE)
        begun = after or ""
        if not storable(partition) or (prefix and not storable(prefix)) or not encodable(begun):
            return Page()
        if not begun.startswith(prefix):
            if begun > prefix:
                return Page()
            begun = ""
        condition, values = f"{PARTITION} = :p", {":p": {"S": partition}}
        if prefix:
            condition += f" AND begins_with({KEY}, :k)"
            values[":k"] = {"S": prefix}
        ask: QueryInputTypeDef = {
            "TableName": table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ConsistentRead": True,
        }
        if begun:
            # One condition holds for a sort key, so going on is not one of them.
            ask["ExclusiveStartKey"] = key_of(partition, cut(begun))
        try:
            found = self._read(ask, size)
        except self._errors as error:
            raise_as_port_error(error, f"{collection}/{partition}", table)
        rows = tuple(map(row_of, found[:size]))
        return Page(rows, rows[-1].key if len(found) > size else None)

    def query(
        self,
        collection: str,
        index: str,
        value: str,
        *,
        descending: bool = False,
        cursor: str | None = None,
        limit: int = MAX_PAGE,
    ) -> Page:
        """Read the rows of an index's value in the index's order."""
        table = self._table(collection)
        self._collections[collection].index(index)
        size = page_size(limit, MAX_PAGE)
        query = (collection, index, value, descending)
        position = None if cursor is None else position_of(query, cursor)
        if not encodable(value):
            return Page()
        key: Item = {value_name(index): {"S": indexed(value)}}
        ask: QueryInputTypeDef = {
            "TableName": table,
            "IndexName": index,
            "KeyConditionExpression": "#v = :v",
            "ExpressionAttributeNames": {"#v": value_name(index)},
            "ExpressionAttributeValues": {":v": key[value_name(index)]},
            "ScanIndexForward": not descending,
        }
        if position is not None:
            order, *place = position
            if not storable(*place) or cut(order) != order or not order:
                raise ValueError("the cursor names no row; start again without one")
            ask["ExclusiveStartKey"] = {**key, order_name(index): {"S": order}, **key_of(*place)}
        try:
            found = self._read(ask, size)
        except self._errors as error:
            raise_as_port_error(error, f"{collection} by {index}", table)
        rows = tuple(map(row_of, found[:size]))
        if len(found) <= size:
            return Page(rows)
        last = found[size - 1][order_name(index)]["S"]
        return Page(rows, cursor_of(query, Position(last, rows[-1].partition, rows[-1].key)))

    def commit(self, collection: str, partition: str, writes: Sequence[Write]) -> None:
        """Apply all writes or none."""
        table = self._table(collection)
        check_commit(collection, partition, writes)
        Commit(
            self._client,
            table,
            self._collections[collection],
            partition,
            writes,
            self._ids.token(16),
        ).apply(self._clock, self._random)

    def _read(self, ask: QueryInputTypeDef, size: int) -> list[Item]:
        """Read a page and, if there is one, a row more; DynamoDB stops at 1 MB each time."""
        found: list[Item] = []
        while True:
            ask["Limit"] = size + 1 - len(found)
            answer = self._client.query(**ask)
            found += answer["Items"]
            last = answer.get("LastEvaluatedKey")
            if not last or len(found) > size:
                return found
            ask["ExclusiveStartKey"] = last

    def _table(self, collection: str) -> str:
        if collection not in self._collections:
            listed = ", ".join(sorted(self._collections)) or "none"
            raise ConfigurationError(
                f"there is no collection '{collection}'; the application declares: {listed}"
            )
        table = self._tables.get(collection)
        if table is None:
            listed = ", ".join(sorted(self._tables)) or "none"
            raise ConfigurationError(
                f"collection '{collection}' has no table here; there are tables for: {listed}; "
                "deploy the application"
            )
        return table
