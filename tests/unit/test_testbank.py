"""The books of the test gateway in rows, when others write between two reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from cartwheel.app import App, Service
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import GatewayRefused, PortCall
from cartwheel.testbank import BOOKS, StoreBank
from cartwheel.testgateway import TestGateway
from cartwheel_memory import MemoryHost

T = TypeVar("T")


class Between:
    """Does something once, before the read of a given number."""

    def __init__(self, number: int, act: Callable[[], object]) -> None:
        self.left, self.act = number, act

    def __call__(self, call: PortCall, invoke: Callable[[], T]) -> T:
        if call.operation == "get":
            self.left -= 1
            if self.left == 0:
                self.act()
        return invoke()


@pytest.mark.parametrize("number", [1, 2, 3], ids=["the charge", "the key", "the charge again"])
def test_a_refund_before_any_read_of_another_is_not_forgotten(number: int) -> None:
    bank = Service("bank")
    bank.collections.append(BOOKS)
    with MemoryHost(App("books", services=[bank]), HostOptions(log=discard)) as host:
        gateway = TestGateway(StoreBank(lambda: host.ports))
        made = gateway.authorize(
            key="a", reference="r", amount=1000, currency="EUR", token="tok_ok"
        )
        gateway.capture(key="c", charge_id=made.charge_id, amount=1000)
        between = Between(
            number, lambda: gateway.refund(key="other", charge_id=made.charge_id, amount=600)
        )
        slow = TestGateway(StoreBank(lambda: host.ports.with_hook(between)))
        with pytest.raises(GatewayRefused, match="left to refund"):
            slow.refund(key="slow", charge_id=made.charge_id, amount=600)
        assert between.left <= 0
        found = gateway.find("r")
        assert found is not None
        assert found.refunded == 600
