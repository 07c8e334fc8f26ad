"""A cancellation crashed at every port call, before and after it took effect, then recovered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import pytest

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import PortCall, RunStatus
from cartwheel_memory import MemoryHost
from cartwheel_workflows.shop import shop_app
from tests.support.shopping import known, product

T = TypeVar("T")
When = Literal["before", "after"]


class Crash(BaseException):
    """Ends the process as far as the shop can tell."""


@dataclass
class CrashAt:
    """Counts port calls while armed, and crashes at one of them."""

    point: int | None = None
    when: When = "before"
    armed: bool = False
    calls: int = 0
    crashed: bool = False

    def __call__(self, call: PortCall, invoke: Callable[[], T]) -> T:
        if not self.armed:
            return invoke()
        self.calls += 1
        if self.point != self.calls - 1:
            return invoke()
        if self.when == "after":
            invoke()
        self.crashed = True
        raise Crash(str(call))


def cancelled(card: str, hook: CrashAt) -> tuple[MemoryHost, str]:
    """Check out, cancel under the hook, and recover on a new host over the same disk."""
    host = MemoryHost(shop_app(), HostOptions(log=discard, hook=hook))
    product(host.ports, "prd_mug", stock=5)
    ada = known(host.dispatcher, "usr_ada")
    ada.fill_cart(("prd_mug", 2))
    answer: Any = ada.check_out(card, key="k", email="ada@example.org").json()
    path = f"/orders/{answer['order_id']}/cancel"
    hook.armed = True
    try:
        ada.send("POST", path, key="c")
        host.settle(30)
    except Crash:
        host = MemoryHost(shop_app(), HostOptions(log=discard), disk=host.disk)
        host.settle(61)  # The lease of the request that died is over.
        again = known(host.dispatcher, "usr_ada").send("POST", path, key="c")
        assert again.status == 202, again.body
    hook.armed = False
    for _ in range(2):
        host.settle(1200)
    return host, answer["order_id"]


def wrong_in(host: MemoryHost, order_id: str) -> list[str]:
    """List what a cancellation must not leave behind."""
    staff = known(host.dispatcher, "usr_staff", "staff")
    order = staff.get(f"/orders/{order_id}")
    level = staff.get("/products/prd_mug/stock")
    mails = [mail.subject for mail in host.mailbox.mails() if "cancelled" in mail.subject]
    charges = host.bank.charges()
    runs = host.ports.workflows.list().runs
    checks = {
        f"the order is {order['status']}": order["status"] == "cancelled",
        f"the stock is {level}": (level["available"], level["reserved"], level["sold"])
        == (5, 0, 0),
        f"the charges are {charges}": [c.status.value for c in charges]
        in [["voided"], ["refunded"], []],
        f"the mails are {mails}": len(mails) == 1,
        "a run is still open": all(run.status is not RunStatus.RUNNING for run in runs),
        "a compensation failed": not any(run.compensation_failures for run in runs),
    }
    return [problem for problem, fine in checks.items() if not fine]


@pytest.mark.parametrize("card", ["tok_ok", "tok_timeout_charged"])
def test_a_cancellation_survives_a_crash_at_every_port_call(card: str) -> None:
    whole = CrashAt()
    assert wrong_in(*cancelled(card, whole)) == []
    points = 0
    wrong: list[str] = []
    whens: tuple[When, ...] = ("before", "after")
    for point in range(whole.calls):
        for when in whens:
            hook = CrashAt(point, when)
            found = wrong_in(*cancelled(card, hook))
            wrong += [f"{when} call {point}: {problem}" for problem in found]
            points += hook.crashed
    print(f"{card}: {points} crash points of {whole.calls} port calls")
    assert wrong == []
    assert points == 2 * whole.calls > 80
