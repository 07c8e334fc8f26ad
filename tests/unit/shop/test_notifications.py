"""Messages to customers: once per key, from templates, escaped."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, get_args

import pytest

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import PortCall, Ports, Unavailable
from cartwheel_memory import MemoryHost
from cartwheel_shop._base import Money
from cartwheel_shop.notifications import service as notifications
from cartwheel_shop.notifications.model import HIDDEN, Channel, Facts, Template, compose, money_text
from cartwheel_workflows.shop import shop_app

T = TypeVar("T")


def send(ports: Ports, key: str = "run:notify", by: str = "") -> None:
    notifications.notify(
        ports,
        key,
        "order_confirmed",
        "ada@example.org",
        Facts("ord_1", Money(amount=1290)),
        by=by,
    )


def test_of_two_who_send_the_same_at_once_one_sends() -> None:
    refused: list[str] = []

    def hook(call: PortCall, invoke: Callable[[], T]) -> T:
        if call.port == "mailer" and not refused:
            with pytest.raises(Unavailable, match="is being sent by a workflow") as raised:
                send(host.ports, by="a consumer")
            refused.append(str(raised.value))
        return invoke()

    host = MemoryHost(shop_app(), HostOptions(log=discard, hook=hook))
    send(host.ports, by="a workflow")
    send(host.ports, by="a consumer")
    assert len(refused) == 1
    assert len(host.mailbox.mails()) == 1


def test_a_message_whose_sender_is_lost_is_sent_by_another_in_a_while() -> None:
    down = [True]

    def hook(call: PortCall, invoke: Callable[[], T]) -> T:
        if call.port == "mailer" and down[0]:
            raise Unavailable("the mail server did not answer")
        return invoke()

    host = MemoryHost(shop_app(), HostOptions(log=discard, hook=hook))
    with pytest.raises(Unavailable, match="mail server"):
        send(host.ports, by="a workflow")
    down.clear()
    down.append(False)
    with pytest.raises(Unavailable, match="is being sent by a workflow"):
        send(host.ports, by="a consumer")
    host.clock.advance(notifications.TAKEN_SECONDS)
    send(host.ports, by="a consumer")
    assert len(host.mailbox.mails()) == 1


def test_a_message_is_sent_once_per_key_and_kept(host: MemoryHost) -> None:
    for key in ("a", "a", "b"):
        send(host.ports, key)
    assert len(host.mailbox.mails()) == 2
    kept = notifications.notification_of(host.ports, "a")
    assert kept is not None
    assert kept.sent_at is not None


@pytest.mark.parametrize("applied", [False, True])
def test_a_mail_that_may_have_been_sent_goes_again_under_the_same_id(applied: bool) -> None:
    failures = [Unavailable("the mail server did not answer")]
    sends: list[str] = []

    def hook(call: PortCall, invoke: Callable[[], T]) -> T:
        if call.port != "mailer":
            return invoke()
        sends.append(str(call))
        if failures:
            if applied:
                invoke()
            raise failures.pop()
        return invoke()

    host = MemoryHost(shop_app(), HostOptions(log=discard, hook=hook))
    with pytest.raises(Unavailable):
        send(host.ports)
    unsent = notifications.notification_of(host.ports, "run:notify")
    assert unsent is not None
    assert unsent.sent_at is None
    send(host.ports)
    assert len(sends) == 2
    assert len(host.mailbox.mails()) == 1


@pytest.mark.parametrize("template", [name for name in get_args(Template) if "order" in name])
def test_every_template_names_the_order_and_escapes_its_html(template: Template) -> None:
    message = compose(
        "ntf_1",
        template,
        "ada@example.org",
        Facts("<ord_1>", Money(amount=5), "out_of_stock", Money(amount=3), "<1Z>"),
        at="2026-01-01T00:00:00.000Z",
    )
    assert "<ord_1>" in message.subject
    assert "<ord_1>" in message.text
    assert "&lt;ord_1&gt;" in message.html
    assert "<ord_1>" not in message.html


@pytest.mark.parametrize(("cents", "text"), [(0, "0.00 EUR"), (5, "0.05 EUR"), (1290, "12.90 EUR")])
def test_money_is_written_for_people(cents: int, text: str) -> None:
    assert money_text(Money(amount=cents)) == text


@pytest.mark.parametrize("channel", ["email", "sms"])
def test_a_secret_is_sent_and_not_kept(host: MemoryHost, channel: Channel) -> None:
    kept = notifications.notify(
        host.ports, "k", "password_reset", "+49301234567", channel=channel, token="s3cret<"
    )
    sent = host.mailbox.mails()[0].text if channel == "email" else host.mailbox.texts()[0].text
    assert "s3cret<" in sent
    assert "s3cret" not in kept.model_dump_json()
    assert HIDDEN in kept.text
