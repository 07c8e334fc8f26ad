"""Accounts for tests: registered and logged in once a session, then written into each new shop.

Hashing passwords is slow on purpose, so what registering commits is recorded and replayed.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cartwheel.access import enforce
from cartwheel.host import Host, HostOptions
from cartwheel.plugins import Adapter, load_adapter
from cartwheel.ports import MAX_PAGE, Hook, Ids, Page, Ports, Row, Store, Write, compose
from cartwheel_shop.users import service as users
from cartwheel_workflows.shop import shop_app
from cartwheel_workflows.testing import PASSWORD, Caller, Shop, log_in, register

CUSTOMERS = ("ada", "bob")
ROLES = ("staff", "admin")


@functools.cache
def _memory() -> Adapter:
    return load_adapter("memory")


class _RecordingStore:
    """Passes every call on and remembers the commits."""

    def __init__(self, store: Store, commits: list[tuple[str, str, tuple[Write, ...]]]) -> None:
        self._store = store
        self._commits = commits

    def get(self, collection: str, partition: str, key: str) -> Row | None:
        return self._store.get(collection, partition, key)

    def scan(
        self,
        collection: str,
        partition: str,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int = MAX_PAGE,
    ) -> Page:
        return self._store.scan(collection, partition, prefix=prefix, after=after, limit=limit)

    def query(
        self,
        collection: str,
        index: str,
        value: str,
        *,
        descending: bool = False,
        cursor: str | None = None,
        limit: int = MAX_PAGE,
    ) -> Page:
        return self._store.query(
            collection, index, value, descending=descending, cursor=cursor, limit=limit
        )

    def commit(self, collection: str, partition: str, writes: Sequence[Write]) -> None:
        self._store.commit(collection, partition, writes)
        self._commits.append((collection, partition, tuple(writes)))


class _RecordingIds:
    """Passes every call on and remembers them, so that a replay uses up the same ids."""

    def __init__(self, ids: Ids, made: list[str | int]) -> None:
        self._ids = ids
        self._made = made

    def new(self, prefix: str) -> str:
        self._made.append(prefix)
        return self._ids.new(prefix)

    def token(self, size: int = 32) -> str:
        self._made.append(size)
        return self._ids.token(size)


@dataclass(slots=True)
class _Recorded:
    commits: list[tuple[str, str, tuple[Write, ...]]] = field(default_factory=list)
    ids: list[str | int] = field(default_factory=list)
    callers: dict[str, Caller] = field(default_factory=dict)

    def around(self, ports: Ports) -> Ports:
        """Give ports that record what is written through them."""
        store = _RecordingStore(ports.store, self.commits)
        return replace(ports, store=store, ids=_RecordingIds(ports.ids, self.ids))

    def replay(self, ports: Ports) -> None:
        """Write what was recorded."""
        for made in self.ids:
            if isinstance(made, str):
                ports.ids.new(made)
            else:
                ports.ids.token(made)
        for collection, partition, writes in self.commits:
            ports.store.commit(collection, partition, writes)


@functools.cache
def _recorded() -> _Recorded:
    found = _Recorded()
    with _memory().open(shop_app(), HostOptions(replace=found.around)) as host:
        shop = Shop(opened=(host, found.callers))
        for name in CUSTOMERS:
            found.callers[name] = register(shop, name)
        for role in ROLES:
            user = users.create_user(host.ports, f"{role}@example.org", PASSWORD, role)
            found.callers[role] = log_in(shop, user.email)
    return found


def open_with_accounts(hook: Hook | None) -> tuple[Host, dict[str, Caller]]:
    """Open a shop of its own in which the accounts exist, and give their owners."""
    recorded = _recorded()

    def seeded(ports: Ports) -> Ports:
        # Before the hook is on them: a test counts the calls that it causes itself.
        recorded.replay(ports)
        return ports

    hooks = () if hook is None else (hook,)
    strict = compose(*hooks, enforce(shop_app()))
    host = _memory().open(shop_app(), HostOptions(hook=strict, replace=seeded))
    return host, {name: replace(caller) for name, caller in recorded.callers.items()}
