"""The store on DynamoDB: its limits, its rows as others see them, and a race for 20 pieces."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest
from pydantic import BaseModel

from cartwheel.host import HostOptions
from cartwheel.indexing import Position, cursor_of
from cartwheel.log import discard
from cartwheel.ports import ConfigurationError, Delete, DomainError, Ports, Put, Store, Unavailable
from cartwheel.realtime import RealClock, SystemRandomness
from cartwheel.testing._base import fresh
from cartwheel.testing._store_app import OTHERS, THINGS, store_app
from cartwheel.unit import Unit, transact
from cartwheel_aws import DynamoStore
from cartwheel_memory import MemoryHost
from tests.engines.aws._processes import Process, free_port
from tests.support.dynamo import dynamo_client, dynamo_store
from tests.support.wire import Wire

ASK: dict[str, Callable[[Store], object]] = {
    "get": lambda store: store.get(THINGS, "x", "a"),
    "scan": lambda store: store.scan(THINGS, "x"),
    "query": lambda store: store.query(THINGS, "by_owner", "x"),
    "put": lambda store: store.commit(THINGS, "x", [Put("a", {}, 0)]),
    "transaction": lambda store: store.commit(THINGS, "x", [Delete("a", 1)]),
}


@pytest.mark.parametrize("ask", ASK)
def test_a_dynamodb_that_does_not_answer_is_unavailable(ask: str, tables: dict[str, str]) -> None:
    nobody = dynamo_client(f"http://127.0.0.1:{free_port()}", 2)
    with pytest.raises(Unavailable, match="did not answer"):
        ASK[ask](dynamo_store(nobody, store_app(), tables))


@pytest.mark.parametrize("ask", ASK)
def test_a_table_that_is_not_deployed_is_named(ask: str, server: Process) -> None:
    app, missing = store_app(), {THINGS: "not-there"}
    with pytest.raises(ConfigurationError, match=r"'not-there'.*deploy"):
        ASK[ask](dynamo_store(dynamo_client(server.url), app, missing))
    with pytest.raises(ConfigurationError, match=rf"'{THINGS}' has no table here.*kit_others"):
        ASK[ask](dynamo_store(dynamo_client(server.url), app, {OTHERS: "there"}))


def test_an_index_that_is_not_deployed_is_a_configuration_error(
    server: Process, tables: dict[str, str]
) -> None:
    store = dynamo_store(dynamo_client(server.url), store_app(), {THINGS: tables[OTHERS]})
    with pytest.raises(ConfigurationError, match="deploy the application"):
        store.query(THINGS, "by_color", "x")


def test_a_row_can_be_read_without_us(
    server: Process, store: Store, tables: dict[str, str]
) -> None:
    place = fresh("place")
    store.commit(THINGS, place, [Put("k", {"owner": "ann", "rank": -1, "x": 0.5}, 0)])
    item = dynamo_client(server.url).get_item(
        TableName=tables[THINGS], Key={"p": {"S": place}, "k": {"S": "k"}}
    )["Item"]
    assert len(item.pop("w")["S"]) == 22
    assert json.loads(item.pop("d")["S"]) == {"owner": "ann", "rank": -1, "x": 0.5}
    assert item == {
        "p": {"S": place},
        "k": {"S": "k"},
        "v": {"N": "1"},
        "by_owner.value": {"S": "ann"},
        "by_owner.order": {"S": f"1{2**53 - 1:017d}\0{place}\0k"},
    }


@pytest.mark.parametrize("value", ["", "x" * 2048, "x" * 2049, "\0", "ü" * 1025, "y" * 100_000])
def test_any_string_can_be_looked_up_in_an_index(store: Store, value: str) -> None:
    mark = fresh("mark")
    store.commit(OTHERS, mark, [Put("k", {"owner": value, "mark": mark}, 0)])
    store.commit(OTHERS, mark, [Put("other", {"owner": f"{value}!", "mark": mark}, 0)])
    found = [row for row in store.query(OTHERS, "by_owner", value).rows if row.partition == mark]
    assert [row.key for row in found] == ["k"]


@pytest.mark.parametrize("descending", [False, True])
def test_rows_whose_order_has_no_room_are_each_shown_once(store: Store, descending: bool) -> None:
    owner, place = fresh("owner"), "p" * 500
    keys = {f"{number:02d}" for number in range(9)}
    tail = fresh("tail")
    rows = [Put(f"{tail}{key}", {"owner": owner, "rank": "r" * 1100}, 0) for key in sorted(keys)]
    store.commit(THINGS, place, rows)
    first = Put(f"{tail}first", {"owner": owner, "rank": "r" * 1000}, 0)
    store.commit(THINGS, place, [first])
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = store.query(THINGS, "by_owner", owner, descending=descending, cursor=cursor, limit=4)
        found += [row.key.removeprefix(tail) for row in page.rows]
        cursor = page.next
        if cursor is None:
            break
    assert sorted(found) == sorted({*keys, "first"})
    assert found[-1 if descending else 0] == "first"


@pytest.mark.parametrize(
    "position",
    [
        Position("", "p", "k"),
        Position("x" * 1025, "p", "k"),
        Position("x", "", "k"),
        Position("x", "p", ""),
        Position("x", "p" * 600, "k"),
        Position("x", "p", "k" * 2000),
    ],
)
def test_a_forged_cursor_is_a_value_error(store: Store, position: Position) -> None:
    cursor = cursor_of((THINGS, "by_owner", "x", False), position)
    with pytest.raises(ValueError, match="cursor"):
        store.query(THINGS, "by_owner", "x", cursor=cursor)


def test_scans_with_any_prefix_and_start_give_what_sorting_gives(store: Store) -> None:
    place = fresh("place")
    keys = ["a", "ab", "abc", "ac", "b", "é", "éa", "😀", "k" * 512, "a" * 512]
    store.commit(THINGS, place, [Put(key, {}, 0) for key in keys])
    parts = ["", *keys, "aa", "c", "z", "\0", "\uffff", "a" * 513, "a" * 2000, "k" * 2000]
    tried = 0
    for prefix in parts:
        for after in (None, *parts):
            found = [r.key for r in store.scan(THINGS, place, prefix=prefix, after=after).rows]
            assert found == sorted(
                key for key in keys if key.startswith(prefix) and (not after or key > after)
            )
            tried += 1
    assert tried == len(parts) * (len(parts) + 1)
    assert store.scan(THINGS, place, prefix="\ud800").rows == ()
    assert store.scan(THINGS, place, after="\ud800").rows == ()
    assert store.scan(THINGS, "\ud800").rows == ()
    assert store.get(THINGS, place, "\ud800") is None
    assert store.get(THINGS, "", "a") is None


def test_a_row_and_a_partition_are_read_with_all_commits_that_returned(
    wire: Wire, far: Store, place: str
) -> None:
    # ministack has no replica that lags, so only what is asked for can be looked at.
    wire.will()
    far.get(THINGS, place, "a")
    far.scan(THINGS, place)
    assert [body.get("ConsistentRead") for body in wire.bodies] == [True, True]


def test_no_key_longer_than_dynamodb_takes_is_asked_for(wire: Wire, far: Store) -> None:
    wire.will()
    for text in ("x" * 1022 + "é", "é" * 1000, "x" * 3000):
        far.scan(THINGS, "p", after=text)
        far.scan(THINGS, "p", prefix=text, after=text)
        far.query(THINGS, "by_owner", text)
        assert far.get(THINGS, "p", text) is None
        assert far.get(THINGS, text, "k") is None
    starts = [body["ExclusiveStartKey"] for body in wire.bodies if "ExclusiveStartKey" in body]
    assert len(starts) == 3
    for body in wire.bodies:
        for name in ("ExclusiveStartKey", "ExpressionAttributeValues"):
            values = cast("dict[str, dict[str, str]]", body.get(name, {}))
            assert all(len(value["S"].encode()) <= 1024 for value in values.values()) or (
                "IndexName" in body and len(values[":v"]["S"].encode()) <= 2048
            )


class Level(BaseModel):
    """Is a stock of few pieces."""

    left: int


class SoldOut(DomainError):
    """Says that nothing is left."""


class Sold(BaseModel):
    """Says which piece it was."""

    piece: int


@pytest.mark.parametrize("keyed", [False, True], ids=["put", "transaction"])
def test_64_buyers_of_20_pieces_buy_all_and_no_more(store: DynamoStore, keyed: bool) -> None:
    buyers, pieces = 64, 20
    place = fresh("sku")
    store.commit(THINGS, place, [Put("level", {"left": pieces}, 0)])

    def sell(unit: Unit) -> Sold:
        level = unit.get("level", Level)
        assert level is not None
        if level.left == 0:
            raise SoldOut("nothing is left")
        unit.put("level", Level(left=level.left - 1))
        return Sold(piece=level.left)

    answers: list[object] = [None] * buyers
    start = threading.Barrier(buyers)

    def buy(ports: Ports, number: int) -> None:
        start.wait()
        key = f"buyer-{number}" if keyed else None
        try:
            answers[number] = transact(ports, THINGS, place, sell, key=key, result=Sold).piece
        except (DomainError, Unavailable) as error:
            answers[number] = type(error).__name__

    with MemoryHost(store_app(), HostOptions(log=discard)) as host:
        ports = replace(host.ports, store=store, clock=RealClock(), random=SystemRandomness())
        threads = [threading.Thread(target=buy, args=(ports, n)) for n in range(buyers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    counts = Counter(answer if isinstance(answer, str) else "sold" for answer in answers)
    assert counts == {"sold": pieces, "SoldOut": buyers - pieces}
    assert sorted(a for a in answers if isinstance(a, int)) == list(range(1, pieces + 1))
    level = store.get(THINGS, place, "level")
    assert level is not None
    assert (level.data, level.version) == ({"left": 0}, pieces + 1)
    guards = store.scan(THINGS, place, prefix="guard#").rows
    assert len(guards) == (pieces if keyed else 0)
    print(f"dynamodb {buyers} x {pieces}: {dict(counts)}")
