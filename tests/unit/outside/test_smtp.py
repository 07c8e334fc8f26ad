"""Mail over SMTP, to a real server on loopback."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from cartwheel import testing as kit
from cartwheel.app import App
from cartwheel.host import Host, HostOptions
from cartwheel.log import discard
from cartwheel.ports import ConfigurationError, Mail, Unavailable
from cartwheel.realtime import RealClock
from cartwheel.testing import OpenHost
from cartwheel_local._secrets import LocalSecrets
from cartwheel_memory import MemoryHost
from cartwheel_outside import ForbiddenUrl, Rules, SmtpMailer, SmtpServer
from cartwheel_outside._smtp import message_id
from tests.support.mail_server import NAME, PASSWORD, Mailbox, mail_server

SENDER = "The Shop <shop@example.org>"
MAIL = Mail("mail-1", "ada@example.org", "Order confirmed", "Thank you.\n")
ALLOWED = Rules(frozenset({NAME}))
HERE = ["127.0.0.1"]


def mailer(
    mailbox: Mailbox,
    *,
    url: str = "",
    password: str = PASSWORD,
    rules: Rules = ALLOWED,
    sender: str = SENDER,
    tls: ssl.SSLContext | None = None,
) -> SmtpMailer:
    return SmtpMailer(
        SmtpServer(url or mailbox.url, sender, timeout=5.0),
        LocalSecrets({"smtp_password": password}, {}, Path("none")),
        RealClock(),
        rules,
        resolve=lambda host, port: HERE,
        tls=tls or mailbox.trusted,
    )


@pytest.fixture(scope="module")
def server() -> Iterator[Mailbox]:
    with mail_server() as mailbox:
        yield mailbox


@pytest.fixture
def mailbox(server: Mailbox) -> Mailbox:
    server.taken.clear()
    server.answers.clear()
    server.recipients.clear()
    return server


class TestSmtpMailer(kit.MailerContract):
    virtual_time = True

    @pytest.fixture
    def open_host(self, server: Mailbox) -> OpenHost:
        def open_(app: App) -> Host:
            put = HostOptions(
                log=discard, replace=lambda ports: replace(ports, mailer=mailer(server))
            )
            return MemoryHost(app, put)

        self.server = server
        return open_

    def sent_mails(self, host: Host) -> Sequence[Mail]:
        return self.server.mails()


def test_a_mail_says_whom_it_is_from_and_that_a_machine_wrote_it(mailbox: Mailbox) -> None:
    mailer(mailbox).send(MAIL)
    (message,) = mailbox.taken
    assert str(message["From"]) == SENDER
    assert str(message["Message-ID"]) == "<mail-1@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"] is not None


def test_a_second_try_carries_the_same_message_id(mailbox: Mailbox) -> None:
    for _ in range(2):
        mailer(mailbox).send(MAIL)
    assert len({str(message["Message-ID"]) for message in mailbox.taken}) == 1
    assert len(mailbox.taken) == 2


@pytest.mark.parametrize("mail_id", ["a b", "x\r\nBcc: y@example.org", "", "..", "ü", "a" * 300])
def test_an_id_that_is_no_message_id_becomes_a_stable_one(mail_id: str) -> None:
    made = message_id(mail_id, "shop@example.org")
    assert made == message_id(mail_id, "shop@example.org")
    assert made.isascii()
    assert len(made) == len("<@example.org>") + 64


def test_a_subject_adds_no_header(mailbox: Mailbox) -> None:
    mailer(mailbox).send(replace(MAIL, subject="Hi\r\nBcc: eve@example.org\r\n\r\nbody"))
    (message,) = mailbox.taken
    assert message["Bcc"] is None
    assert str(message["Subject"]) == "Hi Bcc: eve@example.org body"
    assert mailbox.recipients == ["ada@example.org"]


@pytest.mark.parametrize(
    "to",
    [
        "ada@example.org\r\nBcc: eve@example.org",
        "ada@example.org, eve@example.org",
        "ada@example.org eve@example.org",
        "ada@example.org>",
        "<ada@example.org",
        "ada",
        "",
        "@example.org",
        "ada@exa mple.org",
        "\x00@example.org",
    ],
)
def test_what_is_not_one_address_is_refused(mailbox: Mailbox, to: str) -> None:
    with pytest.raises(ValueError, match="is not one e-mail address"):
        mailer(mailbox).send(replace(MAIL, to=to))
    assert mailbox.taken == []


def test_a_line_of_dots_arrives(mailbox: Mailbox) -> None:
    mailer(mailbox).send(replace(MAIL, text="a\r\n.\r\nQUIT\r\n..b"))
    assert mailbox.mails()[0].text == "a\r\n.\r\nQUIT\r\n..b"


@pytest.mark.parametrize("answer", ["451 try later", "554 no such thing", "421 closing"])
def test_a_refusal_is_unavailable_and_the_next_try_gets_through(
    mailbox: Mailbox, answer: str
) -> None:
    mailbox.answers.append(answer)
    with pytest.raises(Unavailable, match="refused mail mail-1"):
        mailer(mailbox).send(MAIL)
    mailer(mailbox).send(MAIL)
    assert len(mailbox.taken) == 1


def test_nobody_listening_is_unavailable(mailbox: Mailbox) -> None:
    with pytest.raises(Unavailable, match="can't be reached"):
        mailer(mailbox, url=f"smtp://{NAME}:9").send(MAIL)


def test_a_certificate_that_nobody_trusts_is_unavailable(mailbox: Mailbox) -> None:
    with pytest.raises(Unavailable, match="may not have been taken"):
        mailer(mailbox, tls=ssl.create_default_context()).send(MAIL)
    assert mailbox.taken == []


def test_without_tls_nothing_is_sent_where_tls_was_demanded() -> None:
    with mail_server(implicit_tls=True) as tls_only:
        url = tls_only.url.replace("smtps", "smtp")
        with pytest.raises(Unavailable):
            SmtpMailer(
                SmtpServer(url, SENDER, timeout=0.5),
                LocalSecrets({}, {}, Path("none")),
                RealClock(),
                ALLOWED,
                resolve=lambda host, port: HERE,
            ).send(MAIL)
        assert tls_only.taken == []


@pytest.mark.parametrize("implicit_tls", [False, True], ids=["starttls", "tls"])
def test_the_password_comes_from_the_secrets(implicit_tls: bool) -> None:
    with ExitStack() as stack:
        mailbox = stack.enter_context(mail_server(implicit_tls=implicit_tls, log_in=True))
        mailer(mailbox).send(MAIL)
        assert [mail.id for mail in mailbox.mails()] == ["mail-1"]
        with pytest.raises(Unavailable, match="check the user and the secret") as caught:
            mailer(mailbox, password="canary-password").send(MAIL)
        assert "canary" not in repr(caught.value)


def test_plain_smtp_is_for_hosts_allowed_by_name(mailbox: Mailbox) -> None:
    mailer(mailbox, url=mailbox.plain_url).send(MAIL)
    assert len(mailbox.taken) == 1
    with pytest.raises(ForbiddenUrl, match="not encrypted"):
        mailer(mailbox, url=mailbox.plain_url, rules=Rules())


def test_a_private_server_is_refused_unless_it_is_allowed(mailbox: Mailbox) -> None:
    with pytest.raises(ForbiddenUrl, match="private network"):
        mailer(mailbox, rules=Rules()).send(MAIL)


@pytest.mark.parametrize(
    "url",
    [
        "http://mail.example.org",
        "smtp://user:canary@mail.example.org",
        "smtp://",
        "smtp://mail.example.org:0",
        "smtp://mail.example.org:99999",
        "smtp://mail.example.org/path",
        "smtp://mail.example.org?x=1",
        "smtp://mail.example.org\r\nRCPT",
    ],
)
def test_a_url_that_names_no_mail_server_is_refused(mailbox: Mailbox, url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        mailer(mailbox, url=url)
    assert "canary" not in str(caught.value)
