"""Virtual time for the emulator: its threads run one at a time, and sleeping takes none.

A thread that waits hands on to whatever is due next. So a run is the same every time, and a sleep
of thirty days is over at once.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(order=True)
class Due:
    """Is something that happens at a time: a thread that goes on, or an action."""

    time: float
    number: int
    resume: Callable[[], None] = field(compare=False)
    runs_here: bool = field(compare=False, default=False)
    dropped: bool = field(compare=False, default=False)


class WaitsForEver(Exception):
    """Every thread waits, and nothing is due."""


class Timeline:
    """Passes a baton between the threads of a run, by virtual time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.stuck = False
        self._due: list[Due] = []
        self._numbers = itertools.count()
        self._lock = threading.RLock()
        self._last = threading.Event()

    def at(self, time: float, action: Callable[[], None]) -> None:
        """Have an action done at a time, by whichever thread hands on then."""
        self._push(time, action, runs_here=True)

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass for this thread; 0 lets others that are ready go first."""
        going = threading.Event()
        self._push(self.now + max(0.0, seconds), going.set)
        self._hand_on()
        self._wait(going)

    def wait(self, timeout: float) -> Waiting:
        """Begin to wait for a wake-up, `timeout` seconds at most."""
        going = threading.Event()
        due = self._push(self.now + timeout, going.set)
        return Waiting(self, going, due)

    def block(self, waiting: Waiting) -> bool:
        """Wait until woken (true) or out of time (false)."""
        self._hand_on()
        self._wait(waiting.going)
        return waiting.woken

    def wake(self, waiting: Waiting) -> None:
        """Wake a waiting thread now; from any thread."""
        with self._lock:
            if not waiting.woken:
                waiting.woken = True
                waiting.due.dropped = True
                self._push(self.now, waiting.going.set)

    def together(self, works: Sequence[Callable[[], None]], limit: int | None) -> None:
        """Run works in threads of their own, at most `limit` at once, and wait for all."""
        if not works:
            return
        left = list(reversed(works))
        open_ = len(works)
        done = threading.Event()

        def start() -> None:
            work = left.pop()
            going = threading.Event()

            def run() -> None:
                nonlocal open_
                self._wait(going)
                try:
                    work()
                finally:
                    open_ -= 1
                    if left:
                        start()
                    if open_ == 0:
                        self._push(self.now, done.set)
                    self._hand_on()

            threading.Thread(target=run, daemon=True).start()
            self._push(self.now, going.set)

        for _ in range(min(len(works), limit or len(works))):
            start()
        self._hand_on()
        self._wait(done)

    def _push(self, time: float, resume: Callable[[], None], *, runs_here: bool = False) -> Due:
        with self._lock:
            due = Due(time, next(self._numbers), resume, runs_here)
            heapq.heappush(self._due, due)
            return due

    def _hand_on(self) -> None:
        """Let the next thread go on; actions that are due before are done here."""
        while True:
            with self._lock:
                while self._due and self._due[0].dropped:
                    heapq.heappop(self._due)
                if not self._due:
                    self.stuck = True
                    self._last.set()
                    return
                due = heapq.heappop(self._due)
                self.now = max(self.now, due.time)
            due.resume()
            if not due.runs_here:
                return

    def _wait(self, going: threading.Event) -> None:
        while not going.wait(0.5):
            if self.stuck:
                raise WaitsForEver


@dataclass(slots=True)
class Waiting:
    """Is a thread that waits for a wake-up."""

    timeline: Timeline
    going: threading.Event
    due: Due
    woken: bool = False
