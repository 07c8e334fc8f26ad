"""What every PaymentGateway promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest

from cartwheel.ports import (
    Charge,
    ChargeStatus,
    GatewayRefused,
    GatewayTimeout,
    PaymentGateway,
    Unavailable,
)
from cartwheel.testing._base import Contract, OpenHost, fresh
from cartwheel.testing._empty_app import empty_app

THREADS = 8
UNKNOWN = "ch_nobody_knows"


class PaymentGatewayContract(Contract):
    """Holds a PaymentGateway to its port.

    The class names the tokens to pay with. Those that are None are played by the test gateway only,
    and the tests about them are skipped for gateways without them.
    """

    token: ClassVar[str] = "tok_ok"
    declined_token: ClassVar[str] = "tok_declined"
    action_token: ClassVar[str | None] = "tok_requires_action"
    reply_lost_token: ClassVar[str | None] = "tok_timeout_charged"
    never_answers_token: ClassVar[str | None] = "tok_timeout_not_charged"
    fails_once_token: ClassVar[str | None] = "tok_error_once"
    currency: ClassVar[str] = "EUR"

    @pytest.fixture
    def gateway(self, open_host: OpenHost) -> Iterator[PaymentGateway]:
        """Give the gateway of a host that is closed afterwards."""
        with open_host(empty_app()) as host:
            yield host.ports.payments

    @pytest.fixture
    def reference(self) -> str:
        """Make a reference under which nothing was charged yet."""
        return fresh("ref")

    def authorize(
        self,
        gateway: PaymentGateway,
        reference: str,
        *,
        amount: int = 1000,
        key: str | None = None,
        token: str | None = None,
    ) -> Charge:
        """Authorise an amount, under the reference as the key unless another one is given."""
        return gateway.authorize(
            key=key or reference,
            reference=reference,
            amount=amount,
            currency=self.currency,
            token=token or self.token,
        )

    def captured(self, gateway: PaymentGateway, reference: str, amount: int = 1000) -> Charge:
        """Authorise 1000 and capture an amount."""
        charge = self.authorize(gateway, reference)
        return gateway.capture(key=fresh("key"), charge_id=charge.charge_id, amount=amount)

    # Authorisations.

    def test_an_authorisation_reserves_the_amount_and_takes_nothing(
        self, gateway: PaymentGateway, reference: str
    ) -> None:
        charge = self.authorize(gateway, reference, amount=1299)
        assert charge.charge_id
        assert charge == Charge(
            charge.charge_id, reference, ChargeStatus.AUTHORIZED, 1299, self.currency
        )

    def test_two_authorisations_are_two_charges(self, gateway: PaymentGateway) -> None:
        one = self.authorize(gateway, fresh("ref"))
        two = self.authorize(gateway, fresh("ref"))
        assert one.charge_id != two.charge_id

    def test_the_same_key_again_authorises_nothing_more(
        self, gateway: PaymentGateway, reference: str
    ) -> None:
        assert self.authorize(gateway, reference) == self.authorize(gateway, reference)

    def test_a_key_used_for_another_authorisation_is_refused(
        self, gateway: PaymentGateway, reference: str
    ) -> None:
        charge = self.authorize(gateway, reference, amount=1000)
        with pytest.raises(GatewayRefused):
            self.authorize(gateway, reference, amount=1001)
        with pytest.raises(GatewayRefused):
            self.authorize(gateway, fresh("ref"), key=reference)
        assert gateway.find(reference) == charge

    def test_authorisations_of_one_key_at_the_same_time_make_one_charge(
        self, gateway: PaymentGateway, reference: str
    ) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            made = list(
                pool.map(lambda _: self.authorize(gateway, reference).charge_id, range(THREADS))
            )
        assert len(set(made)) == 1

    def test_a_declined_card_is_a_charge_with_a_reason_that_cannot_be_captured(
        self, gateway: PaymentGateway, reference: str
    ) -> None:
        charge = self.authorize(gateway, reference, token=self.declined_token)
        assert (charge.status, charge.captured) == (ChargeStatus.DECLINED, 0)
        assert charge.reason
        assert self.authorize(gateway, reference, token=self.declined_token) == charge
        with pytest.raises(GatewayRefused):
            gateway.capture(key=fresh("key"), charge_id=charge.charge_id, amount=1)
        assert gateway.find(reference) == charge

    def test_an_unknown_token_is_refused_and_nothing_is_charged(
        self, gateway: PaymentGateway, reference: str
    ) -> None:
        with pytest.raises(GatewayRefused) as caught:
            self.authorize(gateway, reference, token="tok_nobody_knows")
        assert caught.value.code
        assert caught.value.message
        assert gateway.find(reference) is None

    @pytest.mark.parametrize("amount", [0, -1, -1000])
    def test_an_amount_below_one_is_refused(
        self, gateway: PaymentGateway, reference: str, amount: int
    ) -> None:
        with pytest.raises(GatewayRefused):
            self.authorize(gateway, reference, amount=amount)
        assert gateway.find(reference) is None
        charge = self.captured(gateway, fresh("ref"))
        with pytest.raises(GatewayRefused):
            gateway.refund(key=fresh("key"), charge_id=charge.charge_id, amount=amount)
        other = self.authorize(gateway, fresh("ref"))
        with pytest.raises(GatewayRefused):
            gateway.capture(key=fresh("key"), charge_id=other.charge_id, amount=amount)

    # Captures.

    @pytest.mark.parametrize("amount", [1, 999, 1000])
    def test_a_capture_takes_the_authorised_amount_or_a_part(
        self, gateway: PaymentGateway, reference: str, amount: int
    ) -> None:
        charge = self.captured(gateway, reference, amount)
        assert charge.status == ChargeStatus.CAPTURED
        assert (charge.amount, charge.captured, charge.refunded) == (1000, amount, 0)

    def test_no_more_is_captured_than_was_authorised(
        self, gateway: PaymentGateway, reference: str
    ) -> None:
        charge = self.authorize(gateway, reference)
        with pytest.raises(GatewayRefused):
            gateway.capture(key=fresh("key"), charge_id=charge.charge_id, amount=1001)
        assert gateway.find(reference) == charge

    def test_a_charge_is_captured_once(self, gateway: PaymentGateway, reference: str) -> None:
        charge, key = self.authorize(gateway, reference), fresh("key")
        once = gateway.capture(key=key, charge_id=charge.charge_id, amount=400)
        assert gateway.capture(key=key, charge_id=charge.charge_id, amount=400) == once
        with pytest.raises(GatewayRefused):
            gateway.capture(key=fresh("key"), charge_id=charge.charge_id, amount=400)
        with pytest.raises(GatewayRefused):
            gateway.capture(key=key, charge_id=charge.charge_id, amount=500)
        assert gateway.find(reference) == once

    # Voids.

    def test_a_void_gives_up_the_authorisation(
        self, gateway: PaymentGateway, reference: str
    ) -> None:
        charge, key = self.authorize(gateway, reference), fresh("key")
        voided = gateway.void(key=key, charge_id=charge.charge_id)
        assert (voided.status, voided.captured) == (ChargeStatus.VOIDED, 0)
        assert gateway.void(key=key, charge_id=charge.charge_id) == voided
        with pytest.raises(GatewayRefused):
            gateway.capture(key=fresh("key"), charge_id=charge.charge_id, amount=1000)
        assert gateway.find(reference) == voided

    def test_a_void_after_a_capture_is_refused(
        self, gateway: PaymentGateway, reference: str
    ) -> None:
        charge = self.captured(gateway, reference)
        with pytest.raises(GatewayRefused):
            gateway.void(key=fresh("key"), charge_id=charge.charge_id)
        assert gateway.find(reference) == charge

    # Refunds.

    def test_a_refund_pays_back_a_part_and_then_the_rest(
        self, gateway: PaymentGateway, reference: str
    ) -> None:
        charge = self.captured(gateway, reference, 900)
        part = gateway.refund(key=fresh("key"), charge_id=charge.charge_id, amount=300)
        assert (part.status, part.captured, part.refunded) == (ChargeStatus.CAPTURED, 900, 300)
        rest = gateway.refund(key=fresh("key"), charge_id=charge.charge_id, amount=600)
        assert (rest.status, rest.captured, rest.refunded) == (ChargeStatus.REFUNDED, 900, 900)
        assert gateway.find(reference) == rest

    def test_no_more_is_refunded_than_was_captured(
        self, gateway: PaymentGateway, reference: str
    ) -> None:
        charge = self.captured(gateway, reference, 900)
        with pytest.raises(GatewayRefused):
            gateway.refund(key=fresh("key"), charge_id=charge.charge_id, amount=901)
        part = gateway.refund(key=fresh("key"), charge_id=charge.charge_id, amount=500)
        with pytest.raises(GatewayRefused):
            gateway.refund(key=fresh("key"), charge_id=charge.charge_id, amount=401)
        assert gateway.find(reference) == part

    def test_the_same_refund_again_pays_nothing_more(
        self, gateway: PaymentGateway, reference: str
    ) -> None:
        charge, key = self.captured(gateway, reference), fresh("key")
        once = gateway.refund(key=key, charge_id=charge.charge_id, amount=400)
        assert gateway.refund(key=key, charge_id=charge.charge_id, amount=400) == once
        with pytest.raises(GatewayRefused):
            gateway.refund(key=key, charge_id=charge.charge_id, amount=300)
        assert gateway.find(reference) == once

    def test_nothing_is_refunded_before_a_capture_or_after_a_void(
        self, gateway: PaymentGateway, reference: str
    ) -> None:
        charge = self.authorize(gateway, reference)
        with pytest.raises(GatewayRefused):
            gateway.refund(key=fresh("key"), charge_id=charge.charge_id, amount=1)
        gateway.void(key=fresh("key"), charge_id=charge.charge_id)
        with pytest.raises(GatewayRefused):
            gateway.refund(key=fresh("key"), charge_id=charge.charge_id, amount=1)

    def test_refunds_at_the_same_time_never_exceed_the_capture(
        self, gateway: PaymentGateway, reference: str
    ) -> None:
        charge = self.captured(gateway, reference)

        def refund(_: int) -> bool:
            try:
                gateway.refund(key=fresh("key"), charge_id=charge.charge_id, amount=300)
            except GatewayRefused:
                return False
            return True

        with ThreadPoolExecutor(THREADS) as pool:
            assert list(pool.map(refund, range(THREADS))).count(True) == 3
        found = gateway.find(reference)
        assert found is not None
        assert found.refunded == 900

    # Finding, keys and what is unknown.

    def test_a_key_of_one_method_is_refused_for_another_charge(
        self, gateway: PaymentGateway
    ) -> None:
        one, two = self.captured(gateway, fresh("ref")), self.captured(gateway, fresh("ref"))
        key = fresh("key")
        gateway.refund(key=key, charge_id=one.charge_id, amount=1)
        with pytest.raises(GatewayRefused):
            gateway.refund(key=key, charge_id=two.charge_id, amount=1)
        three, four = self.authorize(gateway, fresh("ref")), self.authorize(gateway, fresh("ref"))
        gateway.void(key=fresh("key"), charge_id=three.charge_id)
        used = fresh("key")
        gateway.capture(key=used, charge_id=four.charge_id, amount=1)
        five = self.authorize(gateway, fresh("ref"))
        with pytest.raises(GatewayRefused):
            gateway.capture(key=used, charge_id=five.charge_id, amount=1)

    def test_a_charge_is_found_by_our_reference_as_it_stands(
        self, gateway: PaymentGateway, reference: str
    ) -> None:
        assert gateway.find(reference) is None
        charge = self.authorize(gateway, reference)
        assert gateway.find(reference) == charge
        changed = gateway.capture(key=fresh("key"), charge_id=charge.charge_id, amount=1000)
        assert gateway.find(reference) == changed
        assert gateway.find(fresh("ref")) is None

    @pytest.mark.parametrize(
        "ask",
        [
            lambda gateway: gateway.capture(key=fresh("key"), charge_id=UNKNOWN, amount=1),
            lambda gateway: gateway.void(key=fresh("key"), charge_id=UNKNOWN),
            lambda gateway: gateway.refund(key=fresh("key"), charge_id=UNKNOWN, amount=1),
        ],
        ids=["capture", "void", "refund"],
    )
    def test_an_unknown_charge_is_refused(
        self, gateway: PaymentGateway, ask: Callable[[PaymentGateway], Charge]
    ) -> None:
        with pytest.raises(GatewayRefused):
            ask(gateway)

    # Faults that a gateway with test tokens plays.

    def test_a_lost_reply_is_a_timeout_whose_charge_is_found_and_not_made_twice(
        self, gateway: PaymentGateway, reference: str
    ) -> None:
        token = _demand(self.reply_lost_token)
        with pytest.raises(GatewayTimeout):
            self.authorize(gateway, reference, token=token)
        charge = gateway.find(reference)
        assert charge is not None
        assert charge.status == ChargeStatus.AUTHORIZED
        assert self.authorize(gateway, reference, token=token) == charge

    def test_a_timeout_without_a_charge_is_known_by_finding_none(
        self, gateway: PaymentGateway, reference: str
    ) -> None:
        token = _demand(self.never_answers_token)
        for _ in range(3):
            with pytest.raises(GatewayTimeout):
                self.authorize(gateway, reference, token=token)
        assert gateway.find(reference) is None

    def test_a_gateway_out_of_order_charges_nothing_until_it_is_asked_again(
        self, gateway: PaymentGateway, reference: str
    ) -> None:
        token = _demand(self.fails_once_token)
        with pytest.raises(Unavailable):
            self.authorize(gateway, reference, token=token)
        assert gateway.find(reference) is None
        charge = self.authorize(gateway, reference, token=token)
        assert charge.status == ChargeStatus.AUTHORIZED
        assert gateway.find(reference) == charge

    def test_a_charge_that_waits_for_its_holder_is_not_captured_and_may_be_voided(
        self, gateway: PaymentGateway, reference: str
    ) -> None:
        charge = self.authorize(gateway, reference, token=_demand(self.action_token))
        assert charge.status == ChargeStatus.REQUIRES_ACTION
        with pytest.raises(GatewayRefused):
            gateway.capture(key=fresh("key"), charge_id=charge.charge_id, amount=1000)
        assert gateway.void(key=fresh("key"), charge_id=charge.charge_id).status == (
            ChargeStatus.VOIDED
        )


def _demand(token: str | None) -> str:
    if token is None:
        pytest.skip("this gateway has no token that plays this fault")
    return token
