"""The table of a collection, as CloudFormation has it."""

from __future__ import annotations

import re

from cartwheel.ports import Collection, ConfigurationError, Json, JsonObject
from cartwheel_aws._items import KEY, PARTITION, order_name, value_name

MAX_INDEXES = 20
"""Global secondary indexes of one table, unless AWS has granted the account more."""
_INDEX = re.compile(r"[A-Za-z0-9_.-]{3,255}")


def table_of(collection: Collection) -> JsonObject:
    """Give the properties of a collection's table, all but its name.

    Raises ConfigurationError for indexes that DynamoDB cannot have.
    """
    if len(collection.indexes) > MAX_INDEXES:
        raise ConfigurationError(
            f"collection '{collection.name}' declares {len(collection.indexes)} indexes with its "
            f"outbox's, and a table of DynamoDB has at most {MAX_INDEXES}"
        )
    for index in collection.indexes:
        if not _INDEX.fullmatch(index.name):
            raise ConfigurationError(
                f"collection '{collection.name}': DynamoDB takes no index named '{index.name}'; "
                "use 3 to 255 letters, digits, and any of '_.-'"
            )
    names = [index.name for index in collection.indexes]
    attributes = [PARTITION, KEY, *(f(name) for name in names for f in (value_name, order_name))]
    properties: JsonObject = {
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": "S"} for name in attributes
        ],
        "KeySchema": _schema(PARTITION, KEY),
        "BillingMode": "PAY_PER_REQUEST",
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    }
    if names:
        properties["GlobalSecondaryIndexes"] = [
            {
                "IndexName": name,
                "KeySchema": _schema(value_name(name), order_name(name)),
                "Projection": {"ProjectionType": "ALL"},
            }
            for name in names
        ]
    return properties


def _schema(partition: str, sort: str) -> list[Json]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]
