"""What every Store promises of its secondary indexes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cartwheel.host import Host
from cartwheel.ports import (
    MAX_PAGE,
    Delete,
    InvalidWrite,
    Json,
    JsonObject,
    Put,
    Row,
    Store,
    Write,
)
from cartwheel.testing._base import Contract, OpenHost, fresh
from cartwheel.testing._store_app import OTHERS, THINGS, store_app


class StoreCase(Contract):
    """Opens the store that the parts of the contract look at."""

    @pytest.fixture
    def host(self, open_host: OpenHost) -> Iterator[Host]:
        """Give a host that is closed afterwards."""
        with open_host(store_app()) as host:
            yield host

    @pytest.fixture
    def store(self, host: Host) -> Store:
        """Give the host's store."""
        return host.ports.store

    @pytest.fixture
    def partition(self) -> str:
        """Make a partition that is empty yet."""
        return fresh("partition")

    @pytest.fixture
    def owner(self) -> str:
        """Make a value that no row has in its index yet."""
        return fresh("owner")


class StoreIndexes(StoreCase):
    """Holds a Store to what its port says of indexes, which may be behind for a moment."""

    def expect(
        self,
        host: Host,
        owner: str,
        keys: list[str],
        *,
        index: str = "by_owner",
        descending: bool = False,
    ) -> tuple[Row, ...]:
        """Wait until a query gives these rows in this order, and give them."""

        def look() -> bool:
            page = host.ports.store.query(THINGS, index, owner, descending=descending)
            return [row.key for row in page.rows] == keys

        self.eventually(host, look, f"index {index} with {keys} for {owner}")
        return host.ports.store.query(THINGS, index, owner, descending=descending).rows

    def test_a_query_gives_the_rows_with_exactly_this_value(
        self, host: Host, store: Store, partition: str, owner: str
    ) -> None:
        others = [owner.upper(), owner + "x", owner[:-1], f" {owner}", f"{owner}%"]
        rows = [Put(f"not{n}", {"owner": value}, 0) for n, value in enumerate(others)]
        store.commit(THINGS, partition, [*rows, Put("row", {"owner": owner, "n": 1}, 0)])
        found = self.expect(host, owner, ["row"])
        assert found == (Row(partition, "row", 1, {"owner": owner, "n": 1}),)
        assert store.query(THINGS, "by_owner", fresh("nobody")).rows == ()

    def test_a_row_without_the_field_or_with_null_in_it_is_not_in_the_index(
        self, host: Host, store: Store, partition: str, owner: str
    ) -> None:
        writes = [
            Put("absent", {"color": owner}, 0),
            Put("null", {"owner": None, "color": owner}, 0),
            Put("there", {"owner": owner, "color": owner}, 0),
        ]
        store.commit(THINGS, partition, writes)
        self.expect(host, owner, ["there"])
        self.expect(host, owner, ["absent", "null", "there"], index="by_color")

    def test_a_query_reaches_over_partitions_but_not_over_collections(
        self, host: Host, store: Store, owner: str
    ) -> None:
        places = sorted(fresh("partition") for _ in range(3))
        for place in reversed(places):
            store.commit(THINGS, place, [Put(key, {"color": owner}, 0) for key in "ba"])
        store.commit(OTHERS, places[0], [Put("z", {"owner": owner, "color": owner}, 0)])
        found = self.expect(host, owner, ["a", "b"] * 3, index="by_color")
        assert [row.partition for row in found] == [place for place in places for _ in "ab"]

    @pytest.mark.parametrize(
        "ranks",
        [
            [-(2**53) + 1, -(2**31) - 1, -10, -9, -1, 0, 1, 2, 9, 10, 11, 2**31, 2**53 - 1],
            ["", " ", "10", "9", "A", "B", "a", "a b", "aa", "b", "é", "\uffee", "😀"],
            ["2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.679Z", "2026-11-02T03:04:05.000Z"],
        ],
        ids=["integers", "strings", "times"],
    )
    def test_rows_come_in_the_order_of_the_sort_field_both_ways(
        self, host: Host, store: Store, partition: str, owner: str, ranks: list[Json]
    ) -> None:
        order = [f"row{(number * 7) % 13:02d}" for number in range(len(ranks))]
        writes = [
            Put(key, {"owner": owner, "rank": rank}, 0)
            for key, rank in sorted(zip(order, ranks, strict=True), key=lambda pair: pair[0])
        ]
        store.commit(THINGS, partition, writes)
        self.expect(host, owner, order)
        self.expect(host, owner, order[::-1], descending=True)

    def test_a_row_without_the_sort_field_is_in_the_index_all_the_same(
        self, host: Host, store: Store, partition: str, owner: str
    ) -> None:
        store.commit(THINGS, partition, [Put("row", {"owner": owner}, 0)])
        self.expect(host, owner, ["row"])

    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("limit", [1, 2, 3, 10, 11, 50])
    def test_the_pages_of_a_query_show_each_row_once(
        self, host: Host, store: Store, owner: str, limit: int, descending: bool
    ) -> None:
        order = [(rank, fresh("partition"), key) for rank in (1, 2) for key in "abcde"]
        for rank, place, key in order:
            store.commit(THINGS, place, [Put(key, {"owner": owner, "rank": rank}, 0)])
        keys = [key for _, _, key in sorted(order, reverse=descending)]
        self.expect(host, owner, keys, descending=descending)
        found: list[str] = []
        cursor: str | None = None
        while True:
            page = store.query(
                THINGS, "by_owner", owner, descending=descending, cursor=cursor, limit=limit
            )
            assert 0 < len(page.rows) <= limit
            found += [row.key for row in page.rows]
            cursor = page.next
            if cursor is None:
                break
        assert found == keys

    def test_a_page_of_a_query_has_at_most_the_limit_of_the_port(
        self, host: Host, store: Store, partition: str, owner: str
    ) -> None:
        keys = [f"{number:03d}" for number in range(MAX_PAGE + 1)]
        rows = [Put(key, {"owner": owner, "rank": n}, 0) for n, key in enumerate(keys)]
        store.commit(THINGS, partition, rows[:MAX_PAGE])
        store.commit(THINGS, partition, rows[MAX_PAGE:])
        self.expect(host, owner, keys[: -MAX_PAGE - 1 : -1], descending=True)
        page = store.query(THINGS, "by_owner", owner, limit=1000)
        assert [row.key for row in page.rows] == keys[:MAX_PAGE]
        rest = store.query(THINGS, "by_owner", owner, cursor=page.next)
        assert [row.key for row in rest.rows] == keys[MAX_PAGE:]

    def test_a_written_row_moves_in_its_indexes_and_a_deleted_one_leaves_them(
        self, host: Host, store: Store, partition: str, owner: str
    ) -> None:
        other = fresh("owner")
        store.commit(
            THINGS,
            partition,
            [Put(key, {"owner": owner, "rank": n}, 0) for n, key in enumerate("abcd")],
        )
        self.expect(host, owner, list("abcd"))
        writes: list[Write] = [
            Put("a", {"owner": owner, "rank": 9}, 1),
            Put("b", {"owner": other, "rank": 9}, 1),
            Put("c", {"rank": 9}, 1),
            Delete("d", 1),
        ]
        store.commit(THINGS, partition, writes)
        (found,) = self.expect(host, owner, ["a"])
        assert (found.version, found.data) == (2, {"owner": owner, "rank": 9})
        self.expect(host, other, ["b"])

    @pytest.mark.parametrize(
        "cursor", ["", "garbage", "=", "é", "WzFd", "bnVsbA", "[]", "0", "a" * 5000], ids=ascii
    )
    def test_a_cursor_that_no_query_gave_is_a_value_error(
        self, store: Store, owner: str, cursor: str
    ) -> None:
        with pytest.raises(ValueError, match="cursor"):
            store.query(THINGS, "by_owner", owner, cursor=cursor)

    def test_a_cursor_of_another_query_is_a_value_error(
        self, host: Host, store: Store, partition: str, owner: str
    ) -> None:
        data: JsonObject = {"owner": owner, "color": owner}
        store.commit(THINGS, partition, [Put(key, data, 0) for key in "abc"])
        self.expect(host, owner, ["a", "b", "c"])
        cursor = store.query(THINGS, "by_owner", owner, limit=1).next
        assert cursor is not None
        with pytest.raises(ValueError, match="cursor"):
            store.query(THINGS, "by_owner", fresh("owner"), cursor=cursor)
        with pytest.raises(ValueError, match="cursor"):
            store.query(THINGS, "by_color", owner, cursor=cursor)
        with pytest.raises(ValueError, match="cursor"):
            store.query(OTHERS, "by_owner", owner, cursor=cursor)
        with pytest.raises(ValueError, match="cursor"):
            store.query(THINGS, "by_owner", owner, descending=True, cursor=cursor)

    def test_a_row_read_by_a_query_may_be_changed_without_changing_the_row(
        self, host: Host, store: Store, partition: str, owner: str
    ) -> None:
        store.commit(THINGS, partition, [Put("row", {"owner": owner, "list": [1]}, 0)])
        (row,) = self.expect(host, owner, ["row"])
        row.data["list"] = "changed"
        (again,) = self.expect(host, owner, ["row"])
        assert again.data == {"owner": owner, "list": [1]}

    @pytest.mark.parametrize(
        "data",
        [
            {"owner": 1},
            {"owner": True},
            {"owner": ["a"]},
            {"owner": "a", "rank": 0.5},
            {"owner": "a", "rank": True},
            {"owner": "a", "rank": [1]},
            {"owner": "a", "rank": 2**53},
        ],
        ids=str,
    )
    def test_a_value_that_an_index_cannot_hold_is_refused_and_nothing_is_written(
        self, store: Store, partition: str, data: JsonObject
    ) -> None:
        with pytest.raises(InvalidWrite):
            store.commit(THINGS, partition, [Put("good", {}, 0), Put("bad", data, 0)])
        assert store.scan(THINGS, partition).rows == ()
