"""The memory adapter keeps every contract of the kit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from cartwheel import testing as kit
from cartwheel.app import App, Service
from cartwheel.host import Host, HostOptions
from cartwheel.http import Request, Response
from cartwheel.log import discard
from cartwheel.plugins import load_adapter
from cartwheel.ports import Mail, Ports, TextMessage
from cartwheel.testbank import BOOKS, StoreBank
from cartwheel.testgateway import TestGateway
from cartwheel.testing import OpenHost, Send, Serve
from cartwheel_memory import MemoryDisk, MemoryHost


@pytest.fixture
def open_host() -> OpenHost:
    adapter = load_adapter("memory")

    def open_(app: App) -> Host:
        return adapter.open(app, HostOptions(log=discard, secrets=kit.SecretsContract.given))

    return open_


class TestStore(kit.StoreContract):
    virtual_time = True


class TestClock(kit.ClockContract):
    virtual_time = True


class TestIds(kit.IdsContract):
    virtual_time = True


class TestRandomness(kit.RandomnessContract):
    virtual_time = True


class TestSecrets(kit.SecretsContract):
    virtual_time = True


class TestEventBus(kit.EventBusContract):
    virtual_time = True


class TestQueue(kit.QueueContract):
    virtual_time = True


class TestDeadLetters(kit.DeadLettersContract):
    virtual_time = True


class TestScheduler(kit.SchedulerContract):
    virtual_time = True


class TestMailer(kit.MailerContract):
    virtual_time = True

    def sent_mails(self, host: Host) -> Sequence[Mail]:
        assert isinstance(host, MemoryHost)
        return host.mailbox.mails()


class TestSms(kit.SmsContract):
    virtual_time = True

    def sent_texts(self, host: Host) -> Sequence[TextMessage]:
        assert isinstance(host, MemoryHost)
        return host.mailbox.texts()


class TestPaymentGateway(kit.PaymentGatewayContract):
    virtual_time = True


class TestPaymentGatewayOverTheStore(kit.PaymentGatewayContract):
    """The books in rows, as the clouds' adapters keep them."""

    virtual_time = True

    @pytest.fixture
    def open_host(self) -> OpenHost:
        def open_(app: App) -> Host:
            bank = Service("bank")
            bank.collections.append(BOOKS)
            with_books = App(app.name, services=[*app.services, bank])
            return MemoryHost(with_books, HostOptions(log=discard, replace=_in_rows))

        return open_


def _in_rows(ports: Ports) -> Ports:
    return replace(ports, payments=TestGateway(StoreBank(lambda: ports)))


@pytest.fixture
def serve() -> Serve:
    @contextmanager
    def before(host: Host) -> Iterator[Send]:
        def send(request: Request) -> Response:
            headers = {name.lower(): values for name, values in request.headers.items()}
            return host.dispatcher.http(request._replace(headers=headers))

        yield send

    return before


class TestHttpGateway(kit.HttpGatewayContract):
    virtual_time = True


class TestWorkflowRuntime(kit.WorkflowRuntimeContract):
    virtual_time = True


class TestDurability(kit.DurabilityContract):
    """A disk in memory outlives its hosts, so it is held to the same promises."""

    virtual_time = True

    @pytest.fixture
    def reopen(self) -> OpenHost:
        disk = MemoryDisk()
        return lambda app: MemoryHost(app, HostOptions(log=discard), disk=disk)

    def sent_mails(self, host: Host) -> Sequence[Mail]:
        assert isinstance(host, MemoryHost)
        return host.mailbox.mails()
