"""Threads that perform runs' calls, and one that keeps timers and flushes what others leave."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from cartwheel.ports import Clock, Unavailable
from cartwheel.runs._active import ActiveRun
from cartwheel.runs._engine import Engine

WORKERS = 8
STANDBY_SECONDS = 0.005
"""How long a worker watches the others make progress before it takes work from them.

Short tasks are fastest one after the other in one thread; a task that waits for something shows
itself by holding up the queue for this long, and then a further worker comes in.
"""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""How long the keeper waits after the journal could not be written before it mends the engine."""
FOREIGN_SECONDS = 0.25
"""How often the journal is asked for signals that another process has written."""


class WorkerDriver:
    """Drives an engine with threads.

    A worker performs calls as long as there are any and then flushes their answers in one batch;
    while workers are busy the keeper flushes, so that a slow task holds up nobody's answer. A
    worker whose call has outlived its timeout is replaced, and ends when the call returns.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        *,
        on_failure: Callable[[BaseException], None],
        workers: int = WORKERS,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._on_failure = on_failure
        self._queue: deque[ActiveRun] = deque()
        self._available = threading.Condition(threading.Lock())
        self._keeper_wake = threading.Event()
        self._next_wake = 0.0
        self._foreign_at = 0.0
        self._stopping = False
        self._idle = 0
        self._active = 0
        self._taken = 0
        self._watching = False
        self._names = iter(range(1, 1_000_000))
        self._deadlines: dict[threading.Thread, float] = {}
        self._retired: set[threading.Thread] = set()
        self._workers: list[threading.Thread] = []
        self._keeper = threading.Thread(
            target=self._guarded, args=(self._keep,), name="runs-keeper", daemon=True
        )
        engine.driver = self
        for _ in range(workers):
            self._add_worker()
        self._keeper.start()

    def ready(self, run: ActiveRun, calls: int) -> None:
        """Queue the calls; called with the engine's lock held."""
        with self._available:
            self._queue.extend([run] * calls)
            if self._idle and not self._watching:
                self._available.notify()

    def timer(self, due: float) -> None:
        """Wake the keeper when this timer comes before what it waits for."""
        if due < self._next_wake:
            self._keeper_wake.set()

    def drive(self, run: ActiveRun) -> None:
        """Leave the run to the workers; the keeper flushes what its caller has not."""
        if self._engine.pending:
            self._keeper_wake.set()

    def close(self, seconds: float = 10.0) -> bool:
        """Stop; false when a call was still under way after so many seconds.

        Such a call is done again, under its key, when its run is next taken up.
        """
        with self._available:
            self._stopping = True
            self._available.notify_all()
        self._keeper_wake.set()
        end = time.monotonic() + seconds
        for thread in [self._keeper, *self._workers]:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._workers)

    def _add_worker(self) -> None:
        name = f"runs-worker-{next(self._names)}"
        thread = threading.Thread(target=self._guarded, args=(self._work,), name=name, daemon=True)
        self._workers.append(thread)
        self._active += 1
        thread.start()

    def _guarded(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except Exception as error:  # noqa: BLE001  # a thread's end has nobody else to tell
            with self._available:
                self._stopping = True
                self._available.notify_all()
            self._keeper_wake.set()
            self._on_failure(error)

    def _work(self) -> None:
        me = threading.current_thread()
        while me not in self._retired:
            run = self._next()
            if run is None:
                return
            try:
                self._perform(run, me)
            except Unavailable as error:
                # The keeper takes up from the journal what this has lost.
                self._on_failure(error)
                self._keeper_wake.set()
        with self._available:
            self._active -= 1
            self._workers.remove(me)
            self._retired.discard(me)
            self._available.notify()

    def _perform(self, run: ActiveRun, me: threading.Thread) -> None:
        engine, queue = self._engine, self._queue
        call = engine.take(run)
        if call is None:
            return
        if call.timeout is not None:
            engine.expire_call(run, call)
            self._deadlines[me] = self._clock.now() + call.timeout
        try:
            engine.perform(run, call)
        finally:
            self._deadlines.pop(me, None)
        if queue:
            if not self._keeper_wake.is_set():
                self._keeper_wake.set()
        else:
            while engine.pending:
                engine.flush()

    def _next(self) -> ActiveRun | None:
        """Take the next run with a call to perform; None at the end."""
        available, queue = self._available, self._queue
        with available:
            if not queue:
                self._active -= 1
                self._wait_for_turn()
                self._active += 1
            if self._stopping:
                return None
            self._taken += 1
            run = queue.popleft()
            if queue and self._idle and not self._watching:
                available.notify()
            return run

    def _wait_for_turn(self) -> None:
        """Wait until there is work that no active worker gets to; the condition is held."""
        available, queue = self._available, self._queue
        while not self._stopping:
            if queue and not self._active:
                return
            if queue and not self._watching:
                self._watching, taken = True, self._taken
                available.wait(STANDBY_SECONDS)
                self._watching = False
                if queue and self._taken == taken and not self._engine.flushing:
                    return
            else:
                self._idle += 1
                available.wait()
                self._idle -= 1

    def _keep(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping:
            try:
                self._engine.mend()
                self._keep_once()
                pause = FIRST_PAUSE
            except Unavailable as error:
                self._on_failure(error)
                self._keeper_wake.wait(pause)
                pause = min(LONGEST_PAUSE, pause * 2)
            self._keeper_wake.clear()

    def _keep_once(self) -> None:
        engine, now = self._engine, self._clock.now()
        if now >= self._foreign_at:
            engine.take_foreign_signals()
            self._foreign_at = now + FOREIGN_SECONDS
        engine.fire_timers(now)
        while engine.pending:
            engine.flush()
        self._replace_stuck(now)
        due = engine.next_timer()
        self._next_wake = self._foreign_at if due is None else min(due, self._foreign_at)
        self._keeper_wake.wait(max(0.0, self._next_wake - self._clock.now()))

    def _replace_stuck(self, now: float) -> None:
        for thread, deadline in list(self._deadlines.items()):
            if deadline < now and thread not in self._retired:
                self._retired.add(thread)
                self._add_worker()
