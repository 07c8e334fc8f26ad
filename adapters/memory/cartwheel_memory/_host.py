"""The host in memory: puts the ports together over a disk."""

from __future__ import annotations

import threading
import time
from typing import Self

from cartwheel.agenda import Schedules, Source, settle
from cartwheel.app import App
from cartwheel.dispatch import Dispatcher, TaskReply
from cartwheel.host import HostOptions
from cartwheel.log import Log
from cartwheel.ports import Ports, hooked
from cartwheel.runs import Definitions, DurableRuntime, Engine, InlineDriver, Journal
from cartwheel.testgateway import TestGateway
from cartwheel_memory._disk import MemoryDisk
from cartwheel_memory._journal import MemoryJournal
from cartwheel_memory._messaging import MemoryMessaging
from cartwheel_memory._outside import (
    MemoryBank,
    MemoryMailbox,
    MemoryMailer,
    MemorySecrets,
    MemorySms,
)
from cartwheel_memory._schedules import MemoryTicks
from cartwheel_memory._store import MemoryStore
from cartwheel_memory._time import VirtualClock


class MemoryHost:
    """Is an application opened in memory; nothing happens on its own, only in `settle`.

    A host over the `disk` of another one goes on where that one stopped, however it stopped.
    """

    def __init__(
        self, app: App, options: HostOptions | None = None, *, disk: MemoryDisk | None = None
    ) -> None:
        options = options or HostOptions()
        self.disk = disk or MemoryDisk()
        self.mailbox = MemoryMailbox(self.disk)
        self.bank = MemoryBank(self.disk)
        self.gateway = TestGateway(self.bank)
        self.app = app
        self._settling = threading.RLock()
        log = Log(self.disk.clock, options.log)
        messaging = MemoryMessaging(self.disk, lambda: self.dispatcher)
        journal = hooked("journal", MemoryJournal(self.disk), Journal, options.hook)  # type: ignore[type-abstract]  # a protocol names the methods
        definitions = Definitions(app.workflows, journal)
        clock = self.disk.clock
        self.engine = Engine(definitions, self._run_task, journal, clock, self.disk.random)
        timers = InlineDriver(self.engine)
        ports = Ports(
            store=MemoryStore(self.disk, app.collections),
            events=messaging,
            queue=messaging,
            dead_letters=messaging,
            workflows=DurableRuntime(definitions, self.engine, journal, clock),
            mailer=MemoryMailer(self.disk),
            sms=MemorySms(self.disk),
            payments=self.gateway,
            secrets=MemorySecrets(options.secrets),
            clock=self.disk.clock,
            ids=self.disk.ids,
            random=self.disk.random,
        )
        if options.replace is not None:
            ports = options.replace(ports)
        self.ports = ports.with_hook(options.hook)
        self.dispatcher = Dispatcher(app, self.ports, log, options.tracer)
        schedules = Schedules(self.dispatcher, MemoryTicks(self.disk), self.clock.now())
        self._sources: tuple[Source, ...] = (messaging, timers, schedules)
        self.engine.recover()

    def _run_task(self, name: str, key: str, run_id: str, input: bytes) -> TaskReply:
        return self.dispatcher.task(name, key, run_id, input)

    @property
    def clock(self) -> VirtualClock:
        """Give the clock, which a test may move."""
        return self.disk.clock

    def settle(self, seconds: float = 0.0) -> None:
        """Do in the order of time what falls due within the next `seconds`, moving the clock."""
        with self._settling:
            settle(
                self._sources,
                now=self.clock.now,
                wait_until=self.clock.advance_to,
                elapsed=time.monotonic,
                seconds=seconds,
            )

    def close(self) -> None:
        """End; there is nothing to free."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
