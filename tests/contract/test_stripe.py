"""The Stripe gateway keeps the contract of payment gateways, over a real socket.

The other side is a server of these tests that speaks Stripe's API; see tests/support.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cartwheel import testing as kit
from cartwheel.ports import (
    Charge,
    ChargeStatus,
    ConfigurationError,
    GatewayRefused,
    GatewayTimeout,
    PaymentGateway,
    Unavailable,
)
from cartwheel.realtime import RealClock
from cartwheel.testing._base import fresh
from cartwheel_local._secrets import LocalSecrets
from cartwheel_outside import ForbiddenUrl, Outbound, Rules, StripeGateway
from cartwheel_outside import _stripe as module
from tests.support import stripe_server as played
from tests.support.stripe_server import Stripe, stripe_server

RIGHT, CARD = "sk_test_right", "pm_card_visa"
HOST = Rules(frozenset({"127.0.0.1"}))


def opened(books: Stripe, secret: str = RIGHT, timeout: float = 0.6) -> StripeGateway:
    secrets = LocalSecrets({"stripe_api_key": secret}, {}, Path("none"))
    return StripeGateway(secrets, RealClock(), Outbound(HOST, timeout=timeout), api_base=books.url)


@pytest.fixture(scope="module")
def books() -> Iterator[Stripe]:
    with stripe_server() as server:
        yield server


@pytest.fixture
def gateway(books: Stripe) -> PaymentGateway:
    return opened(books)


def authorize(gateway: PaymentGateway, reference: str, token: str = CARD) -> Charge:
    return gateway.authorize(
        key=reference, reference=reference, amount=1000, currency="EUR", token=token
    )


class TestStripeGateway(kit.PaymentGatewayContract):
    token = "pm_card_visa"
    declined_token = "pm_card_visa_chargeDeclined"
    action_token = played.NEEDS_ACTION
    reply_lost_token = played.REPLY_LOST
    never_answers_token = played.NEVER_ANSWERS
    fails_once_token = played.FAILS_ONCE

    @pytest.fixture
    def gateway(self, books: Stripe) -> PaymentGateway:
        return opened(books)


class TestStripeGatewayWhileSearchIsBehind(TestStripeGateway):
    @pytest.fixture(autouse=True)
    def behind(self, books: Stripe) -> Iterator[None]:
        books.search_is_behind = True
        yield
        books.search_is_behind = False


def test_a_decline_keeps_the_issuers_reason(gateway: PaymentGateway) -> None:
    charge = authorize(gateway, fresh("ref"), "pm_card_visa_chargeDeclinedInsufficientFunds")
    assert (charge.status, charge.reason) == (ChargeStatus.DECLINED, "insufficient_funds")


def test_a_card_token_of_the_older_kind_is_taken(gateway: PaymentGateway) -> None:
    assert authorize(gateway, fresh("ref"), "tok_visa").status is ChargeStatus.AUTHORIZED


def test_a_refund_is_not_made_twice_when_stripe_has_forgotten_its_key(
    gateway: PaymentGateway, books: Stripe
) -> None:
    reference, key = fresh("ref"), fresh("key")
    charge = authorize(gateway, reference)
    gateway.capture(key=fresh("key"), charge_id=charge.charge_id, amount=1000)
    once = gateway.refund(key=key, charge_id=charge.charge_id, amount=300)
    del books.replies[key]
    assert gateway.refund(key=key, charge_id=charge.charge_id, amount=300) == once
    assert once.refunded == 300
    with pytest.raises(GatewayRefused, match="refunded 300 before"):
        gateway.refund(key=key, charge_id=charge.charge_id, amount=200)


def test_a_charge_is_found_on_a_later_page_while_search_is_behind(
    gateway: PaymentGateway, books: Stripe
) -> None:
    reference = fresh("it's \\ a ref")
    charge = authorize(gateway, reference)
    assert gateway.find(reference) == charge
    some = books.intents[charge.charge_id]
    books.search_is_behind = True
    try:
        for number in range(150):
            name = f"pi_filler_{number}"
            books.intents[name] = {**some, "id": name, "metadata": {}}
        assert gateway.find(reference) == charge
    finally:
        books.search_is_behind = False


def test_too_many_recent_charges_leave_it_open_whether_there_is_one(
    gateway: PaymentGateway, books: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PAGES", 1)
    charge = authorize(gateway, fresh("ref"))
    some = books.intents[charge.charge_id]
    for number in range(101):
        books.intents[f"pi_more_{number}"] = {**some, "id": f"pi_more_{number}", "metadata": {}}
    with pytest.raises(Unavailable, match="more than 100 charges"):
        gateway.find(fresh("nobody"))


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_server_error_is_unavailable(gateway: PaymentGateway, books: Stripe, status: int) -> None:
    books.fail_next.append(status)
    with pytest.raises(Unavailable) as caught:
        authorize(gateway, fresh("ref"))
    assert not isinstance(caught.value, GatewayTimeout)


def test_a_wrong_key_is_named_and_never_shown(books: Stripe) -> None:
    with pytest.raises(Unavailable, match="stripe_api_key") as caught:
        authorize(opened(books, "sk_live_canary"), fresh("ref"))
    assert "canary" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_nobody_listening_is_unavailable_and_no_timeout(books: Stripe) -> None:
    gone = opened(replace(books, url="http://127.0.0.1:9"))
    with pytest.raises(Unavailable) as caught:
        authorize(gone, fresh("ref"))
    assert not isinstance(caught.value, GatewayTimeout)


def test_an_api_base_on_a_private_network_is_refused_unless_it_is_allowed(books: Stripe) -> None:
    with pytest.raises(ForbiddenUrl, match="not encrypted"):
        StripeGateway(
            LocalSecrets({}, {}, Path("none")),
            RealClock(),
            Outbound(),
            api_base=books.url,
        )


def test_a_missing_secret_is_told_at_the_opening(books: Stripe) -> None:
    with pytest.raises(ConfigurationError, match="stripe_api_key"):
        opened(books, "").check()
