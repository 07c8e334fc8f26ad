"""What every Mailer and Sms promise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from cartwheel.host import Host
from cartwheel.ports import Mail, TextMessage
from cartwheel.testing._base import Contract, OpenHost, fresh
from cartwheel.testing._empty_app import empty_app


class _OutsideCase(Contract):
    @pytest.fixture
    def host(self, open_host: OpenHost) -> Iterator[Host]:
        """Give a host that is closed afterwards."""
        with open_host(empty_app()) as host:
            yield host


class MailerContract(_OutsideCase):
    """Holds a Mailer to its port."""

    def sent_mails(self, host: Host) -> Sequence[Mail] | None:
        """Give what readers see, oldest first; None where the adapter cannot tell."""
        return None

    def shown(self, host: Host, mails: Sequence[Mail]) -> list[Mail]:
        """Give those of these mails that readers see, or skip the test."""
        host.settle()
        sent = self.sent_mails(host)
        if sent is None:
            pytest.skip("sent_mails() gives None: this adapter cannot show what it sent")
        ids = {mail.id for mail in mails}
        return [mail for mail in sent if mail.id in ids]

    def test_a_mail_arrives_as_it_was_sent(self, host: Host) -> None:
        plain = Mail(fresh("mail"), "a@example.com", "Order confirmed", "Line 1\nLine 2\n")
        rich = Mail(
            fresh("mail"),
            "b+c@example.com",
            "Ünïcödé 😀 & <tags>",
            "Grüße, 日本",
            html="<p>Gr&uuml;&szlig;e <b>日本</b></p>",
        )
        host.ports.mailer.send(plain)
        host.ports.mailer.send(rich)
        assert self.shown(host, [plain, rich]) == [plain, rich]

    def test_a_mail_sent_twice_under_one_id_is_shown_once(self, host: Host) -> None:
        mail = Mail(fresh("mail"), "a@example.com", "Once", "only")
        host.ports.mailer.send(mail)
        host.ports.mailer.send(mail)
        host.ports.mailer.send(replace(mail, text="another text"))
        assert self.shown(host, [mail]) == [mail]

    def test_the_same_text_under_two_ids_is_two_mails(self, host: Host) -> None:
        one = Mail(fresh("mail"), "a@example.com", "Twice", "the same")
        two = replace(one, id=fresh("mail"))
        host.ports.mailer.send(one)
        host.ports.mailer.send(two)
        assert self.shown(host, [one, two]) == [one, two]


class SmsContract(_OutsideCase):
    """Holds an Sms to its port."""

    def sent_texts(self, host: Host) -> Sequence[TextMessage] | None:
        """Give what readers see, oldest first; None where the adapter cannot tell."""
        return None

    def shown(self, host: Host, texts: Sequence[TextMessage]) -> list[TextMessage]:
        """Give those of these messages that readers see, or skip the test."""
        host.settle()
        sent = self.sent_texts(host)
        if sent is None:
            pytest.skip("sent_texts() gives None: this adapter cannot show what it sent")
        ids = {text.id for text in texts}
        return [text for text in sent if text.id in ids]

    def test_a_text_arrives_as_it_was_sent(self, host: Host) -> None:
        texts = [
            TextMessage(fresh("sms"), "+436641234567", "Your order is confirmed"),
            TextMessage(fresh("sms"), "+12025550123", "Ünïcödé 😀\nsecond line"),
        ]
        for text in texts:
            host.ports.sms.send(text)
        assert self.shown(host, texts) == texts

    def test_a_text_sent_twice_under_one_id_is_shown_once(self, host: Host) -> None:
        text = TextMessage(fresh("sms"), "+436641234567", "Once")
        host.ports.sms.send(text)
        host.ports.sms.send(text)
        host.ports.sms.send(replace(text, text="another text"))
        assert self.shown(host, [text]) == [text]
