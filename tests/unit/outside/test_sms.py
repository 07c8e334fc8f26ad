"""Text messages through a provider's HTTP API, to a real server on loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cartwheel import testing as kit
from cartwheel.app import App
from cartwheel.host import Host, HostOptions
from cartwheel.log import discard
from cartwheel.ports import TextMessage, Unavailable
from cartwheel.realtime import RealClock
from cartwheel.testing import OpenHost
from cartwheel_local._secrets import LocalSecrets
from cartwheel_memory import MemoryHost
from cartwheel_outside import ForbiddenUrl, HttpSms, Outbound, Rules, SmsProvider
from cartwheel_outside._sms import Authentication

TEXT = TextMessage("sms-1", "+436641234567", "Your order is confirmed")
SECRET = "sms-secret"


@dataclass
class Provider:
    """Is a provider that knows the idempotency key; `statuses` are given instead of taking."""

    url: str = ""
    texts: dict[str, TextMessage] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def take(self, headers: dict[str, str], body: bytes) -> int:
        self.headers.append(headers)
        self.bodies.append(body)
        if self.statuses:
            return self.statuses.pop(0)
        sent = json.loads(body)
        text = TextMessage(sent["id"], sent["to"], sent["text"])
        self.texts.setdefault(headers["idempotency-key"], text)
        return 202


@pytest.fixture
def provider() -> Iterator[Provider]:
    taking = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(taking.take(headers, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        taking.url = f"http://127.0.0.1:{server.server_address[1]}/v1/messages"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield taking
        server.shutdown()
        thread.join()


def sms(provider: Provider, authentication: Authentication = "bearer") -> HttpSms:
    return HttpSms(
        SmsProvider(provider.url, "Shop", authentication, "account"),
        LocalSecrets({"sms_api_secret": SECRET}, {}, Path("none")),
        RealClock(),
        Outbound(Rules(frozenset({"127.0.0.1"})), timeout=2),
    )


class TestHttpSms(kit.SmsContract):
    virtual_time = True

    @pytest.fixture
    def open_host(self, provider: Provider) -> OpenHost:
        self.provider = provider

        def open_(app: App) -> Host:
            put = HostOptions(log=discard, replace=lambda ports: replace(ports, sms=sms(provider)))
            return MemoryHost(app, put)

        return open_

    def sent_texts(self, host: Host) -> Sequence[TextMessage]:
        return list(self.provider.texts.values())


def test_the_message_and_its_sender_are_posted_as_json(provider: Provider) -> None:
    sms(provider).send(TEXT)
    assert json.loads(provider.bodies[0]) == {
        "id": TEXT.id,
        "from": "Shop",
        "to": TEXT.to,
        "text": TEXT.text,
    }
    assert provider.headers[0]["idempotency-key"] == TEXT.id


def test_a_bearer_token_is_the_secret(provider: Provider) -> None:
    sms(provider).send(TEXT)
    assert provider.headers[0]["authorization"] == f"Bearer {SECRET}"


def test_basic_authentication_is_user_and_secret(provider: Provider) -> None:
    sms(provider, "basic").send(TEXT)
    given = provider.headers[0]["authorization"].removeprefix("Basic ")
    assert base64.b64decode(given) == f"account:{SECRET}".encode()


def test_a_signature_proves_the_secret_without_sending_it(provider: Provider) -> None:
    sms(provider, "signed").send(TEXT)
    headers = provider.headers[0]
    signed = f"{headers['x-timestamp']}.{TEXT.id}.".encode() + provider.bodies[0]
    digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["x-signature"] == f"v1={digest}"
    assert SECRET not in repr(headers)


@pytest.mark.parametrize("status", [301, 400, 401, 404, 429, 500, 503])
def test_what_is_no_success_is_unavailable(provider: Provider, status: int) -> None:
    provider.statuses.append(status)
    with pytest.raises(Unavailable, match=str(status)) as caught:
        sms(provider).send(TEXT)
    assert TEXT.to not in str(caught.value)
    sms(provider).send(TEXT)
    assert list(provider.texts) == [TEXT.id]


def test_an_id_that_no_header_can_hold_becomes_a_stable_key(provider: Provider) -> None:
    for _ in range(2):
        sms(provider).send(replace(TEXT, id="ü\r\nX: y"))
    keys = {headers["idempotency-key"] for headers in provider.headers}
    assert len(keys) == 1
    assert len(provider.texts) == 1


def test_a_url_on_a_private_network_is_refused(provider: Provider) -> None:
    with pytest.raises(ForbiddenUrl):
        HttpSms(
            SmsProvider(provider.url, "Shop"),
            LocalSecrets({}, {}, Path("none")),
            RealClock(),
            Outbound(),
        )
