"""The HTTP server, on a real socket: decoding, limits, slow clients, the mailbox, stopping."""

from __future__ import annotations

import json
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.host import HostOptions
from cartwheel.http import ANYONE, Body, Response
from cartwheel.ports import ConfigurationError, Mail, TextMessage
from cartwheel_local import LocalHost, _http, _protocol, serve


class Text(Body):
    """Is a body that can be made as long as a test likes."""

    text: str


def echoing() -> App:
    """Make an application that answers with what it was asked."""
    service = Service("echo")

    def answer(ctx: Context) -> Response:
        request = ctx.request
        assert request is not None
        seen = {
            "method": request.method,
            "path": request.path,
            "headers": dict(request.headers),
            "client": request.client,
            "body": len(request.body),
        }
        return Response(200, {"content-type": "application/json"}, json.dumps(seen).encode())

    @service.route("GET", "/echo/{name}", permission=ANYONE)
    def get(ctx: Context, name: str) -> Response:
        """Answer."""
        return answer(ctx)

    @service.route("POST", "/echo", permission=ANYONE)
    def post(ctx: Context, body: Text) -> Response:
        """Answer."""
        return answer(ctx)

    @service.route("GET", "/slow", permission=ANYONE)
    def slow(ctx: Context) -> Response:
        """Answer after a while."""
        time.sleep(0.9)
        return Response(200, {}, b"done")

    return App("echo", services=[service])


@dataclass
class Served:
    """Is a server under test."""

    host: LocalHost
    url: str
    lines: list[str]

    @property
    def address(self) -> tuple[str, int]:
        """Give where it listens."""
        url = httpx.URL(self.url)
        return url.host, url.port or 0

    def raw(self, *parts: bytes, pause: Callable[[], None] = lambda: None) -> bytes:
        """Send bytes as they are and give all that comes back until the server closes."""
        with socket.create_connection(self.address, timeout=10) as connection:
            for part in parts:
                connection.sendall(part)
                pause()
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
            return answer


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    lines: list[str] = []
    options = HostOptions(data=tmp_path, background=False, log=lines.append)
    with LocalHost(echoing(), options) as host:
        stop, ready, urls = threading.Event(), threading.Event(), list[str]()

        def listening(url: str) -> None:
            urls.append(url)
            ready.set()

        thread = threading.Thread(
            target=serve, args=(host,), kwargs={"ready": listening, "stop": stop}
        )
        thread.start()
        assert ready.wait(10)
        yield Served(host, urls[0], lines)
        stop.set()
        thread.join(15)
        assert not thread.is_alive()


def test_a_request_arrives_decoded(served: Served) -> None:
    headers = [(b"X-Two", b"a"), (b"x-two", b"b"), (b"X-Latin", b"\xe9")]
    seen = httpx.get(f"{served.url}/echo/caf%C3%A9%20x", headers=headers).json()
    assert (seen["method"], seen["path"], seen["client"]) == ("GET", "/echo/café x", "127.0.0.1")
    assert seen["headers"]["x-two"] == ["a", "b"]
    assert seen["headers"]["x-latin"] == ["é"]


def test_answers_on_a_kept_connection_do_not_wait_for_acknowledgements(served: Served) -> None:
    with httpx.Client(base_url=served.url) as client:
        client.get("/echo/a")
        taken = []
        for _ in range(21):
            began = time.perf_counter()
            assert client.get("/echo/a").status_code == 200
            taken.append(time.perf_counter() - began)
    # An acknowledgement is put off for 40 ms: then every answer would be, on any machine.
    assert statistics.median(taken) < 0.035


