"""The memory adapter with one planted bug each; every contract here but the first must fail.

Run by test_kit.py in a process of its own: pytest does not collect this file by itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from urllib.parse import unquote

import pytest

from cartwheel import testing as kit
from cartwheel.app import App
from cartwheel.host import HostOptions
from cartwheel.http import Request
from cartwheel.log import discard
from cartwheel.ports import (
    MAX_PAGE,
    Charge,
    Check,
    Event,
    HistoryEntry,
    Json,
    JsonObject,
    Mail,
    Message,
    Page,
    Ports,
    Row,
    Run,
    RunConflict,
    RunPage,
    RunStatus,
    Store,
    WorkflowRuntime,
    Write,
)
from cartwheel.testing import OpenHost, Serve
from cartwheel_memory import MemoryHost

_NUMBERS = itertools.count()


def opener(change: Callable[[Ports], Ports]) -> OpenHost:
    def open_(app: App) -> MemoryHost:
        return MemoryHost(app, HostOptions(log=discard, replace=change))

    return open_


class PassingStore:
    """Passes every call on; the bugs derive from it."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def get(self, collection: str, partition: str, key: str) -> Row | None:
        return self.store.get(collection, partition, key)

    def scan(
        self,
        collection: str,
        partition: str,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int = MAX_PAGE,
    ) -> Page:
        return self.store.scan(collection, partition, prefix=prefix, after=after, limit=limit)

    def query(
        self,
        collection: str,
        index: str,
        value: str,
        *,
        descending: bool = False,
        cursor: str | None = None,
        limit: int = MAX_PAGE,
    ) -> Page:
        return self.store.query(
            collection, index, value, descending=descending, cursor=cursor, limit=limit
        )

    def commit(self, collection: str, partition: str, writes: Sequence[Write]) -> None:
        self.store.commit(collection, partition, writes)


class IgnoresChecks(PassingStore):
    def commit(self, collection: str, partition: str, writes: Sequence[Write]) -> None:
        kept = [write for write in writes if not isinstance(write, Check)]
        self.store.commit(collection, partition, kept or writes)


class WritesOneByOne(PassingStore):
    def commit(self, collection: str, partition: str, writes: Sequence[Write]) -> None:
        for write in writes:
            self.store.commit(collection, partition, [write])


class ForgetsThatMoreFollows(PassingStore):
    def scan(self, *args: str, **kwargs: object) -> Page:
        page = self.store.scan(*args, **kwargs)  # type: ignore[arg-type]  # passed on
        return Page(page.rows)


class ScansInAnyOrder(PassingStore):
    def scan(self, *args: str, **kwargs: object) -> Page:
        page = self.store.scan(*args, **kwargs)  # type: ignore[arg-type]  # passed on
        return Page(
            tuple(sorted(page.rows, key=lambda row: row.key.encode("utf-16-be"))), page.next
        )


class SortsNumbersAsText(PassingStore):
    def query(self, *args: str, **kwargs: object) -> Page:
        page = self.store.query(*args, **kwargs)  # type: ignore[arg-type]  # passed on
        rows = sorted(page.rows, key=lambda row: str(row.data.get("rank")))
        return Page(tuple(rows), page.next)


class TakesAnyCursor(PassingStore):
    def query(self, *args: str, **kwargs: object) -> Page:
        try:
            return self.store.query(*args, **kwargs)  # type: ignore[arg-type]  # passed on
        except ValueError:
            return Page()


class FoldsCase(PassingStore):
    def get(self, collection: str, partition: str, key: str) -> Row | None:
        return self.store.get(collection, partition, key.lower())

    def commit(self, collection: str, partition: str, writes: Sequence[Write]) -> None:
        folded = [replace(write, key=write.key.lower()) for write in writes]
        self.store.commit(collection, partition, folded)


class TestSound(kit.StoreContract):
    virtual_time = True

    @pytest.fixture
    def open_host(self) -> OpenHost:
        return opener(lambda ports: replace(ports, store=PassingStore(ports.store)))


def broken_store(bug: type[PassingStore]) -> type[kit.StoreContract]:
    class Broken(kit.StoreContract):
        virtual_time = True

        @pytest.fixture
        def open_host(self) -> OpenHost:
            return opener(lambda ports: replace(ports, store=bug(ports.store)))

    return Broken


TestIgnoresChecks = broken_store(IgnoresChecks)
TestWritesOneByOne = broken_store(WritesOneByOne)
TestForgetsThatMoreFollows = broken_store(ForgetsThatMoreFollows)
TestScansInAnyOrder = broken_store(ScansInAnyOrder)
TestSortsNumbersAsText = broken_store(SortsNumbersAsText)
TestTakesAnyCursor = broken_store(TakesAnyCursor)
TestFoldsCase = broken_store(FoldsCase)


class TestLosesAllEventsButTheFirst(kit.EventBusContract):
    virtual_time = True

    @pytest.fixture
    def open_host(self) -> OpenHost:
        def change(ports: Ports) -> Ports:
            class Bus:
                def publish(self, events: Sequence[Event]) -> None:
                    ports.events.publish(events[:1])

            return replace(ports, events=Bus())

        return opener(change)


class TestForgetsTheDelay(kit.QueueContract):
    virtual_time = True

    @pytest.fixture
    def open_host(self) -> OpenHost:
        def change(ports: Ports) -> Ports:
            class Queue:
                def send(self, queue: str, message: Message, *, delay: int = 0) -> None:
                    ports.queue.send(queue, message)

            return replace(ports, queue=Queue())

        return opener(change)


