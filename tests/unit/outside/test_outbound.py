"""Where calls may go, and where they may not."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from cartwheel.ports import GatewayTimeout
from cartwheel_outside import ForbiddenUrl, NoAnswer, NotSent, Outbound, Rules
from cartwheel_outside._outbound import MAX_ANSWER, is_public, place_of

LOOPBACK = Rules(frozenset({"127.0.0.1"}))
NAMED = Rules(frozenset({"api.example.org"}))


@contextmanager
def answering(
    reply: bytes, *, context: ssl.SSLContext | None = None
) -> Iterator[tuple[int, list[bytes]]]:
    """Answer every connection with these bytes; gives the port and what was sent."""
    sent: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    taken, _ = listener.accept()
                except OSError:
                    return
                with taken:
                    try:
                        spoken = context.wrap_socket(taken, server_side=True) if context else taken
                        sent.append(spoken.recv(65536))
                        spoken.sendall(reply)
                        spoken.close()
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], sent
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-One: 1\r\n\r\nhi"


def test_an_answer_is_given_whatever_its_status() -> None:
    with answering(OK.replace(b"200 OK", b"418 Teapot")) as (port, sent):
        answer = Outbound(LOOPBACK).send("GET", f"http://127.0.0.1:{port}/a?b=c", {"X-Two": "2"})
    assert (answer.status, answer.headers["x-one"], answer.body) == (418, "1", b"hi")
    assert sent[0].startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert b"X-Two: 2" in sent[0]


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with answering(OK) as (other, reached):
        moved = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{other}/\r\n"
        with answering(moved.encode() + b"Content-Length: 0\r\n\r\n") as (port, _):
            answer = Outbound(LOOPBACK).send("GET", f"http://127.0.0.1:{port}/", {})
    assert answer.status == 302
    assert reached == []


PRIVATE = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",  # noqa: S104  # refused, not listened on
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:db8::1",
    "no address",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_host_with_a_private_address_is_refused_also_beside_a_public_one(address: str) -> None:
    assert not is_public(address)
    for addresses in ([address], ["93.184.215.14", address]):
        with pytest.raises(ForbiddenUrl, match="private network"):
            place_of("api.example.org", 443, Rules(), lambda host, port, a=addresses: a)  # type: ignore[misc]  # a default binds the loop's value
        allowed = place_of("api.example.org", 443, NAMED, lambda host, port, a=addresses: a)  # type: ignore[misc]  # as above
        assert allowed.addresses == tuple(addresses)


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:4700::1111"])
def test_a_public_address_is_one(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://api.example.org/",
        "file:///etc/passwd",
        "gopher://api.example.org/",
        "//api.example.org/",
        "api.example.org",
        "",
        "https://",
        "https:///path",
        "https://user:canary@api.example.org/",
        "https://user@api.example.org/",
        "https://api.example.org:0/",
        "https://api.example.org:65536/",
        "https://api.example.org:x/",
        "https://api.example.org/#top",
        "https://api.example.org/a b",
        "https://api.example.org/\r\nHost: other",
        "https://api.example.org\\@evil.example/",
        "https://[::1/",
        "http://api.example.org/",
        "https://exämple.org/",
    ],
)
def test_a_url_that_no_call_may_follow_is_refused(url: str) -> None:
    with pytest.raises(ForbiddenUrl) as caught:
        Outbound().send("GET", url, {})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://localhost/",
        "https://2130706433/",
        "https://127.1/",
        "https://0x7f.1/",
    ],
)
def test_this_machine_under_any_name_is_refused(url: str) -> None:
    with pytest.raises((ForbiddenUrl, NotSent)):
        Outbound(timeout=1).send("GET", url, {})


def test_the_connection_goes_to_the_address_that_was_looked_at() -> None:
    resolved: list[str] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        resolved.append(host)
        return ["127.0.0.1"] if len(resolved) == 1 else ["192.0.2.1"]

    with answering(OK) as (port, sent):
        outbound = Outbound(NAMED, resolve=resolve, timeout=2)
        assert outbound.send("GET", f"http://api.example.org:{port}/", {}).status == 200
    assert resolved == ["api.example.org"]
    assert f"Host: api.example.org:{port}".encode() in sent[0]


def test_the_certificate_is_checked_against_the_name_in_the_url() -> None:
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    for name, reached in (("api.example.org", True), ("other.example.org", False)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        with answering(OK, context=context) as (port, _):
            outbound = Outbound(
                NAMED, resolve=lambda host, port: ["127.0.0.1"], tls=trusting, timeout=2
            )

            def send(outbound: Outbound = outbound, port: int = port) -> int:
                return outbound.send("GET", f"https://api.example.org:{port}/", {}).status

            if reached:
                assert send() == 200
            else:
                with pytest.raises(NotSent, match="no TLS that can be trusted"):
                    send()


def unanswered(reply: bytes) -> None:
    with answering(reply) as (port, _), pytest.raises(NoAnswer):
        Outbound(LOOPBACK, timeout=0.5).send("POST", f"http://127.0.0.1:{port}/", {}, b"{}")


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.1 ",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_ANSWER + 1),
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
    ],
    ids=["nothing", "cut", "nonsense", "short", "cut-chunk", "bad-chunk", "endless", "headers"],
)
def test_what_is_no_whole_answer_may_have_had_its_effect(reply: bytes) -> None:
    unanswered(reply)


def test_a_server_that_says_nothing_costs_no_more_than_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(NoAnswer) as caught:
            Outbound(LOOPBACK, timeout=0.2).send("POST", f"http://127.0.0.1:{port}/", {}, b"{}")
    assert isinstance(caught.value, GatewayTimeout)


@pytest.mark.parametrize(
    "begin", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["headers", "body"]
)
def test_an_answer_that_drips_costs_no_more_than_the_timeout(begin: bytes) -> None:
    gone = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            taken, _ = listener.accept()
            with taken:
                try:
                    taken.recv(65536)
                    taken.sendall(begin)
                    while not gone.wait(0.02):
                        taken.sendall(b"x")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        began = time.monotonic()
        try:
            with pytest.raises(NoAnswer):
                Outbound(LOOPBACK, timeout=0.3).send("GET", url, {})
            assert time.monotonic() - began < 3
        finally:
            gone.set()
            thread.join()


def test_a_closed_port_is_known_to_have_got_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotSent):
        Outbound(LOOPBACK, timeout=1).send("POST", f"http://127.0.0.1:{port}/", {}, b"{}")


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with answering(OK) as (port, _):
        assert Outbound(LOOPBACK).send("GET", f"http://127.0.0.1:{port}/", {}).status == 200


@given(st.text(max_size=60))
def test_no_text_at_all_gets_past_the_look_at_a_url_but_https(text: str) -> None:
    look: Callable[[str], object] = Outbound().check
    try:
        look(text)
    except ForbiddenUrl:
        return
    assert text.lower().startswith("https://")
