"""Runs a scenario with a crash at a given call, in memory and as a real process on SQLite."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from cartwheel.app import App
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import Event, EventBus, PortCall, Ports
from cartwheel.testing import Crash
from cartwheel_local import LocalHost
from cartwheel_memory import MemoryDisk, MemoryHost
from tests.e2e.crash.bugs import NO_BUG, Bug
from tests.e2e.crash.scenario import EXPIRY, Noted, Scenario

T = TypeVar("T")
SHARED_MEMORY = "/dev/shm"  # as a place for a folder of a name of its own
PAUSE = 120
"""Seconds after which the customer asks again; a request cut off is fenced for half of that."""
PASSES = 2
"""Times that recovery may need: the host is opened, the customer asks again, work settles."""


class CrashAt:
    """Counts effectful port calls and ends the host before or after the n-th."""

    def __init__(self, die: Callable[[], None], number: int = 0, *, after: bool = False) -> None:
        self._die, self._number, self._after = die, number, after
        self.count = 0
        self.armed = False

    def __call__(self, call: PortCall, invoke: Callable[[], T]) -> T:
        if not self.armed:
            return invoke()
        self.count += 1
        hit = self.count == self._number
        if hit and not self._after:
            self._die()
        try:
            return invoke()
        finally:
            # A call that fails has its reply lost too.
            if hit and self._after:
                self._die()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Is what came of one crash."""

    wrong: tuple[str, ...]
    passes: int


class Witness:
    """Stands beside the event bus and notes what was published, as a subscriber would."""

    def __init__(self, bus: EventBus, note: Callable[[Event], None]) -> None:
        self._bus, self._note = bus, note

    def publish(self, events: Sequence[Event]) -> None:
        """Note the events once the bus has them."""
        self._bus.publish(events)
        for event in events:
            self._note(event)


class MemoryWorld:
    """Plays a scenario in this process; a crash is an exception that nothing catches."""

    def __init__(self, app: App, scenario: Scenario, bug: Bug = NO_BUG) -> None:
        self._app, self._scenario, self._bug = app, scenario, bug
        self._disk = MemoryDisk()
        self._events: list[Noted] = []
        self._hook = CrashAt(lambda: None)
        scenario.prepare(self._open(self._hook))

    def _open(self, hook: CrashAt) -> MemoryHost:
        return MemoryHost(
            self._app,
            HostOptions(hook=hook, log=discard, replace=lambda ports: self._ports(ports, hook)),
            disk=self._disk,
        )

    def _ports(self, ports: Ports, hook: CrashAt) -> Ports:
        witness = Witness(ports.events, lambda event: self._events.append(_noted(event)))
        return self._bug.replace(self._scenario.around(replace(ports, events=witness)), hook)

    def count(self) -> tuple[int, Verdict]:
        """Play without a crash; gives the number of calls, and the verdict."""
        hook = CrashAt(lambda: None)
        host = self._open(hook)
        hook.armed = True
        self._scenario.play(host)
        hook.armed = False
        return hook.count, self._judge(0)

    def crash(self, number: int, *, after: bool) -> Verdict:
        """Play, crash at a call, recover and judge."""
        self._cut_short(number, after=after)
        return self._recover()

    def count_recovery(self, number: int, *, after: bool) -> int:
        """Play, crash at a call, and count the calls of the recovery."""
        self._cut_short(number, after=after)
        hook = CrashAt(lambda: None)
        self._come_back(hook)
        return hook.count

    def crash_twice(self, first: tuple[int, bool], second: tuple[int, bool]) -> Verdict:
        """Play, crash at a call, crash again at a call of the recovery, recover and judge."""
        self._cut_short(first[0], after=first[1])
        try:
            self._come_back(CrashAt(_crash, second[0], after=second[1]))
        except Crash:
            return self._recover()
        raise AssertionError(f"after {first} call {second} was never made")

    def _cut_short(self, number: int, *, after: bool) -> None:
        hook = CrashAt(_crash, number, after=after)
        try:
            host = self._open(hook)
            hook.armed = True
            self._scenario.play(host)
        except Crash:
            return
        raise AssertionError(f"call {number} was never made")

    def _come_back(self, hook: CrashAt, attempt: int = 1) -> None:
        """Open the host anew, armed from the start, and let the customer come back."""
        hook.armed = True
        host = self._open(hook)
        host.clock.advance(PAUSE)
        self._bug.come_back(self._scenario, host, attempt)

    def _recover(self) -> Verdict:
        for attempt in range(1, PASSES + 1):
            self._come_back(CrashAt(lambda: None), attempt)
            verdict = self._judge(attempt)
            if not verdict.wrong:
                break
        return verdict

    def _judge(self, passes: int) -> Verdict:
        host = self._open(CrashAt(lambda: None))
        host.settle(EXPIRY)
        return Verdict(tuple(self._scenario.audit(host, self._events)), passes)


