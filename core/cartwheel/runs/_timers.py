"""What is to be answered when: sleeps, timeouts, the ends of waits."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from typing import NamedTuple

from cartwheel.runs._active import ActiveRun
from cartwheel.workflow import Leaf, Outcome


class Timer(NamedTuple):
    """Answers an effect at a time, unless something else has done so; `order` breaks ties."""

    at: float
    order: int
    run: ActiveRun
    effect: str
    outcome: Outcome


class Timers:
    """Holds the timers of all runs; whoever uses it holds the engine's lock."""

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._order = itertools.count()

    def set(self, at: float, run: ActiveRun, effect: str, outcome: Outcome) -> None:
        """Set a timer."""
        heapq.heappush(self._heap, Timer(at, next(self._order), run, effect, outcome))

    def due(self, now: float) -> Iterator[tuple[Timer, Leaf]]:
        """Take the timers whose time has come, with the effects that still wait for them."""
        while self._heap and self._heap[0].at <= now:
            timer = heapq.heappop(self._heap)
            effect = timer.run.execution.pending.get(timer.effect)
            if effect is not None:
                yield timer, effect

    def next(self) -> float | None:
        """Tell when the next timer goes off that somebody still waits for."""
        while self._heap:
            timer = self._heap[0]
            if timer.effect in timer.run.execution.pending:
                return timer.at
            heapq.heappop(self._heap)
        return None

    def clear(self) -> None:
        """Forget all timers."""
        self._heap.clear()
