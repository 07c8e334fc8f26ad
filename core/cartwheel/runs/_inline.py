"""The driver without threads: a run goes on in the thread that caused it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cartwheel.runs._active import ActiveRun
    from cartwheel.runs._engine import Engine


class InlineDriver:
    """Performs a run's calls in the thread that caused them; timers wait for whoever fires them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def ready(self, run: ActiveRun, calls: int) -> None:
        """Need no note: whoever flushed drives the run next."""

    def timer(self, due: float) -> None:
        """Need no note: the host asks for the next timer."""

    def drive(self, run: ActiveRun) -> None:
        """Perform the run's calls until it waits for something else or has ended."""
        engine = self._engine
        while True:
            call = engine.take(run)
            if call is None:
                if not engine.pending:
                    return
                # What was flushed may have been answered from the mailbox at once: look again.
                engine.flush()
                continue
            engine.perform(run, call)
            engine.flush()

    def due(self) -> float | None:
        """Give when the next timer is due."""
        return self._engine.next_timer()

    def work(self, now: float) -> bool:
        """Fire the timers that are due and drive their runs; tells whether there were any."""
        runs = self._engine.fire_timers(now)
        if runs:
            self._engine.flush()
        for run in runs:
            self.drive(run)
        return bool(runs)
