"""A host: an application opened on an adapter, ready to serve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from cartwheel.log import to_stderr
from cartwheel.ports import Hook, Ports
from cartwheel.trace import Tracer

if TYPE_CHECKING:
    from cartwheel.app import App
    from cartwheel.deployment import Access
    from cartwheel.dispatch import Dispatcher


@dataclass(frozen=True, slots=True)
class HostOptions:
    """Says how to open a host; every adapter takes what concerns it.

    `data` is the folder for durable state (None: the adapter's default, or a temporary one).
    `hook` stands around every effectful port call, the engine's journal included. With
    `background` false nothing happens on its own: work is done in `settle`, by the caller's thread,
    in a fixed order, for tests and crash harnesses. `secrets` are used before the adapter's own
    source. `log` takes each line. `tracer` makes spans of requests, tasks, deliveries and ticks.
    `replace` is given the adapter's ports and gives those to use instead: a gateway that moves real
    money, a mailer that sends, a fake that fails. `access` says which deployed stage is meant, on
    adapters that deploy.
    """

    data: Path | None = None
    hook: Hook | None = None
    background: bool = True
    secrets: dict[str, str] = field(default_factory=dict)
    log: Callable[[str], None] = to_stderr
    tracer: Tracer | None = None
    replace: Callable[[Ports], Ports] | None = None
    access: Access | None = None


class Host(Protocol):
    """Is an application opened on an adapter."""

    @property
    def app(self) -> App:
        """Give the application."""
        ...

    @property
    def ports(self) -> Ports:
        """Give the ports, with the hook on them."""
        ...

    @property
    def dispatcher(self) -> Dispatcher:
        """Give the way into the application's functions."""
        ...

    def settle(self, seconds: float = 0.0) -> None:
        """Let work that is due be done, until nothing is due within the next `seconds`.

        On an adapter with virtual time the clock is moved; elsewhere this waits. Raises
        TimeoutError when work is still due after a minute of real time.
        """
        ...

    def close(self) -> None:
        """End cleanly: take no new work, finish or put down what is under way, free everything."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...
