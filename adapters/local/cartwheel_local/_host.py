"""The host on one machine: puts the ports together over a data folder."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from cartwheel.agenda import PATIENCE, Schedules, Source, settle
from cartwheel.app import App
from cartwheel.dispatch import Dispatcher, TaskReply
from cartwheel.host import HostOptions
from cartwheel.log import Log
from cartwheel.ports import Clock, ConfigurationError, Ports, Unavailable, hooked
from cartwheel.realtime import RealClock, SystemRandomness, TimeOrderedIds
from cartwheel.runs import (
    Definitions,
    DurableRuntime,
    Engine,
    InlineDriver,
    Journal,
    WorkerDriver,
)
from cartwheel.testgateway import TestGateway
from cartwheel.workflow import Call
from cartwheel_local import _journal, _schema
from cartwheel_local._database import Database
from cartwheel_local._lock import FolderLock
from cartwheel_local._messaging import SqliteMessaging
from cartwheel_local._outside import SqliteBank, SqliteMailbox, SqliteMailer, SqliteSms
from cartwheel_local._pumps import Pump
from cartwheel_local._schedules import SqliteTicks
from cartwheel_local._secrets import LocalSecrets
from cartwheel_local._store import SqliteStore, rebuild_indexes

DEFAULT_FOLDER = Path(".cartwheel")
DELIVERERS = 2
"""Threads that deliver events and messages."""
CLOSE_SECONDS = 10.0
"""How long closing waits for what is under way; the rest is done at the next start."""
_LOOK_AGAIN = 0.02


class LocalHost:
    """Is an application opened on a data folder, which nobody else may serve meanwhile.

    With `beside` it is opened next to the process that serves the folder, for looks and small
    changes: it does no deliveries, schedules or runs of its own. `clock` is real time unless a test
    shifts it.
    """

    def __init__(
        self,
        app: App,
        options: HostOptions | None = None,
        *,
        beside: bool = False,
        clock: Clock | None = None,
    ) -> None:
        options = options or HostOptions()
        self.data = options.data or DEFAULT_FOLDER
        self.app = app
        self._clock = clock or RealClock()
        self.log = Log(self._clock, options.log)
        self._pumps: tuple[Pump, ...] = ()
        self._workers: WorkerDriver | None = None
        self._sources: tuple[Source, ...] = ()
        with ExitStack() as opened:
            self._open(options, opened, beside=beside)
            if not beside:
                self._begin(options)
            self._opened = opened.pop_all()

    def _open(self, options: HostOptions, opened: ExitStack, *, beside: bool) -> None:
        if beside and not (self.data / "cartwheel.db").is_file():
            raise ConfigurationError(f"{self.data} holds no data yet; start the application on it")
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"{self.data} can't be a data folder: {error.strerror}"
            ) from error
        if not beside:
            opened.callback(FolderLock(self.data).close)
        main = Database(
            self.data / "cartwheel.db",
            application=_schema.APPLICATION,
            version=_schema.VERSION,
            schema=_schema.MAIN + _journal.SCHEMA,
            what="Cartwheel's data",
        )
        opened.callback(main.close)
        bank = Database(
            self.data / "bank.db",
            application=_schema.BANK_APPLICATION,
            version=_schema.VERSION,
            schema=_schema.BANK,
            what="the test bank's books",
        )
        opened.callback(bank.close)
        if not beside:
            rebuild_indexes(main, self.app.collections)
        self.database = main
        self.mailbox = SqliteMailbox(main)
        self.bank = SqliteBank(bank)
        self.gateway = TestGateway(self.bank)
        messaging = SqliteMessaging(main, self._clock, lambda: self.dispatcher, self._wake)
        self._messaging = messaging
        self._journal = _journal.SqliteJournal(main)
        random = SystemRandomness()
        journal = hooked("journal", self._journal, Journal, options.hook)  # type: ignore[type-abstract]  # a protocol names the methods
        definitions = Definitions(self.app.workflows, journal)
        self.engine = Engine(definitions, self._run_task, journal, self._clock, random)
        ports = Ports(
            store=SqliteStore(main, self.app.collections),
            events=messaging,
            queue=messaging,
            dead_letters=messaging,
            workflows=DurableRuntime(definitions, self.engine, journal, self._clock),
            mailer=SqliteMailer(main, self._clock),
            sms=SqliteSms(main, self._clock),
            payments=self.gateway,
            secrets=LocalSecrets(options.secrets, os.environ, self.data / "secrets.json"),
            clock=self._clock,
            ids=TimeOrderedIds(),
            random=random,
        )
        if options.replace is not None:
            ports = options.replace(ports)
        self.ports = ports.with_hook(options.hook)
        self.dispatcher = Dispatcher(self.app, self.ports, self.log, options.tracer)

    def _begin(self, options: HostOptions) -> None:
        """Go on with what was left, in threads or when somebody settles."""
        ticks = SqliteTicks(self.database)
        schedules = Schedules(self.dispatcher, ticks, self._clock.now())
        if not options.background:
            self._sources = (self._messaging, InlineDriver(self.engine), schedules)
            self.engine.recover()
            return
        self._workers = WorkerDriver(self.engine, self._clock, on_failure=self._runs_failed)
        try:
            self.engine.recover()
        except BaseException:
            self._workers.close()
            raise
        self._pumps = (
            Pump("deliveries", self._messaging, self._clock, self.log, DELIVERERS),
            Pump("schedules", schedules, self._clock, self.log, 1),
        )
        for pump in self._pumps:
            pump.start()

    def _run_task(self, name: str, key: str, run_id: str, input: bytes) -> TaskReply:
        return self.dispatcher.task(name, key, run_id, input)

    def _runs_failed(self, error: BaseException) -> None:
        if isinstance(error, Unavailable):
            self.log.failure("runs wait for their journal", error)
        else:
            self.log.failure("runs stopped; restart to go on with them", error)

    def _wake(self) -> None:
        for pump in self._pumps[:1]:
            pump.wake()

    def settle(self, seconds: float = 0.0) -> None:
        """Wait till nothing is due within the next `seconds`.

        Without background threads the work is done here, in the order of time. Raises TimeoutError.
        """
        if self._workers is None:
            settle(
                self._sources,
                now=self._clock.now,
                wait_until=self._wait_until,
                elapsed=time.monotonic,
                seconds=seconds,
                to_the_end=False,
            )
            return
        until, deadline = self._clock.now() + seconds, time.monotonic() + max(PATIENCE, seconds)
        # One source's work makes work for another, so all must be quiet in one round.
        while not self._quiet_round(until, deadline):
            if time.monotonic() > deadline:
                raise TimeoutError(f"work is still due after {max(PATIENCE, seconds):.0f} s")
            time.sleep(_LOOK_AGAIN)

    def _quiet_round(self, until: float, deadline: float) -> bool:
        changes = self.database.writer.commits
        timer = self.engine.next_timer()
        if (
            self.engine.pending
            or (timer is not None and timer <= max(until, self._clock.now()))
            or self._calling()
        ):
            return False
        if not all(pump.quiet(until, deadline - time.monotonic()) for pump in self._pumps):
            return False
        return changes == self.database.writer.commits

    def _calling(self) -> bool:
        """Tell whether a task of an open run is due or under way."""
        for row in self._journal.open_runs():
            run = self.engine.active(row.run_id)
            if run is not None and any(
                isinstance(effect, Call) for effect in list(run.execution.pending.values())
            ):
                return True
        return False

    def _wait_until(self, moment: float) -> None:
        while (left := moment - self._clock.now()) > 0:
            self._clock.sleep(left)

    def close(self) -> None:
        """End cleanly: finish what is under way, leave the rest to the next start."""
        end = time.monotonic() + CLOSE_SECONDS
        for pump in self._pumps:
            pump.stop()
        clean = True
        if self._workers is not None:
            clean = self._workers.close(max(0.0, end - time.monotonic()))
        for pump in self._pumps:
            clean = pump.join(max(0.0, end - time.monotonic())) and clean
        if not clean:
            self.log.warning("closed with work under way; the next start does it again")
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