@pytest.mark.parametrize(
    "target",
    ["/echo/%zz", "/echo/%", "/echo/%ff", "/echo/%00", "/echo/a?x=%f", "/echo/a?%ff", "*", "x"],
)
def test_a_malformed_target_is_a_problem(served: Served, target: str) -> None:
    answer = served.raw(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in head
    assert json.loads(body)["code"] == "bad_request"


def test_too_many_parameters_are_a_problem(served: Served) -> None:
    query = "&".join(f"p{number}=1" for number in range(101))
    assert httpx.get(f"{served.url}/echo/a?{query}").status_code == 400


@pytest.mark.parametrize(
    "head",
    [b"nonsense\r\n\r\n", b"GET /\x00 HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n"],
)
def test_what_is_no_http_is_refused_and_logged_as_json(served: Served, head: bytes) -> None:
    assert served.raw(head).startswith(b"HTTP/1.1 400 ")
    assert [json.loads(line)["event"] for line in served.lines] == ["http server"]


def test_a_head_without_end_is_refused(served: Served) -> None:
    assert served.raw(b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000).startswith(b"HTTP/1.1 400 ")


def body_of(size: int) -> bytes:
    """Make a body of so many bytes."""
    return b'{"text":"' + b"x" * (size - 11) + b'"}'


def test_a_body_of_the_limit_passes_and_a_longer_one_is_too_large(served: Served) -> None:
    url, headers = f"{served.url}/echo", {"content-type": "application/json"}
    answer = httpx.post(url, content=body_of(_http.BODY_LIMIT), headers=headers)
    assert answer.json()["body"] == _http.BODY_LIMIT == 256 * 1024
    for size in (_http.BODY_LIMIT + 1, 2_000_000, 40_000_000):
        answer = httpx.post(url, content=body_of(size), headers=headers)
        assert (answer.status_code, answer.headers["connection"]) == (413, "close")
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_long_body_without_a_length_is_dropped_while_it_comes(served: Served) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"x" * 100_000

    try:
        status = httpx.post(f"{served.url}/echo", content=chunks()).status_code
    except httpx.TransportError:
        status = 413  # the server had closed while we still sent
    assert status == 413
    assert httpx.get(f"{served.url}/echo/a").status_code == 200


def test_a_slow_head_is_cut_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_protocol, "HEAD_SECONDS", 0.3)
    began = time.monotonic()
    assert served.raw(b"GET / HTTP/1.1\r\nX: y") == b""
    assert time.monotonic() - began < 5
    with socket.create_connection(served.address, timeout=10) as connection:
        connection.sendall(b"GET /echo/a HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /echo/b")
        while connection.recv(65536):
            pass
    assert time.monotonic() - began < 8


def test_a_slow_body_times_out(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "BODY_SECONDS", 0.3)
    answer = served.raw(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"request_timeout" in answer


def test_a_client_that_goes_away_disturbs_nobody(served: Served) -> None:
    for _ in range(5):
        with socket.create_connection(served.address, timeout=10) as connection:
            connection.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
    assert httpx.get(f"{served.url}/echo/a").status_code == 200
    assert not [line for line in served.lines if '"error"' in line]


def test_requests_run_beside_each_other(served: Served) -> None:
    began = time.monotonic()
    threads = [threading.Thread(target=httpx.get, args=(f"{served.url}/slow",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 8 * 0.9


def test_the_mailbox_shows_what_was_sent_and_runs_nothing(served: Served) -> None:
    mail = Mail("m1", "a@b.example", "<script>alert(1)</script>", "text & more", "<img src=x>")
    served.host.ports.mailer.send(mail)
    served.host.ports.sms.send(TextMessage("t1", "+4912345", "<b>code</b>"))
    page = httpx.get(f"{served.url}/_mailbox")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "text &amp; more" in page.text
    assert "&lt;b&gt;code&lt;/b&gt;" in page.text
    assert "<script" not in page.text
    assert "<img" not in page.text
    assert "http" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    listed = httpx.get(f"{served.url}/_mailbox.json").json()
    assert listed["mails"][0]["subject"] == mail.subject
    assert listed["texts"][0]["to"] == "+4912345"


def test_the_mailbox_is_for_this_machine_under_its_own_name_only(served: Served) -> None:
    url = f"{served.url}/_mailbox.json"
    for name in ("shop.example", "127.0.0.1.shop.example", ""):
        assert httpx.get(url, headers={"host": name}).status_code == 403
    assert httpx.get(url, headers={"host": "localhost:1"}).status_code == 200
    assert httpx.post(url).status_code == 405


def test_a_port_that_is_taken_is_a_clear_error(served: Served) -> None:
    with pytest.raises(ConfigurationError, match=r"port \d+: .*choose another port"):
        serve(served.host, port=served.address[1], ready=lambda url: None)
    with pytest.raises(ConfigurationError, match=r"can't listen on no\.such\.host\.invalid"):
        serve(served.host, bind="no.such.host.invalid", ready=lambda url: None)


SERVER = """
import sys
from pathlib import Path
from cartwheel.host import HostOptions
from cartwheel_local import LocalHost, serve
from tests.unit.local.test_local_http import echoing

with LocalHost(echoing(), HostOptions(data=Path(sys.argv[1]))) as host:
    serve(host, ready=lambda url: print(url, flush=True))
print("closed", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without a signal")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_after_the_requests_under_way(
    tmp_path: Path, number: signal.Signals
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().strip()
        answers: list[int] = []
        with httpx.Client(base_url=url) as idle:
            idle.get("/echo/a")
            under_way = threading.Thread(
                target=lambda: answers.append(httpx.get(f"{url}/slow").status_code)
            )
            under_way.start()
            time.sleep(0.3)
            process.send_signal(number)
            under_way.join(10)
            rest = process.stdout.read()
            errors = process.stderr.read()
            assert process.wait(15) == 0
    assert (answers, rest) == ([200], "closed\n")
    assert all(json.loads(line)["level"] == "info" for line in errors.splitlines())
    LocalHost(echoing(), HostOptions(data=tmp_path, background=False)).close()
