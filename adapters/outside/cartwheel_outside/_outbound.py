"""Calls to addresses that somebody configured, held to where such calls may go.

A URL of a configuration or a user could name a machine of our own network. So the host is resolved
here, every address it has must be public unless the host is allowed by name, and the connection is
made to the very address that was looked at: a second resolution could give another one.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from cartwheel.ports import ConfigurationError, GatewayTimeout, Unavailable

MAX_ANSWER = 1024 * 1024
"""Bytes of an answer that are read; a longer one is an error."""
_UNSAFE = re.compile(r"[^\x21-\x7e]|\\")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Resolve = Callable[[str, int], Sequence[str]]
"""Gives the addresses of a host; raises OSError when there are none."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ForbiddenUrl(ConfigurationError):
    """Says that a URL leads where no call may go."""


class NotSent(Unavailable):
    """Says that nothing of the request reached the other side."""


class NoAnswer(GatewayTimeout):
    """Says that the request went out and no whole answer came: it may have had its effect."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Says where calls may go.

    `allowed` are hosts, as written in URLs, that may be on a private network or this machine, and
    may be spoken to without TLS.
    """

    allowed: frozenset[str] = frozenset()


class Place(NamedTuple):
    """Is where a checked URL leads: the host's name, its port, and the addresses looked at."""

    host: str
    port: int
    addresses: tuple[str, ...]


class Answer(NamedTuple):
    """Is what came back; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def resolve_host(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def check_url(
    url: str, rules: Rules, *, schemes: Mapping[str, int], plain: frozenset[str], user: bool = False
) -> SplitResult:
    """Read a URL and refuse what no call may follow; resolves nothing.

    `schemes` are those that may be used, with their ports; those of `plain` only for hosts that are
    allowed by name. `user` says that a user name may stand in it. Raises ForbiddenUrl, whose text
    never shows more of the URL than its host.
    """
    if _UNSAFE.search(url):
        raise ForbiddenUrl("a URL holds spaces, backslashes, control or non-ASCII characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ForbiddenUrl("a URL can't be read: its host or port is malformed") from error
    if parts.scheme not in schemes:
        listed = ", ".join(schemes)
        raise ForbiddenUrl(f"the scheme '{parts.scheme}' is not one of {listed}; name one of them")
    if not host or port == 0:
        raise ForbiddenUrl("a URL has no host, or the port 0")
    if parts.password is not None or (parts.username is not None and not user):
        raise ForbiddenUrl(f"the URL of {host} holds credentials; set them as secrets instead")
    if parts.fragment:
        raise ForbiddenUrl(f"the URL of {host} has a #fragment, which means nothing here")
    if parts.scheme in plain and host not in rules.allowed:
        raise ForbiddenUrl(
            f"{parts.scheme}://{host} is not encrypted; use TLS, or allow the host by name"
        )
    return parts


def place_of(
    host: str, port: int, rules: Rules, resolve: Resolve = resolve_host, *, where: str = ""
) -> Place:
    """Resolve a host and refuse it when any of its addresses is not public.

    Raises ForbiddenUrl, and NotSent when the name can't be resolved.
    """
    try:
        addresses = tuple(resolve(host, port))
    except (OSError, UnicodeError) as error:
        raise NotSent(f"the name {host} can't be resolved") from error
    if not addresses:
        raise NotSent(f"the name {host} has no address")
    if host not in rules.allowed:
        for address in addresses:
            if not is_public(address):
                raise ForbiddenUrl(
                    f"{host} is on a private network or this machine{where}; a call goes there "
                    "only when the host is allowed by name (CARTWHEEL_ALLOW_PRIVATE)"
                )
    return Place(host, port, addresses)


def is_public(text: str) -> bool:
    """Tell whether an address is one of the public internet, also behind IPv6's disguises."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return all(each.is_global and not each.is_multicast for each in _meant(address))


def _meant(address: Address) -> Sequence[Address]:
    """Give an address and those of IPv4 that it stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    within: list[Address] = [address]
    if address.sixtofour is not None:
        within.append(address.sixtofour)
    if address.teredo is not None:
        within.extend(address.teredo)
    return within


def connect(place: Place, timeout: float) -> socket.socket:
    """Connect to one of the addresses that were looked at; raises NotSent."""
    failure: OSError | None = None
    for address in place.addresses:
        try:
            return socket.create_connection((address, place.port), timeout)
        except OSError as error:
            failure = error
    raise NotSent(f"{place.host} port {place.port} can't be reached: {failure}") from failure


class Outbound:
    """Sends HTTP requests under rules; follows no redirect and no proxy of the environment.

    `timeout` is in seconds, for connecting and for the whole answer each. Every request has a
    connection of its own, so that none is sent on one that the other side has given up.
    """

    def __init__(
        self,
        rules: Rules | None = None,
        *,
        timeout: float = 10.0,
        resolve: Resolve = resolve_host,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._rules = rules or Rules()
        self._timeout = timeout
        self._resolve = resolve
        self._tls = tls

    def check(self, url: str) -> SplitResult:
        """Refuse a URL that no call may follow, as far as it can be seen without resolving it."""
        return check_url(
            url, self._rules, schemes={"https": 443, "http": 80}, plain=frozenset({"http"})
        )

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """Send a request and give the answer, whatever its status.

        Raises ForbiddenUrl, NotSent, and NoAnswer when the request may have been carried out.
        """
        parts = self.check(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        place = place_of(str(parts.hostname), port, self._rules, self._resolve)
        connection = self._connection(parts, place)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        end = time.monotonic() + self._timeout
        # A socket's own timeout begins anew with each byte; this one ends the whole exchange.
        watch = threading.Timer(self._timeout, _hang_up, (connection.sock,))
        watch.daemon = True
        watch.start()
        try:
            connection.request(method, target, body=body, headers=dict(headers))
            answer = connection.getresponse()
            read = _read(answer, connection.sock, end)
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(f"{place.host} gave no whole answer: {type(error).__name__}") from error
        finally:
            watch.cancel()
            connection.close()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, names, read)

    def _connection(self, parts: SplitResult, place: Place) -> http.client.HTTPConnection:
        opened = connect(place, self._timeout)
        try:
            if parts.scheme == "https":
                context = self._tls or ssl.create_default_context()
                opened = context.wrap_socket(opened, server_hostname=place.host)
        except (OSError, ValueError) as error:
            opened.close()
            raise NotSent(f"{place.host} offers no TLS that can be trusted: {error}") from error
        connection = http.client.HTTPConnection(place.host, place.port, timeout=self._timeout)
        connection.sock = opened
        if parts.scheme == "https":
            connection.default_port = 443
        return connection


def _hang_up(opened: socket.socket) -> None:
    with contextlib.suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)


def _read(answer: http.client.HTTPResponse, opened: socket.socket | None, end: float) -> bytes:
    """Read an answer's body while there is time."""
    body = bytearray()
    while True:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if opened is not None and opened.fileno() != -1:
            opened.settimeout(left)
        part = answer.read1(65536)
        if not part:
            break
        body += part
        if len(body) > MAX_ANSWER:
            raise http.client.HTTPException("the answer is too long")
    if time.monotonic() >= end:
        raise TimeoutError
    if answer.length:
        raise http.client.IncompleteRead(bytes(body), answer.length)
    return bytes(body)
