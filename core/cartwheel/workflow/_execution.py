"""One run of a program, flattened for its driver: leaf effects out, outcomes in.

Nothing here waits or reads a clock. A journal of (effect id, outcome, now) delivered in its order
to a fresh `Execution` rebuilds the same state, because ids and order follow from the program alone.
"""

from __future__ import annotations

from cartwheel.ports import Json
from cartwheel.workflow._effects import (
    All,
    Err,
    Leaf,
    Ok,
    Outcome,
    Result,
    Returned,
    Steps,
)
from cartwheel.workflow._frames import RunState, error_of, new_frame
from cartwheel.workflow._interpreter import Program
from cartwheel.workflow._ir import CANCELLED


class _Join:
    """A parallel or a map under way: who waits for it, what has settled, what is still to start."""

    __slots__ = ("branches", "fiber", "outcomes", "running")

    def __init__(self, fiber: _Fiber, request: All) -> None:
        self.fiber = fiber
        self.branches = iter(request.branches)
        self.outcomes: list[Outcome | None] = []
        self.running = 0

    def next(self) -> _Fiber | None:
        """Start the next branch, if one is left."""
        steps = next(self.branches, None)
        if steps is None:
            return None
        self.outcomes.append(None)
        self.running += 1
        return _Fiber(steps, self, len(self.outcomes) - 1)


class _Fiber:
    """One line of steps, and the join that it settles."""

    __slots__ = ("join", "position", "send")

    def __init__(self, steps: Steps, join: _Join | None, position: int) -> None:
        self.send = steps.send
        self.join = join
        self.position = position


class Execution:
    """One run: `start` and `deliver` return the newly requested effects, in order."""

    __slots__ = ("_fibers", "_state", "pending", "program", "result", "run_id")

    def __init__(self, program: Program, run_id: str, input: dict[str, Json]) -> None:
        self.program = program
        self.run_id = run_id
        self.pending: dict[str, Leaf] = {}
        self.result: Result | None = None
        self._state = RunState(run_id, 0.0)
        main = program.main(new_frame(self._state, input))
        self._fibers: dict[str, _Fiber] = {"": _Fiber(main, None, 0)}

    def start(self, now: float) -> list[Leaf]:
        """Begin the run at an epoch time in seconds; a second start requests nothing."""
        fiber = self._fibers.pop("", None)
        if fiber is None:
            return []
        self._state.now = now
        return self._advance(fiber, None)

    def deliver(self, effect_id: str, outcome: Outcome, now: float) -> list[Leaf]:
        """Answer a pending effect; an unknown or repeated id changes nothing."""
        if self.pending.pop(effect_id, None) is None:
            return []
        self._state.now = now
        return self._advance(self._fibers.pop(effect_id), outcome)

    def _advance(self, fiber: _Fiber, outcome: Outcome | None) -> list[Leaf]:
        """Run until every line of steps waits for an effect or has ended."""
        requested: list[Leaf] = []
        ready: list[tuple[_Fiber, object]] = [(fiber, outcome)]
        while ready:
            fiber, value = ready.pop()
            try:
                effect = fiber.send(value)
                if type(effect) is not All:
                    self.pending[effect.id] = effect
                    self._fibers[effect.id] = fiber
                    requested.append(effect)
                    continue
                more = self._fork(fiber, effect)
            except StopIteration as stop:
                more = self._settled(fiber, Ok(stop.value))
            except Returned as returned:
                more = self._returned(returned.value)
            except Exception as raised:  # noqa: BLE001 - a defect is the language's Unexpected
                more = self._settled(fiber, Err(error_of(raised)))
            ready.extend(reversed(more))
        return requested

    def _fork(self, fiber: _Fiber, request: All) -> list[tuple[_Fiber, object]]:
        """Start the first branches of a join, or answer an empty one."""
        join = _Join(fiber, request)
        started: list[tuple[_Fiber, object]] = []
        while request.limit is None or len(started) < request.limit:
            branch = join.next()
            if branch is None:
                break
            started.append((branch, None))
        return started or [(fiber, [])]

    def _settled(self, fiber: _Fiber, outcome: Outcome) -> list[tuple[_Fiber, object]]:
        """Note the end of a line of steps and return what can go on because of it."""
        join = fiber.join
        if join is None:
            self._end(outcome)
            return []
        join.outcomes[fiber.position] = outcome
        join.running -= 1
        following = join.next()
        if following is not None:
            return [(following, None)]
        return [] if join.running else [(join.fiber, join.outcomes)]

    def _returned(self, value: Json) -> list[tuple[_Fiber, object]]:
        self._end(Ok(value))
        return []

    def _end(self, outcome: Outcome) -> None:
        failures = tuple(self._state.failures)
        if isinstance(outcome, Ok):
            self.result = Result("succeeded", outcome.value, None, failures)
        elif outcome.error.code == CANCELLED:
            self.result = Result("cancelled", None, outcome.error, failures)
        else:
            self.result = Result("failed", None, outcome.error, failures)
