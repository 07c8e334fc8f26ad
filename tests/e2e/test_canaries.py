"""Thirty secrets go through the whole shop on local; none of them may be seen anywhere again.

Real HTTP requests, a real SMTP server, a provider of text messages and a server that speaks
Stripe's API, all on loopback. Looked through afterwards: every log line, every answer, every row of
both databases, the raw bytes of every file in the data folder, every span, and what workflows
compile to.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from dataclasses import replace as changed
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cartwheel.host import HostOptions
from cartwheel.ports import Ports
from cartwheel_local import LocalHost
from cartwheel_local import serve as serve_http
from cartwheel_outside import Rules, SmtpMailer, SmtpServer, Telemetry, read_settings, replacing
from cartwheel_workflows.shop import shop_app
from shopctl import main
from tests.support import mail_server as mail
from tests.support.shopping import ADDRESS, product
from tests.support.stripe_server import Stripe, stripe_server

MARK = "canary"
KEYS = (
    "jwt_signing_key",
    "cart_signing_key",
    "reset_signing_key",
    "payment_webhook_signing_key",
    "stripe_api_key",
    "sms_api_secret",
)


def canary(name: str) -> str:
    """Make a secret that is not found by chance, with characters of every kind of token."""
    return f"{MARK}-{name}-{'0123456789abcdef' * 2}"


@dataclass
class Seen:
    """Is all that came out, and the secrets that went in or were handed out."""

    secrets: dict[str, str] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    handed_out: list[str] = field(default_factory=list)
    """Answers whose purpose is to give a token to its owner."""

    def secret(self, name: str) -> str:
        """Make a canary and remember it."""
        return self.secrets.setdefault(name, canary(name))

    def given(self, name: str, value: str) -> str:
        """Remember a secret that the shop itself has made."""
        self.secrets[name] = value
        return value


@dataclass
class Client:
    """Sends real requests and keeps every answer."""

    http: httpx.Client
    seen: Seen

    def send(
        self, method: str, path: str, *, token: bool = False, **more: object
    ) -> httpx.Response:
        response = self.http.request(method, path, **more)  # type: ignore[arg-type]  # passed on
        whole = f"{response.status_code} {dict(response.headers)} {response.text}"
        (self.seen.handed_out if token else self.seen.answers).append(whole)
        return response


@contextmanager
def served(host: LocalHost) -> Iterator[str]:
    ready, stop, urls = threading.Event(), threading.Event(), list[str]()

    def listening(url: str) -> None:
        urls.append(url)
        ready.set()

    thread = threading.Thread(
        target=serve_http, args=(host,), kwargs={"ready": listening, "stop": stop}
    )
    thread.start()
    try:
        assert ready.wait(10)
        yield urls[0]
    finally:
        stop.set()
        thread.join()


@contextmanager
def sms_server() -> Iterator[tuple[str, list[bytes]]]:
    texts: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            texts.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(500 if len(texts) == 1 else 202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", texts
        server.shutdown()
        thread.join()


def account(client: Client, name: str) -> dict[str, str]:
    """Register, log in, and give the tokens."""
    seen = client.seen
    body = {"email": f"{name}@example.org", "password": seen.secret(f"password-of-{name}")}
    assert client.send("POST", "/users/register", json={**body, "name": name}).status_code == 201
    login = client.send("POST", "/users/login", token=True, json=body)
    assert login.status_code == 200
    access = seen.given(f"access-token-of-{name}", login.json()["access_token"])
    seen.given(f"refresh-token-of-{name}", login.json()["refresh_token"])
    return {"Authorization": f"Bearer {access}"}


def check_out(client: Client, who: dict[str, str], card: str, *, name: str) -> str:
    item = {"product_id": "prd_mug", "quantity": 1}
    assert client.send("POST", "/cart/items", json=item, headers=who).status_code == 200
    body = {
        "payment_token": card,
        "shipping_address": ADDRESS,
        "email": "ada@example.org",
        "phone": "+436641234567",
    }
    response = client.send(
        "POST", "/checkout", json=body, headers={**who, "Idempotency-Key": f"checkout-{name}"}
    )
    assert response.status_code == 202, response.text
    return str(response.json()["order_id"])


def ended(client: Client, who: dict[str, str], order_id: str) -> str:
    """Wait until the order has come out."""
    end = time.monotonic() + 20
    while True:
        order = client.send("GET", f"/orders/{order_id}", headers=who).json()
        if order["status"] not in {"pending", "processing"} or time.monotonic() > end:
            return str(order["status"])
        time.sleep(0.05)


def buy(client: Client, stripe: Stripe, who: dict[str, str]) -> None:
    """Pay with a good card, a declined one, one whose answer is lost, and one nobody knows."""
    seen = client.seen
    for name, like, status in (
        ("good", "pm_card_visa", "confirmed"),
        ("declined", "pm_card_visa_chargeDeclined", "rejected"),
        ("lost", "pm_test_reply_lost", "confirmed"),
        ("unknown", "", "rejected"),
    ):
        card = seen.secret(f"card-{name}")
        if like:
            stripe.cards[card] = like
        order_id = check_out(client, who, card, name=name)
        assert ended(client, who, order_id) == status, name
    for name in ("good", "lost"):
        reply = client.send(
            "POST",
            "/checkout",
            json={"payment_token": seen.secret("card-replayed"), "shipping_address": ADDRESS},
            headers={**who, "Idempotency-Key": f"checkout-{name}"},
        )
        assert reply.status_code == 422


def misuse(client: Client, who: dict[str, str]) -> None:
    """Send secrets to where they do not belong, and wrong ones to where they do."""
    seen, send = client.seen, client.send
    email = "ada@example.org"
    wrong = {"email": email, "password": seen.secret("wrong-password")}
    assert send("POST", "/users/login", json=wrong).status_code == 401
    short = {"email": email, "password": [seen.secret("password-in-a-list")]}
    assert send("POST", "/users/login", json=short).status_code == 422
    extra = {**wrong, "password2": seen.secret("password-in-an-unknown-field")}
    assert send("POST", "/users/login", json=extra).status_code == 422
    broken = f'{{"email": "{email}", "password": "{seen.secret("password-in-broken-json")}"'
    typed = {"Content-Type": "application/json"}
    assert send("POST", "/users/login", content=broken, headers=typed).status_code == 400
    text = seen.secret("password-as-plain-text")
    assert send("POST", "/users/login", content=text).status_code in {400, 415}
    mail_as_name = {"email": seen.secret("secret-as-email"), "password": "x", "name": "x"}
    assert send("POST", "/users/register", json=mail_as_name).status_code == 422
    for name, header in (
        ("bearer-that-is-none", "Bearer {}"),
        ("other-scheme", "Token {}"),
        ("bare-authorization", "{}"),
    ):
        sent = {"Authorization": header.format(seen.secret(name))}
        assert send("GET", "/users/me", headers=sent).status_code == 401
    pair = base64.b64encode(f"ada:{seen.secret('basic-password')}".encode()).decode()
    sent = {"Authorization": f"Basic {seen.given('basic-pair', pair)}"}
    assert send("GET", "/users/me", headers=sent).status_code == 401
    forged = who["Authorization"].rpartition(".")[0] + "." + seen.secret("forged-signature")
    assert send("GET", "/users/me", headers={"Authorization": forged}).status_code == 401
    assert send("GET", f"/products?api_key={seen.secret('key-in-query')}").status_code == 422
    assert send("GET", f"/{seen.secret('key-in-path')}").status_code == 404
    sent = {"Cookie": f"session={seen.secret('cookie')}", "X-Api-Key": seen.secret("api-key")}
    assert send("GET", "/products", headers=sent).status_code == 200
    bad = {"refresh_token": seen.secret("refresh-token-that-is-none")}
    assert send("POST", "/users/refresh", json=bad).status_code == 401
    sent = {"X-Cart-Token": seen.secret("cart-token-that-is-none")}
    assert send("GET", "/cart", headers=sent).status_code >= 400
    hook = {"webhook-signature": f"v1,{seen.secret('webhook-signature')}", "webhook-id": "1"}
    assert send("POST", "/payments/webhook", json={}, headers=hook).status_code in {400, 401, 422}


def recover(client: Client, mailbox: mail.Mailbox, who: dict[str, str]) -> None:
    """Rotate the session, change the password, and set another one by mail."""
    seen, send = client.seen, client.send
    old = {"refresh_token": seen.secrets["refresh-token-of-ada"]}
    rotated = send("POST", "/users/refresh", token=True, json=old)
    assert rotated.status_code == 200
    seen.given("rotated-refresh-token", rotated.json()["refresh_token"])
    reset = send("POST", "/users/password-reset", json={"email": "ada@example.org"})
    assert reset.status_code == 202
    end = time.monotonic() + 15
    while not (found := [m for m in mailbox.mails() if "reset" in m.subject.lower()]):
        assert time.monotonic() < end, [m.subject for m in mailbox.mails()]
        time.sleep(0.05)
    words = sorted(found[0].text.split(), key=len)
    token = seen.given("reset-token", words[-1].rpartition("=")[2].strip(".,"))
    confirmed = send(
        "POST",
        "/users/password-reset/confirm",
        json={"token": token, "new_password": seen.secret("new-password")},
    )
    assert confirmed.status_code == 204, confirmed.text


@pytest.fixture
def seen() -> Seen:
    return Seen()


def test_thirty_secrets_leave_no_trace(
    seen: Seen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, exporter = tmp_path / "data", InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry = Telemetry(provider)
    file = tmp_path / "secrets.json"
    file.write_text(json.dumps({name: seen.secret(name) for name in KEYS[:4]}), encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("CARTWHEEL_SECRETS_FILE", str(file))
    for name in KEYS[4:]:
        monkeypatch.setenv(f"CARTWHEEL_SECRET_{name.upper()}", seen.secret(name))
    monkeypatch.setenv("CARTWHEEL_SECRET_SMTP_PASSWORD", seen.given("smtp_password", mail.PASSWORD))
    with ExitStack() as stack:
        stripe = stack.enter_context(stripe_server())
        stripe.key = seen.secrets["stripe_api_key"]
        mailbox = stack.enter_context(mail.mail_server(log_in=True))
        sms_url, texts = stack.enter_context(sms_server())
        configured = {
            "payments": "stripe",
            "stripe_api_base": stripe.url,
            "sms_url": sms_url,
            "sms_from": "Shop",
            "allow_private": ["127.0.0.1"],
        }
        put = replacing(read_settings(configured, {}))
        assert put is not None

        def replace(ports: Ports) -> Ports:
            server = SmtpServer(mailbox.url, "shop@example.org")
            mailer = SmtpMailer(
                server,
                ports.secrets,
                ports.clock,
                Rules(frozenset({mail.NAME})),
                resolve=lambda host, port: ["127.0.0.1"],
                tls=mailbox.trusted,
            )
            return changed(put(ports), mailer=mailer)

        options = HostOptions(
            data=data,
            log=seen.logs.append,
            tracer=telemetry,
            hook=telemetry.hook,
            replace=replace,
        )
        host = stack.enter_context(LocalHost(shop_app(), options))
        product(host.ports, "prd_mug", stock=10)
        url = stack.enter_context(served(host))
        client = Client(stack.enter_context(httpx.Client(base_url=url, timeout=20)), seen)
        guest = client.send("GET", "/cart", token=True)
        seen.given("cart-token", guest.headers["x-cart-token"])
        who = account(client, "ada")
        buy(client, stripe, who)
        account(client, "bob")
        misuse(client, who)
        recover(client, mailbox, who)
        host.settle()
        assert len(texts) >= 2
    telemetry.close()
    for target in ("aws", "gcp", "azure"):
        out = str(tmp_path / "bundles" / target)
        main(["workflow", "compile", "checkout", "--provider", target, "--out", out])
    written = capsys.readouterr()

    secrets = {name: value for name, value in seen.secrets.items() if len(value) >= 8}
    places = {
        "logs": "\n".join(seen.logs),
        "answers": "\n".join(seen.answers),
        "standard output and error": written.out + written.err,
        "spans": "\n".join(span.to_json() for span in exporter.get_finished_spans()),
        "rows": "\n".join(rows(data / "cartwheel.db") + rows(data / "bank.db")),
        "bundles": "\n".join(texts_in(tmp_path / "bundles")),
    }
    for path in sorted(data.rglob("*")):
        if path.is_file():
            places[path.name] = path.read_bytes().decode("latin-1")
    found = [
        f"{name} in {place}"
        for place, text in places.items()
        for name, value in secrets.items()
        if value in text
    ]
    counts = {place: len(text) for place, text in places.items()}
    print(f"{len(secrets)} secrets, {len(seen.logs)} log lines, {counts}")
    assert found == []
    # What is no secret is found in each place, so a secret would be, too.
    assert "ada@example.org" in places["rows"]
    assert "ada@example.org" in places["cartwheel.db"]
    assert "/users/login" in places["logs"]
    assert "prd_mug" in places["answers"]
    assert "payments.authorize" in places["spans"]
    assert "payments.authorize" in places["bundles"]
    assert len(secrets) >= 30
    assert len(seen.logs) > 40
    assert len(seen.answers) > 30
    assert len(exporter.get_finished_spans()) > 100
    assert all(counts[place] > 100 for place in ("rows", "bundles", "cartwheel.db"))
    assert all(len(value) >= 12 for value in secrets.values())


def rows(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        tables = [name for (name,) in names]
        found = [
            str(row)
            for table in tables
            for row in connection.execute(f"SELECT * FROM {table}")  # noqa: S608  # names of the schema
        ]
    connection.close()
    return found


def texts_in(folder: Path) -> list[str]:
    return [
        path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
