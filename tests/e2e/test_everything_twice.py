"""Every task, event and message delivered twice and out of order: the shop ends as it would have.

After each task all earlier ones of its run come again, the latest first; events and messages come
twice and in the opposite order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from cartwheel.app import App
from cartwheel.context import Context
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import (
    Charge,
    DomainError,
    Event,
    GatewayRefused,
    Message,
    PaymentGateway,
    Ports,
    Unavailable,
)
from cartwheel.workflow import Task
from cartwheel_memory import MemoryHost
from cartwheel_shop.inventory import service as inventory
from cartwheel_shop.orders import service as orders
from cartwheel_shop.payments import service as payments
from cartwheel_workflows.shop import shop_app
from tests.support.books import all_orders, wrong_in
from tests.support.shopping import bank_answers, known, product

Handler = Callable[[Context, BaseModel], BaseModel]


class Redelivery:
    """Makes an application whose tasks are all delivered again, and ports that repeat events."""

    def __init__(self) -> None:
        self.earlier: list[tuple[str, Handler, Context, BaseModel]] = []
        self.counts: Counter[str] = Counter()

    def app(self) -> App:
        """Give the shop, with its tasks around which everything comes again."""
        shop = shop_app()
        services = [
            replace(service, tasks=[self._again(task) for task in service.tasks])
            for service in shop.services
        ]
        return App(
            "shop",
            services=services,
            workflows=shop.workflows.values(),
            authenticate=shop.authenticate,
            authenticate_uses=shop.authenticate_uses,
        )

    def host(self, bank: Callable[[Ports], Ports]) -> MemoryHost:
        """Open the shop with everything delivered again."""
        options = HostOptions(log=discard, replace=lambda ports: self.around(bank(ports)))
        return MemoryHost(self.app(), options)

    def _again(self, task: Task[BaseModel, BaseModel]) -> Task[BaseModel, BaseModel]:
        def handler(ctx: Context, cmd: BaseModel) -> BaseModel:
            try:
                result = task.handler(ctx, cmd)
            finally:
                self.earlier.append((task.name, task.handler, ctx, cmd))
                self._redeliver(ctx.run_id)
            return result

        return replace(task, handler=handler)

    def _redeliver(self, run_id: str | None) -> None:
        for name, handler, ctx, cmd in reversed(list(self.earlier)):
            if ctx.run_id != run_id:
                continue
            self.counts[f"task {name}"] += 1
            try:
                handler(ctx, cmd)
            except (DomainError, Unavailable):
                self.counts["refused"] += 1

    def around(self, ports: Ports) -> Ports:
        """Give ports whose events and messages come twice, the last one first."""
        redelivery = self

        class Bus:
            def publish(self, events: Sequence[Event]) -> None:
                for event in events:
                    redelivery.counts[f"event {event.type}"] += 1
                ports.events.publish([*reversed(events), *reversed(events)])

        class Queue:
            def send(self, queue: str, message: Message, *, delay: int = 0) -> None:
                redelivery.counts[f"message {queue}"] += 1
                ports.queue.send(queue, message, delay=delay + 1)
                ports.queue.send(queue, message, delay=delay)

        return replace(ports, events=Bus(), queue=Queue())


def order_id_of(host: MemoryHost) -> str:
    (order,) = all_orders(host.ports)
    return order.order_id


def cancelled(host: MemoryHost) -> None:
    path = f"/orders/{order_id_of(host)}/cancel"
    assert known(host.dispatcher, "usr_ada").send("POST", path, key="c").status == 202


def shipped_and_refunded(host: MemoryHost) -> None:
    staff = known(host.dispatcher, "usr_staff", "staff")
    path = f"/orders/{order_id_of(host)}"
    assert staff.send("POST", f"{path}/ship", {}, key="s").status < 300
    host.settle(5)
    part = {"amount": {"amount": 500, "currency": "EUR"}}
    assert staff.send("POST", f"{path}/refund", part, key="r1").status < 300
    host.settle(5)
    assert staff.send("POST", f"{path}/refund", {"restock": True}, key="r2").status < 300


def approved(host: MemoryHost) -> None:
    (charge,) = host.bank.charges()
    bank_answers(host.dispatcher, host.gateway, charge.charge_id, approved=True)


def refused(host: MemoryHost) -> None:
    (charge,) = host.bank.charges()
    bank_answers(host.dispatcher, host.gateway, charge.charge_id, approved=False)


def refunded_in_vain(host: MemoryHost) -> None:
    staff = known(host.dispatcher, "usr_staff", "staff")
    path = f"/orders/{order_id_of(host)}/refund"
    assert staff.send("POST", path, {}, key="r").status < 300


def nothing(host: MemoryHost) -> None:
    return


class Stingy:
    """Is a bank that refuses every refund."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def __getattr__(self, name: str) -> object:
        return getattr(self._ports.payments, name)

    def refund(self, *, key: str, charge_id: str, amount: int) -> Charge:
        """Refuse."""
        raise GatewayRefused("insufficient_funds", "the merchant's account is empty")


