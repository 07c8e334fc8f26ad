"""What every Store promises to writers at the same time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from cartwheel.ports import Conflict, Put, Row, Store
from cartwheel.testing._store_app import THINGS
from cartwheel.testing._store_indexes import StoreCase

THREADS = 16


class StoreRaces(StoreCase):
    """Holds a Store to what its port says of versions, with 16 threads."""

    def test_of_16_writers_of_one_version_exactly_one_wins(
        self, store: Store, partition: str
    ) -> None:
        def work(writer: int, version: int) -> bool:
            try:
                store.commit(THINGS, partition, [Put("row", {"by": writer}, version)])
            except Conflict:
                return False
            return True

        for version in range(5):
            wins = _at_once(work, version)
            assert wins.count(True) == 1
            row = store.get(THINGS, partition, "row")
            assert row is not None
            assert (row.version, row.data) == (version + 1, {"by": wins.index(True)})

    def test_writers_of_different_rows_do_not_hinder_each_other(
        self, store: Store, partition: str
    ) -> None:
        def work(writer: int, rounds: int) -> bool:
            for version in range(rounds):
                store.commit(THINGS, partition, [Put(f"row{writer}", {"n": version}, version)])
            return True

        assert _at_once(work, 3) == [True] * THREADS
        rows = store.scan(THINGS, partition).rows
        assert [row.version for row in rows] == [3] * THREADS

    def test_no_write_is_lost_when_16_threads_count_together(
        self, store: Store, partition: str
    ) -> None:
        store.commit(THINGS, partition, [Put("count", {"n": 0}, 0)])

        def work(_: int, rounds: int) -> bool:
            done = 0
            while done < rounds:
                row = store.get(THINGS, partition, "count")
                assert row is not None
                count = row.data["n"]
                assert isinstance(count, int)
                try:
                    store.commit(THINGS, partition, [Put("count", {"n": count + 1}, row.version)])
                except Conflict:
                    continue
                done += 1
            return True

        _at_once(work, 3)
        found = store.get(THINGS, partition, "count")
        assert found == Row(partition, "count", 3 * THREADS + 1, {"n": 3 * THREADS})


def _at_once(work: Callable[[int, int], bool], argument: int) -> list[bool]:
    barrier = Barrier(THREADS)

    def run(number: int) -> bool:
        barrier.wait()
        return work(number, argument)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))
