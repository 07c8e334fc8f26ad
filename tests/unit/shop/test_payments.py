"""Payments over the test gateway: intents, unknown outcomes, the reconciler, the money ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from cartwheel.host import HostOptions
from cartwheel.log import Log, discard
from cartwheel.ports import ChargeStatus, GatewayTimeout, PortCall, Ports, Unavailable
from cartwheel_memory import MemoryHost
from cartwheel_shop._base import Money
from cartwheel_shop.payments import service as payments
from cartwheel_shop.payments.model import (
    LEGAL,
    Account,
    Payment,
    PaymentDeclined,
    PaymentNotCaptured,
    PaymentVoided,
    Status,
)
from cartwheel_workflows.shop import shop_app

T = TypeVar("T")
PRICE = Money(amount=1290)


class LostReplies:
    """Loses the reply of chosen payment calls, once each, after they took effect."""

    def __init__(self) -> None:
        self.operations: set[str] = set()

    def __call__(self, call: PortCall, invoke: Callable[[], T]) -> T:
        result = invoke()
        if call.port == "payments" and call.operation in self.operations:
            self.operations.remove(call.operation)
            raise GatewayTimeout(f"{call} did not answer")
        return result


@pytest.fixture
def lost() -> LostReplies:
    return LostReplies()


@pytest.fixture
def host(lost: LostReplies) -> Iterator[MemoryHost]:
    with MemoryHost(shop_app(), HostOptions(log=discard, hook=lost)) as opened:
        yield opened


@pytest.fixture
def ports(host: MemoryHost) -> Ports:
    return host.ports


def opened(ports: Ports, card: str = "tok_ok", order_id: str = "ord_1") -> str:
    payments.open_payment(ports, order_id, PRICE, card)
    return order_id


def authorized(ports: Ports) -> str:
    order_id = opened(ports)
    payments.authorize(ports, "run:authorize", order_id)
    return order_id


def captured(ports: Ports) -> str:
    order_id = authorized(ports)
    payments.capture(ports, order_id)
    return order_id


def balances(ports: Ports, order_id: str) -> dict[Account, int]:
    totals = dict.fromkeys(Account, 0)
    for transfer in payments.transfers(ports, order_id):
        totals[transfer.source] -= transfer.amount
        totals[transfer.target] += transfer.amount
    return totals


def status(ports: Ports, order_id: str = "ord_1") -> str:
    found = payments.summary_of(ports, order_id)
    assert found is not None
    return found.status


def reconcile(host: MemoryHost, verdict: payments.Verdict = "wait") -> None:
    """Let a minute and a bit pass, and run one pass of the reconciler."""
    host.clock.advance(61)
    log = Log(host.clock, discard)
    payments.reconcile(host.ports, log, lambda order_id: verdict)


def test_an_authorisation_made_twice_holds_once(host: MemoryHost) -> None:
    order_id = authorized(host.ports)
    payments.authorize(host.ports, "run:authorize", order_id)
    assert [charge.status for charge in host.bank.charges()] == [ChargeStatus.AUTHORIZED]
    assert balances(host.ports, order_id)[Account.AUTHORIZED] == 1290


def test_the_token_is_forgotten_once_it_was_used(ports: Ports) -> None:
    payment = payments.payment_of(ports, authorized(ports))
    assert payment is not None
    assert payment.token is None


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("tok_declined", "card_declined"),
        ("tok_insufficient_funds", "insufficient_funds"),
        ("tok_unheard_of", "invalid_token"),
    ],
)
def test_a_declined_card_says_why_and_stays_declined(ports: Ports, token: str, reason: str) -> None:
    order_id = opened(ports, token)
    for _ in range(2):
        with pytest.raises(PaymentDeclined) as refused:
            payments.authorize(ports, "run:authorize", order_id)
        assert refused.value.details["reason"] == reason
    assert sum(balances(ports, order_id).values()) == 0
    assert balances(ports, order_id)[Account.AUTHORIZED] == 0


def waiting(host: MemoryHost) -> str:
    order_id = opened(host.ports, "tok_requires_action")
    payment = payments.authorize(host.ports, "k", order_id)
    assert (payment.status, payment.action_required) == (Status.AUTHORIZING, True)
    return order_id


def test_a_payment_that_waits_for_the_customer_goes_on_once_they_approve(host: MemoryHost) -> None:
    order_id = waiting(host)
    assert payments.authorize(host.ports, "k", order_id).action_required
    (charge,) = host.bank.charges()
    host.gateway.act(charge.charge_id, approved=True)
    assert payments.hear(host.ports, "k").status is Status.AUTHORIZED
    payment = payments.confirm_authorization(host.ports, order_id)
    assert (payment.status, payment.action_required) == (Status.AUTHORIZED, False)
    assert balances(host.ports, order_id)[Account.AUTHORIZED] == 1290


@pytest.mark.parametrize(
    ("acts", "reason"), [(True, "authentication_failed"), (False, "action_timeout")]
)
def test_a_customer_who_refuses_or_does_nothing_is_declined(
    host: MemoryHost, acts: bool, reason: str
) -> None:
    order_id = waiting(host)
    (charge,) = host.bank.charges()
    if acts:
        host.gateway.act(charge.charge_id, approved=False)
    with pytest.raises(PaymentDeclined) as refused:
        payments.confirm_authorization(host.ports, order_id)
    assert refused.value.details["reason"] == reason


@pytest.mark.parametrize("approved", [None, True, False])
def test_giving_up_what_waits_for_the_customer_leaves_nothing_at_the_gateway(
    host: MemoryHost, approved: bool | None
) -> None:
    order_id = waiting(host)
    (charge,) = host.bank.charges()
    if approved is not None:
        host.gateway.act(charge.charge_id, approved=approved)
    payment = payments.give_back(host.ports, order_id)
    assert payment.status is (Status.DECLINED if approved is False else Status.VOIDED)
    (charge,) = host.bank.charges()
    assert charge.status in {ChargeStatus.VOIDED, ChargeStatus.DECLINED}
    assert set(balances(host.ports, order_id).values()) == {0}


def test_a_payment_that_waits_for_the_customer_is_not_given_up_by_the_reconciler(
    host: MemoryHost,
) -> None:
    order_id = waiting(host)
    for _ in range(5):
        reconcile(host)
    assert status(host.ports) == "authorizing"
    (charge,) = host.bank.charges()
    host.gateway.act(charge.charge_id, approved=True)
    reconcile(host)
    assert status(host.ports) == "authorized"
    assert payments.confirm_authorization(host.ports, order_id).status is Status.AUTHORIZED


def test_an_unknown_outcome_that_turns_out_to_wait_for_the_customer_waits(
    host: MemoryHost, lost: LostReplies
) -> None:
    order_id = opened(host.ports, "tok_requires_action")
    lost.operations = {"authorize"}
    with pytest.raises(Unavailable):
        payments.authorize(host.ports, "k", order_id)
    assert status(host.ports) == "unknown"
    payment = payments.authorize(host.ports, "k", order_id)
    assert (payment.status, payment.action_required) == (Status.AUTHORIZING, True)


def test_an_order_without_means_of_payment_is_declined(ports: Ports) -> None:
    with pytest.raises(PaymentDeclined):
        payments.authorize(ports, "run:authorize", "ord_nothing")


def test_a_lost_reply_leaves_unknown_and_the_next_try_finds_the_charge(host: MemoryHost) -> None:
    order_id = opened(host.ports, "tok_timeout_charged")
    with pytest.raises(Unavailable):
        payments.authorize(host.ports, "k", order_id)
    assert status(host.ports) == "unknown"
    assert payments.authorize(host.ports, "k", order_id).status is Status.AUTHORIZED
    assert len(host.bank.charges()) == 1


def test_an_outcome_unknown_and_not_charged_can_be_given_up(host: MemoryHost) -> None:
    order_id = opened(host.ports, "tok_timeout_not_charged")
    for _ in range(2):
        with pytest.raises(Unavailable):
            payments.authorize(host.ports, "k", order_id)
    assert payments.give_back(host.ports, order_id).status is Status.VOIDED
    assert host.bank.charges() == ()
    with pytest.raises(PaymentVoided):
        payments.authorize(host.ports, "k", order_id)


def test_an_authorisation_after_a_void_is_refused(host: MemoryHost) -> None:
    payments.give_back(host.ports, "ord_1")
    opened(host.ports)
    with pytest.raises(PaymentVoided):
        payments.authorize(host.ports, "k", "ord_1")
    assert host.bank.charges() == ()


def test_an_amount_held_is_captured_once_also_when_the_reply_is_lost(
    host: MemoryHost, lost: LostReplies
) -> None:
    order_id = authorized(host.ports)
    lost.operations = {"capture"}
    with pytest.raises(Unavailable):
        payments.capture(host.ports, order_id)
    assert status(host.ports) == "capturing"
    assert payments.capture(host.ports, order_id).captured == 1290
    assert payments.capture(host.ports, order_id).captured == 1290
    assert balances(host.ports, order_id)[Account.CAPTURED] == 1290
    assert balances(host.ports, order_id)[Account.AUTHORIZED] == 0


@pytest.mark.parametrize("operation", ["void", "find"])
def test_a_void_whose_reply_is_lost_is_done_once(
    host: MemoryHost, lost: LostReplies, operation: str
) -> None:
    order_id = authorized(host.ports)
    lost.operations = {operation}
    with pytest.raises(Unavailable):
        payments.give_back(host.ports, order_id)
    assert payments.give_back(host.ports, order_id).status is Status.VOIDED
    assert [charge.status for charge in host.bank.charges()] == [ChargeStatus.VOIDED]
    assert set(balances(host.ports, order_id).values()) == {0}
    with pytest.raises(PaymentVoided):
        payments.capture(host.ports, order_id)


def test_giving_back_a_captured_payment_refunds_it_once(
    host: MemoryHost, lost: LostReplies
) -> None:
    order_id = captured(host.ports)
    lost.operations = {"refund"}
    with pytest.raises(Unavailable):
        payments.give_back(host.ports, order_id)
    for _ in range(2):
        payment = payments.give_back(host.ports, order_id)
        assert (payment.status, payment.refunded) == (Status.REFUNDED, 1290)
    assert [charge.refunded for charge in host.bank.charges()] == [1290]
    assert balances(host.ports, order_id)[Account.REFUNDED] == 1290


def test_refunds_in_parts_add_up_and_stop_at_what_was_captured(ports: Ports) -> None:
    order_id = captured(ports)
    assert payments.refund(ports, "r1", order_id, 1000).status is Status.CAPTURED
    assert payments.refund(ports, "r1", order_id, 1000).refunded == 1000
    with pytest.raises(PaymentNotCaptured):
        payments.refund(ports, "r2", order_id, 291)
    assert payments.refund(ports, "r3", order_id).status is Status.REFUNDED


def test_nothing_is_refunded_that_was_not_captured(ports: Ports) -> None:
    with pytest.raises(PaymentNotCaptured):
        payments.refund(ports, "r1", authorized(ports), 1)


def test_the_reconciler_finds_an_unknown_charge(host: MemoryHost) -> None:
    order_id = opened(host.ports, "tok_timeout_charged")
    with pytest.raises(Unavailable):
        payments.authorize(host.ports, "k", order_id)
    reconcile(host)
    assert status(host.ports) == "authorized"


def test_the_reconciler_gives_an_unknown_charge_up_after_three_passes(host: MemoryHost) -> None:
    order_id = opened(host.ports, "tok_timeout_not_charged")
    with pytest.raises(Unavailable):
        payments.authorize(host.ports, "k", order_id)
    seen = []
    for _ in range(3):
        reconcile(host)
        seen.append(status(host.ports))
    assert seen == ["unknown", "unknown", "voided"]


def test_a_charge_that_comes_to_light_after_it_was_given_up_is_voided(host: MemoryHost) -> None:
    order_id = opened(host.ports, "tok_timeout_not_charged")
    with pytest.raises(Unavailable):
        payments.authorize(host.ports, "k", order_id)
    payments.give_back(host.ports, order_id)
    # The request that was on its way all the time arrives at the gateway now.
    host.ports.payments.authorize(
        key="k2", reference="k", amount=1290, currency="EUR", token="tok_ok"
    )
    reconcile(host)
    assert [charge.status for charge in host.bank.charges()] == [ChargeStatus.VOIDED]
    assert status(host.ports) == "voided"
    assert set(balances(host.ports, order_id).values()) == {0}


def test_a_payment_given_up_is_not_watched_for_ever(host: MemoryHost) -> None:
    order_id = opened(host.ports, "tok_timeout_not_charged")
    with pytest.raises(Unavailable):
        payments.authorize(host.ports, "k", order_id)
    payments.give_back(host.ports, order_id)
    for _ in range(11):
        reconcile(host)
    payment = payments.payment_of(host.ports, order_id)
    assert payment is not None
    assert payment.unsettled is None


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [("capture", "captured"), ("give_back", "voided"), ("wait", "authorized")],
)
def test_an_amount_left_held_goes_where_its_order_wants_it(
    host: MemoryHost, verdict: payments.Verdict, expected: str
) -> None:
    authorized(host.ports)
    reconcile(host, verdict)
    assert status(host.ports) == expected


@pytest.mark.parametrize("operation", ["capture", "void", "refund"])
def test_the_reconciler_finishes_what_a_lost_reply_left(
    host: MemoryHost, lost: LostReplies, operation: str
) -> None:
    order_id = captured(host.ports) if operation == "refund" else authorized(host.ports)
    lost.operations = {operation}
    step = payments.capture if operation == "capture" else payments.give_back
    with pytest.raises(Unavailable):
        step(host.ports, order_id)
    reconcile(host)
    done = {"capture": "captured", "void": "voided", "refund": "refunded"}
    assert status(host.ports) == done[operation]
    assert sum(balances(host.ports, order_id).values()) == 0


def test_the_reconciler_leaves_young_intents_to_their_workflow(host: MemoryHost) -> None:
    order_id = opened(host.ports, "tok_timeout_charged")
    with pytest.raises(Unavailable):
        payments.authorize(host.ports, "k", order_id)
    host.clock.advance(59)
    assert payments.reconcile(host.ports, Log(host.clock, discard), lambda _: "wait") == 0


def test_one_payment_that_cannot_be_settled_does_not_stop_the_next(
    host: MemoryHost, lost: LostReplies
) -> None:
    for order_id in ("ord_1", "ord_2"):
        opened(host.ports, "tok_timeout_charged", order_id)
        with pytest.raises(Unavailable):
            payments.authorize(host.ports, f"k:{order_id}", order_id)
    lost.operations = {"find"}
    reconcile(host)
    assert sorted(status(host.ports, order_id) for order_id in ("ord_1", "ord_2")) == [
        "authorized",
        "unknown",
    ]


def test_every_state_is_in_the_table_and_illegal_moves_are_refused() -> None:
    assert set(LEGAL) == set(Status)
    at = "2026-01-01T00:00:00.000Z"
    for source in Status:
        payment = Payment(order_id="o", status=source, amount=PRICE, since=at)
        for target in Status:
            if target in LEGAL[source]:
                assert payment.to(target, at).status is target
            else:
                with pytest.raises(ValueError, match=f"from {source} to {target}"):
                    payment.to(target, at)


def test_a_payment_may_change_its_amount_only_before_anything_was_tried(ports: Ports) -> None:
    order_id = opened(ports)
    payments.open_payment(ports, order_id, Money(amount=99), "tok_ok")
    payments.authorize(ports, "k", order_id)
    payments.open_payment(ports, order_id, PRICE, "tok_ok")
    payment = payments.payment_of(ports, order_id)
    assert payment is not None
    assert payment.amount == Money(amount=99)
    charge = ports.payments.find("k")
    assert charge is not None
    assert charge.amount == 99
