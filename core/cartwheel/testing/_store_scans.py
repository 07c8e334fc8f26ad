"""What every Store promises of scans."""

from __future__ import annotations

import pytest

from cartwheel.ports import MAX_PAGE, Put, Store
from cartwheel.testing._store_app import THINGS
from cartwheel.testing._store_indexes import StoreCase


class StoreScans(StoreCase):
    """Holds a Store to what its port says of scans."""

    def test_a_scan_gives_rows_in_the_order_of_code_points(
        self, store: Store, partition: str
    ) -> None:
        keys = ["b", "a", "B", "10", "9", "é", "z", "\uffee", "😀", "a/", "a#", "aa", "a b"]
        store.commit(THINGS, partition, [Put(key, {}, 0) for key in keys])
        assert [row.key for row in store.scan(THINGS, partition).rows] == sorted(keys)

    def test_a_scan_keeps_to_its_prefix(self, store: Store, partition: str) -> None:
        keys = ["a", "a%", "a_", "a_b", "aXb", "a#1", "a#2", "b", "a\uffff", "a😀", "A"]
        store.commit(THINGS, partition, [Put(key, {}, 0) for key in keys])
        for prefix in ("", "a", "a_", "a%", "a#", "a\uffff", "b", "c", "a#1x"):
            found = [row.key for row in store.scan(THINGS, partition, prefix=prefix).rows]
            assert found == sorted(key for key in keys if key.startswith(prefix))

    def test_a_scan_goes_on_after_a_key_whether_it_exists_or_not(
        self, store: Store, partition: str
    ) -> None:
        store.commit(THINGS, partition, [Put(key, {}, 0) for key in ("a1", "a3", "b1")])
        for after, expected in {
            "a1": ["a3", "b1"],
            "a2": ["a3", "b1"],
            "a": ["a1", "a3", "b1"],
            "b1": [],
            "z": [],
        }.items():
            assert [r.key for r in store.scan(THINGS, partition, after=after).rows] == expected
        found = store.scan(THINGS, partition, prefix="a", after="a1").rows
        assert [row.key for row in found] == ["a3"]
        assert store.scan(THINGS, partition, prefix="a", after="b").rows == ()

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 50])
    def test_the_pages_of_a_scan_show_each_row_once(
        self, store: Store, partition: str, limit: int
    ) -> None:
        keys = [f"k{number}" for number in range(7)]
        store.commit(THINGS, partition, [Put(key, {}, 0) for key in [*keys, "other"]])
        found: list[str] = []
        after: str | None = None
        while True:
            page = store.scan(THINGS, partition, prefix="k", after=after, limit=limit)
            assert len(page.rows) <= limit
            found += [row.key for row in page.rows]
            after = page.next
            if after is None:
                break
            assert after == page.rows[-1].key
        assert found == keys

    def test_a_page_of_a_scan_has_at_most_the_limit_of_the_port(
        self, store: Store, partition: str
    ) -> None:
        keys = [f"{number:03d}" for number in range(MAX_PAGE + 30)]
        store.commit(THINGS, partition, [Put(key, {}, 0) for key in keys[:MAX_PAGE]])
        store.commit(THINGS, partition, [Put(key, {}, 0) for key in keys[MAX_PAGE:]])
        for page in (store.scan(THINGS, partition), store.scan(THINGS, partition, limit=1000)):
            assert [row.key for row in page.rows] == keys[:MAX_PAGE]
            assert page.next == keys[MAX_PAGE - 1]
        rest = store.scan(THINGS, partition, after=keys[MAX_PAGE - 1])
        assert [row.key for row in rest.rows] == keys[MAX_PAGE:]
        assert rest.next is None

    def test_a_scan_of_an_empty_partition_is_empty(self, store: Store, partition: str) -> None:
        page = store.scan(THINGS, partition)
        assert (page.rows, page.next) == ((), None)
