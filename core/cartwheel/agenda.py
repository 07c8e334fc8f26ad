"""What is due when: the sources of work that a host looks after, and how it settles them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from cartwheel.ports import rfc3339

if TYPE_CHECKING:
    from cartwheel.dispatch import Dispatcher

PATIENCE = 60.0
"""Real seconds after which settling gives up."""


class Source(Protocol):
    """Is something that has work at certain times: deliveries, schedules, timers of runs."""

    def due(self) -> float | None:
        """Give when the earliest work that nobody has taken is due; None when there is none."""
        ...

    def work(self, now: float) -> bool:
        """Do the earliest piece of work due at `now` or before; False when there is none."""
        ...


def settle(
    sources: Sequence[Source],
    *,
    now: Callable[[], float],
    wait_until: Callable[[float], None],
    elapsed: Callable[[], float],
    seconds: float,
    to_the_end: bool = True,
) -> None:
    """Do in the order of time whatever falls due from now until `seconds` later.

    At the end that time has come, or with `to_the_end` false only that of the last work. Of two
    sources with work at one time the first goes first. `elapsed` gives real seconds; raises
    TimeoutError when work is still due after PATIENCE of them.
    """
    end, began = now() + seconds, elapsed()
    while True:
        times = [(due, place) for place, s in enumerate(sources) if (due := s.due()) is not None]
        earliest, place = min(times, default=(None, 0))
        # Work that began or took time after the end is due as well, on a clock that runs on.
        if earliest is None or earliest > max(end, now()):
            break
        if elapsed() - began > PATIENCE:
            raise TimeoutError(
                f"work is still due at {rfc3339(earliest)} after {PATIENCE:.0f} s of settling; "
                "does a consumer send to itself for ever?"
            )
        wait_until(earliest)
        sources[place].work(now())
    if to_the_end:
        wait_until(end)


class TickBook(Protocol):
    """Keeps when each schedule last ran."""

    def last(self, name: str) -> float | None:
        """Give when the schedule last ran, None when it is new."""
        ...

    def mark(self, name: str, at: float) -> None:
        """Note that the schedule's tick of that time is done."""
        ...


class Schedules:
    """Runs the application's schedules; the ticks that were missed together are one tick.

    A new schedule has its first tick one interval after it was first seen. A tick that fails is
    logged, and the next one comes at its time; one that was cut short by a crash is due again.
    """

    def __init__(self, dispatcher: Dispatcher, book: TickBook, now: float) -> None:
        self._dispatcher = dispatcher
        self._book = book
        self._seconds = {tick.name: tick.seconds for tick in dispatcher.ticks}
        self._last: dict[str, float] = {}
        for name in self._seconds:
            last = book.last(name)
            if last is None:
                last = now
                book.mark(name, last)
            self._last[name] = last

    def due(self) -> float | None:
        """Give when the next tick is due."""
        earliest = self._earliest()
        return None if earliest is None else earliest[0]

    def _earliest(self) -> tuple[float, str] | None:
        ticks = ((self._last[name] + seconds, name) for name, seconds in self._seconds.items())
        return min(ticks, default=None)

    def work(self, now: float) -> bool:
        """Run the earliest schedule that is due."""
        earliest = self._earliest()
        if earliest is None or earliest[0] > now:
            return False
        due, name = earliest
        try:
            self._dispatcher.tick(name)
        except Exception as error:  # noqa: BLE001  # a schedule's bug must not end the others
            self._dispatcher.log.failure("schedule failed", error, schedule=name)
        seconds = self._seconds[name]
        last = due + (now - due) // seconds * seconds
        self._book.mark(name, last)
        self._last[name] = last
        return True