def _crash() -> None:
    raise Crash


class JumpingClock:
    """Is real time plus all that anybody slept: waiting takes none.

    How far it is ahead is kept in a file, so that time never goes back when a host is opened anew.
    """

    def __init__(self, file: Path, later: float = 0.0) -> None:
        self._file = file
        known = file.read_text(encoding="ascii") if file.exists() else ""
        self.ahead = float(known or 0) + later
        if later:
            self._file.write_text(str(self.ahead), encoding="ascii")

    def now(self) -> float:
        """Give seconds since the epoch."""
        return time.time() + self.ahead

    def sleep(self, seconds: float) -> None:
        """Jump ahead."""
        self.ahead += max(0.0, seconds)
        if seconds >= 1:
            self._file.write_text(str(self.ahead), encoding="ascii")


def in_ram() -> str | None:
    """Name a folder in RAM for databases, None where there is none.

    A process that is killed loses nothing it has written, synced or not: a disk would add only
    time, most of all on a busy machine.
    """
    return SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None


class LocalWorld:
    """Plays a scenario on SQLite files in a child process, which is killed with SIGKILL."""

    def __init__(self, app: App, scenario: Scenario, bug: Bug = NO_BUG) -> None:
        self._app, self._scenario, self._bug = app, scenario, bug
        self._root = Path(tempfile.mkdtemp(prefix="cartwheel-crash-", dir=in_ram()))
        self._base = self._root / "base"
        with self._host(self._base, CrashAt(lambda: None)) as host:
            scenario.prepare(host)

    def close(self) -> None:
        """Remove the folders."""
        shutil.rmtree(self._root)

    @contextmanager
    def _host(self, folder: Path, hook: CrashAt, later: float = 0.0) -> Iterator[LocalHost]:
        options = HostOptions(
            data=folder,
            hook=hook,
            background=False,
            log=discard,
            replace=lambda ports: self._ports(ports, folder, hook),
        )
        clock = JumpingClock(folder.parent / f"{folder.name}.ahead", later)
        with LocalHost(self._app, options, clock=clock) as host:
            yield host

    def _ports(self, ports: Ports, folder: Path, hook: CrashAt) -> Ports:
        def note(event: Event) -> None:
            with (folder / "events.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(_noted(event)) + "\n")

        seen = self._scenario.around(replace(ports, events=Witness(ports.events, note)))
        return self._bug.replace(seen, hook)

    def count(self) -> tuple[int, Verdict]:
        """Play without a crash; gives the number of calls, and the verdict."""
        folder = self._copy("whole")
        hook = CrashAt(lambda: None)
        with self._host(folder, hook) as host:
            hook.armed = True
            self._scenario.play(host)
            hook.armed = False
        return hook.count, self._judge(folder, 0)

    def crash(self, number: int, *, after: bool) -> Verdict:
        """Play in a child, kill it at a call, recover and judge."""
        folder = self._copy(f"{number}-{after}")
        child = os.fork()
        if child == 0:
            self._die_at(folder, number, after=after)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            raise AssertionError(f"call {number} was never made (status {status})")
        for attempt in range(1, PASSES + 1):
            with self._host(folder, CrashAt(lambda: None), later=PAUSE) as host:
                self._bug.come_back(self._scenario, host, attempt)
            verdict = self._judge(folder, attempt)
            if not verdict.wrong:
                break
        shutil.rmtree(folder)
        return verdict

    def _die_at(self, folder: Path, number: int, *, after: bool) -> None:
        try:
            hook = CrashAt(lambda: os.kill(os.getpid(), signal.SIGKILL), number, after=after)
            with self._host(folder, hook) as host:
                hook.armed = True
                self._scenario.play(host)
        finally:
            os._exit(1)

    def _judge(self, folder: Path, passes: int) -> Verdict:
        with self._host(folder, CrashAt(lambda: None), later=EXPIRY) as host:
            host.settle()
            file = folder / "events.jsonl"
            lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
            events = [(kind, subject, key) for kind, subject, key in map(json.loads, lines)]
            return Verdict(tuple(self._scenario.audit(host, events)), passes)

    def _copy(self, name: str) -> Path:
        ahead = self._root / "base.ahead"
        if ahead.exists():
            shutil.copy(ahead, self._root / f"{name}.ahead")
        return Path(shutil.copytree(self._base, self._root / name))


def _noted(event: Event) -> Noted:
    return event.type, str(event.data.get("order_id")), event.id
