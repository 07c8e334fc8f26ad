"""The one hook on every port call: crash points, faults, traces and recorders hang on it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class PortCall:
    """Names a call of a port: `store.commit` on `inventory`."""

    port: str
    operation: str
    subject: str

    def __str__(self) -> str:
        return f"{self.port}.{self.operation}({self.subject})"


class Hook(Protocol):
    """Stands around a port call; it must call `invoke` at most once and return what it returns."""

    def __call__(self, call: PortCall, invoke: Callable[[], T]) -> T:
        """Do the call, or fail before or after it."""
        ...


def hooked(port: str, implementation: P, protocol: type[P], hook: Hook | None) -> P:
    """Put the hook around every method of `protocol`; without a hook give the port itself."""
    if hook is None:
        return implementation
    methods = {
        name: staticmethod(_around(port, name, getattr(implementation, name), hook))
        for name, member in vars(protocol).items()
        if callable(member) and not name.startswith("_")
    }
    proxy: P = type(f"Hooked{type(implementation).__name__}", (), methods)()
    return proxy


def _around(port: str, operation: str, method: Callable[..., T], hook: Hook) -> Callable[..., T]:
    @functools.wraps(method)
    def call(*args: object, **kwargs: object) -> T:
        subject = args[0] if args and isinstance(args[0], str) else ""
        return hook(PortCall(port, operation, subject), lambda: method(*args, **kwargs))

    return call


def compose(*hooks: Hook) -> Hook:
    """Make one hook of several, the first outermost."""

    def run(call: PortCall, invoke: Callable[[], T]) -> T:
        for hook in reversed(hooks):
            invoke = functools.partial(hook, call, invoke)
        return invoke()

    return run
