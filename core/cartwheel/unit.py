"""The unit of work: one partition's effect, its guard row and its events in one atomic commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from pydantic import BaseModel

from cartwheel.ports import (
    Check,
    Conflict,
    Delete,
    Event,
    Index,
    JsonObject,
    Ports,
    Put,
    Row,
    Store,
    Unavailable,
    Write,
    check_item,
    rfc3339,
)
from cartwheel.trace import current

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R", bound="BaseModel | None")

OUTBOX_FIELD = "_outbox"
OUTBOX_INDEX = Index("_outbox", OUTBOX_FIELD)
PENDING = "pending"
OUTBOX_SECONDS = 10
"""How old an event in an outbox has to be for others than its writer to publish it."""
TRIES = 40
"""Commits tried under contention before the caller is told Unavailable."""
_FIRST_WAIT, _LONGEST_WAIT = 0.001, 0.064


class Unit:
    """Collects what one commit reads and writes in one partition.

    A row is written at the version that was read; a row never read must not exist. Nothing reaches
    the store before `transact` commits.
    """

    def __init__(self, ports: Ports, collection: str, partition: str) -> None:
        self._ports = ports
        self._collection = collection
        self._partition = partition
        self._read: dict[str, int] = {}
        self._writes: dict[str, Write] = {}
        self.events: list[Event] = []

    @property
    def store(self) -> Store:
        """Give the store, for reads beside the partition."""
        return self._ports.store

    def get(self, key: str, model: type[M]) -> M | None:
        """Read a row as a model and remember its version; None when it does not exist."""
        row = self._ports.store.get(self._collection, self._partition, key)
        return self._remember(key, row, model)

    def _remember(self, key: str, row: Row | None, model: type[M]) -> M | None:
        # What was read first counts: a row that changed since then is a conflict, however often it
        # is read again.
        self._read.setdefault(key, row.version if row else 0)
        return model.model_validate(row.data) if row else None

    def scan(self, prefix: str, model: type[M]) -> dict[str, M]:
        """Read all rows whose key starts with `prefix`, by key, and remember their versions."""
        found: dict[str, M] = {}
        after: str | None = None
        while True:
            page = self._ports.store.scan(
                self._collection, self._partition, prefix=prefix, after=after
            )
            for row in page.rows:
                self._read.setdefault(row.key, row.version)
                found[row.key] = model.model_validate(row.data)
            after = page.next
            if after is None:
                return found

    def put(self, key: str, value: BaseModel) -> None:
        """Write a row whole."""
        data: JsonObject = value.model_dump(mode="json")
        self._writes[key] = Put(key, data, self._read.get(key, 0))

    def delete(self, key: str) -> None:
        """Delete a row that was read."""
        self._writes[key] = Delete(key, self._read[key])

    def check(self, key: str) -> None:
        """Demand that a row that was read has not changed, and leave it as it is."""
        self._writes.setdefault(key, Check(key, self._read[key]))

    def emit(self, type: str, data: JsonObject) -> None:
        """Write an event into the outbox; it is published after the commit.

        Raises InvalidWrite for data beyond the limits of an event.
        """
        ports = self._ports
        at = rfc3339(ports.clock.now())
        event = Event(ports.ids.new("evt"), type, data, at, current())
        check_item(event)
        self.events.append(event)
        key = outbox_key(event)
        self._writes[key] = Put(key, outbox_row(event), 0)

    def commit(self) -> None:
        """Commit what was collected; nothing when nothing was written."""
        writes = list(self._writes.values())
        if any(not isinstance(write, Check) for write in writes):
            self._ports.store.commit(self._collection, self._partition, writes)


class _Guard(BaseModel):
    result: dict[str, object] | None
    at: str


def transact(
    ports: Ports,
    collection: str,
    partition: str,
    work: Callable[[Unit], R],
    *,
    key: str | None = None,
    result: type[R] | None = None,
) -> R:
    """Do `work` and commit it; read anew and do it again while others write the same rows.

    With `key` the effect happens once for ever: a guard row in the same commit records the result,
    and the same key again answers from it without doing the work, also when the reply of the first
    commit was lost. `result` is the model that `work` returns, None when it returns None.

    Raises Unavailable when the rows stay contended for TRIES tries, or when the commit's outcome is
    unknown and there is no key; whatever `work` raises passes through and nothing is written.
    """
    guard = f"guard#{key}"
    for attempt in range(TRIES):
        if attempt:
            longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt)
            ports.clock.sleep(ports.random.uniform() * longest)
        unit = Unit(ports, collection, partition)
        if key is not None:
            done = unit.get(guard, _Guard)
            if done is not None:
                return _recorded(done, result)
        value = work(unit)
        if key is not None:
            recorded = None if value is None else value.model_dump(mode="json")
            unit.put(guard, _Guard(result=recorded, at=rfc3339(ports.clock.now())))
        try:
            unit.commit()
        except Conflict:
            continue
        except Unavailable:
            if key is None:
                raise
            continue
        if unit.events:
            publish_outbox(ports, collection, partition, unit.events)
        return value
    raise Unavailable(f"{collection}/{partition} stayed contended for {TRIES} tries")


def _recorded(guard: _Guard, result: type[R] | None) -> R:
    if result is None or guard.result is None:
        return cast("R", None)
    model = cast("type[BaseModel]", result)
    return cast("R", model.model_validate(guard.result))


def outbox_key(event: Event) -> str:
    """Give the key of an event's outbox row."""
    return f"outbox#{event.id}"


def outbox_row(event: Event) -> JsonObject:
    """Give an event's outbox row."""
    row: JsonObject = {
        OUTBOX_FIELD: PENDING,
        "id": event.id,
        "type": event.type,
        "data": event.data,
        "at": event.at,
    }
    return row | {"trace": event.trace} if event.trace else row


def publish_outbox(ports: Ports, collection: str, partition: str, events: list[Event]) -> None:
    """Publish events of one partition and delete their outbox rows.

    What fails stays in the outbox, where the sweeper finds it; nothing is raised for it.
    """
    try:
        ports.events.publish(events)
        ports.store.commit(
            collection, partition, [Delete(outbox_key(event), 1) for event in events]
        )
    except (Unavailable, Conflict):
        return


def sweep_outbox(ports: Ports, collections: tuple[str, ...]) -> int:
    """Publish the events that a crash left in outboxes; gives how many.

    Who wrote an event within OUTBOX_SECONDS is likely to publish it at this moment, and is left
    to: each event that goes out twice has its consumers race one another.
    """
    count = 0
    since = rfc3339(ports.clock.now() - OUTBOX_SECONDS)
    for collection in collections:
        cursor: str | None = None
        while True:
            page = ports.store.query(collection, OUTBOX_INDEX.name, PENDING, cursor=cursor)
            for row in page.rows:
                event = _event(row.data)
                if event.at > since:
                    continue
                publish_outbox(ports, collection, row.partition, [event])
                count += 1
            cursor = page.next
            if cursor is None:
                break
    return count


class _EventRow(BaseModel):
    id: str
    type: str
    data: dict[str, object]
    at: str
    trace: str = ""


def _event(data: JsonObject) -> Event:
    row = _EventRow.model_validate(data)
    return Event(row.id, row.type, data["data"], row.at, row.trace)  # type: ignore[arg-type]  # an object, as validated above
