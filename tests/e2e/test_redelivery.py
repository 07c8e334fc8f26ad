"""Every task of the workflows delivered twice, late and out of order: one effect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cartwheel.ports import Json
from cartwheel_memory import MemoryHost
from cartwheel_shop.inventory import service as inventory
from cartwheel_shop.orders import service as orders
from cartwheel_shop.payments import service as payments
from tests.support.shopping import Shopper

LINES: list[Json] = [{"product_id": "prd_mug", "quantity": 2}]


def deliver(host: MemoryHost, task: str, run_id: str, step: str, input: dict[str, Json]) -> Any:
    """Deliver a task as an engine does; gives its output, or the error's code."""
    reply = host.dispatcher.task(task, f"{run_id}:{step}", run_id, json.dumps(input).encode())
    answer: Any = json.loads(reply.json)
    return answer if reply.ok else answer["code"]


def books(host: MemoryHost, order_id: str) -> list[object]:
    """Give all that a redelivery could have changed."""
    return [
        orders.get(host.ports, order_id),
        orders.history(host.ports, order_id),
        payments.payment_of(host.ports, order_id),
        payments.transfers(host.ports, order_id),
        inventory.stock_level(host.ports, "prd_mug"),
        inventory.ledger(host.ports, "prd_mug"),
        host.bank.charges(),
        [mail.id for mail in host.mailbox.mails()],
    ]


def undo(input: dict[str, Json]) -> dict[str, Json]:
    return {"input": input, "output": None, "key": "whatever"}


def forward(order_id: str) -> list[tuple[str, str, dict[str, Json]]]:
    of_order: dict[str, Json] = {"order_id": order_id}
    with_lines: dict[str, Json] = {"order_id": order_id, "lines": LINES}
    return [
        ("orders.validate", "validate", of_order),
        ("inventory.reserve", "reserve", with_lines),
        ("payments.authorize", "authorize", of_order),
        ("inventory.commit", "commit", with_lines),
        ("orders.confirm", "confirm", of_order),
        ("payments.capture", "capture", of_order),
    ]


def backward(order_id: str) -> list[tuple[str, str, dict[str, Json]]]:
    of_order: dict[str, Json] = {"order_id": order_id}
    with_lines: dict[str, Json] = {"order_id": order_id, "lines": LINES}
    return [
        ("payments.void", "authorize.compensate", undo(of_order)),
        ("inventory.release", "reserve.compensate", undo(with_lines)),
        ("orders.abandon", "validate.compensate", undo(of_order)),
        ("orders.reject", "reject", {**of_order, "code": "Timeout"}),
    ]


@pytest.fixture
def confirmed(host: MemoryHost, ada: Shopper) -> tuple[str, str]:
    """Check out two mugs; gives the order's and the run's id."""
    ada.fill_cart(("prd_mug", 2))
    answer: Any = ada.check_out().json()
    order = orders.get(host.ports, answer["order_id"])
    assert order.run_id is not None
    return order.order_id, order.run_id


@pytest.mark.parametrize("in_order", [True, False])
def test_tasks_of_a_confirmed_order_delivered_again_change_nothing(
    host: MemoryHost, confirmed: tuple[str, str], in_order: bool
) -> None:
    order_id, run_id = confirmed
    before = books(host, order_id)
    steps = forward(order_id)
    for task, step, given in steps if in_order else steps[::-1]:
        answer = deliver(host, task, run_id, step, given)
        expected = "OrderClosed" if task == "orders.validate" else None
        assert answer == expected or isinstance(answer, dict)
    assert books(host, order_id) == before


def test_tasks_that_come_after_their_compensations_do_nothing(
    host: MemoryHost, ada: Shopper
) -> None:
    ada.fill_cart(("prd_mug", 2))
    placed: Any = ada.send("POST", "/orders", {}).json()
    order_id = placed["order_id"]
    payments.open_payment(host.ports, order_id, orders.get(host.ports, order_id).total, "tok_ok")
    for _ in range(2):
        for task, step, given in backward(order_id):
            assert isinstance(deliver(host, task, "late", step, given), dict)
    before = books(host, order_id)
    answers = [deliver(host, task, "late", step, given) for task, step, given in forward(order_id)]
    assert answers == [
        "OrderClosed",
        "ReservationClosed",
        "PaymentVoided",
        "ReservationExpired",
        "OrderClosed",
        "PaymentVoided",
    ]
    assert books(host, order_id) == before
    assert host.bank.charges() == ()


def test_every_step_of_an_undone_checkout_may_come_twice_and_late(
    host: MemoryHost, ada: Shopper
) -> None:
    ada.fill_cart(("prd_mug", 2))
    placed: Any = ada.send("POST", "/orders", {}).json()
    order_id = placed["order_id"]
    payments.open_payment(host.ports, order_id, orders.get(host.ports, order_id).total, "tok_ok")
    for task, step, given in forward(order_id)[:4]:
        for _ in range(2):
            assert isinstance(deliver(host, task, "run", step, given), dict)
    for task, step, given in backward(order_id):
        for _ in range(2):
            assert isinstance(deliver(host, task, "run", step, given), dict)
    level = inventory.stock_level(host.ports, "prd_mug")
    assert (level.available, level.reserved, level.sold) == (10, 0, 0)
    assert [charge.status for charge in host.bank.charges()] == ["voided"]
    assert orders.get(host.ports, order_id).status == "rejected"


def test_a_cancellation_delivered_twice_gives_back_once(
    host: MemoryHost, ada: Shopper, confirmed: tuple[str, str]
) -> None:
    order_id, _ = confirmed
    ada.send("POST", f"/orders/{order_id}/cancel", key="c1")
    before = books(host, order_id)
    run_id = f"cancel_{order_id}"
    of_order: dict[str, Json] = {"order_id": order_id}
    for task, step, given in [
        ("orders.begin_cancel", "begin_cancel", of_order),
        ("payments.give_back", "give_back", of_order),
        ("inventory.restock", "restock", {**of_order, "lines": LINES}),
        ("orders.finish_cancel", "finish_cancel", of_order),
    ]:
        assert isinstance(deliver(host, task, run_id, step, given), dict)
    assert books(host, order_id) == before
