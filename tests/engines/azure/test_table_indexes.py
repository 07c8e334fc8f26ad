"""Indexes on Tables are right whoever crashes, is suspended or loses a race, and stay clean."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from cartwheel.ports import (
    Check,
    Collection,
    ConfigurationError,
    Conflict,
    Delete,
    Index,
    JsonObject,
    Put,
    Store,
    Write,
)
from cartwheel.testing._base import fresh
from cartwheel_azure import TableStore
from tests.support.tables import (
    BOOKS,
    Crash,
    ManualClock,
    Sent,
    Wire,
    entities,
    open_store,
    wins,
)

INDEX = "cwbookszibyzuowner"
OWNERS = ("ann", "bob")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(time.time())


@pytest.fixture
def partition() -> str:
    return fresh("partition")


@dataclass(frozen=True)
class Scenario:
    """Is a commit to be killed, and the one that prepares its row."""

    name: str
    before: Sequence[Write]
    commit: Sequence[Write]

    def __str__(self) -> str:
        return self.name


ANN: JsonObject = {"owner": "ann", "rank": 1}
BOB: JsonObject = {"owner": "bob", "rank": 1}
NOBODY: JsonObject = {"rank": 1}
SCENARIOS = (
    Scenario("insert", [], [Put("row", ANN, 0)]),
    Scenario("move", [Put("row", ANN, 0)], [Put("row", BOB, 1)]),
    Scenario("rank", [Put("row", ANN, 0)], [Put("row", {**ANN, "rank": 2}, 1)]),
    Scenario("leave", [Put("row", ANN, 0)], [Put("row", NOBODY, 1)]),
    Scenario("enter", [Put("row", NOBODY, 0)], [Put("row", BOB, 1)]),
    Scenario("delete", [Put("row", ANN, 0)], [Delete("row", 1)]),
    Scenario("touch", [Put("row", ANN, 0)], [Put("row", {**ANN, "n": 2}, 1)]),
    Scenario("check", [], [Put("row", ANN, 0), Check("absent", 0)]),
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_crash_at_any_request_leaves_indexes_right_and_no_garbage_for_long(
    connection: str, clock: ManualClock, scenario: Scenario
) -> None:
    requests = _requests_of(connection, clock, scenario)
    points = 0
    for number in range(len(requests)):
        for after in (False, True):
            points += 1
            partition, suffix = fresh("partition"), fresh("")
            store = open_store(connection, clock)
            if scenario.before:
                store.commit(BOOKS, partition, _suffixed(scenario.before, suffix))
            wire = Wire()
            dying = open_store(connection, clock, wire)
            _crash_at(wire, number, after=after)
            with pytest.raises(Crash):
                dying.commit(BOOKS, partition, _suffixed(scenario.commit, suffix))
            _agrees(store, partition, suffix)
            # Whoever comes next finds nothing in the way.
            row = store.get(BOOKS, partition, "row")
            data: JsonObject = {"owner": f"ann{suffix}", "rank": 3}
            store.commit(BOOKS, partition, [Put("row", data, row.version if row else 0)])
            _agrees(store, partition, suffix)
            # In the grace period nobody dares to clean up; later the next query does.
            later = open_store(connection, ManualClock(clock.time + 7200))
            _agrees(later, partition, suffix)
            lying = _entries(connection, suffix)
            assert len(lying) == 2, lying
    print(f"{scenario}: {points} points of {len(requests)} requests")
    assert points == 2 * len(requests) > 2


def test_an_entry_whose_commit_may_come_yet_is_left_alone(
    connection: str, clock: ManualClock, partition: str
) -> None:
    suffix = fresh("")
    other = open_store(connection, clock)

    def look(sent: Sent) -> None:
        if sent.is_commit:
            assert other.query(BOOKS, "by_owner", f"ann{suffix}").rows == ()

    wire = Wire(before=look)
    open_store(connection, clock, wire).commit(
        BOOKS, partition, _suffixed([Put("row", ANN, 0)], suffix)
    )
    assert any(sent.is_commit for sent in wire.sent)
    _agrees(other, partition, suffix)


def test_a_writer_who_was_suspended_for_hours_adds_the_entry_that_was_taken_for_garbage(
    connection: str, clock: ManualClock, partition: str
) -> None:
    suffix = fresh("")
    cleaned: list[int] = []

    def sleep(sent: Sent) -> None:
        if sent.is_commit:
            clock.time += 7200
            for descending in (False, True):
                found = other.query(BOOKS, "by_owner", f"ann{suffix}", descending=descending)
                assert found.rows == ()
            cleaned.append(len(_entries(connection, suffix)))

    other = open_store(connection, clock)
    open_store(connection, clock, Wire(before=sleep)).commit(
        BOOKS, partition, _suffixed([Put("row", ANN, 0)], suffix)
    )
    assert cleaned == [0]
    _agrees(other, partition, suffix)


def test_a_writer_who_lost_takes_its_own_entry_away_and_no_other(
    connection: str, clock: ManualClock, partition: str
) -> None:
    suffix = fresh("")
    winner = open_store(connection, clock)
    winner.commit(BOOKS, partition, _suffixed([Put("row", ANN, 0)], suffix))

    def overtake(sent: Sent) -> None:
        if sent.is_commit:
            wire.before = lambda sent: None
            winner.commit(BOOKS, partition, _suffixed([Put("row", BOB, 1)], suffix))

    wire = Wire()
    loser = open_store(connection, clock, wire)
    wire.before = overtake
    with pytest.raises(Conflict):
        loser.commit(BOOKS, partition, _suffixed([Put("row", BOB, 1)], suffix))
    _agrees(winner, partition, suffix)
    assert len(_entries(connection, suffix)) == 2


def test_rows_that_move_between_owners_are_found_where_they_are(
    connection: str, clock: ManualClock, partition: str
) -> None:
    store, suffix = open_store(connection, clock), fresh("")
    keys, moves = [f"row{number}" for number in range(4)], 12
    still: JsonObject = {"owner": f"ann{suffix}", "rank": 0}
    store.commit(BOOKS, partition, [Put("still", still, 0)])
    done = threading.Event()

    def move(seed: int) -> int:
        choose, moved = random.Random(seed), 0
        while moved < moves:
            key = choose.choice(keys)
            row = store.get(BOOKS, partition, key)
            version = row.version if row else 0
            owner = choose.choice([*OWNERS, None])
            data: JsonObject = {"owner": owner and owner + suffix, "rank": choose.randint(1, 3)}
            write = Delete(key, version) if version and owner is None else Put(key, data, version)
            moved += wins(store, partition, [write])
        return moved

    def rewrite() -> int:
        version = 1
        while not done.is_set():
            store.commit(BOOKS, partition, [Put("still", {**still, "n": version}, version)])
            version += 1
        return version

    def look() -> int:
        looks = 0
        while not done.is_set():
            rows = store.query(BOOKS, "by_owner", f"ann{suffix}").rows
            assert "still" in [row.key for row in rows]
            assert all(row.data["owner"] == f"ann{suffix}" for row in rows)
            looks += 1
        return looks

    with ThreadPoolExecutor(8) as pool:
        movers = [pool.submit(move, seed) for seed in range(5)]
        writer, reader = pool.submit(rewrite), pool.submit(look)
        try:
            moved = sum(mover.result() for mover in movers)
        finally:
            done.set()
        print(f"{moved} moves, {writer.result()} rewrites, {reader.result()} looks")
        assert moved == 5 * moves
        assert reader.result() > 0
    _agrees(store, partition, suffix)
    rows = store.scan(BOOKS, partition).rows
    indexed = [row for row in rows if row.data.get("owner")]
    assert len(_entries(connection, suffix)) == 2 * len(indexed), "nobody crashed: no garbage"


def test_rows_come_into_indexes_that_are_declared_later_and_otherwise(
    connection: str, clock: ManualClock, partition: str
) -> None:
    name, owner = fresh("later").replace("-", "_"), fresh("owner")

    def declared(*indexes: Index) -> TableStore:
        return open_store(connection, clock, collections={name: Collection(name, indexes)})

    def found(store: Store) -> list[str]:
        return [row.key for row in store.query(name, "by_owner", owner).rows]

    rows: list[Write] = [Put(key, {"owner": owner, "n": -n}, 0) for n, key in enumerate("abc")]
    declared().commit(name, partition, [*rows, Put("other", {"n": 1}, 0)])
    store = declared(Index("by_owner", "owner"))
    assert found(store) == []
    assert (store.rebuild_indexes(), found(store)) == (3, ["a", "b", "c"])
    assert store.rebuild_indexes() == 0
    store = declared(Index("by_owner", "owner", sort="n"))
    assert (store.rebuild_indexes(), found(store)) == (3, ["c", "b", "a"])
    store = declared(Index("by_owner", "owner", sort="n"), Index("by_n", "n"))
    with pytest.raises(ConfigurationError, match=r"by_n.*/a|by_n.*/other"):
        store.rebuild_indexes()


def _suffixed(writes: Sequence[Write], suffix: str) -> list[Write]:
    """Give the owners of a scenario names of their own."""
    return [
        Put(write.key, {**write.data, "owner": f"{write.data['owner']}{suffix}"}, write.expect)
        if isinstance(write, Put) and "owner" in write.data
        else write
        for write in writes
    ]


def _requests_of(connection: str, clock: ManualClock, scenario: Scenario) -> list[Sent]:
    """Give the requests of a scenario's commit when nothing happens."""
    partition, suffix, wire = fresh("partition"), fresh(""), Wire()
    store = open_store(connection, clock, wire)
    if scenario.before:
        store.commit(BOOKS, partition, _suffixed(scenario.before, suffix))
    wire.sent.clear()
    store.commit(BOOKS, partition, _suffixed(scenario.commit, suffix))
    return list(wire.sent)


def _crash_at(wire: Wire, number: int, *, after: bool) -> None:
    def crash(sent: Sent) -> None:
        if len(wire.sent) == number + 1:
            raise Crash

    if after:
        wire.after = crash
    else:
        wire.before = crash


def _agrees(store: Store, partition: str, suffix: str) -> None:
    """Demand that each owner's query gives exactly the rows with that owner, both ways."""
    rows = store.scan(BOOKS, partition).rows
    for owner in OWNERS:
        mine = [row for row in rows if row.data.get("owner") == f"{owner}{suffix}"]
        order = sorted(mine, key=lambda row: (row.data["rank"], row.key))
        for descending in (False, True):
            page = store.query(BOOKS, "by_owner", f"{owner}{suffix}", descending=descending)
            assert page.rows == tuple(order[::-1] if descending else order)


def _entries(connection: str, suffix: str) -> list[str]:
    """Give the keys of all entries of the owners of a test."""
    where = " or ".join(f"PartitionKey eq '{owner}{suffix}'" for owner in OWNERS)
    return [entity["RowKey"] for entity in entities(connection, INDEX, where)]
