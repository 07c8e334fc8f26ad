"""The store in memory: versions, atomic commits, indexes, cursors, isolation, threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import (
    Check,
    ConfigurationError,
    Conflict,
    Delete,
    InvalidWrite,
    Json,
    Put,
    Store,
)
from cartwheel_memory import MemoryHost
from tests.unit.memory.parts import Scene


@pytest.fixture
def store() -> Iterator[Store]:
    with MemoryHost(Scene().app(), HostOptions(log=discard)) as host:
        yield host.ports.store


def keys_of(store: Store, value: str, *, index: str = "by_colour", down: bool = False) -> list[str]:
    """Read a whole query, two rows a page."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = store.query("things", index, value, descending=down, cursor=cursor, limit=2)
        found += [row.key for row in page.rows]
        cursor = page.next
        if cursor is None:
            return found


def test_a_row_counts_its_writes(store: Store) -> None:
    store.commit("things", "p", [Put("a", {"n": 1}, 0)])
    store.commit("things", "p", [Put("a", {"n": 2}, 1)])
    row = store.get("things", "p", "a")
    assert row is not None
    assert (row.version, row.data) == (2, {"n": 2})


def test_a_deleted_row_begins_again_at_version_one(store: Store) -> None:
    store.commit("things", "p", [Put("a", {}, 0)])
    store.commit("things", "p", [Delete("a", 1)])
    assert store.get("things", "p", "a") is None
    store.commit("things", "p", [Put("a", {}, 0)])
    row = store.get("things", "p", "a")
    assert row is not None
    assert row.version == 1


def test_a_conflict_names_every_row_and_writes_nothing(store: Store) -> None:
    store.commit("things", "p", [Put("a", {"n": 1}, 0), Put("b", {"n": 1}, 0)])
    with pytest.raises(Conflict) as caught:
        store.commit(
            "things",
            "p",
            [Put("c", {}, 0), Put("a", {"n": 2}, 0), Delete("b", 7), Check("d", 1)],
        )
    assert caught.value.keys == ("a", "b", "d")
    assert [row.key for row in store.scan("things", "p").rows] == ["a", "b"]


def test_a_check_holds_or_refuses_and_leaves_the_row(store: Store) -> None:
    store.commit("things", "p", [Put("a", {"n": 1}, 0)])
    store.commit("things", "p", [Check("a", 1), Check("none", 0), Put("b", {}, 0)])
    row = store.get("things", "p", "a")
    assert row is not None
    assert row.version == 1


def test_what_was_written_or_read_is_nobody_elses_object(store: Store) -> None:
    inner: list[Json] = [1]
    data: dict[str, Json] = {"inner": inner}
    store.commit("things", "p", [Put("a", data, 0)])
    inner.append(2)
    first = store.get("things", "p", "a")
    assert first is not None
    first.data["inner"] = "changed"
    second = store.get("things", "p", "a")
    assert second is not None
    assert second.data == {"inner": [1]}


def test_a_scan_goes_on_after_its_last_key(store: Store) -> None:
    names = ["a1", "a2", "a3", "b1"]
    store.commit("things", "p", [Put(name, {}, 0) for name in names])
    store.commit("things", "q", [Put("a9", {}, 0)])
    page = store.scan("things", "p", prefix="a", limit=2)
    assert ([row.key for row in page.rows], page.next) == (["a1", "a2"], "a2")
    rest = store.scan("things", "p", prefix="a", after=page.next)
    assert ([row.key for row in rest.rows], rest.next) == (["a3"], None)
    assert [row.key for row in store.scan("things", "p", prefix="b", after="a2").rows] == ["b1"]


