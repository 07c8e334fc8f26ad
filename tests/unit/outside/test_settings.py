"""Which outside services are used, by a file and by the environment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cartwheel.app import App, Service
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import ConfigurationError
from cartwheel_memory import MemoryHost
from cartwheel_outside import HttpSms, Settings, SmtpMailer, StripeGateway, read_settings, replacing
from tests.unit.cli.conftest import Call, hello, shopctl

__all__ = ["hello", "shopctl"]

ALL: dict[str, object] = {
    "smtp_url": "smtps://mail.example.org",
    "mail_from": "shop@example.org",
    "sms_url": "https://sms.example.org/v1",
    "sms_from": "Shop",
    "sms_auth": "signed",
    "payments": "stripe",
}


def test_nothing_configured_replaces_nothing() -> None:
    assert replacing(read_settings({}, {})) is None


def test_each_service_takes_the_place_of_the_adapters_own() -> None:
    put = replacing(read_settings(ALL, {}))
    secrets = {"stripe_api_key": "sk_test_1"}
    app = App("empty", services=[Service("nothing")])
    with MemoryHost(app, HostOptions(log=discard, replace=put, secrets=secrets)) as host:
        ports = host.ports
    assert isinstance(ports.mailer, SmtpMailer)
    assert isinstance(ports.sms, HttpSms)
    assert isinstance(ports.payments, StripeGateway)


def test_a_variable_comes_before_the_file() -> None:
    environment = {
        "CARTWHEEL_SMTP_URL": "smtp://other.example.org",
        "CARTWHEEL_PAYMENTS": "test",
        "CARTWHEEL_ALLOW_PRIVATE": "localhost, 10.0.0.1,",
    }
    settings = read_settings(ALL, environment)
    assert settings.smtp_url == "smtp://other.example.org"
    assert settings.payments == "test"
    assert settings.allow_private == ("localhost", "10.0.0.1")
    assert settings.sms_url == ALL["sms_url"]


@pytest.mark.parametrize(
    ("configured", "message"),
    [
        ({"smtp": "x"}, "there is no setting 'smtp'; there are: allow_private"),
        ({"smtp_password": "canary"}, "there is no setting 'smtp_password'"),
        ({"smtp_url": 1}, "setting 'smtp_url' is no string"),
        ({"allow_private": "localhost"}, "setting 'allow_private' is no list of strings"),
        ({"payments": "paypal"}, "it may be: test, stripe"),
        ({"otel": "on"}, "it may be: off, otlp, console"),
        ({"sms_auth": "none"}, "it may be: bearer, basic, signed"),
        ({"smtp_url": "smtp://a.example"}, "needs 'mail_from'"),
        ({"sms_url": "https://a.example"}, "needs 'sms_from'"),
    ],
)
def test_a_setting_that_means_nothing_is_refused(
    configured: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_settings(configured, {})
    assert message in str(caught.value)
    assert "canary" not in str(caught.value)


def test_stripe_without_its_secret_fails_at_the_opening() -> None:
    put = replacing(replace(Settings(), payments="stripe"))
    app = App("empty", services=[Service("nothing")])
    with pytest.raises(ConfigurationError, match="stripe_api_key"):
        MemoryHost(app, HostOptions(log=discard, replace=put))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("smtp_url = 1", "setting 'smtp_url' is no string"),
        ("smtp_url", "is no TOML"),
        ('payments = "paypal"', "it may be: test, stripe"),
        ('smtp_url = "http://a.example"\nmail_from = "a@b.example"', "the scheme 'http'"),
    ],
)
def test_serving_with_a_bad_configuration_says_what_is_wrong(
    hello: Call, tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "outside.toml"
    file.write_text(content, encoding="utf-8")
    data = str(tmp_path / "data")
    done = hello("dev", "--port", "0", "--data", data, "--config", str(file))
    assert done.code == 1
    assert message in done.err
    assert "Traceback" not in done.err


def test_a_configuration_that_is_not_there_is_said(hello: Call, tmp_path: Path) -> None:
    done = hello("dev", "--data", str(tmp_path), "--config", str(tmp_path / "none.toml"))
    assert done.code == 1
    assert "No such file" in done.err
