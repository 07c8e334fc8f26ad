"""The store on Firestore beyond its contract: lost replies, crossed checks, indexes, a rush."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from itertools import product
from threading import Barrier

import pytest
from google.cloud.firestore import Client
from pydantic import BaseModel

from cartwheel.app import App, Service
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import (
    MAX_KEY_BYTES,
    Check,
    Collection,
    ConfigurationError,
    Conflict,
    Delete,
    DomainError,
    Index,
    InvalidWrite,
    Ports,
    Put,
    Row,
    Unavailable,
    Write,
)
from cartwheel.realtime import RealClock, SystemRandomness, TimeOrderedIds
from cartwheel.unit import Unit, transact
from cartwheel_gcp import FirestoreStore, indexes_of
from cartwheel_gcp._documents import MAX_INDEXED_BYTES, document_id
from cartwheel_gcp._store import TRIES
from cartwheel_memory import MemoryHost
from tests.support.firestore_relay import Relay, shape_of, shape_of_index
from tests.support.google import firestore_client, firestore_emulator

ROWS = "gcp_rows"
COLLECTIONS = {
    ROWS: Collection(ROWS, (Index("by_owner", "owner", sort="rank"), Index("by-hue.x", "hue")))
}


@cache
def client() -> Client:
    return firestore_client(firestore_emulator())


def store_of(client: Client) -> FirestoreStore:
    return FirestoreStore(
        client, COLLECTIONS, clock=RealClock(), ids=TimeOrderedIds(), random=SystemRandomness()
    )


@pytest.fixture
def store() -> FirestoreStore:
    return store_of(client())


@pytest.fixture
def relay() -> Iterator[Relay]:
    relay = Relay(firestore_emulator())
    yield relay
    relay.close()


@pytest.fixture
def relayed(relay: Relay) -> Iterator[FirestoreStore]:
    client = firestore_client(relay.address)
    yield store_of(client)
    client.close()  # type: ignore[no-untyped-call]  # the client library gives it no types


@pytest.fixture
def partition() -> str:
    return TimeOrderedIds().new("partition")


@pytest.mark.parametrize(
    "writes",
    [
        [Put("row", {"n": 2}, 1)],
        [Put("new", {}, 0)],
        [Delete("other", 1), Check("row", 1), Put("new", {}, 0)],
    ],
    ids=["update", "create", "mixed"],
)
def test_a_commit_that_was_sent_twice_is_no_conflict(
    relay: Relay, relayed: FirestoreStore, partition: str, writes: list[Write]
) -> None:
    relayed.commit(ROWS, partition, [Put("row", {"n": 1}, 0), Put("other", {}, 0)])
    relay.send_twice = True
    relayed.commit(ROWS, partition, writes)
    assert relay.commits == 2
    for write in writes:
        row = relayed.get(ROWS, partition, write.key)
        assert (row.version if row else 0) == write.expect + isinstance(write, Put) - isinstance(
            write, Delete
        )


def test_deletes_alone_that_were_sent_twice_leave_no_witness_and_look_like_a_conflict(
    relay: Relay, relayed: FirestoreStore, partition: str
) -> None:
    relayed.commit(ROWS, partition, [Put("row", {}, 0)])
    relay.send_twice = True
    with pytest.raises(Conflict):
        relayed.commit(ROWS, partition, [Delete("row", 1)])
    assert relayed.get(ROWS, partition, "row") is None


def test_a_commit_whose_reply_was_lost_is_found_by_its_nonce(
    relay: Relay, relayed: FirestoreStore, partition: str
) -> None:
    relay.lose_reply = True
    relayed.commit(ROWS, partition, [Put("row", {"n": 1}, 0)])
    assert relay.commits == 1
    row = relayed.get(ROWS, partition, "row")
    assert row is not None
    assert (row.version, row.data) == (1, {"n": 1})


@pytest.mark.parametrize("lost", ["call", "reply"])
def test_a_commit_of_which_nothing_is_to_be_seen_is_unavailable_and_sent_once(
    relay: Relay, relayed: FirestoreStore, partition: str, lost: str
) -> None:
    relayed.commit(ROWS, partition, [Put("row", {"n": 1}, 0)])
    relay.lose_reply = lost == "reply"
    relay.refused_commits += ["UNAVAILABLE"] * (lost == "call")
    write: Write = Put("row", {"n": 2}, 1) if lost == "call" else Delete("row", 1)
    with pytest.raises(Unavailable):
        relayed.commit(ROWS, partition, [write])
    assert relay.commits == 2


def test_a_read_that_fails_is_tried_again(
    relay: Relay, relayed: FirestoreStore, partition: str
) -> None:
    relay.refused_reads += ["UNAVAILABLE"]
    relayed.commit(ROWS, partition, [Put("row", {"owner": partition}, 0)])
    relay.refused_reads += ["DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"]
    assert relayed.get(ROWS, partition, "row") is not None
    relay.refused_reads += ["INTERNAL"]
    assert len(relayed.scan(ROWS, partition).rows) == 1
    relay.refused_reads += ["ABORTED"]
    assert len(relayed.query(ROWS, "by_owner", partition).rows) == 1
    assert relay.refused_reads == []


def test_a_commit_that_met_others_is_sent_again(
    relay: Relay, relayed: FirestoreStore, partition: str
) -> None:
    relay.refused_commits += ["ABORTED"] * 3
    relayed.commit(ROWS, partition, [Put("row", {}, 0)])
    assert relay.commits == 4
    assert relayed.get(ROWS, partition, "row") == Row(partition, "row", 1, {})


def test_a_commit_that_meets_others_for_ever_is_unavailable_and_writes_nothing(
    relay: Relay, relayed: FirestoreStore, partition: str
) -> None:
    relay.refused_commits += ["ABORTED"] * TRIES
    with pytest.raises(Unavailable, match=f"{TRIES} tries; nothing was written"):
        relayed.commit(ROWS, partition, [Put("row", {}, 0)])
    assert relay.commits == TRIES
    assert relayed.get(ROWS, partition, "row") is None


def test_a_query_without_its_index_says_what_to_deploy(
    relay: Relay, relayed: FirestoreStore, partition: str
) -> None:
    relay.refused_reads += ["FAILED_PRECONDITION"]
    with pytest.raises(ConfigurationError, match="indexes_of"):
        relayed.query(ROWS, "by_owner", partition)


def test_a_nonce_of_a_row_written_by_somebody_else_is_a_conflict(
    store: FirestoreStore, partition: str
) -> None:
    store.commit(ROWS, partition, [Put("row", {"n": 1}, 0)])
    store.commit(ROWS, partition, [Put("row", {"n": 2}, 1)])
    with pytest.raises(Conflict):
        store.commit(ROWS, partition, [Put("row", {"n": 2}, 1)])


@pytest.mark.parametrize("exists", [True, False], ids=["present", "absent"])
def test_of_two_commits_that_check_what_the_other_writes_at_most_one_wins(
    store: FirestoreStore, partition: str, exists: bool
) -> None:
    rounds, version = 60, int(exists)
    outcomes, named = Counter[tuple[bool, ...]](), set[bool]()
    with ThreadPoolExecutor(2) as pool:
        for number in range(rounds):
            place, barrier = f"{partition}-{number}", Barrier(2)
            if exists:
                store.commit(ROWS, place, [Put("a", {}, 0), Put("b", {}, 0)])

            def run(check: str, write: str, place: str = place, meet: Barrier = barrier) -> bool:
                meet.wait()
                try:
                    store.commit(ROWS, place, [Check(check, version), Put(write, {}, version)])
                except Conflict as conflict:
                    named.add(conflict.keys == (check,))
                    return False
                return True

            tried = (pool.submit(run, "a", "b"), pool.submit(run, "b", "a"))
            won = tuple(each.result() for each in tried)
            outcomes[won] += 1
            for key, winner in (("b", won[0]), ("a", won[1])):
                row = store.get(ROWS, place, key)
                assert (row.version if row else 0) == version + winner
    print(f"crossed checks, rows {'present' if exists else 'absent'}: {dict(outcomes)}")
    assert sum(outcomes.values()) == rounds
    assert outcomes[True, True] == 0
    assert named == {True}
    assert outcomes[True, False] + outcomes[False, True] > 0


def test_a_check_leaves_the_document_and_its_time_alone(
    store: FirestoreStore, partition: str
) -> None:
    store.commit(ROWS, partition, [Put("row", {}, 0)])
    document = client().collection(ROWS).document(document_id(partition, "row"))
    before = document.get()
    store.commit(ROWS, partition, [Check("row", 1), Put("other", {}, 0)])
    after = document.get()
    assert (after.update_time, after.to_dict()) == (before.update_time, before.to_dict())


def test_places_whose_ids_are_too_long_are_rows_like_others(store: FirestoreStore) -> None:
    partition = TimeOrderedIds().new("partition").ljust(MAX_KEY_BYTES, "/")
    keys = ["~" * MAX_KEY_BYTES, "~" * (MAX_KEY_BYTES - 1) + "/", "/" * MAX_KEY_BYTES]
    store.commit(ROWS, partition, [Put(key, {"key": key}, 0) for key in keys])
    store.commit(ROWS, partition, [Put(keys[0], {"key": keys[0]}, 1), Check(keys[1], 1)])
    for key, version in zip(keys, (2, 1, 1), strict=True):
        assert store.get(ROWS, partition, key) == Row(partition, key, version, {"key": key})
    assert [row.key for row in store.scan(ROWS, partition).rows] == sorted(keys)


def test_strings_that_an_index_would_cut_off_are_refused_and_found_nowhere(
    store: FirestoreStore, partition: str
) -> None:
    fits = partition.ljust(MAX_INDEXED_BYTES, "x")
    too_long = fits + "x"
    store.commit(ROWS, partition, [Put("fits", {"owner": fits}, 0)])
    assert [row.key for row in store.query(ROWS, "by_owner", fits).rows] == ["fits"]
    assert store.query(ROWS, "by_owner", too_long).rows == ()
    for data in ({"owner": too_long}, {"owner": partition, "rank": too_long}):
        with pytest.raises(InvalidWrite, match=f"at most {MAX_INDEXED_BYTES} bytes"):
            store.commit(ROWS, partition, [Put("good", {}, 0), Put("bad", data, 0)])
    assert store.get(ROWS, partition, "good") is None


def test_every_query_that_the_store_sends_has_its_composite_index(
    relay: Relay, relayed: FirestoreStore, partition: str
) -> None:
    rows: list[Write] = [
        Put(key, {"owner": partition, "hue": partition, "rank": 1}, 0) for key in ("a1", "a2")
    ]
    relayed.commit(ROWS, partition, rows)
    for prefix, after, limit in product(("", "a"), (None, "", "a1", "b"), (1, 100)):
        relayed.scan(ROWS, partition, prefix=prefix, after=after, limit=limit)
    for index, descending in product(("by_owner", "by-hue.x"), (False, True)):
        page = relayed.query(ROWS, index, partition, descending=descending, limit=1)
        assert page.next is not None
        rest = relayed.query(ROWS, index, partition, descending=descending, cursor=page.next)
        assert len(page.rows) == len(rest.rows) == 1
    asked = {shape_of(query) for query in relay.queries()}
    given = {shape_of_index(index) for index in indexes_of(COLLECTIONS[ROWS])}
    print(f"{len(relay.queries())} queries of {len(asked)} shapes, {len(given)} indexes")
    assert len(relay.queries()) == 16 + 8
    assert asked == given


class SoldOut(DomainError):
    """Says that there is nothing left."""


class _Stock(BaseModel):
    left: int


class _Receipt(BaseModel):
    number: int


def test_64_buyers_of_20_units_get_20_receipts_and_44_refusals(partition: str) -> None:
    buyers, units = 64, 20
    service = Service("rush")
    service.collection("gcp_rush")
    app = App("gcp_rush", services=[service])

    def on_firestore(ports: Ports) -> Ports:
        clock, ids, random = RealClock(), TimeOrderedIds(), SystemRandomness()
        store = FirestoreStore(client(), app.collections, clock=clock, ids=ids, random=random)
        return replace(ports, store=store, clock=clock, ids=ids, random=random)

    with MemoryHost(app, HostOptions(log=discard, replace=on_firestore)) as host:
        ports, barrier, tries = host.ports, Barrier(buyers), Counter[int]()

        def prepare(unit: Unit) -> None:
            unit.put("stock", _Stock(left=units))

        def buy(buyer: int) -> int | None:
            def work(unit: Unit) -> _Receipt:
                tries[buyer] += 1
                stock = unit.get("stock", _Stock)
                assert stock is not None
                if stock.left == 0:
                    raise SoldOut("sold out")
                unit.put("stock", _Stock(left=stock.left - 1))
                return _Receipt(number=units - stock.left)

            barrier.wait()
            try:
                key = f"buyer-{buyer}"
                receipt = transact(ports, "gcp_rush", partition, work, key=key, result=_Receipt)
            except SoldOut:
                return None
            return receipt.number

        transact(ports, "gcp_rush", partition, prepare)
        started = time.monotonic()
        with ThreadPoolExecutor(buyers) as pool:
            got = list(pool.map(buy, range(buyers)))
        took = time.monotonic() - started
        sold = sorted(number for number in got if number is not None)
        row = ports.store.get("gcp_rush", partition, "stock")
        assert row is not None
        print(
            f"{buyers} buyers, {units} units: {len(sold)} sold in {took:.1f} s "
            f"({len(sold) / took:.0f}/s), most tries {max(tries.values())}, "
            f"{sum(tries.values())} in all"
        )
        assert sold == list(range(units))
        assert (row.version, row.data) == (units + 1, {"left": 0})
