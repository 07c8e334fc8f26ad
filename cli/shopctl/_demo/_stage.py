"""Where the day is played: what a customer can't do over HTTP, on whichever host the shop runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cartwheel.ports import Charge, DeadLetter, HistoryEntry, JsonObject, Mail, Run
from shopctl._demo._client import Order


@dataclass(frozen=True, slots=True)
class Check:
    """Is one thing that must hold, whether it does, and the figures."""

    claim: str
    problems: tuple[str, ...]
    figures: str

    @property
    def holds(self) -> bool:
        """Tell whether nothing speaks against it."""
        return not self.problems

    def to_json(self) -> JsonObject:
        """Give it as JSON."""
        return {
            "claim": self.claim,
            "holds": self.holds,
            "figures": self.figures,
            "problems": [*self.problems],
        }


@dataclass(frozen=True, slots=True)
class Crash:
    """Is what a crash left of a checkout: the order as it was, and the steps that were written."""

    order: Order
    written: tuple[str, ...]
    running: bool
    """Whether the checkout was still to go on."""


@dataclass(frozen=True, slots=True)
class Records:
    """Is what the bank, the mailbox and the runs hold, which no customer sees."""

    charges: tuple[Charge, ...]
    mails: tuple[Mail, ...]
    runs: tuple[Run, ...]
    histories: Mapping[str, tuple[HistoryEntry, ...]]
    """Of runs, by their id."""
    dead_letters: tuple[DeadLetter, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """Is how the story calls what is different from stage to stage."""

    place: str
    """Where the shop is, after `answers at <url>, `."""
    server: str
    """Who answers."""
    crash: str
    """The title of a crash: `The server is killed`."""
    crashed: str
    """The moment of the crash, after `when`: `the process gets SIGKILL`."""
    kept: str
    """Where it stands what a checkout has done: `On the disk`."""


class Stage(Protocol):
    """Is a place where the shop runs, for one day."""

    @property
    def words(self) -> Words:
        """Give how the story calls what is here."""
        ...

    @property
    def pause(self) -> float:
        """Give the seconds between two looks at what is awaited."""
        ...

    def add_staff(self, email: str, password: str) -> None:
        """Add a user of the staff, as an operator would; called before the shop opens."""
        ...

    def open(self) -> str:
        """Start the shop, its catalogue filled, and give its URL once it answers."""
        ...

    def crash(self, place: Callable[[], Order]) -> Crash:
        """Place an order, and have what serves it crash while its checkout is under way."""
        ...

    def recover(self) -> tuple[str, str]:
        """Let the shop come back; gives its URL, and how it came back, for people."""
        ...

    def busy(self) -> bool:
        """Tell whether a run is under way."""
        ...

    def close(self) -> Check:
        """End the shop and tell how it ended; again it does nothing."""
        ...

    def records(self) -> Records:
        """Look into the books after the end."""
        ...


def steps_of(history: tuple[HistoryEntry, ...]) -> tuple[str, ...]:
    """Give the steps of a run as the story tells them."""
    return tuple(
        f"{entry.step} {'ok' if entry.error is None else entry.error.code}" for entry in history
    )
