"""The gateway fails at each call, in each way, before or after it did what it was asked.

Whatever happened, at most three passes of the reconciler later the shop and the bank say the same,
and nobody was charged twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import (
    Charge,
    ChargeStatus,
    GatewayTimeout,
    Ports,
    Unavailable,
)
from cartwheel_memory import MemoryHost
from cartwheel_shop.orders.model import OPEN, Order
from cartwheel_shop.payments import service as payments
from cartwheel_shop.payments.model import ACTION_SECONDS, WATCHED, Status
from cartwheel_workflows.shop import shop_app
from tests.e2e.crash.scenario import SlowBank
from tests.support.books import all_orders, wrong_in
from tests.support.shopping import bank_answers, known, product, send_webhook

PASSES = 3
CALLS = ("authorize", "capture", "void", "refund")
FAULTS: dict[str, tuple[type[Exception], float]] = {
    "timeout": (GatewayTimeout, 0),
    "hang": (GatewayTimeout, 45),
    "error_500": (Unavailable, 0),
    "hang_then_500": (Unavailable, 45),
}
"""How the gateway fails, and for how many seconds it lets the caller wait."""
WHENS = ("before", "after")
HOW_OFTEN = (1, 2, 1000)
"""How many calls in a row fail; the bank is back before the reconciler's last pass."""


ASYNC = {"prefer": "respond-async"}


@dataclass
class Outage:
    """Fails calls of one kind until it is over."""

    call: str
    error: type[Exception]
    seconds: float
    when: str
    left: int
    find_too: bool = False
    struck: int = 0
    begun: bool = False

    def around(self, ports: Ports) -> Ports:
        """Put the outage before the bank."""
        bank: Any = _Bank(ports, self)
        return replace(ports, payments=bank)


class _Bank:
    def __init__(self, ports: Ports, outage: Outage) -> None:
        self._ports, self._outage = ports, outage

    def __getattr__(self, name: str) -> object:
        real = getattr(self._ports.payments, name)
        outage = self._outage
        names = {outage.call, "find"} if outage.find_too else {outage.call}
        if name not in names:
            return real

        def call(*args: object, **given: object) -> object:
            if outage.left <= 0 or not outage.begun:
                return real(*args, **given)
            outage.left -= 1
            outage.struck += 1
            if outage.when == "after":
                real(*args, **given)
            self._ports.clock.sleep(outage.seconds)
            raise outage.error(f"the bank did not answer {name}")

        return call


def play(outage: Outage) -> MemoryHost:
    """Check out, and go on until the call has been made while the bank is out of order."""

    def around(ports: Ports) -> Ports:
        # A bank so slow that the goods are gone is how a checkout comes to void.
        slow: Any = SlowBank(ports, ["prd_mug"])
        given = replace(ports, payments=slow) if outage.call == "void" else ports
        return outage.around(given)

    host = MemoryHost(shop_app(), HostOptions(log=discard, replace=around))
    product(host.ports, "prd_mug", stock=5)
    ada = known(host.dispatcher, "usr_ada")
    ada.fill_cart(("prd_mug", 2))
    outage.begun = outage.call != "refund"
    body = {"payment_token": "tok_ok", "email": "ada@example.org"}
    placed: Any = ada.send("POST", "/checkout", body, key="k", headers=ASYNC).json()
    host.settle(60)
    if outage.call == "refund":
        outage.begun = True
        ada.send("POST", f"/orders/{placed['order_id']}/cancel", key="c")
        host.settle(60)
    return host


def unsettled(host: MemoryHost, order: Order) -> bool:
    """Tell whether somebody has yet to find out, or to do, what becomes of an order's money.

    What is held for an order whose run goes on is known, and the run's own business.
    """
    payment = payments.payment_of(host.ports, order.order_id)
    if payment is None or (payment.status is Status.AUTHORIZED and order.status in OPEN):
        return False
    return payment.status in WATCHED


def passes_until_settled(host: MemoryHost) -> int:
    """Let the reconciler pass until no payment is open; gives how often, at most PASSES + 1."""
    for number in range(PASSES + 1):
        if not any(unsettled(host, order) for order in all_orders(host.ports)):
            return number
        host.clock.advance(61)
        host.dispatcher.tick("payments.reconcile")
    return PASSES + 1


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
def test_an_outage_of_the_bank_is_settled_in_three_passes(call: str, fault: str) -> None:
    error, seconds = FAULTS[fault]
    rows = passes = 0
    for when in WHENS:
        for times in HOW_OFTEN:
            for find_too in (False, True):
                outage = Outage(call, error, seconds, when, times, find_too)
                host = play(outage)
                assert outage.struck > 0
                outage.left = 0
                needed = passes_until_settled(host)
                where = (call, fault, when, times, find_too)
                assert needed <= PASSES, where
                host.settle(4000)
                assert wrong_in(host, ["prd_mug"]) == [], where
                rows, passes = rows + 1, max(passes, needed)
    print(f"{call} {fault}: {rows} rows, settled in {passes} passes at most")
    assert rows == len(WHENS) * len(HOW_OFTEN) * 2


WEBHOOKS = ("in time", "twice", "before the reply", "after the wait", "never")


@pytest.mark.parametrize("approved", [True, False])
@pytest.mark.parametrize("webhook", WEBHOOKS)
def test_a_webhook_settles_a_payment_whenever_it_comes(webhook: str, approved: bool) -> None:
    class Eager:
        """Is a bank whose card holder, and whose webhook, is faster than its reply."""

        def __init__(self, ports: Ports) -> None:
            self._ports = ports

        def __getattr__(self, name: str) -> object:
            return getattr(self._ports.payments, name)

        def authorize(self, **given: Any) -> Charge:
            charge = self._ports.payments.authorize(**given)
            if charge.status is ChargeStatus.REQUIRES_ACTION:
                bank_answers(host.dispatcher, host.gateway, charge.charge_id, approved=approved)
            return charge

    def around(ports: Ports) -> Ports:
        eager: Any = Eager(ports)
        return replace(ports, payments=eager) if webhook == "before the reply" else ports

    host = MemoryHost(shop_app(), HostOptions(log=discard, replace=around))
    product(host.ports, "prd_mug", stock=5)
    ada = known(host.dispatcher, "usr_ada")
    ada.fill_cart(("prd_mug", 2))
    ada.send("POST", "/checkout", {"payment_token": "tok_requires_action"}, key="k", headers=ASYNC)
    host.settle(5)
    if webhook == "after the wait":
        host.settle(2 * ACTION_SECONDS)
    (charge,) = host.bank.charges()
    if webhook == "never" and approved:
        host.gateway.act(charge.charge_id, approved=True)
    if webhook in {"in time", "twice"}:
        bank_answers(host.dispatcher, host.gateway, charge.charge_id, approved=approved)
    (charge,) = host.bank.charges()
    if webhook in {"twice", "after the wait"}:
        send_webhook(host.dispatcher, charge)
    host.settle(4000)
    assert passes_until_settled(host) <= PASSES
    assert wrong_in(host, ["prd_mug"]) == []
    (order,) = all_orders(host.ports)
    sold = approved and webhook != "after the wait"
    assert order.status == ("confirmed" if sold else "rejected"), order


def test_without_the_reconciler_a_long_outage_leaves_money_held() -> None:
    outage = Outage("capture", Unavailable, 0, "before", 1000)
    host = play(outage)
    outage.left = 0
    for number in range(PASSES + 1):
        host.clock.advance(61 * number)
    (order,) = all_orders(host.ports)
    assert order.status == "confirmed"
    assert unsettled(host, order)
