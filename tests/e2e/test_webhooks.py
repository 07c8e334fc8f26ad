"""The payment gateway's webhooks: through the queue to the payment, and to the run that waits."""

from __future__ import annotations

from typing import Any

import pytest

from cartwheel.http import Response
from cartwheel.ports import ChargeStatus, RunStatus
from cartwheel_memory import MemoryHost
from cartwheel_shop.payments.model import ACTION_SECONDS
from tests.support.shopping import Shopper, bank_answers, send_webhook

MUG = ("prd_mug", 2)


def waiting(ada: Shopper) -> str:
    """Order with a card whose holder has to act."""
    ada.fill_cart(MUG)
    response = ada.check_out("tok_requires_action")
    answer: Any = response.json()
    assert (response.status, answer["status"]) == (202, "processing")
    return str(answer["order_id"])


def answer(host: MemoryHost, *, approved: bool) -> Response:
    (charge,) = host.bank.charges()
    return bank_answers(host.dispatcher, host.gateway, charge.charge_id, approved=approved)


def stock(staff: Shopper) -> tuple[int, int, int]:
    level = staff.get("/products/prd_mug/stock")
    return level["available"], level["reserved"], level["sold"]


def test_a_checkout_waits_for_the_cards_holder_and_goes_on(
    host: MemoryHost, ada: Shopper, staff: Shopper
) -> None:
    order_id = waiting(ada)
    host.settle(60)
    order = ada.get(f"/orders/{order_id}")
    assert (order["status"], order["requires_action"]) == ("processing", True)
    assert order["payment"]["status"] == "authorizing"
    assert stock(staff) == (8, 2, 0)
    assert answer(host, approved=True).status == 200
    host.settle()
    order = ada.get(f"/orders/{order_id}")
    assert (order["status"], order["requires_action"]) == ("confirmed", False)
    assert order["payment"] == {"status": "captured", "captured": 2580, "refunded": 0}
    assert stock(staff) == (8, 0, 2)


def test_a_holder_who_refuses_gets_the_order_rejected_at_once(
    host: MemoryHost, ada: Shopper, staff: Shopper
) -> None:
    order_id = waiting(ada)
    answer(host, approved=False)
    host.settle()
    order = ada.get(f"/orders/{order_id}")
    assert (order["status"], order["reason"]) == ("rejected", "payment_declined")
    assert stock(staff) == (10, 0, 0)


def test_a_holder_who_does_nothing_loses_the_goods_after_ten_minutes(
    host: MemoryHost, ada: Shopper, staff: Shopper
) -> None:
    order_id = waiting(ada)
    host.settle(ACTION_SECONDS - 1)
    assert ada.get(f"/orders/{order_id}")["status"] == "processing"
    host.settle(2)
    order = ada.get(f"/orders/{order_id}")
    assert (order["status"], order["reason"]) == ("rejected", "payment_declined")
    assert stock(staff) == (10, 0, 0)
    assert [charge.status for charge in host.bank.charges()] == [ChargeStatus.VOIDED]


def test_an_approval_whose_webhook_is_lost_is_found_by_the_reconciler(
    host: MemoryHost, ada: Shopper
) -> None:
    order_id = waiting(ada)
    (charge,) = host.bank.charges()
    host.gateway.act(charge.charge_id, approved=True)
    host.settle(130)
    assert ada.get(f"/orders/{order_id}")["status"] == "confirmed"


def test_a_checkout_that_waits_can_be_cancelled_and_a_late_approval_moves_no_money(
    host: MemoryHost, ada: Shopper, staff: Shopper
) -> None:
    order_id = waiting(ada)
    assert ada.send("POST", f"/orders/{order_id}/cancel", key="c").status == 202
    host.settle(5)
    assert ada.get(f"/orders/{order_id}")["status"] == "cancelled"
    (charge,) = host.bank.charges()
    assert charge.status is ChargeStatus.VOIDED
    assert stock(staff) == (10, 0, 0)


@pytest.mark.parametrize("copies", [1, 3])
def test_a_webhook_that_comes_again_is_taken_and_has_one_effect(
    host: MemoryHost, ada: Shopper, copies: int
) -> None:
    order_id = waiting(ada)
    (charge,) = host.bank.charges()
    acted = host.gateway.act(charge.charge_id, approved=True)
    answers = [send_webhook(host.dispatcher, acted) for _ in range(copies)]
    assert {(response.status, response.body) for response in answers} == {
        (200, b'{"webhook_id":"msg_ch_000001_authorized"}')
    }
    host.settle()
    assert ada.get(f"/orders/{order_id}")["status"] == "confirmed"
    again = send_webhook(host.dispatcher, acted)
    assert again.status == 200
    host.settle(60)
    assert ada.get(f"/orders/{order_id}")["payment"]["captured"] == 2580
    (run,) = host.ports.workflows.list(workflow="checkout").runs
    signals = [e for e in host.ports.workflows.history(run.run_id) if e.kind == "signal"]
    assert (run.status, len(signals)) == (RunStatus.SUCCEEDED, 1)


def test_an_old_webhook_that_comes_late_changes_nothing(host: MemoryHost, ada: Shopper) -> None:
    order_id = waiting(ada)
    (old,) = host.bank.charges()
    answer(host, approved=True)
    host.settle()
    assert send_webhook(host.dispatcher, old).status == 200
    host.settle(5)
    assert ada.get(f"/orders/{order_id}")["payment"]["status"] == "captured"


def test_a_webhook_before_our_own_note_of_the_charge_is_found_later(
    host: MemoryHost, ada: Shopper
) -> None:
    charge = host.gateway.authorize(
        key="elsewhere", reference="run:authorize", amount=5, currency="EUR", token="tok_ok"
    )
    assert send_webhook(host.dispatcher, charge).status == 200
    host.settle()
    assert list(host.ports.dead_letters.list()) == []
    host.settle(600)
    (letter,) = host.ports.dead_letters.list()
    assert letter.consumer == "payments.settle"


def test_an_unsigned_webhook_is_a_400_and_reaches_nobody(host: MemoryHost, ada: Shopper) -> None:
    order_id = waiting(ada)
    (charge,) = host.bank.charges()
    data = {"charge_id": charge.charge_id, "reference": charge.reference, "status": "authorized"}
    response = ada.send("POST", "/payments/webhook", {"type": "charge.authorized", "data": data})
    problem: Any = response.json()
    assert (response.status, problem["code"]) == (400, "webhook_refused")
    host.settle(5)
    assert ada.get(f"/orders/{order_id}")["status"] == "processing"
