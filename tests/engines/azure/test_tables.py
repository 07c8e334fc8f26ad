"""What the store on Tables promises beyond the contract: limits, order, guards, lost replies."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from azure.data.tables import TableServiceClient

from cartwheel.ports import (
    MAX_COMMIT_BYTES,
    MAX_KEY_BYTES,
    MAX_ROW_BYTES,
    MAX_ROWS,
    Check,
    ConfigurationError,
    Conflict,
    Delete,
    JsonObject,
    Put,
    Store,
    Unavailable,
    Write,
)
from cartwheel.testing._base import fresh
from cartwheel_azure import TableStore
from tests.support.azurite import ACCOUNT, KEY
from tests.support.cut_line import cut_after_commit
from tests.support.tables import (
    BOOKS,
    COLLECTIONS,
    Crash,
    ManualClock,
    Sent,
    Wire,
    entities,
    open_store,
    wins,
)

BATCH_BYTES, ENTITY_BYTES = 4 * 1024 * 1024, 1024 * 1024
"""Azure's limits, which the emulator does not hold to."""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(time.time())


@pytest.fixture
def partition() -> str:
    return fresh("partition")


@pytest.fixture
def owner() -> str:
    return fresh("owner")


@pytest.mark.parametrize("char", ["ü", "#", "'", "x", "\x7f"])
def test_the_largest_commits_of_the_port_are_within_the_limits_of_azure(
    connection: str, clock: ManualClock, char: str
) -> None:
    wire = Wire()
    store = open_store(connection, clock, wire)

    def longest(name: str) -> str:
        room = (MAX_KEY_BYTES - len(name)) // len(char.encode())
        return name + char * room

    partition = longest(fresh("p"))
    room = MAX_COMMIT_BYTES // MAX_ROWS - len('{"owner":"","rank":"","text":""}') - 2 * 3000
    data: JsonObject = {"owner": "o" * 3000, "rank": "r" * 3000, "text": "x" * room}
    for version in range(2):
        store.commit(
            BOOKS,
            partition,
            [Put(longest(f"{number:03d}"), data, version) for number in range(MAX_ROWS)],
        )
    text = "x" * (MAX_ROW_BYTES - len('{"text":""}'))
    store.commit(BOOKS, longest(fresh("p")), [Put(longest("k"), {"text": text}, 0)])
    largest = max(len(sent.body) for sent in wire.sent)
    row = len(wire.sent[-1].body)
    print(f"{char!r}: largest batch {largest} bytes of {BATCH_BYTES}, row {row} of {ENTITY_BYTES}")
    assert MAX_COMMIT_BYTES < largest < BATCH_BYTES
    assert MAX_ROW_BYTES < row < ENTITY_BYTES


@pytest.mark.parametrize("seed", range(3))
def test_keys_that_are_cut_are_scanned_in_the_order_of_code_points(
    connection: str, clock: ManualClock, partition: str, seed: int
) -> None:
    store = open_store(connection, clock)
    choose = random.Random(seed)
    alphabet = "aé/#\uffee\ue000😀\U0010ffff"
    # Of all these the same units are kept.
    begin = choose.choice(["/" * 230, "😀" * 56])
    keys = {begin + "".join(choose.choices(alphabet, k=choose.randint(0, 70))) for _ in range(60)}
    keys = {key for key in keys if len(key.encode()) <= MAX_KEY_BYTES}
    assert len(keys) > 40
    order = sorted(keys)
    for first in range(0, len(order), MAX_ROWS):
        writes = [Put(key, {"key": key}, 0) for key in order[first : first + MAX_ROWS]]
        store.commit(BOOKS, partition, choose.sample(writes, len(writes)))
    assert _scanned(store, partition, "", 17) == order
    for prefix in (begin[:3], begin + "é", begin + "😀", order[20], begin + "\U0010ffff"):
        expected = [key for key in order if key.startswith(prefix)]
        assert _scanned(store, partition, prefix, 11) == expected
    for key in keys:
        row = store.get(BOOKS, partition, key)
        assert row is not None
        assert row.data == {"key": key}


@pytest.mark.parametrize("descending", [False, True])
def test_long_places_in_an_index_come_in_order(
    connection: str, clock: ManualClock, partition: str, owner: str, descending: bool
) -> None:
    store = open_store(connection, clock)
    choose = random.Random(5)
    owner += "/😀" * 300
    ranks = ["😀#" * 60 + "".join(choose.choices("a\uffee😀", k=3)) for _ in range(40)]
    writes = [
        Put(f"{number:02d}", {"owner": owner, "rank": rank}, 0) for number, rank in enumerate(ranks)
    ]
    store.commit(BOOKS, partition, writes)
    expected = sorted(((rank, f"{n:02d}") for n, rank in enumerate(ranks)), reverse=descending)
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = store.query(BOOKS, "by_owner", owner, descending=descending, cursor=cursor, limit=7)
        found += [row.key for row in page.rows]
        cursor = page.next
        if cursor is None:
            break
    assert found == [key for _, key in expected]


