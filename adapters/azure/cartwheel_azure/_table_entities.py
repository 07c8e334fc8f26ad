"""Rows as entities: the data is JSON in binary properties, since one holds 64 KiB at most."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from cartwheel.ports import Json, JsonObject, Row
from cartwheel_azure._table_keys import entity_key

if TYPE_CHECKING:
    from azure.data.tables import TableEntity

PROPERTY_BYTES = 64 * 1024
INT64 = "Edm.Int64"

Properties = dict[str, object]


def place_of(partition: str, key: str) -> Properties:
    """Give an entity that has nothing but its keys."""
    return {"PartitionKey": entity_key(partition), "RowKey": entity_key(key)}


def entity_of(
    partition: str, key: str, version: int, data: Mapping[str, Json], nonces: Mapping[str, str]
) -> Properties:
    """Write a row as an entity; `nonces` name its entries by the index's declaration."""
    entity = place_of(partition, key)
    # For readers: keys of entities may be cut.
    entity["partition"] = partition
    entity["key"] = key
    # Without its type an integer is sent as 32 bits.
    entity["version"] = (version, INT64)
    entity["entries"] = json.dumps(nonces, separators=(",", ":"))
    text = json.dumps(data, separators=(",", ":")).encode()
    for number, begin in enumerate(range(0, len(text), PROPERTY_BYTES)):
        entity[f"d{number}"] = text[begin : begin + PROPERTY_BYTES]
    return entity


def guard_of(partition: str, key: str) -> Properties:
    """Write the entity that stands for an absent row while a commit checks that it is absent."""
    place = place_of(partition, key)
    return {**place, "partition": partition, "key": key, "version": (0, INT64)}


def key_of(entity: TableEntity) -> str:
    """Give the key of an entity's row."""
    return cast("str", entity["key"])


def version_of(entity: TableEntity | None) -> int:
    """Give the version of an entity's row; 0 when the row is absent."""
    return 0 if entity is None else int(entity["version"].value)


def nonces_of(entity: TableEntity | None) -> dict[str, str]:
    """Give the nonces of a row's entries by the index's declaration."""
    if entity is None or "entries" not in entity:
        return {}
    return cast("dict[str, str]", json.loads(entity["entries"]))


def data_of(entity: TableEntity) -> JsonObject:
    """Give the data of an entity's row."""
    parts: list[bytes] = []
    while (part := entity.get(f"d{len(parts)}")) is not None:
        parts.append(part)
    return cast("JsonObject", json.loads(b"".join(parts)))


def row_of(partition: str, entity: TableEntity | None) -> Row | None:
    """Read a row; None when it is absent."""
    version = version_of(entity)
    if entity is None or version == 0:
        return None
    return Row(partition, key_of(entity), version, data_of(entity))
