"""What every Store promises: rows, versions and commits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from cartwheel.ports import (
    MAX_COMMIT_BYTES,
    MAX_KEY_BYTES,
    MAX_ROW_BYTES,
    MAX_ROWS,
    Check,
    ConfigurationError,
    Conflict,
    Delete,
    InvalidWrite,
    Json,
    JsonObject,
    Put,
    Row,
    Store,
    Write,
)
from cartwheel.testing._base import fresh
from cartwheel.testing._store_app import OTHERS, THINGS
from cartwheel.testing._store_indexes import StoreIndexes
from cartwheel.testing._store_races import StoreRaces
from cartwheel.testing._store_scans import StoreScans

KEYS = (
    "plain",
    "with space",
    "a/b",
    "a\\b",
    "a#b",
    "a?b",
    "a%2Fb",
    "a+b&c=d",
    "a:b|c,d;e",
    "'quoted' \"twice\"",
    "%_*[x]",
    "..",
    ".",
    "-",
    "__name__",
    "UPPER",
    "upper",
    "ünïcödé",
    "日本語",
    "😀",
    "e\u0301",
    "é",
    "\u200b",
    " ends with space ",
    "k" * MAX_KEY_BYTES,
    "ü" * (MAX_KEY_BYTES // 2),
)
"""Keys that some store cannot take as they are, so that its adapter has to encode them."""
BAD_KEYS = ("", "k" * (MAX_KEY_BYTES + 1), "ü" * 257, "tab\t", "nul\x00", "line\n", "half\ud800")


class StoreContract(StoreScans, StoreIndexes, StoreRaces):
    """Holds a Store to its port; the classes it derives from are the other parts."""

    def test_a_row_that_was_written_is_read_back_at_version_1(
        self, store: Store, partition: str
    ) -> None:
        store.commit(THINGS, partition, [Put("one", {"n": 1}, 0)])
        assert store.get(THINGS, partition, "one") == Row(partition, "one", 1, {"n": 1})

    def test_a_row_that_nobody_wrote_is_none(self, store: Store, partition: str) -> None:
        assert store.get(THINGS, partition, "one") is None
        store.commit(THINGS, partition, [Put("one", {}, 0)])
        assert store.get(THINGS, partition, "two") is None
        assert store.get(OTHERS, partition, "one") is None
        assert store.get(THINGS, fresh("partition"), "one") is None

    def test_each_write_replaces_the_data_and_raises_the_version_by_one(
        self, store: Store, partition: str
    ) -> None:
        store.commit(THINGS, partition, [Put("one", {"a": 1, "b": 2}, 0)])
        for version in range(1, 5):
            store.commit(THINGS, partition, [Put("one", {"version": version + 1}, version)])
            row = store.get(THINGS, partition, "one")
            assert row == Row(partition, "one", version + 1, {"version": version + 1})

    @pytest.mark.parametrize(
        "write",
        [
            Put("row", {"n": 9}, 0),
            Put("row", {"n": 9}, 1),
            Put("row", {"n": 9}, 3),
            Put("missing", {"n": 9}, 1),
            Delete("row", 1),
            Delete("row", 3),
            Delete("missing", 1),
        ],
    )
    def test_a_write_at_another_version_is_a_conflict_that_names_the_row(
        self, store: Store, partition: str, write: Write
    ) -> None:
        _row_at_version_2(store, partition)
        with pytest.raises(Conflict) as caught:
            store.commit(THINGS, partition, [write])
        assert (caught.value.collection, caught.value.partition) == (THINGS, partition)
        assert caught.value.keys == (write.key,)
        assert _contents(store, partition) == [("row", 2, {"n": 2})]

    @pytest.mark.parametrize(
        "wrong",
        [
            Put("row", {"n": 9}, 1),
            Delete("row", 1),
            Check("row", 1),
            Check("row", 0),
            Check("missing", 1),
        ],
    )
    @pytest.mark.parametrize("first", [True, False])
    def test_a_commit_with_one_conflict_writes_nothing_at_all(
        self, store: Store, partition: str, wrong: Write, first: bool
    ) -> None:
        _row_at_version_2(store, partition)
        store.commit(THINGS, partition, [Put("old", {"n": 1}, 0)])
        good: list[Write] = [Put("new", {}, 0), Put("old", {"n": 2}, 1)]
        with pytest.raises(Conflict) as caught:
            store.commit(THINGS, partition, [wrong, *good] if first else [*good, wrong])
        assert caught.value.keys == (wrong.key,)
        assert _contents(store, partition) == [("old", 1, {"n": 1}), ("row", 2, {"n": 2})]

    def test_a_conflict_of_several_rows_names_some_of_them_and_no_others(
        self, store: Store, partition: str
    ) -> None:
        store.commit(THINGS, partition, [Put(key, {}, 0) for key in "abcd"])
        writes = [Put("a", {}, 1), Put("b", {}, 7), Put("c", {}, 1), Put("d", {}, 8)]
        with pytest.raises(Conflict) as caught:
            store.commit(THINGS, partition, writes)
        assert caught.value.keys
        assert set(caught.value.keys) <= {"b", "d"}

    def test_a_check_that_holds_lets_the_others_through_and_leaves_its_row(
        self, store: Store, partition: str
    ) -> None:
        _row_at_version_2(store, partition)
        store.commit(
            THINGS, partition, [Check("row", 2), Check("missing", 0), Put("new", {"n": 1}, 0)]
        )
        assert _contents(store, partition) == [("new", 1, {"n": 1}), ("row", 2, {"n": 2})]

    def test_a_commit_of_checks_alone_compares_and_writes_nothing(
        self, store: Store, partition: str
    ) -> None:
        _row_at_version_2(store, partition)
        store.commit(THINGS, partition, [Check("row", 2), Check("missing", 0)])
        with pytest.raises(Conflict):
            store.commit(THINGS, partition, [Check("row", 1)])
        assert _contents(store, partition) == [("row", 2, {"n": 2})]

    def test_a_deleted_row_is_gone_and_may_be_written_anew(
        self, store: Store, partition: str
    ) -> None:
        _row_at_version_2(store, partition)
        store.commit(THINGS, partition, [Delete("row", 2)])
        assert store.get(THINGS, partition, "row") is None
        assert _contents(store, partition) == []
        store.commit(THINGS, partition, [Put("row", {"again": True}, 0)])
        assert store.get(THINGS, partition, "row") == Row(partition, "row", 1, {"again": True})

    def test_one_commit_puts_deletes_and_checks_together(
        self, store: Store, partition: str
    ) -> None:
        store.commit(THINGS, partition, [Put(key, {"n": 1}, 0) for key in ("a", "b", "c")])
        writes: list[Write] = [
            Put("a", {"n": 2}, 1),
            Delete("b", 1),
            Check("c", 1),
            Put("d", {"n": 1}, 0),
        ]
        store.commit(THINGS, partition, writes)
        assert _contents(store, partition) == [
            ("a", 2, {"n": 2}),
            ("c", 1, {"n": 1}),
            ("d", 1, {"n": 1}),
        ]

    def test_partitions_and_collections_are_apart(self, store: Store, partition: str) -> None:
        other = fresh("partition")
        store.commit(THINGS, partition, [Put("one", {"at": "here"}, 0)])
        store.commit(THINGS, other, [Put("one", {"at": "there"}, 0)])
        store.commit(OTHERS, partition, [Put("one", {"at": "elsewhere"}, 0)])
        store.commit(THINGS, other, [Delete("one", 1)])
        assert _contents(store, partition) == [("one", 1, {"at": "here"})]
        elsewhere = store.get(OTHERS, partition, "one")
        assert elsewhere is not None
        assert elsewhere.data == {"at": "elsewhere"}

    def test_a_commit_takes_as_many_rows_as_the_limit(self, store: Store, partition: str) -> None:
        keys = [f"{number:03d}" for number in range(MAX_ROWS)]
        store.commit(THINGS, partition, [Put(key, {"n": 1}, 0) for key in keys])
        store.commit(THINGS, partition, [Put(key, {"n": 2}, 1) for key in keys])
        assert _contents(store, partition) == [(key, 2, {"n": 2}) for key in keys]
        store.commit(THINGS, partition, [Delete(key, 2) for key in keys])
        assert _contents(store, partition) == []

    @pytest.mark.parametrize(
        "writes",
        [
            [],
            [Put(f"{number:03d}", {}, 0) for number in range(MAX_ROWS + 1)],
            [Put("a", {}, 0), Put("a", {}, 0)],
            [Put("a", {}, 0), Check("a", 0)],
            [Put("a", {}, -1)],
            [Delete("a", 0)],
            [Check("a", -1)],
        ],
        ids=["none", "too_many", "twice", "put_and_check", "put_-1", "delete_0", "check_-1"],
    )
    def test_a_commit_beyond_the_limits_is_refused_and_writes_nothing(
        self, store: Store, partition: str, writes: Sequence[Write]
    ) -> None:
        with pytest.raises(InvalidWrite):
            store.commit(THINGS, partition, writes)
        assert _contents(store, partition) == []

    def test_a_row_may_be_as_large_as_the_limit_and_no_larger(
        self, store: Store, partition: str
    ) -> None:
        text = "x" * (MAX_ROW_BYTES - len('{"text":""}'))
        store.commit(THINGS, partition, [Put("large", {"text": text}, 0)])
        row = store.get(THINGS, partition, "large")
        assert row is not None
        assert row.data == {"text": text}
        with pytest.raises(InvalidWrite):
            store.commit(
                THINGS, partition, [Put("small", {}, 0), Put("larger", {"text": text + "x"}, 0)]
            )
        assert store.get(THINGS, partition, "small") is None

    def test_a_commit_may_be_as_large_as_the_limit_and_no_larger(
        self, store: Store, partition: str
    ) -> None:
        size = MAX_COMMIT_BYTES // 10
        text = "\\" * (size // 2 - len('{"text":""}')) + "x" * len('{"text":""}')
        writes: list[Write] = [Put(f"{number}", {"text": text}, 0) for number in range(10)]
        with pytest.raises(InvalidWrite):
            store.commit(THINGS, partition, [*writes, Put("more", {"text": text}, 0)])
        assert _contents(store, partition) == []
        store.commit(THINGS, partition, writes)
        assert _contents(store, partition) == [(put.key, 1, put.data) for put in writes]  # type: ignore[union-attr]  # all are puts

    @pytest.mark.parametrize("key", KEYS)
    def test_keys_and_partitions_may_hold_any_character(self, store: Store, key: str) -> None:
        partition, row_key = fresh("partition"), fresh("row")
        store.commit(OTHERS, partition, [Put(key, {"key": key}, 0)])
        assert store.get(OTHERS, partition, key) == Row(partition, key, 1, {"key": key})
        assert [row.key for row in store.scan(OTHERS, partition).rows] == [key]
        assert [row.key for row in store.scan(OTHERS, partition, prefix=key).rows] == [key]
        assert store.scan(OTHERS, partition, after=key).rows == ()
        store.commit(OTHERS, key, [Put(row_key, {}, 0)])
        assert store.get(OTHERS, key, row_key) == Row(key, row_key, 1, {})

    def test_keys_that_look_alike_are_different_rows(self, store: Store, partition: str) -> None:
        store.commit(THINGS, partition, [Put(key, {"key": key}, 0) for key in KEYS])
        for key in KEYS:
            row = store.get(THINGS, partition, key)
            assert row is not None
            assert row.data == {"key": key}
        assert [row.key for row in store.scan(THINGS, partition).rows] == sorted(KEYS)

    @pytest.mark.parametrize("key", BAD_KEYS, ids=ascii)
    def test_keys_and_partitions_that_no_store_takes_are_refused(
        self, store: Store, partition: str, key: str
    ) -> None:
        with pytest.raises(InvalidWrite):
            store.commit(THINGS, partition, [Put(key, {}, 0)])
        with pytest.raises(InvalidWrite):
            store.commit(THINGS, key, [Put("a", {}, 0)])

    def test_data_of_every_kind_comes_back_as_it_was(self, store: Store, partition: str) -> None:
        data: JsonObject = {
            "null": None,
            "true": True,
            "false": False,
            "zero": 0,
            "one": 1,
            "negative": -1,
            "beyond_32_bits": 2**31,
            "large": 2**53 - 1,
            "small": -(2**53) + 1,
            "half": 0.5,
            "empty": "",
            "text": 'ünï 日本 😀 "quoted" back\\slash \n\t\u0000 \u2028',
            "a list": [1, "1", True, None, [], {}, [[["deep"]]]],
            "object": {"": "an empty name", "a.b": 1, "$c": 2, "__d__": 3, "é/": {"n": {}}},
        }
        store.commit(THINGS, partition, [Put("row", data, 0)])
        row = store.get(THINGS, partition, "row")
        assert row is not None
        assert row.data == data
        assert _types(row.data) == _types(data)

    def test_what_was_given_or_read_may_be_changed_without_changing_the_row(
        self, store: Store, partition: str
    ) -> None:
        inner: list[Json] = [1]
        given: JsonObject = {"list": inner, "owner": partition}
        store.commit(THINGS, partition, [Put("row", given, 0)])
        inner.append(2)
        given["more"] = True
        expected = {"list": [1], "owner": partition}
        for row in (store.get(THINGS, partition, "row"), *store.scan(THINGS, partition).rows):
            assert row is not None
            assert row.data == expected
            row.data["list"] = "changed"
            row.data["more"] = True
        again = store.get(THINGS, partition, "row")
        assert again is not None
        assert again.data == expected

    @pytest.mark.parametrize(
        "ask",
        [
            lambda store, place: store.get("kit_undeclared", place, "a"),
            lambda store, place: store.scan("kit_undeclared", place),
            lambda store, place: store.query("kit_undeclared", "by_owner", "x"),
            lambda store, place: store.query(THINGS, "by_nothing", "x"),
            lambda store, place: store.query(OTHERS, "by_color", "x"),
            lambda store, place: store.commit("kit_undeclared", place, [Put("a", {}, 0)]),
        ],
        ids=["get", "scan", "query", "index", "index_of_another", "commit"],
    )
    def test_what_the_application_does_not_declare_is_a_configuration_error(
        self, store: Store, partition: str, ask: Callable[[Store, str], object]
    ) -> None:
        with pytest.raises(ConfigurationError, match=r"kit_undeclared|by_nothing|by_color"):
            ask(store, partition)


def _row_at_version_2(store: Store, partition: str) -> None:
    store.commit(THINGS, partition, [Put("row", {"n": 1}, 0)])
    store.commit(THINGS, partition, [Put("row", {"n": 2}, 1)])


def _contents(store: Store, partition: str) -> list[tuple[str, int, JsonObject]]:
    return [(row.key, row.version, row.data) for row in store.scan(THINGS, partition).rows]


def _types(value: object) -> object:
    """Give the shape of a value with its types, which `==` does not tell apart (1, True, 1.0)."""
    if isinstance(value, dict):
        return {name: _types(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_types(item) for item in value]
    return type(value)