@pytest.mark.parametrize("version", [0, 1])
def test_of_two_that_each_check_the_row_that_the_other_writes_one_wins(
    connection: str, clock: ManualClock, version: int
) -> None:
    store, rounds = open_store(connection, clock), 60
    outcomes: list[list[bool]] = []
    with ThreadPoolExecutor(2) as pool:
        for _ in range(rounds):
            partition, barrier = fresh("partition"), threading.Barrier(2)
            if version:
                store.commit(BOOKS, partition, [Put("a", {}, 0), Put("b", {}, 0)])

            def work(
                mine: str, other: str, where: str = partition, start: threading.Barrier = barrier
            ) -> bool:
                start.wait()
                return wins(store, where, [Check(other, version), Put(mine, {}, version)])

            outcomes.append(list(pool.map(work, "ab", "ba")))
            rows = {row.key: row.version for row in store.scan(BOOKS, partition).rows}
            assert sum(rows.values()) == 2 * version + 1
            lying = entities(connection, "cwbooks", f"PartitionKey eq '{partition}'")
            assert [entity["key"] for entity in lying] == list(rows), "a guard was left"
    first = sum(won == [True, False] for won in outcomes)
    print(f"{rounds} rounds: the first won {first}, the second {rounds - first}")
    assert all(won.count(True) == 1 for won in outcomes)


def test_a_guard_that_a_crash_left_is_nothing_to_anybody(
    connection: str, clock: ManualClock, partition: str
) -> None:
    def crash(sent: Sent) -> None:
        if sent.is_commit:
            raise Crash

    writes: list[Write] = [Put("absent", {"n": 1}, 0), Check("absent", 0), Put("beside", {}, 0)]
    for number, write in enumerate(writes):
        where = f"{partition}{number}"
        with pytest.raises(Crash):
            open_store(connection, clock, Wire(after=crash)).commit(
                BOOKS, where, [Check("absent", 0), Put("row", {}, 0)]
            )
        assert len(entities(connection, "cwbooks", f"PartitionKey eq '{where}'")) == 2
        store = open_store(connection, clock)
        assert store.get(BOOKS, where, "absent") is None
        assert _scanned(store, where, "", 1) == ["row"]
        with pytest.raises(Conflict):
            store.commit(BOOKS, where, [Delete("absent", 1)])
        store.commit(BOOKS, where, [write, Put("more", {}, 0)])
        row = store.get(BOOKS, where, "absent")
        assert (row.version if row else 0) == (1 if number == 0 else 0)


def test_checks_of_one_row_do_not_make_its_writers_conflict(
    connection: str, clock: ManualClock, partition: str
) -> None:
    store = open_store(connection, clock)
    store.commit(BOOKS, partition, [Put("shared", {}, 0)])

    def work(number: int) -> int:
        for version in range(5):
            write = Put(f"own{number}", {"n": version}, version)
            store.commit(BOOKS, partition, [Check("shared", 1), write])
        return 5

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 20


@pytest.mark.parametrize("status", [None, 500, 503, 504])
def test_a_commit_whose_reply_is_lost_is_unavailable_and_sent_once(
    connection: str, clock: ManualClock, partition: str, status: int | None
) -> None:
    store = open_store(connection, clock)
    # The SDK resends what was answered so, though it may have been applied.
    instead = f"HTTP/1.1 {status} -\r\nContent-Length: 0\r\n\r\n".encode() if status else b""
    with cut_after_commit(connection, instead) as (through, seen):
        cut = open_store(through, clock)
        with pytest.raises(Unavailable):
            cut.commit(BOOKS, partition, [Put("row", {"n": 1}, 0)])
    assert seen == [1]
    row = store.get(BOOKS, partition, "row")
    assert row is not None
    assert row.version == 1


def test_a_store_that_nobody_answers_is_unavailable(clock: ManualClock, partition: str) -> None:
    service = TableServiceClient.from_connection_string(
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
        f"TableEndpoint=http://127.0.0.1:1/{ACCOUNT}",
        retry_total=0,
    )
    store = TableStore(service, COLLECTIONS, clock)
    asks: list[Callable[[], object]] = [
        lambda: store.get(BOOKS, partition, "row"),
        lambda: store.scan(BOOKS, partition),
        lambda: store.query(BOOKS, "by_owner", "ann"),
        lambda: store.commit(BOOKS, partition, [Put("row", {}, 0)]),
        lambda: store.commit(BOOKS, partition, [Put("row", {"owner": "ann"}, 0)]),
    ]
    for ask in asks:
        with pytest.raises(Unavailable):
            ask()


def test_a_missing_table_or_a_wrong_key_is_a_configuration_error(
    connection: str, clock: ManualClock, partition: str
) -> None:
    service = TableServiceClient.from_connection_string(connection)
    missing = TableStore(service, COLLECTIONS, clock, prefix="none")
    wrong = TableServiceClient.from_connection_string(connection.replace(KEY, "F" + KEY[1:]))
    refused = TableStore(wrong, COLLECTIONS, clock)
    for store, words in ((missing, "does not exist"), (refused, "refuses the identity")):
        asks: list[Callable[[Store], object]] = [
            lambda store: store.get(BOOKS, partition, "row"),
            lambda store: store.scan(BOOKS, partition),
            lambda store: store.query(BOOKS, "by_owner", "ann"),
            lambda store: store.commit(BOOKS, partition, [Put("row", {}, 0)]),
            lambda store: store.commit(BOOKS, partition, [Put("row", {"owner": "ann"}, 0)]),
        ]
        for ask in asks:
            with pytest.raises(ConfigurationError, match=words):
                ask(store)


def _scanned(store: Store, partition: str, prefix: str, limit: int) -> list[str]:
    found: list[str] = []
    after: str | None = None
    while True:
        page = store.scan(BOOKS, partition, prefix=prefix, after=after, limit=limit)
        found += [row.key for row in page.rows]
        after = page.next
        if after is None:
            return found
