"""Threads that do what is due, and sleep until something is."""

from __future__ import annotations

import threading
import time

from cartwheel.agenda import Source
from cartwheel.log import Log
from cartwheel.ports import Clock

LONGEST_WAIT = 5.0
"""Seconds after which a thread looks again, for work that another process has left."""
_AFTER_FAILURE = 1.0


class Pump:
    """Works a source off with some threads."""

    def __init__(self, name: str, source: Source, clock: Clock, log: Log, threads: int) -> None:
        self.source = source
        self._clock = clock
        self._log = log
        lock = threading.Lock()
        self._available = threading.Condition(lock)
        self._quiet = threading.Condition(lock)
        self._news = 0
        self._busy = 0
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True)
            for number in range(1, threads + 1)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Say that there is new work."""
        with self._available:
            self._news += 1
            self._available.notify_all()

    def stop(self) -> None:
        """Take no new work; `join` waits for what is under way."""
        with self._available:
            self._stopping = True
            self._available.notify_all()
            self._quiet.notify_all()

    def join(self, seconds: float) -> bool:
        """Wait for the threads to end; false when some still work after that time."""
        end = time.monotonic() + seconds
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def quiet(self, until: float, seconds: float) -> bool:
        """Wait till nothing is under way, or due by now or `until`; false when it takes longer.

        `until` is a time of the clock, `seconds` how long to wait at most.
        """
        end = time.monotonic() + seconds
        with self._quiet:
            while True:
                due = None if self._busy else self.source.due()
                if not self._busy and (due is None or due > max(until, self._clock.now())):
                    return True
                left = end - time.monotonic()
                if left <= 0 or self._stopping:
                    return False
                self._quiet.wait(left)

    def _run(self) -> None:
        while True:
            with self._available:
                if self._stopping:
                    return
                news = self._news
                self._busy += 1
            worked, wait = False, LONGEST_WAIT
            try:
                worked = self.source.work(self._clock.now())
                due = None if worked else self.source.due()
                if due is not None:
                    wait = min(wait, max(0.0, due - self._clock.now()))
            except Exception as error:  # noqa: BLE001  # a full disk must not end the thread
                self._log.failure("work failed", error, thread=threading.current_thread().name)
                wait = _AFTER_FAILURE
            finally:
                with self._available:
                    self._busy -= 1
                    self._quiet.notify_all()
            with self._available:
                if not worked and news == self._news and not self._stopping:
                    self._available.wait(wait)
