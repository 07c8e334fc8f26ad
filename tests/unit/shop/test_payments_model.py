"""What each answer of the gateway makes of a payment, to the cent."""

from __future__ import annotations

import itertools

import pytest

from cartwheel.ports import Charge, ChargeStatus
from cartwheel_shop._base import Money
from cartwheel_shop.payments import model
from cartwheel_shop.payments.model import Change, Payment, PaymentDeclined, Status, learn

AT, LATER = "2026-01-01T00:00:00.000Z", "2026-01-01T00:01:00.000Z"


def payment(status: Status, **more: object) -> Payment:
    new = Payment(order_id="ord_1", status=status, amount=Money(amount=2580), since=AT)
    return new.model_copy(update={"charge_id": "ch_1", "reference": "ref", **more})


def charge(status: ChargeStatus, *, captured: int = 0, refunded: int = 0) -> Charge:
    return Charge("ch_1", "ref", status, 2580, "EUR", captured=captured, refunded=refunded)


def moves(change: Change | None) -> list[tuple[str, str, int]]:
    assert change is not None
    return [(t.source.value, t.target.value, t.amount) for t in change.transfers]


def test_a_new_payment_has_moved_nothing() -> None:
    new = Payment(order_id="ord_1", status=Status.NEW, amount=Money(amount=1), since=AT)
    assert (new.held, new.captured, new.refunded, new.refund_amount) == (0, 0, 0, 0)
    assert (new.asked, new.sequence, new.action_required) == (0, 0, False)


def test_a_whole_capture_takes_what_was_held() -> None:
    change = learn(
        payment(Status.CAPTURING, held=2580), charge(ChargeStatus.CAPTURED, captured=2580), LATER
    )
    assert moves(change) == [("authorized", "captured", 2580)]
    assert change is not None
    assert (change.payment.held, change.payment.captured) == (0, 2580)
    assert change.payment.status is Status.CAPTURED


@pytest.mark.parametrize("taken", [1, 580, 2000, 2579])
def test_a_part_capture_gives_the_rest_back(taken: int) -> None:
    change = learn(
        payment(Status.CAPTURING, held=2580), charge(ChargeStatus.CAPTURED, captured=taken), LATER
    )
    assert moves(change) == [
        ("authorized", "captured", taken),
        ("authorized", "cardholder", 2580 - taken),
    ]


def test_a_void_gives_back_all_that_was_held() -> None:
    change = learn(payment(Status.VOIDING, held=2580), charge(ChargeStatus.VOIDED), LATER)
    assert moves(change) == [("authorized", "cardholder", 2580)]
    assert change is not None
    assert (change.payment.held, change.payment.status) == (0, Status.VOIDED)


@pytest.mark.parametrize("status", [s for s in ChargeStatus if s is not ChargeStatus.VOIDED])
def test_a_void_waits_until_the_charge_is_void(status: ChargeStatus) -> None:
    assert learn(payment(Status.VOIDING, held=2580), charge(status), LATER) is None


@pytest.mark.parametrize("status", [s for s in ChargeStatus if s is not ChargeStatus.AUTHORIZED])
def test_only_a_held_charge_brings_a_voided_payment_back(status: ChargeStatus) -> None:
    assert learn(payment(Status.VOIDED), charge(status), LATER) is None


def test_a_charge_that_comes_late_is_voided() -> None:
    change = learn(payment(Status.VOIDED), charge(ChargeStatus.AUTHORIZED), LATER)
    assert moves(change) == [("cardholder", "authorized", 2580)]
    assert change is not None
    assert (change.payment.status, change.payment.held) == (Status.VOIDING, 2580)


@pytest.mark.parametrize(
    ("before", "amount", "seen", "counts"),
    [
        (0, 500, 499, False),
        (0, 500, 500, True),
        (500, 500, 500, False),
        (500, 500, 999, False),
        (500, 500, 1000, True),
        (500, 300, 1000, True),
        (700, 200, 700, False),
        (2080, 500, 2080, False),
        (2080, 500, 2580, True),
    ],
)
def test_a_refund_counts_once_the_bank_has_made_all_of_it(
    before: int, amount: int, seen: int, counts: bool
) -> None:
    now = payment(
        Status.REFUNDING, captured=2580, refunded=before, refund_amount=amount, refund_key="r"
    )
    change = learn(now, charge(ChargeStatus.CAPTURED, captured=2580, refunded=seen), LATER)
    if not counts:
        assert change is None
        return
    assert moves(change) == [("captured", "refunded", amount)]
    assert change is not None
    after = change.payment
    assert (after.refunded, after.refund_key, after.refund_amount) == (before + amount, None, 0)
    whole = before + amount == 2580
    assert after.status is (Status.REFUNDED if whole else Status.CAPTURED)
    assert after.refundable == 2580 - before - amount


@pytest.mark.parametrize("status", [Status.UNKNOWN, Status.AUTHORIZING])
def test_a_card_whose_holder_must_act_is_waited_for_once(status: Status) -> None:
    change = learn(payment(status), charge(ChargeStatus.REQUIRES_ACTION), LATER)
    assert change is not None
    assert (change.payment.status, change.payment.action_required) == (Status.AUTHORIZING, True)
    assert learn(change.payment, charge(ChargeStatus.REQUIRES_ACTION), LATER) is None


@pytest.mark.parametrize(("before", "after"), list(itertools.product(Status, Status)))
def test_a_payment_moves_only_as_the_table_says(before: Status, after: Status) -> None:
    if after in model.LEGAL[before]:
        assert payment(before).to(after, LATER).status is after
    else:
        with pytest.raises(ValueError, match="does not go"):
            payment(before).to(after, LATER)


def test_times_and_the_answer_to_a_declined_card_are_as_documented() -> None:
    assert (model.STUCK_SECONDS, model.WATCH_SECONDS) == (60, 600)
    assert (model.ACTION_SECONDS, model.MAX_ASKED) == (600, 3)
    assert PaymentDeclined.status == 402
