"""Hooks for tests: faults at chosen port calls, and a record of all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from cartwheel.ports import PortCall, Unavailable

T = TypeVar("T")

When = Literal["before", "after"]
"""Before: the call does not happen. After: it is applied, and its reply is lost."""


class Crash(BaseException):
    """Ends a host at a port call, as a kill would: nothing in the product catches it."""


@dataclass(slots=True)
class _Plan:
    pattern: str
    error: Callable[[], BaseException]
    when: When
    nth: int
    times: int
    seen: int = 0
    fired: int = 0

    def matches(self, call: PortCall) -> bool:
        name = f"{call.port}.{call.operation}"
        return self.pattern in {"*", name, str(call), call.port}

    def strikes(self) -> bool:
        return self.nth <= self.seen < self.nth + self.times


class Faults:
    """Fails the port calls it is told to; a hook for `HostOptions`, safe to use from threads.

    Without a plan it lets every call through.
    """

    def __init__(self) -> None:
        self._plans: list[_Plan] = []
        self._lock = threading.Lock()
        self.fired: list[PortCall] = []
        """The calls that were failed, in order."""

    def fail(
        self,
        calls: str = "*",
        error: type[BaseException] | BaseException = Unavailable,
        *,
        when: When = "before",
        nth: int = 1,
        times: int = 1,
    ) -> None:
        """Fail the `nth` call that matches from now on, and the following ones up to `times`.

        `calls` names a call (`store.commit(inventory)`), an operation (`store.commit`), a port
        (`store`), or is `*`.
        """
        if nth < 1 or times < 1:
            raise ValueError(f"nth and times count from 1, not {nth} and {times}")

        def make() -> BaseException:
            return error if isinstance(error, BaseException) else error(f"a fault at {calls}")

        with self._lock:
            self._plans.append(_Plan(calls, make, when, nth, times))

    def clear(self) -> None:
        """Forget all plans; the calls that were failed stay recorded."""
        with self._lock:
            self._plans.clear()

    @property
    def unfired(self) -> tuple[str, ...]:
        """Name the plans that no call has met, so that a test can demand that there are none."""
        with self._lock:
            return tuple(plan.pattern for plan in self._plans if not plan.fired)

    def __call__(self, call: PortCall, invoke: Callable[[], T]) -> T:
        """Do the call, or fail it before or after."""
        plan = self._struck(call)
        if plan is None:
            return invoke()
        if plan.when == "after":
            invoke()
        raise plan.error()

    def _struck(self, call: PortCall) -> _Plan | None:
        with self._lock:
            found: _Plan | None = None
            for plan in self._plans:
                if plan.matches(call):
                    plan.seen += 1
                    if found is None and plan.strikes():
                        found = plan
            if found is not None:
                found.fired += 1
                self.fired.append(call)
            return found


@dataclass(frozen=True, slots=True)
class Recorded:
    """Is a port call that was made, with the name of the error it ended with."""

    call: PortCall
    error: str | None

    def __str__(self) -> str:
        return f"{self.call}" if self.error is None else f"{self.call} -> {self.error}"


class Recorder:
    """Remembers all port calls in the order in which they began; a hook for `HostOptions`."""

    def __init__(self) -> None:
        self._calls: list[PortCall] = []
        self._errors: dict[int, str] = {}
        self._lock = threading.Lock()

    def __call__(self, call: PortCall, invoke: Callable[[], T]) -> T:
        """Do the call and remember it."""
        with self._lock:
            place = len(self._calls)
            self._calls.append(call)
        try:
            return invoke()
        except BaseException as error:
            self._errors[place] = type(error).__name__
            raise

    @property
    def calls(self) -> tuple[Recorded, ...]:
        """Give what was called so far."""
        with self._lock:
            calls = tuple(self._calls)
        return tuple(Recorded(call, self._errors.get(n)) for n, call in enumerate(calls))

    def names(self, port: str = "") -> list[str]:
        """Give the calls as text, `store.commit(orders)`; only those of a port when it is given."""
        with self._lock:
            return [str(call) for call in self._calls if port in {"", call.port}]

    def clear(self) -> None:
        """Forget what was called."""
        with self._lock:
            self._calls.clear()
            self._errors.clear()