class TestSendsMailsTwice(kit.MailerContract):
    virtual_time = True
    sent: list[Mail]

    @pytest.fixture
    def open_host(self) -> OpenHost:
        self.sent = []

        class Mailer:
            def send(_, mail: Mail) -> None:  # the outer self is needed
                self.sent.append(mail)

        return opener(lambda ports: replace(ports, mailer=Mailer()))

    def sent_mails(self, host: object) -> Sequence[Mail]:
        return self.sent


class TestForgetsPaymentKeys(kit.PaymentGatewayContract):
    virtual_time = True

    @pytest.fixture
    def open_host(self) -> OpenHost:
        def change(ports: Ports) -> Ports:
            gateway, calls = ports.payments, iter(range(10**6))

            class Gateway:
                find = staticmethod(gateway.find)
                authorize = staticmethod(gateway.authorize)
                capture = staticmethod(gateway.capture)
                void = staticmethod(gateway.void)

                def refund(self, *, key: str, charge_id: str, amount: int) -> Charge:
                    again = f"{key}-{next(calls)}"
                    return gateway.refund(key=again, charge_id=charge_id, amount=amount)

            return replace(ports, payments=Gateway())

        return opener(change)


class TestRepeatsIds(kit.IdsContract):
    virtual_time = True

    @pytest.fixture
    def open_host(self) -> OpenHost:
        class Ids:
            def new(self, prefix: str) -> str:
                return f"{prefix}_1"

            def token(self, size: int = 32) -> str:
                return "A" * (-(-size * 4 // 3))

        return opener(lambda ports: replace(ports, ids=Ids()))


class TestDiscardsNothing(kit.DeadLettersContract):
    virtual_time = True

    @pytest.fixture
    def open_host(self) -> OpenHost:
        def change(ports: Ports) -> Ports:
            letters = ports.dead_letters

            class DeadLetters:
                list = staticmethod(letters.list)
                redrive = staticmethod(letters.redrive)

                def discard(self, letter_id: str) -> None:
                    pass

            return replace(ports, dead_letters=DeadLetters())

        return opener(change)


class PassingRuntime:
    """Passes every call on; the bugs derive from it."""

    def __init__(self, runtime: WorkflowRuntime) -> None:
        self.runtime = runtime

    def start(self, workflow: str, run_id: str, input: JsonObject) -> Run:
        return self.runtime.start(workflow, run_id, input)

    def signal(self, run_id: str, name: str, payload: Json, *, signal_id: str) -> bool:
        return self.runtime.signal(run_id, name, payload, signal_id=signal_id)

    def cancel(self, run_id: str, reason: str = "") -> None:
        self.runtime.cancel(run_id, reason)

    def status(self, run_id: str) -> Run:
        return self.runtime.status(run_id)

    def history(self, run_id: str) -> Sequence[HistoryEntry]:
        return self.runtime.history(run_id)

    def list(
        self,
        *,
        status: RunStatus | None = None,
        workflow: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> RunPage:
        return self.runtime.list(status=status, workflow=workflow, cursor=cursor, limit=limit)

    def redrive(self, run_id: str) -> Run:
        return self.runtime.redrive(run_id)


class StartsAnew(PassingRuntime):
    def start(self, workflow: str, run_id: str, input: JsonObject) -> Run:
        try:
            return self.runtime.start(workflow, run_id, input)
        except RunConflict:
            return self.runtime.status(run_id)


class CancelsNothing(PassingRuntime):
    def cancel(self, run_id: str, reason: str = "") -> None:
        self.runtime.status(run_id)


class TakesSignalsTwice(PassingRuntime):
    def signal(self, run_id: str, name: str, payload: Json, *, signal_id: str) -> bool:
        return self.runtime.signal(run_id, name, payload, signal_id=f"{signal_id}{next(_NUMBERS)}")


class ListsAllStatuses(PassingRuntime):
    def list(
        self,
        *,
        status: RunStatus | None = None,
        workflow: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> RunPage:
        return self.runtime.list(workflow=workflow, cursor=cursor, limit=limit)


def broken_runtime(bug: type[PassingRuntime]) -> type[kit.WorkflowRuntimeContract]:
    class Broken(kit.WorkflowRuntimeContract):
        virtual_time = True

        @pytest.fixture
        def open_host(self) -> OpenHost:
            return opener(lambda ports: replace(ports, workflows=bug(ports.workflows)))

    return Broken


TestStartsAnew = broken_runtime(StartsAnew)
TestCancelsNothing = broken_runtime(CancelsNothing)
TestTakesSignalsTwice = broken_runtime(TakesSignalsTwice)
TestListsAllStatuses = broken_runtime(ListsAllStatuses)


def broken_edge(change: Callable[[Request], Request]) -> type[kit.HttpGatewayContract]:
    class Broken(kit.HttpGatewayContract):
        virtual_time = True

        @pytest.fixture
        def open_host(self) -> OpenHost:
            return opener(lambda ports: ports)

        @pytest.fixture
        def serve(self) -> Serve:
            return lambda host: nullcontext(lambda asked: host.dispatcher.http(change(asked)))

    return Broken


TestDecodesPathsTwice = broken_edge(lambda asked: asked._replace(path=unquote(asked.path)))
TestKeepsTheLastValue = broken_edge(
    lambda asked: asked._replace(query={name: given[-1:] for name, given in asked.query.items()})
)
