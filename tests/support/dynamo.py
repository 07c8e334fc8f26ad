"""Makes clients of DynamoDB on an engine, and the tables of an application's collections."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from cartwheel.app import App
from cartwheel.ports import Collection
from cartwheel.realtime import RealClock, SystemRandomness, TimeOrderedIds
from cartwheel_aws import DynamoStore, table_of
from tests.engines.aws._processes import REGION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import CreateTableInputTypeDef

CONNECTIONS = 64
ATTEMPTS = 3
"""Times that a client sends a request, all in all."""


def dynamo_client(url: str, attempts: int = ATTEMPTS) -> DynamoDBClient:
    """Make a client of the server at `url` that sends a request up to `attempts` times."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(
            connect_timeout=5,
            read_timeout=20,
            max_pool_connections=CONNECTIONS,
            retries={"mode": "standard", "total_max_attempts": attempts},
        ),
    )


def make_tables(
    client: DynamoDBClient, collections: Iterable[Collection], prefix: str = "test"
) -> dict[str, str]:
    """Create the tables as the template declares them, and give their names by collection."""
    names: dict[str, str] = {}
    for collection in collections:
        names[collection.name] = f"{prefix}-{collection.name}"
        properties = table_of(collection)
        # The API takes this in a call of its own.
        backups = properties.pop("PointInTimeRecoverySpecification")
        request = properties | {"TableName": names[collection.name]}
        client.create_table(**cast("CreateTableInputTypeDef", request))
        client.get_waiter("table_exists").wait(
            TableName=names[collection.name], WaiterConfig={"Delay": 1}
        )
        client.update_continuous_backups(
            TableName=names[collection.name],
            PointInTimeRecoverySpecification=cast("dict[str, bool]", backups),  # type: ignore[arg-type]
        )
    return names


def dynamo_store(client: DynamoDBClient, app: App, tables: dict[str, str]) -> DynamoStore:
    """Make the store of an application."""
    return DynamoStore(
        client,
        app.collections,
        tables,
        clock=RealClock(),
        ids=TimeOrderedIds(),
        random=SystemRandomness(),
    )
