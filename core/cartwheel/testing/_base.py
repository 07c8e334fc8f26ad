"""What all contracts share: the fixture they need, patience, and notes kept in the store."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, TypeAlias, TypeVar

from cartwheel.app import App
from cartwheel.host import Host
from cartwheel.ports import Conflict, JsonObject, Ports, Put

if TYPE_CHECKING:
    from cartwheel.app import Service

T = TypeVar("T")

OpenHost: TypeAlias = Callable[[App], Host]
"""Opens an application on the adapter under test; the contract closes the host."""

NOTES = "kit_notes"
"""The collection in which the kit's functions note what they were called with."""
STEP = 0.1
"""Seconds between two looks at something that is to happen."""


class Contract:
    """Is the base of all contracts; a subclass in an adapter's tests answers what is asked here.

    It needs one fixture, `open_host: Callable[[App], Host]`. Each test makes names of its own, so
    hosts may share their state between tests, and functions note what they saw in the store, so
    they may run in another process.
    """

    patience: ClassVar[float] = 15.0
    """Seconds of the host's clock within which something promised has to be seen."""
    virtual_time: ClassVar[bool] = False
    """Whether the host's clock is moved rather than waited for (`AdapterInfo.virtual_time`)."""

    def eventually(self, host: Host, look: Callable[[], T | None], what: str) -> T:
        """Let the host work until `look` gives something true, and give it."""
        clock = host.ports.clock
        end = clock.now() + self.patience
        host.settle()
        while True:
            found = look()
            if found:
                return found
            now = clock.now()
            if now >= end:
                raise AssertionError(f"within {self.patience:g} s there was no {what}")
            self.pass_time(host, STEP)

    def pass_time(self, host: Host, seconds: float) -> None:
        """Let so many seconds of the host's clock pass, with the work that falls due in them."""
        clock = host.ports.clock
        end = clock.now() + seconds
        host.settle(seconds)
        while (left := end - clock.now()) > 0:
            clock.sleep(left)
            host.settle()


def fresh(prefix: str) -> str:
    """Make a name that no other test has used."""
    return f"{prefix}-{uuid.uuid4().hex}"


def with_notes(service: Service) -> Service:
    """Declare the collection of notes in a service."""
    service.collection(NOTES)
    return service


def note(ports: Ports, about: str, data: JsonObject) -> int:
    """Append a note and give its number from 1; safe while others note about the same."""
    number = len(notes(ports, about)) + 1
    while True:
        try:
            ports.store.commit(NOTES, about, [Put(f"{number:06d}", data, 0)])
        except Conflict:
            number += 1
        else:
            return number


def notes(ports: Ports, about: str) -> list[JsonObject]:
    """Give all notes about something, oldest first."""
    found: list[JsonObject] = []
    after: str | None = None
    while True:
        page = ports.store.scan(NOTES, about, after=after)
        found += [row.data for row in page.rows]
        after = page.next
        if after is None:
            return found
