"""Consumers that are invoked directly are declared within what platforms do."""

from __future__ import annotations

import pytest

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.declared import Delivery
from cartwheel.manifest import manifest_of
from cartwheel.ports import ConfigurationError, Message


def take(ctx: Context, message: Message) -> None:
    """Take a message."""


def drop(ctx: Context, message: Message) -> None:
    """Take another message."""


@pytest.mark.parametrize("attempts", [0, 4, 5])
def test_tries_that_platforms_do_not_make_are_refused_when_declared(attempts: int) -> None:
    service = Service("kit")
    with pytest.raises(
        ConfigurationError, match=rf"kit.take .* 1 to 3 times, not {attempts}; .*direct=True"
    ):
        service.consume("jobs", delivery=Delivery(attempts=attempts), direct=True)(take)
    service.consume("jobs", delivery=Delivery(attempts=5))(take)
    assert [one.direct for one in service.consumers] == [False]


def test_without_a_delivery_there_are_three_tries() -> None:
    service = Service("kit")
    service.consume("jobs", direct=True)(take)
    assert service.consumers[0].delivery.attempts == 3


def test_direct_consumers_of_one_service_have_as_many_tries_as_each_other() -> None:
    service = Service("kit")
    service.consume("jobs", delivery=Delivery(attempts=1), direct=True)(take)
    service.consume("more", delivery=Delivery(attempts=2), direct=True)(drop)
    with pytest.raises(ConfigurationError, match=r"'kit'.*kit\.drop 2, kit\.take 1"):
        App("kit", services=[service])
    other = Service("other")
    other.consume("more", delivery=Delivery(attempts=2), direct=True)(drop)
    service.consumers.pop()
    service.consume("queued", delivery=Delivery(attempts=5))(drop)
    assert len(App("kit", services=[service, other]).queues) == 3


def test_the_manifest_says_who_is_invoked_directly() -> None:
    service = Service("kit")
    service.consume("jobs", direct=True)(take)
    service.consume("more")(drop)
    consumers = manifest_of(App("kit", services=[service]), "kit:app").consumers
    assert {one.name: one.direct for one in consumers} == {"kit.take": True, "kit.drop": False}
