"""What a handler gets: the ports, who asks, and under which ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from cartwheel.log import Log
from cartwheel.ports import Ports
from cartwheel.trace import trace_id

if TYPE_CHECKING:
    from cartwheel.http import Request


@dataclass(frozen=True, slots=True)
class Principal:
    """Is who asks, after authentication."""

    subject: str
    roles: frozenset[str]


class Context(NamedTuple):
    """Is what every handler gets first, whoever calls it.

    `key` is the idempotency key of the work: a task's key, an event's or message's id with its
    consumer, or for a route with an Idempotency-Key one derived from route, caller and header. The
    same key must have one effect.
    """

    ports: Ports
    log: Log
    key: str = ""
    run_id: str = ""
    principal: Principal | None = None
    request: Request | None = None

    @property
    def trace_id(self) -> str:
        """Give the id of the trace that the work at hand belongs to (see `cartwheel.trace`)."""
        return trace_id()

    @property
    def caller(self) -> Principal:
        """Give who asks, on a route that nobody reaches without authentication."""
        if self.principal is None:
            raise RuntimeError("this route has no authenticated caller; check its permission")
        return self.principal
