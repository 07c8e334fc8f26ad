"""How a row lies in DynamoDB, and how its places in indexes are ordered there."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, TypeAlias

from cartwheel.indexing import entries_of
from cartwheel.ports import MAX_KEY_BYTES, Collection, Put, Row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Item: TypeAlias = "dict[str, AttributeValueTypeDef]"
"""Values by attribute, each with its type: `{"S": "text"}`; `N` carries a number as digits."""

PARTITION = "p"
KEY = "k"
VERSION = "v"
DATA = "d"
NONCE = "w"
"""Names the commit that wrote the row: a writer whose reply was lost knows its own write by it."""

_MAX_VALUE_BYTES = 2048
"""The partition key of an index."""
_MAX_ORDER_BYTES = 1024
"""The sort key of an index."""


def value_name(index: str) -> str:
    """Name the attribute that is an index's partition key."""
    return f"{index}.value"


def order_name(index: str) -> str:
    """Name the attribute that is an index's sort key."""
    return f"{index}.order"


def key_of(partition: str, key: str) -> Item:
    """Give the primary key of a row."""
    return {PARTITION: {"S": partition}, KEY: {"S": key}}


def item_of(collection: Collection, partition: str, put: Put, nonce: str) -> Item:
    """Write a row; raises InvalidWrite for what an index cannot hold."""
    item = key_of(partition, put.key)
    item[VERSION] = {"N": str(put.expect + 1)}
    # Escaped to ASCII, a lone surrogate is kept, and the size is the one that the port counts.
    item[DATA] = {"S": json.dumps(put.data, separators=(",", ":"))}
    item[NONCE] = {"S": nonce}
    for name, entry in entries_of(collection, put.data).items():
        item[value_name(name)] = {"S": indexed(entry.value)}
        item[order_name(name)] = {"S": order_of(entry.sort, partition, put.key)}
    return item


def row_of(item: Item) -> Row:
    """Read a row."""
    return Row(
        item[PARTITION]["S"],
        item[KEY]["S"],
        int(item[VERSION]["N"]),
        json.loads(item[DATA]["S"]),
    )


def version_of(item: Item | None) -> int:
    """Give a row's version; 0 when there is none."""
    return int(item[VERSION]["N"]) if item else 0


def indexed(value: str) -> str:
    """Give an indexed value as the index keeps it: itself, or a digest where DynamoDB can't."""
    data = value.encode()
    if 0 < len(data) <= _MAX_VALUE_BYTES and data[0]:
        return value
    return "\0" + hashlib.sha256(data).hexdigest()


def order_of(sort: str, partition: str, key: str) -> str:
    """Give the string by which an index orders a row: by `sort`, then partition, then key.

    A NUL, which no key holds, ends each part, and in `sort` NUL and the character after it are
    written as two. What DynamoDB has no room for is cut off: rows that agree in the 1021 bytes that
    it surely has room for come in no particular order among themselves.
    """
    escaped = sort.replace("\1", "\1\2").replace("\0", "\1\1")
    return cut(f"{escaped}\0{partition}\0{key}")


def cut(text: str) -> str:
    """Cut a string so that it fits a sort key and no two strings change their order.

    Hence each character stays that starts where even the longest would fit.
    """
    data = text.encode()
    end = _MAX_ORDER_BYTES - 3
    if len(data) <= end:
        return text
    while end < len(data) and data[end] & 0xC0 == 0x80:  # the rest of a character
        end += 1
    return data[:end].decode()


def storable(*keys: str) -> bool:
    """Tell whether there can be a row with these keys; DynamoDB refuses to look for others."""
    return all(encodable(key) and 0 < len(key.encode()) <= MAX_KEY_BYTES for key in keys)


def encodable(text: str) -> bool:
    """Tell whether a string has no lone surrogate."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
