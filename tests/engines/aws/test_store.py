"""The store on DynamoDB where the network fails, rows are held, and limits are narrow."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import cast

import pytest
from pydantic import BaseModel

from cartwheel.host import HostOptions
from cartwheel.indexing import Position, cursor_of
from cartwheel.log import discard
from cartwheel.ports import (
    Check,
    ConfigurationError,
    Conflict,
    Delete,
    DomainError,
    InvalidWrite,
    JsonObject,
    Ports,
    Put,
    Store,
    Unavailable,
    Write,
)
from cartwheel.testing._base import fresh
from cartwheel.testing._store_indexes import OTHERS, THINGS, store_app
from cartwheel.unit import Unit, transact
from cartwheel_aws import DynamoStore
from cartwheel_aws._commit import TRIES
from cartwheel_local._time import RealClock, SystemRandomness, TimeOrderedIds
from cartwheel_memory import MemoryHost
from tests.engines.aws._processes import Process, free_port
from tests.support.dynamo import dynamo_client, dynamo_store, make_tables
from tests.support.ministack import start_ministack
from tests.support.wire import Fault, Wire

ATTEMPTS = 3
LOST = Fault()
"""The write is applied and its reply is lost."""
NEVER_SENT = Fault(forward=False)


@pytest.fixture(scope="module")
def server() -> Iterator[Process]:
    process = start_ministack()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def tables(server: Process) -> dict[str, str]:
    return make_tables(dynamo_client(server.url), store_app().collections.values())


@pytest.fixture(scope="module")
def store(server: Process, tables: dict[str, str]) -> DynamoStore:
    """Give a store that nothing stands in front of."""
    return dynamo_store(dynamo_client(server.url), store_app(), tables)


@pytest.fixture(scope="module")
def wire(server: Process) -> Iterator[Wire]:
    with Wire(server.port) as made:
        yield made


@dataclass
class Pauses:
    """Is a clock on which no time passes; notes how long it was to wait."""

    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        """Give always the same time."""
        return 0.0

    def sleep(self, seconds: float) -> None:
        """Note and return."""
        self.slept.append(seconds)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def far(wire: Wire, tables: dict[str, str], pauses: Pauses) -> DynamoStore:
    """Give a store behind the wire."""
    return DynamoStore(
        dynamo_client(wire.url, ATTEMPTS),
        store_app().collections,
        tables,
        clock=pauses,
        ids=TimeOrderedIds(),
        random=SystemRandomness(),
    )


@pytest.fixture
def place(store: Store) -> str:
    """Make a partition with the rows a and b at version 1."""
    made = fresh("place")
    store.commit(THINGS, made, [Put("a", {"n": 1}, 0), Put("b", {"n": 1}, 0)])
    return made


def versions(store: Store, place: str) -> dict[str, int]:
    return {row.key: row.version for row in store.scan(THINGS, place).rows}


COMMITS: dict[str, tuple[list[Write], dict[str, int]]] = {
    "create": ([Put("c", {"n": 2}, 0)], {"a": 1, "b": 1, "c": 1}),
    "update": ([Put("a", {"n": 2}, 1)], {"a": 2, "b": 1}),
    "several": ([Put("a", {"n": 2}, 1), Put("c", {"n": 2}, 0)], {"a": 2, "b": 1, "c": 1}),
    "delete": ([Delete("a", 1)], {"b": 1}),
    "mixed": ([Delete("a", 1), Put("b", {"n": 2}, 1), Check("c", 0)], {"b": 2}),
}
SINGLE = ("create", "update")


@pytest.mark.parametrize("commit", COMMITS)
@pytest.mark.parametrize("fault", [LOST, NEVER_SENT], ids=["reply", "request"])
@pytest.mark.parametrize("times", range(1, ATTEMPTS))
def test_a_commit_whose_reply_or_request_was_lost_happens_once_and_returns(
    *, wire: Wire, far: Store, store: Store, place: str, commit: str, fault: Fault, times: int
) -> None:
    writes, expected = COMMITS[commit]
    wire.will(*[fault] * times)
    far.commit(THINGS, place, writes)
    assert (wire.writes, wire.left) == (times + 1, 0)
    assert versions(store, place) == expected


@pytest.mark.parametrize("commit", COMMITS)
def test_a_commit_of_which_every_reply_was_lost_is_unavailable_and_happened_once(
    wire: Wire, far: Store, store: Store, place: str, commit: str
) -> None:
    writes, expected = COMMITS[commit]
    wire.will(*[LOST] * ATTEMPTS)
    with pytest.raises(Unavailable):
        far.commit(THINGS, place, writes)
    assert (wire.writes, wire.left) == (ATTEMPTS, 0)
    assert versions(store, place) == expected


def go_on(store: Store, place: str, writes: list[Write]) -> Fault:
    """Apply the write, let another writer go on from it, and lose the reply."""
    return Fault(meanwhile=lambda: store.commit(THINGS, place, writes))


@pytest.mark.parametrize(
    ("commit", "then"),
    [
        ("create", Put("c", {"n": 9}, 1)),
        ("update", Put("a", {"n": 9}, 2)),
        ("update", Delete("a", 2)),
    ],
    ids=["create-put", "update-put", "update-delete"],
)
def test_a_put_whose_reply_was_lost_and_whose_row_moved_on_is_no_false_conflict(
    *, wire: Wire, far: Store, store: Store, place: str, commit: str, then: Write
) -> None:
    writes, after = COMMITS[commit]
    wire.will(go_on(store, place, [then]))
    with pytest.raises(Unavailable, match="nobody knows"):
        far.commit(THINGS, place, writes)
    key = then.key
    expected = {**after, key: after[key] + 1} if isinstance(then, Put) else {"b": 1}
    assert versions(store, place) == expected


def test_a_put_whose_row_was_deleted_before_it_came_again_creates_it_anew(
    wire: Wire, far: Store, store: Store, place: str
) -> None:
    # The gap that is left: only a transaction's token would tell, at twice the price.
    wire.will(go_on(store, place, [Delete("c", 1)]))
    far.commit(THINGS, place, [Put("c", {"n": 2}, 0)])
    assert versions(store, place) == {"a": 1, "b": 1, "c": 1}


@pytest.mark.parametrize("commit", [name for name in COMMITS if name not in SINGLE])
def test_a_transaction_whose_reply_was_lost_is_known_again_though_its_rows_moved_on(
    wire: Wire, far: Store, store: Store, place: str, commit: str
) -> None:
    writes, expected = COMMITS[commit]
    moved = [Put(key, {"n": 9}, version) for key, version in expected.items()]
    wire.will(go_on(store, place, [*moved]))
    far.commit(THINGS, place, writes)
    assert versions(store, place) == {key: version + 1 for key, version in expected.items()}


@pytest.mark.parametrize("commit", COMMITS)
def test_a_commit_that_another_writer_overtook_is_a_conflict_though_it_was_resent(
    wire: Wire, far: Store, store: Store, place: str, commit: str
) -> None:
    writes, _ = COMMITS[commit]
    key, version = writes[0].key, writes[0].expect
    other = Put(key, {"n": 9}, version)
    wire.will(Fault(False, lambda: store.commit(THINGS, place, [other])))
    with pytest.raises(Conflict) as caught:
        far.commit(THINGS, place, writes)
    assert caught.value.keys == (key,)
    row = store.get(THINGS, place, key)
    assert row is not None
    assert (row.version, row.data) == (version + 1, {"n": 9})


def cancelled(*codes: str) -> tuple[int, JsonObject]:
    """Say, as DynamoDB does, that a transaction was cancelled for these reasons."""
    return 400, {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "message": f"Transaction cancelled, reasons [{', '.join(codes)}]",
        "CancellationReasons": [{"Code": code} for code in codes],
    }


def refused(code: str, message: str = "said so", status: int = 400) -> tuple[int, JsonObject]:
    """Say, as DynamoDB does, that a call is refused."""
    return status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}


def tokens(wire: Wire) -> set[object]:
    """Give the tokens of the transactions that were sent."""
    return {body["ClientRequestToken"] for body in wire.bodies if "ClientRequestToken" in body}


HELD = {
    "several": cancelled("TransactionConflict", "None"),
    "update": refused("TransactionConflictException"),
}


@pytest.mark.parametrize("commit", HELD)
def test_a_commit_waits_while_another_transaction_holds_its_rows(
    *, wire: Wire, far: Store, store: Store, place: str, commit: str, pauses: Pauses
) -> None:
    wire.will(*[Fault(False, answer=HELD[commit])] * 4)
    far.commit(THINGS, place, COMMITS[commit][0])
    assert wire.left == 0
    assert versions(store, place) == COMMITS[commit][1]
    assert len(pauses.slept) == 4
    assert all(0.01 <= pause <= 0.5 for pause in pauses.slept)
    assert sorted(pauses.slept) == pauses.slept
    assert len(tokens(wire)) == (5 if commit == "several" else 0), "a cancelled one is over"


@pytest.mark.parametrize("commit", HELD)
def test_a_commit_whose_rows_were_held_by_the_winner_is_a_conflict(
    wire: Wire, far: Store, store: Store, place: str, commit: str
) -> None:
    winner = Put("a", {"n": 9}, 1)
    wire.will(Fault(False, lambda: store.commit(THINGS, place, [winner]), HELD[commit]))
    with pytest.raises(Conflict) as caught:
        far.commit(THINGS, place, COMMITS[commit][0])
    assert caught.value.keys == ("a",)
    assert wire.writes == 1
    assert versions(store, place) == {"a": 2, "b": 1}


@pytest.mark.parametrize("commit", HELD)
def test_a_commit_whose_rows_stay_held_is_unavailable_and_not_applied(
    wire: Wire, far: Store, store: Store, place: str, commit: str
) -> None:
    wire.will(*[Fault(False, answer=HELD[commit])] * TRIES)
    with pytest.raises(Unavailable, match="held rows"):
        far.commit(THINGS, place, COMMITS[commit][0])
    assert wire.writes == TRIES
    assert versions(store, place) == {"a": 1, "b": 1}


def test_a_put_that_was_applied_is_done_though_its_row_is_held_when_it_comes_again(
    wire: Wire, far: Store, store: Store, place: str
) -> None:
    wire.will(LOST, Fault(False, answer=HELD["update"]))
    far.commit(THINGS, place, COMMITS["update"][0])
    assert versions(store, place) == COMMITS["update"][1]


def test_a_transaction_that_is_still_under_way_is_asked_for_again(
    wire: Wire, far: Store, store: Store, place: str
) -> None:
    under_way = refused("TransactionInProgressException")
    # Until the SDK gives up, and once more: the commit goes on asking with the same token.
    wire.will(LOST, *[Fault(False, answer=under_way)] * ATTEMPTS)
    far.commit(THINGS, place, COMMITS["delete"][0])
    assert wire.left == 0
    assert len(tokens(wire)) == 1
    assert versions(store, place) == COMMITS["delete"][1]


@pytest.mark.parametrize("commit", ["update", "several"])
@pytest.mark.parametrize(
    "answer",
    [
        refused("ThrottlingException"),
        refused("ProvisionedThroughputExceededException"),
        refused("InternalServerError", status=500),
        refused("ServiceUnavailable", status=503),
    ],
    ids=["throttled", "throughput", "500", "503"],
)
def test_a_commit_that_dynamodb_is_too_busy_for_is_unavailable(
    *, wire: Wire, far: Store, store: Store, place: str, commit: str, answer: tuple[int, JsonObject]
) -> None:
    wire.will(*[Fault(False, answer=answer)] * ATTEMPTS)
    with pytest.raises(Unavailable):
        far.commit(THINGS, place, COMMITS[commit][0])
    assert versions(store, place) == {"a": 1, "b": 1}


TOO_LARGE = refused("ValidationException", "Item size has exceeded the maximum allowed size")


@pytest.mark.parametrize(
    ("commit", "answer", "error"),
    [
        ("update", TOO_LARGE, InvalidWrite),
        ("several", TOO_LARGE, InvalidWrite),
        ("several", cancelled("None", "ValidationError"), InvalidWrite),
        ("update", refused("AccessDeniedException"), ConfigurationError),
        ("several", refused("ResourceNotFoundException"), ConfigurationError),
        ("several", cancelled("ThrottlingError", "ConditionalCheckFailed"), Conflict),
    ],
)
def test_a_refused_commit_says_what_it_means(
    *,
    wire: Wire,
    far: Store,
    place: str,
    commit: str,
    answer: tuple[int, JsonObject],
    error: type[Exception],
) -> None:
    wire.will(Fault(False, answer=answer))
    with pytest.raises(error):
        far.commit(THINGS, place, COMMITS[commit][0])
    assert wire.writes == 1


@pytest.mark.parametrize(
    ("commit", "answer"),
    [
        ("update", refused("ValidationException", "The provided key does not match the schema")),
        ("several", cancelled("None", "AccessDenied")),
        ("several", refused("SomethingNew")),
    ],
)
def test_what_nobody_knows_passes_as_the_sdk_raised_it(
    wire: Wire, far: Store, place: str, commit: str, answer: tuple[int, JsonObject]
) -> None:
    from botocore.exceptions import ClientError

    wire.will(Fault(False, answer=answer))
    with pytest.raises(ClientError, match=str(answer[1]["message"]).replace("[", r"\[")):
        far.commit(THINGS, place, COMMITS[commit][0])


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
