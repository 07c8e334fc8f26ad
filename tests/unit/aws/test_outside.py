"""Services outside replace those of AWS: what they need is granted, what they replace is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from cartwheel.deployment import BuildOptions, Outside
from cartwheel.manifest import Manifest, manifest_of
from cartwheel.ports import ConfigurationError
from cartwheel_aws import Names
from cartwheel_aws.deploy import build
from cartwheel_aws.deploy._everything import everything
from cartwheel_aws.deploy._policies import Sender, function_policy
from cartwheel_workflows.shop import shop_app

SHOP = manifest_of(shop_app(), "cartwheel_workflows.shop:app")
NAMES = Names("shop", "test")
STRIPE = {"payments": ("stripe_api_key",)}


def statements(manifest: Manifest, function: str) -> str:
    """Give a function's statements as text."""
    sender = Sender("shop@example.com")
    spec = manifest.function(function)
    return str(function_policy(spec, manifest, NAMES, manifest.collections, sender))


def test_the_test_gateway_has_a_table_that_payments_alone_may_touch() -> None:
    whole = everything(SHOP)
    assert "bank" in {one.name for one in whole.collections}
    touching = [one.name for one in whole.functions if "bank" in one.uses.writes]
    assert touching == ["payments"]
    assert "stripe_api_key" not in statements(whole, "payments")


def test_with_stripe_there_is_no_bank_and_payments_may_read_its_key() -> None:
    whole = everything(SHOP, STRIPE)
    assert "bank" not in {one.name for one in whole.collections}
    assert "secret:shop-test/stripe_api_key-" in statements(whole, "payments")
    assert not [one.name for one in whole.functions if "bank" in one.uses.writes]
    others = [one.name for one in whole.functions if "stripe_api_key" in one.uses.secrets]
    assert others == ["payments"]


def test_with_smtp_and_an_sms_provider_nothing_of_ses_and_sns_is_granted() -> None:
    whole = everything(SHOP, {"mailer": ("smtp_password",), "sms": ("sms_api_secret",)})
    granted = statements(whole, "notifications")
    assert "ses:SendEmail" not in granted
    assert "NotResource" not in granted
    assert "smtp_password" in granted
    assert "sms_api_secret" in granted
    assert "ses:SendEmail" in statements(everything(SHOP), "notifications")


def test_mails_without_a_sender_are_refused_with_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="CARTWHEEL_MAIL_FROM"):
        build(SHOP, BuildOptions("test", Path()))


def test_spans_that_a_function_would_not_send_are_refused() -> None:
    outside = Outside({"CARTWHEEL_MAIL_FROM": "shop@example.com", "CARTWHEEL_OTEL": "otlp"})
    with pytest.raises(ConfigurationError, match="otel"):
        build(SHOP, BuildOptions("test", Path(), outside=outside))
