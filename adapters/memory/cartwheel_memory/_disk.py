"""What outlives a host of the memory adapter: a crash harness drops the host and keeps the disk."""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from dataclasses import dataclass, field

from cartwheel.indexing import Entry
from cartwheel.ports import Charge, DeadLetter, Mail, TextMessage
from cartwheel.runs import RunRow, Settled, Signalled
from cartwheel.testgateway import KeyUse
from cartwheel_memory._time import CountedIds, SeededRandomness, VirtualClock

Place = tuple[str, str, str]
"""Where a row stands in an index: sort key, partition, key."""


@dataclass(slots=True)
class StoredRow:
    """Is a row as it is kept: its JSON as text, and its places in the indexes."""

    version: int
    text: str
    entries: dict[str, Entry]


@dataclass(slots=True)
class Partition:
    """Holds the rows of a partition and their keys in order."""

    rows: dict[str, StoredRow] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)

    def put(self, key: str, row: StoredRow) -> None:
        """Keep a row."""
        if key not in self.rows:
            insort(self.keys, key)
        self.rows[key] = row

    def remove(self, key: str) -> None:
        """Forget a row."""
        del self.rows[key]
        del self.keys[bisect_left(self.keys, key)]


@dataclass(frozen=True, slots=True)
class Slot:
    """Is a delivery as it is kept."""

    id: str
    consumer: str
    text: str
    due: float
    attempts: int
    order: int


@dataclass(slots=True)
class Accounts:
    """Are the bank's books, apart from the shop's rows."""

    charges: dict[str, Charge] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    uses: dict[str, KeyUse] = field(default_factory=dict)


class MemoryDisk:
    """Holds all state that a host would have on a disk; `lock` is held for moments only.

    Time, ids and randomness are here too, so that a host that is opened anew goes on with them.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.bank_lock = threading.RLock()
        self.partitions: dict[tuple[str, str], Partition] = {}
        self.indexes: dict[tuple[str, str, str], list[Place]] = {}
        self.deliveries: dict[str, Slot] = {}
        self.agenda: list[tuple[float, int, str]] = []
        """The deliveries as a heap by due time and order; an entry may be out of date."""
        self.dead: dict[str, tuple[DeadLetter, Slot]] = {}
        self.ticks: dict[str, float] = {}
        self.mails: dict[str, Mail] = {}
        self.texts: dict[str, TextMessage] = {}
        self.accounts = Accounts()
        self.runs: dict[str, RunRow] = {}
        self.settled: dict[str, list[Settled]] = {}
        self.signals: list[Signalled] = []
        self.definitions: dict[str, str] = {}
        self.clock = VirtualClock()
        self.ids = CountedIds()
        self.random = SeededRandomness()
        self._order = 0

    def next_order(self) -> int:
        """Count deliveries; called under the lock."""
        self._order += 1
        return self._order