def stingy(ports: Ports) -> Ports:
    bank: PaymentGateway = Stingy(ports)  # type: ignore[assignment]  # forwards the rest
    return replace(ports, payments=bank)


def as_it_is(ports: Ports) -> Ports:
    return ports


BANKS: dict[str, Callable[[Ports], Ports]] = {"refund that the bank refuses": stingy}
"""What stands before the bank in some stories."""


STORIES: dict[str, tuple[str, int, Callable[[MemoryHost], None], str]] = {
    "confirmed": ("tok_ok", 2, nothing, "confirmed"),
    "declined": ("tok_declined", 2, nothing, "rejected"),
    "out of stock": ("tok_ok", 7, nothing, "rejected"),
    "unknown, charged": ("tok_timeout_charged", 2, nothing, "confirmed"),
    "unknown, not charged": ("tok_timeout_not_charged", 2, nothing, "rejected"),
    "cancelled": ("tok_ok", 2, cancelled, "cancelled"),
    "shipped and refunded": ("tok_ok", 2, shipped_and_refunded, "refunded"),
    "refund that the bank refuses": ("tok_ok", 2, refunded_in_vain, "confirmed"),
    "approved by the card's holder": ("tok_requires_action", 2, approved, "confirmed"),
    "refused by the card's holder": ("tok_requires_action", 2, refused, "rejected"),
}


def play(story: str, host: MemoryHost) -> list[object]:
    """Play a story to its end; gives all that a redelivery could have changed."""
    card, quantity, then, status = STORIES[story]
    product(host.ports, "prd_mug", stock=5)
    ada = known(host.dispatcher, "usr_ada")
    ada.fill_cart(("prd_mug", quantity))
    body = {"payment_token": card, "email": "ada@example.org", "phone": "+49301234567"}
    ada.send("POST", "/checkout", body, key="k", headers={"prefer": "respond-async"})
    host.settle(60)
    then(host)
    host.settle(4000)
    assert wrong_in(host, ["prd_mug"]) == []
    assert host.ports.dead_letters.list() == []
    ports, order_id = host.ports, order_id_of(host)
    order = orders.get(ports, order_id)
    assert order.status == status
    payment = payments.payment_of(ports, order_id)
    assert payment is not None
    day = str(order.created_at)[:10]
    report: Any = known(host.dispatcher, "usr_staff", "staff").get(
        f"/reports/sales?from={day}&to={day}"
    )
    return [
        [line.status for line in orders.history(ports, order_id)],
        [(r.refund_id, r.amount, r.status) for r in order.refunds],
        (payment.status, payment.captured, payment.refunded),
        [(t.source, t.target, t.amount) for t in payments.transfers(ports, order_id)],
        inventory.stock_level(ports, "prd_mug"),
        [(m.source, m.target, m.quantity) for m in inventory.ledger(ports, "prd_mug")],
        [(c.status, c.captured, c.refunded) for c in host.bank.charges()],
        sorted(mail.id for mail in host.mailbox.mails()),
        sorted(text.id for text in host.mailbox.texts()),
        report,
    ]


@pytest.mark.parametrize("story", STORIES)
def test_a_story_told_twice_and_out_of_order_ends_the_same(story: str) -> None:
    bank = BANKS.get(story, as_it_is)
    once = play(story, MemoryHost(shop_app(), HostOptions(log=discard, replace=bank)))
    redelivery = Redelivery()
    twice = play(story, redelivery.host(bank))
    assert twice == once
    total = sum(n for what, n in redelivery.counts.items() if what != "refused")
    print(f"{story}: {total} redelivered, {redelivery.counts['refused']} refused")
    for what, count in sorted(redelivery.counts.items()):
        print(f"  {count:4} {what}")
    assert total > 0


def test_the_stories_redeliver_every_task_of_the_workflows() -> None:
    counts: Counter[str] = Counter()
    for story in STORIES:
        redelivery = Redelivery()
        play(story, redelivery.host(BANKS.get(story, as_it_is)))
        counts += redelivery.counts
    used = {task for workflow in shop_app().workflows.values() for task in workflow.ir.tasks}
    seen = {what.removeprefix("task ") for what in counts}
    assert used - seen == set(), "tell a story in which it runs"
