"""The store on SQLite answers as the one in memory does, and follows changed declarations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cartwheel.app import App, Service
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import (
    ConfigurationError,
    Conflict,
    Delete,
    Index,
    Page,
    Put,
    Row,
    Store,
    Write,
)
from cartwheel_local import LocalHost
from cartwheel_memory import MemoryHost

KEYS = st.sampled_from(["a", "a/1", "a/2", "b", "é", "\U0010ffff", "\U0010ffffz", "'%_"])
PARTITIONS = st.sampled_from(["p", "q"])
COLOURS = st.sampled_from(["red", "blue", ""])
DATA = st.fixed_dictionaries(
    {},
    optional={
        "colour": st.none() | COLOURS,
        "rank": st.none() | st.integers(-(2**53) + 1, 2**53 - 1) | st.sampled_from(["", "x", "é"]),
    },
)
Step = tuple[Literal["put", "delete"], str, str, dict[str, str | int | None]]
STEPS = st.lists(st.tuples(st.sampled_from(["put", "delete"]), PARTITIONS, KEYS, DATA), max_size=25)


def colours(*indexes: Index) -> App:
    """Make an application with one collection."""
    service = Service("demo")
    service.collection("things", *indexes)
    return App("demo", services=[service])


BY_COLOUR = Index("by_colour", "colour", "rank")
BY_RANK = Index("by_rank", "colour")


def quiet(folder: Path) -> HostOptions:
    """Give options for a host without threads."""
    return HostOptions(data=folder, background=False, log=discard)


def apply(store: Store, steps: Sequence[Step]) -> list[str]:
    """Do the steps at the versions that are there, and some at a wrong one; list the conflicts."""
    conflicts: list[str] = []
    for number, (kind, partition, key, data) in enumerate(steps):
        row = store.get("things", partition, key)
        version = row.version if row else 0
        write: Write
        if kind == "put":
            write = Put(key, data, version + (number % 7 == 6))
        else:
            write = Delete(key, max(1, version))
        try:
            store.commit("things", partition, [write])
        except Conflict as conflict:
            conflicts.append(str(conflict))
    return conflicts


def everything(store: Store) -> list[Row]:
    """Read all that listings show, in small pages, forwards and backwards."""
    found: list[Row] = []
    for partition in ("p", "q"):
        for prefix in ("", "a", "a/", "\U0010ffff", "zz"):
            after: str | None = None
            page = Page((), "")
            while page.next is not None:
                page = store.scan("things", partition, prefix=prefix, after=after, limit=2)
                found += page.rows
                after = page.next
        found += store.scan("things", partition, prefix="a/", after="a/1").rows
        found += store.scan("things", partition, prefix="b", after="a").rows
    for index in ("by_colour", "by_rank"):
        for value in ("red", "blue", ""):
            for descending in (False, True):
                cursor: str | None = None
                page = Page((), "")
                while page.next is not None:
                    page = store.query(
                        "things", index, value, descending=descending, cursor=cursor, limit=2
                    )
                    found += page.rows
                    cursor = page.next
    return found


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_both_stores_answer_alike(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    app = colours(BY_COLOUR, BY_RANK)
    folder = tmp_path_factory.mktemp("data")
    with LocalHost(app, quiet(folder)) as local, MemoryHost(app, quiet(folder)) as memory:
        assert apply(local.ports.store, steps) == apply(memory.ports.store, steps)
        assert everything(local.ports.store) == everything(memory.ports.store)


def keys(host: LocalHost, index: str, value: str) -> list[str]:
    """Read the keys of a query."""
    return [row.key for row in host.ports.store.query("things", index, value).rows]


def test_an_index_that_is_declared_later_finds_the_rows_of_before(tmp_path: Path) -> None:
    with LocalHost(colours(), quiet(tmp_path)) as host:
        rows = [Put(str(n), {"colour": "red", "rank": -n}, 0) for n in range(3)]
        host.ports.store.commit("things", "p", rows)
    with LocalHost(colours(BY_COLOUR), quiet(tmp_path)) as host:
        assert keys(host, "by_colour", "red") == ["2", "1", "0"]
    with LocalHost(colours(Index("by_colour", "colour")), quiet(tmp_path)) as host:
        assert keys(host, "by_colour", "red") == ["0", "1", "2"]
        host.ports.store.commit("things", "p", [Delete("1", 1)])
        assert keys(host, "by_colour", "red") == ["0", "2"]


def test_an_index_that_was_away_is_up_to_date_when_it_is_back(tmp_path: Path) -> None:
    with LocalHost(colours(BY_COLOUR), quiet(tmp_path)) as host:
        host.ports.store.commit("things", "p", [Put("a", {"colour": "red"}, 0)])
    with LocalHost(colours(), quiet(tmp_path)) as host:
        host.ports.store.commit("things", "p", [Put("a", {"colour": "blue"}, 1)])
    with LocalHost(colours(BY_COLOUR), quiet(tmp_path)) as host:
        assert (keys(host, "by_colour", "red"), keys(host, "by_colour", "blue")) == ([], ["a"])


def test_rows_that_do_not_fit_a_new_index_are_named(tmp_path: Path) -> None:
    with LocalHost(colours(), quiet(tmp_path)) as host:
        host.ports.store.commit("things", "p", [Put("a", {"colour": 7}, 0)])
    with pytest.raises(ConfigurationError, match=r"by_colour.*stored row p/a"):
        LocalHost(colours(BY_COLOUR), quiet(tmp_path))
    LocalHost(colours(), quiet(tmp_path)).close()
