"""The test payment gateway: its tokens, its money rules, its idempotency keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cartwheel.ports import Charge, ChargeStatus, GatewayRefused, GatewayTimeout, Unavailable
from cartwheel.testgateway import TestGateway
from cartwheel_memory import MemoryDisk
from cartwheel_memory._outside import MemoryBank


@pytest.fixture
def bank() -> MemoryBank:
    return MemoryBank(MemoryDisk())


@pytest.fixture
def gateway(bank: MemoryBank) -> TestGateway:
    return TestGateway(bank)


def authorize(
    gateway: TestGateway, card: str = "tok_ok", *, key: str = "k", amount: int = 1000
) -> Charge:
    """Authorise an amount under the reference `ref`."""
    return gateway.authorize(key=key, reference="ref", amount=amount, currency="EUR", token=card)


@pytest.mark.parametrize(
    ("token", "status", "reason"),
    [
        ("tok_ok", ChargeStatus.AUTHORIZED, None),
        ("tok_declined", ChargeStatus.DECLINED, "card_declined"),
        ("tok_insufficient_funds", ChargeStatus.DECLINED, "insufficient_funds"),
        ("tok_requires_action", ChargeStatus.REQUIRES_ACTION, None),
    ],
)
def test_a_token_says_what_becomes_of_the_charge(
    gateway: TestGateway, token: str, status: ChargeStatus, reason: str | None
) -> None:
    charge = authorize(gateway, token)
    assert (charge.status, charge.reason, charge.amount) == (status, reason, 1000)
    assert gateway.find("ref") == charge


def test_a_charge_whose_reply_was_lost_answers_its_key(
    gateway: TestGateway, bank: MemoryBank
) -> None:
    with pytest.raises(GatewayTimeout):
        authorize(gateway, "tok_timeout_charged")
    found = gateway.find("ref")
    assert found is not None
    assert authorize(gateway, "tok_timeout_charged") == found
    with pytest.raises(GatewayTimeout):
        authorize(gateway, "tok_timeout_charged", key="other")
    assert len(bank.charges()) == 2


def test_a_gateway_that_never_answers_charges_nothing(
    gateway: TestGateway, bank: MemoryBank
) -> None:
    for _ in range(3):
        with pytest.raises(GatewayTimeout):
            authorize(gateway, "tok_timeout_not_charged")
    assert (gateway.find("ref"), bank.charges()) == (None, ())


def test_an_error_comes_once_for_each_key(gateway: TestGateway, bank: MemoryBank) -> None:
    for key in ("a", "b"):
        with pytest.raises(Unavailable) as caught:
            authorize(gateway, "tok_error_once", key=key)
        assert not isinstance(caught.value, GatewayTimeout)
        assert authorize(gateway, "tok_error_once", key=key).status == ChargeStatus.AUTHORIZED
    assert len(bank.charges()) == 2


def test_the_same_key_moves_money_once(gateway: TestGateway, bank: MemoryBank) -> None:
    charge = authorize(gateway)
    assert authorize(gateway) == charge
    captured = gateway.capture(key="c", charge_id=charge.charge_id, amount=600)
    assert gateway.capture(key="c", charge_id=charge.charge_id, amount=600) == captured
    refunded = gateway.refund(key="r", charge_id=charge.charge_id, amount=100)
    assert gateway.refund(key="r", charge_id=charge.charge_id, amount=100) == refunded
    [only] = bank.charges()
    assert (only.captured, only.refunded, only.status) == (600, 100, ChargeStatus.CAPTURED)


def test_a_key_used_for_something_else_is_refused(gateway: TestGateway) -> None:
    charge = authorize(gateway)
    attempts: list[Callable[[], Charge]] = [
        lambda: authorize(gateway, amount=1),
        lambda: gateway.capture(key="k", charge_id=charge.charge_id, amount=1000),
        lambda: gateway.void(key="k", charge_id=charge.charge_id),
    ]
    for attempt in attempts:
        with pytest.raises(GatewayRefused) as caught:
            attempt()
        assert caught.value.code == "key_reused"
    assert gateway.find("ref") == charge


def test_never_more_is_captured_than_authorised_nor_refunded_than_captured(
    gateway: TestGateway,
) -> None:
    charge_id = authorize(gateway).charge_id
    with pytest.raises(GatewayRefused, match="1001 is more than the authorised 1000"):
        gateway.capture(key="c1", charge_id=charge_id, amount=1001)
    gateway.capture(key="c2", charge_id=charge_id, amount=900)
    gateway.refund(key="r1", charge_id=charge_id, amount=500)
    with pytest.raises(GatewayRefused, match="401 is more than the 400 left"):
        gateway.refund(key="r2", charge_id=charge_id, amount=401)
    done = gateway.refund(key="r3", charge_id=charge_id, amount=400)
    assert (done.refunded, done.status) == (900, ChargeStatus.REFUNDED)


def test_only_legal_changes_of_state_are_made(gateway: TestGateway) -> None:
    voided = gateway.void(key="v", charge_id=authorize(gateway).charge_id)
    assert gateway.void(key="v", charge_id=voided.charge_id).status == ChargeStatus.VOIDED
    captured = gateway.capture(key="c", charge_id=authorize(gateway, key="k2").charge_id, amount=1)
    declined = authorize(gateway, "tok_declined", key="k3")
    waiting = authorize(gateway, "tok_requires_action", key="k4")
    refusals: dict[str, Callable[[], Charge]] = {
        "charge_voided": lambda: gateway.capture(key="1", charge_id=voided.charge_id, amount=1),
        "charge_captured": lambda: gateway.void(key="2", charge_id=captured.charge_id),
        "charge_declined": lambda: gateway.void(key="3", charge_id=declined.charge_id),
        "charge_requires_action": lambda: gateway.capture(
            key="4", charge_id=waiting.charge_id, amount=1
        ),
        "charge_authorized": lambda: gateway.refund(
            key="5", charge_id=authorize(gateway, key="k5").charge_id, amount=1
        ),
        "no_such_charge": lambda: gateway.void(key="6", charge_id="ch_9"),
        "invalid_amount": lambda: authorize(gateway, key="7", amount=0),
        "invalid_token": lambda: authorize(gateway, "tok_gold", key="8"),
    }
    for code, attempt in refusals.items():
        with pytest.raises(GatewayRefused) as caught:
            attempt()
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("approved", "status"), [(True, ChargeStatus.AUTHORIZED), (False, ChargeStatus.DECLINED)]
)
def test_the_cards_holder_settles_a_charge_that_requires_action(
    gateway: TestGateway, approved: bool, status: ChargeStatus
) -> None:
    waiting = authorize(gateway, "tok_requires_action")
    assert gateway.act(waiting.charge_id, approved=approved).status == status
    with pytest.raises(GatewayRefused):
        gateway.act(waiting.charge_id, approved=approved)


def test_a_reference_finds_its_latest_charge(gateway: TestGateway) -> None:
    authorize(gateway, "tok_declined", key="a")
    second = authorize(gateway, key="b")
    assert gateway.find("ref") == second
    assert gateway.find("other") is None