def test_an_index_sorts_by_number_then_text_and_takes_no_part_in_absent_fields(
    store: Store,
) -> None:
    ranks: dict[str, Json] = {"five": 5, "ten": 10, "minus": -3, "none": None, "word": "x"}
    store.commit(
        "things", "p", [Put(key, {"colour": "red", "rank": r}, 0) for key, r in ranks.items()]
    )
    store.commit("things", "q", [Put("other", {"colour": "blue"}, 0), Put("bare", {}, 0)])
    assert keys_of(store, "red") == ["none", "minus", "five", "ten", "word"]
    assert keys_of(store, "red", down=True) == ["word", "ten", "five", "minus", "none"]
    assert keys_of(store, "red", index="plain") == sorted(ranks)
    assert keys_of(store, "blue") == ["other"]
    assert keys_of(store, "green") == []


def test_a_row_moves_in_its_indexes_as_it_changes(store: Store) -> None:
    store.commit("things", "p", [Put("a", {"colour": "red"}, 0)])
    store.commit("things", "p", [Put("a", {"colour": "blue"}, 1)])
    assert (keys_of(store, "red"), keys_of(store, "blue")) == ([], ["a"])
    store.commit("things", "p", [Put("a", {}, 2)])
    assert keys_of(store, "blue") == []
    store.commit("things", "p", [Put("a", {"colour": "red"}, 3)])
    store.commit("things", "p", [Delete("a", 4)])
    assert keys_of(store, "red") == []


def test_a_cursor_survives_the_rows_around_it(store: Store) -> None:
    rows = [Put(f"k{n}", {"colour": "red", "rank": n}, 0) for n in range(6)]
    store.commit("things", "p", rows)
    page = store.query("things", "by_colour", "red", limit=2)
    store.commit("things", "p", [Delete("k1", 1), Delete("k2", 1)])
    rest = store.query("things", "by_colour", "red", cursor=page.next)
    assert [row.key for row in rest.rows] == ["k3", "k4", "k5"]


@pytest.mark.parametrize("cursor", ["", "x", "=", "é", "bm90IGpzb24", "W10", "WzEsMl0"])
def test_a_cursor_of_our_own_making_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        store.query("things", "by_colour", "red", cursor=cursor)


def test_a_cursor_of_another_query_is_refused(store: Store) -> None:
    store.commit("things", "p", [Put(f"k{n}", {"colour": "red"}, 0) for n in range(3)])
    cursor = store.query("things", "by_colour", "red", limit=1).next
    assert cursor is not None
    with pytest.raises(ValueError, match="cursor"):
        store.query("things", "by_colour", "blue", cursor=cursor)
    with pytest.raises(ValueError, match="cursor"):
        store.query("things", "by_colour", "red", cursor=cursor, descending=True)


@pytest.mark.parametrize(
    "data",
    [
        {"colour": 1},
        {"colour": ["red"]},
        {"colour": "\ud800"},
        {"colour": "red", "rank": 1.5},
        {"colour": "red", "rank": True},
        {"colour": "red", "rank": 2**53},
    ],
)
def test_what_an_index_can_not_hold_is_refused(store: Store, data: dict[str, Json]) -> None:
    with pytest.raises(InvalidWrite, match="by_colour"):
        store.commit("things", "p", [Put("a", data, 0)])
    assert store.get("things", "p", "a") is None


def test_unknown_collections_and_indexes_are_named_with_those_that_exist(store: Store) -> None:
    with pytest.raises(ConfigurationError, match=r"no collection 'thing'.*things"):
        store.get("thing", "p", "k")
    with pytest.raises(ConfigurationError, match=r"no index 'by_size'.*by_colour"):
        store.query("things", "by_size", "x")


def test_of_many_threads_at_one_version_one_wins(store: Store) -> None:
    store.commit("things", "p", [Put("a", {"n": 0}, 0)])
    won: list[int] = []
    lost: list[int] = []
    gate = threading.Barrier(64)

    def race(number: int) -> None:
        gate.wait()
        try:
            store.commit("things", "p", [Put("a", {"n": number}, 1)])
        except Conflict:
            lost.append(number)
        else:
            won.append(number)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 63)
    row = store.get("things", "p", "a")
    assert row is not None
    assert row.data == {"n": won[0]}
