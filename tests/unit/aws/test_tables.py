"""A collection's table, as the template and the tests create it."""

from __future__ import annotations

import pytest

from cartwheel.ports import Collection, ConfigurationError, Index
from cartwheel_aws import table_of


def test_a_table_has_the_rows_key_an_index_for_each_and_is_kept_safe() -> None:
    table = table_of(Collection("things", (Index("by_owner", "owner", sort="rank"),)))
    assert table == {
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": "S"}
            for name in ("p", "k", "by_owner.value", "by_owner.order")
        ],
        "KeySchema": [
            {"AttributeName": "p", "KeyType": "HASH"},
            {"AttributeName": "k", "KeyType": "RANGE"},
        ],
        "BillingMode": "PAY_PER_REQUEST",
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by_owner",
                "KeySchema": [
                    {"AttributeName": "by_owner.value", "KeyType": "HASH"},
                    {"AttributeName": "by_owner.order", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    }


def test_a_table_without_indexes_names_none() -> None:
    assert "GlobalSecondaryIndexes" not in table_of(Collection("plain"))


@pytest.mark.parametrize("name", ["by", "", "by owner", "by/owner", "é" * 3, "x" * 256])
def test_an_index_that_dynamodb_cannot_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"collection 'things'.*3 to 255"):
        table_of(Collection("things", (Index(name, "owner"),)))


def test_more_indexes_than_a_table_can_have_are_refused() -> None:
    indexes = tuple(Index(f"by_{number}", "owner") for number in range(21))
    assert table_of(Collection("things", indexes[:20]))
    with pytest.raises(ConfigurationError, match=r"21 indexes.*at most 20"):
        table_of(Collection("things", indexes))
