"""A real SMTP server on loopback, with a mailbox behind it that keeps a Message-ID once."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from cartwheel.ports import Mail

NAME = "localhost"
USER, PASSWORD = "shop", "smtp-password"


@dataclass
class Mailbox:
    """Is what the server took: `taken` is every message, `mails` what a reader sees."""

    url: str = ""
    plain_url: str = ""
    port: int = 0
    trusted: ssl.SSLContext | None = None
    taken: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    """What the server says instead of taking the next messages."""
    recipients: list[str] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take a message."""
        if self.answers:
            return self.answers.pop(0)
        content = envelope.content
        assert isinstance(content, bytes)
        self.recipients += envelope.rcpt_tos
        self.taken.append(message_from_bytes(content, _class=EmailMessage, policy=policy.default))
        return "250 OK"

    def mails(self) -> list[Mail]:
        """Give what a reader sees: of messages of one Message-ID the first."""
        first: dict[str, EmailMessage] = {}
        for message in self.taken:
            first.setdefault(str(message["Message-ID"]), message)
        return [_mail(message_id, message) for message_id, message in first.items()]


def _mail(message_id: str, message: EmailMessage) -> Mail:
    html = message.get_body(("html",))
    return Mail(
        message_id.strip("<>").partition("@")[0],
        str(message["To"]),
        str(message["Subject"]),
        _text(message.get_body(("plain",))) or "",
        _text(html),
    )


def _text(part: object) -> str | None:
    if not isinstance(part, EmailMessage):
        return None
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content.decode()


def _authenticate(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
) -> AuthResult:
    right = LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=data == right, handled=False)


class _AnyPort(Controller):
    """Finds out its port before it is tried, since it listens on a free one."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # of the library


@contextmanager
def mail_server(*, implicit_tls: bool = False, log_in: bool = False) -> Iterator[Mailbox]:
    """Serve on a free loopback port, with STARTTLS or with TLS from the first byte."""
    authority, mailbox = trustme.CA(), Mailbox()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(context)
    mailbox.trusted = ssl.create_default_context()
    authority.configure_trust(mailbox.trusted)
    controller = _AnyPort(
        mailbox,
        hostname="127.0.0.1",
        port=0,
        ssl_context=context if implicit_tls else None,
        tls_context=None if implicit_tls else context,
        authenticator=_authenticate if log_in else None,
        auth_required=log_in and not implicit_tls,
        # With TLS from the first byte the server does not know that there is any.
        auth_require_tls=not implicit_tls,
        ready_timeout=10,
    )
    started = threading.Event()
    try:
        controller.start()
        started.set()
        mailbox.port = controller.port
        scheme = "smtps" if implicit_tls else "smtp"
        user = f"{USER}@" if log_in else ""
        mailbox.url = f"{scheme}://{user}{NAME}:{mailbox.port}"
        mailbox.plain_url = f"smtp+plain://{NAME}:{mailbox.port}"
        yield mailbox
    finally:
        if started.is_set():
            controller.stop()
