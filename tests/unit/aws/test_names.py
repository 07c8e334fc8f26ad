"""Names on AWS are found again from app and stage alone, and fit the service."""

from __future__ import annotations

import pytest

from cartwheel.ports import ConfigurationError
from cartwheel_aws._names import Names, Place

NAMES = Names("my_shop", "test")


def test_everything_is_named_after_app_and_stage() -> None:
    assert NAMES.prefix == "my-shop-test"
    assert NAMES.table("stock_levels") == "my-shop-test-stock_levels"
    assert NAMES.queue("orders.on_paid") == "my-shop-test-orders-on_paid"
    assert NAMES.dead_queue("orders.on_paid") == "my-shop-test-orders-on_paid-dead"
    assert NAMES.machine("checkout", "a" * 64) == "my-shop-test-checkout-aaaaaaaaaaaa"
    assert NAMES.secret("token_signing_key") == "my-shop-test/token_signing_key"


def test_a_name_that_is_too_long_is_cut_and_stays_unique() -> None:
    names = {NAMES.function(f"{'service' * 12}{n}") for n in range(20)}
    assert len(names) == 20
    assert {len(name) for name in names} == {64}
    assert len(NAMES.dead_queue("x" * 200)) <= 80


@pytest.mark.parametrize("stage", ["", "Test", "1st", "a_b", "-a", "a-", "a" * 17, "tést"])
def test_a_stage_that_no_service_takes_is_refused(stage: str) -> None:
    with pytest.raises(ConfigurationError, match="stage"):
        Names("shop", stage)


def test_a_place_makes_arns_of_names() -> None:
    place = Place(NAMES, "eu-central-1", "123456789012")
    assert place.topic == "arn:aws:sns:eu-central-1:123456789012:my-shop-test-events"
    assert place.execution("checkout", "b" * 64, "run-1") == (
        "arn:aws:states:eu-central-1:123456789012:execution:my-shop-test-checkout-bbbbbbbbbbbb:run-1"
    )
