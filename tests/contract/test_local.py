"""The local adapter keeps every contract of the kit, on real files and a real socket."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from cartwheel import testing as kit
from cartwheel.app import App
from cartwheel.host import Host, HostOptions
from cartwheel.http import Request, Response
from cartwheel.log import discard
from cartwheel.plugins import load_adapter
from cartwheel.ports import Mail, TextMessage
from cartwheel.testing import OpenHost, Send, Serve, target_of
from cartwheel_local import LocalHost
from cartwheel_local import serve as serve_http


@pytest.fixture
def open_host(tmp_path_factory: pytest.TempPathFactory) -> OpenHost:
    adapter = load_adapter("local")

    def open_(app: App) -> Host:
        data = tmp_path_factory.mktemp("data")
        secrets = kit.SecretsContract.given
        return adapter.open(app, HostOptions(data=data, log=discard, secrets=secrets))

    return open_


def sent_mails(host: Host) -> Sequence[Mail]:
    assert isinstance(host, LocalHost)
    return host.mailbox.mails()


class TestStore(kit.StoreContract):
    pass


class TestEventBus(kit.EventBusContract):
    pass


class TestQueue(kit.QueueContract):
    pass


class TestDeadLetters(kit.DeadLettersContract):
    pass


class TestScheduler(kit.SchedulerContract):
    pass


class TestWorkflowRuntime(kit.WorkflowRuntimeContract):
    pass


class TestClock(kit.ClockContract):
    pass


class TestIds(kit.IdsContract):
    pass


class TestRandomness(kit.RandomnessContract):
    pass


class TestSecrets(kit.SecretsContract):
    pass


class TestPaymentGateway(kit.PaymentGatewayContract):
    pass


class TestMailer(kit.MailerContract):
    def sent_mails(self, host: Host) -> Sequence[Mail]:
        return sent_mails(host)


class TestSms(kit.SmsContract):
    def sent_texts(self, host: Host) -> Sequence[TextMessage]:
        assert isinstance(host, LocalHost)
        return host.mailbox.texts()


class TestDurability(kit.DurabilityContract):
    @pytest.fixture
    def reopen(self, tmp_path: Path) -> OpenHost:
        return lambda app: LocalHost(app, HostOptions(data=tmp_path, log=discard))

    def sent_mails(self, host: Host) -> Sequence[Mail]:
        return sent_mails(host)


@pytest.fixture
def serve() -> Serve:
    @contextmanager
    def before(host: Host) -> Iterator[Send]:
        assert isinstance(host, LocalHost)
        ready, stop, urls = threading.Event(), threading.Event(), list[str]()

        def listening(url: str) -> None:
            urls.append(url)
            ready.set()

        server = threading.Thread(
            target=serve_http, args=(host,), kwargs={"ready": listening, "stop": stop}
        )
        server.start()
        try:
            assert ready.wait(10)
            place = urls[0].removeprefix("http://")
            yield lambda request: _send(place, request)
        finally:
            stop.set()
            server.join()

    return before


def _send(place: str, request: Request) -> Response:
    connection = http.client.HTTPConnection(place, timeout=10)
    try:
        connection.putrequest(request.method, target_of(request))
        for name, values in request.headers.items():
            for value in values:
                connection.putheader(name, value)
        if request.body or request.method in {"POST", "PUT", "PATCH"}:
            connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body or None)
        answer = connection.getresponse()
        return Response(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


class TestHttpGateway(kit.HttpGatewayContract):
    pass
