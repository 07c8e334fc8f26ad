"""E-mail over SMTP."""

from __future__ import annotations

import hashlib
import re
import smtplib
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, formataddr, parseaddr
from urllib.parse import unquote

from cartwheel.ports import Clock, ConfigurationError, Mail, Secrets, Unavailable
from cartwheel_outside._outbound import (
    NotSent,
    Place,
    Resolve,
    Rules,
    check_url,
    connect,
    place_of,
    resolve_host,
)

PASSWORD = "smtp_password"  # noqa: S105  # the name of the secret, not the secret
SCHEMES = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]+")
_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,200}")


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Is a mail server as configured.

    `url` is `smtp://[user@]host[:587]`, which demands STARTTLS, `smtps://[user@]host[:465]`, or
    `smtp+plain://host[:25]` without TLS, for hosts that are allowed by name. With a user the secret
    `smtp_password` is the password. `sender` is the From: an address, perhaps with a name.
    """

    url: str
    sender: str
    timeout: float = 15.0


class SmtpMailer:
    """Hands mails to a mail server, one connection each.

    A mail's id becomes its Message-ID, by which mailboxes recognise a second copy: SMTP itself
    can't. Every failure is Unavailable: the caller tries again under the same id.
    """

    def __init__(
        self,
        server: SmtpServer,
        secrets: Secrets,
        clock: Clock,
        rules: Rules | None = None,
        *,
        resolve: Resolve = resolve_host,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._rules = rules or Rules()
        self._url = check_url(
            server.url,
            self._rules,
            schemes=SCHEMES,
            plain=frozenset({"smtp+plain"}),
            user=True,
        )
        if self._url.path not in {"", "/"} or self._url.query:
            raise ConfigurationError("the URL of a mail server ends after its host and port")
        self._sender = _one_address(server.sender, "the sender of mails")
        self._sender_name = parseaddr(server.sender)[0]
        self._domain = _domain_of(self._sender)
        self._timeout = server.timeout
        self._secrets = secrets
        self._clock = clock
        self._resolve = resolve
        self._tls = tls

    def send(self, mail: Mail) -> None:
        """Hand the mail over; raises Unavailable, and ValueError for what is no address."""
        recipient = _one_address(mail.to, f"the recipient of mail {mail.id}")
        message = self._message(mail, recipient)
        host = str(self._url.hostname)
        place = place_of(
            host, self._url.port or SCHEMES[self._url.scheme], self._rules, self._resolve
        )
        try:
            with self._session(place) as session:
                self._log_in(session)
                session.send_message(message, self._sender, [recipient])
        except smtplib.SMTPAuthenticationError as error:
            raise Unavailable(
                f"{host} refused the log-in ({error.smtp_code}); check the user and the secret "
                f"'{PASSWORD}'"
            ) from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = ", ".join(str(code) for code, _ in error.recipients.values())
            raise Unavailable(f"{host} refused the recipient of mail {mail.id} ({codes})") from None
        except smtplib.SMTPResponseException as error:
            raise Unavailable(f"{host} refused mail {mail.id} ({error.smtp_code})") from None
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise Unavailable(
                f"mail {mail.id} may not have been taken by {host}: {type(error).__name__}"
            ) from error

    def _session(self, place: Place) -> smtplib.SMTP:
        context = self._tls or ssl.create_default_context()
        if self._url.scheme == "smtps":
            return _PinnedTls(place, self._timeout, self._domain, context)
        session = _Pinned(place, self._timeout, self._domain)
        if self._url.scheme == "smtp":
            try:
                session.ehlo_or_helo_if_needed()
                session.starttls(context=context)
            except BaseException:
                session.close()
                raise
        return session

    def _log_in(self, session: smtplib.SMTP) -> None:
        user = self._url.username
        if user is not None:
            session.login(unquote(user), self._secrets.get(PASSWORD).reveal())

    def _message(self, mail: Mail, recipient: str) -> EmailMessage:
        ascii_only = recipient.isascii() and self._sender.isascii()
        message = EmailMessage(policy=SMTP if ascii_only else SMTPUTF8)
        try:
            message["Message-ID"] = message_id(mail.id, self._sender)
            message["Date"] = format_datetime(datetime.fromtimestamp(self._clock.now(), UTC))
            message["From"] = Address(self._sender_name, addr_spec=self._sender)
            message["To"] = Address(addr_spec=recipient)
            message["Subject"] = _CONTROL.sub(" ", mail.subject)
        except (ValueError, MessageError) as error:
            raise ValueError(f"mail {mail.id} has a header that can't be written") from error
        message["Auto-Submitted"] = "auto-generated"
        _put_text(message, mail.text, "plain")
        if mail.html is not None:
            message.make_alternative()
            html = EmailMessage(policy=message.policy)
            _put_text(html, mail.html, "html")
            del html["MIME-Version"]
            message.attach(html)
        return message


def message_id(mail_id: str, sender: str) -> str:
    """Give the Message-ID of a mail: the same one for the same mail, whatever its id is made of."""
    known = _ID.fullmatch(mail_id) and ".." not in mail_id and mail_id.strip(".") == mail_id
    left = mail_id if known else hashlib.sha256(mail_id.encode("utf-8", "replace")).hexdigest()
    return f"<{left}@{_domain_of(sender)}>"


def _domain_of(address: str) -> str:
    return address.rpartition("@")[2].encode("idna").decode()


def _put_text(message: EmailMessage, text: str, subtype: str) -> None:
    # As bytes, so that the text arrives as it is: without a line's end that nobody wrote.
    message.set_content(
        text.encode("utf-8", "replace"),
        maintype="text",
        subtype=subtype,
        cte="base64",
        params={"charset": "utf-8"},
    )


def _one_address(given: str, what: str) -> str:
    """Read exactly one address; raises ValueError for anything that could be more."""
    name, address = parseaddr(given, strict=True) if _STRICT else parseaddr(given)
    whole = given.strip() in {address, f"<{address}>"} or formataddr((name, address)) == given
    try:
        if _CONTROL.search(given) or not whole or address.count("@") != 1 or "," in address:
            raise ValueError(given)
        return Address(addr_spec=address).addr_spec
    except (ValueError, MessageError, IndexError):
        raise ValueError(f"{what} is not one e-mail address") from None


_STRICT = "strict" in parseaddr.__code__.co_varnames


class _Pinned(smtplib.SMTP):
    """Is a session with an address that was looked at."""

    def __init__(self, place: Place, timeout: float, name: str) -> None:
        self._place = place
        super().__init__(place.host, place.port, timeout=timeout, local_hostname=name)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return connect(self._place, timeout)


class _PinnedTls(smtplib.SMTP_SSL):
    """Is a session over TLS with an address that was looked at."""

    def __init__(self, place: Place, timeout: float, name: str, context: ssl.SSLContext) -> None:
        self._place = place
        super().__init__(
            place.host, place.port, timeout=timeout, local_hostname=name, context=context
        )

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        opened = connect(self._place, timeout)
        try:
            return self.context.wrap_socket(opened, server_hostname=self._place.host)
        except (OSError, ValueError) as error:
            opened.close()
            raise NotSent(f"{host} offers no TLS that can be trusted: {error}") from error
