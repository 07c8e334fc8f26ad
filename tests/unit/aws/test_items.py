"""Rows as items of DynamoDB: every limit is kept, and no order is lost that has room."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from cartwheel.ports import MAX_KEY_BYTES, Collection, Index, Put
from cartwheel_aws._items import cut, encodable, indexed, item_of, order_of, row_of, storable

SORTS = st.text(st.sampled_from("\0\1\2 aé\uffff😀"), max_size=6)
KEYS = st.text(st.sampled_from(" aé\uffff😀"), min_size=1, max_size=4)
LONG = st.builds(
    lambda size, tail: "x" * size + tail,
    st.integers(1010, 1026),
    st.text(st.sampled_from("aé\uffff😀"), max_size=8),
)


@given(st.tuples(SORTS, KEYS, KEYS), st.tuples(SORTS, KEYS, KEYS))
def test_the_order_of_an_index_is_that_of_sort_partition_and_key(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    first, second = order_of(*one), order_of(*other)
    assert (first < second) == (one < other)
    assert (first == second) == (one == other)


@given(LONG, LONG)
def test_cutting_fits_1024_bytes_and_turns_no_order_round(one: str, other: str) -> None:
    first, second = cut(one), cut(other)
    assert len(first.encode()) <= 1024
    assert one.startswith(first)
    if one.encode()[:1021] != other.encode()[:1021]:
        assert (first < second) == (one < other)
    else:
        assert first == second or (first < second) == (one < other)


def test_keys_of_the_longest_kind_are_ordered_but_for_their_last_bytes() -> None:
    partition = "p" * MAX_KEY_BYTES
    keys = ["k" * (MAX_KEY_BYTES - 6) + f"{number}" for number in (1, 2, 3)]
    orders = [order_of("", partition, key) for key in keys]
    assert orders == sorted(set(orders))


@given(st.text(max_size=10) | st.text(st.sampled_from("xü"), min_size=1020, max_size=2060))
def test_an_indexed_value_fits_and_stands_for_itself_where_it_can(value: str) -> None:
    if not encodable(value):
        return
    kept = indexed(value)
    assert 0 < len(kept.encode()) <= 2048
    assert (kept == value) == (0 < len(value.encode()) <= 2048 and value[0] != "\0")


def test_values_that_differ_are_kept_apart() -> None:
    values = ["", "\0", "\0\0", "a", "x" * 2048, "x" * 2049, "x" * 2050, indexed("")]
    assert len({indexed(value) for value in values}) == len(values)


def test_a_lone_surrogate_in_data_survives() -> None:
    data: dict[str, object] = {"half": "\ud800", "nul": "\0"}
    item = item_of(Collection("c"), "p", Put("k", data, 4), "nonce")  # type: ignore[arg-type]  # texts
    assert item["d"]["S"].isascii()
    row = row_of(item)
    assert (row.version, row.data) == (5, data)


def test_a_row_is_in_the_indexes_whose_field_it_has() -> None:
    things = Collection("things", (Index("by_a", "a"), Index("by_b", "b", sort="n")))
    item = item_of(things, "p", Put("k", {"b": "x", "n": 0}, 0), "nonce")
    assert item["by_b.value"] == {"S": "x"}
    assert item["by_b.order"] == {"S": f"1{2**53:017d}\0p\0k"}
    assert not [name for name in item if name.startswith("by_a")]


def test_no_row_has_an_empty_key_a_long_one_or_half_a_character() -> None:
    assert storable("a", "é" * (MAX_KEY_BYTES // 2))
    for bad in ("", "a" * (MAX_KEY_BYTES + 1), "é" * MAX_KEY_BYTES, "\ud800"):
        assert not storable("a", bad)


def test_the_adapter_imports_no_sdk() -> None:
    code = "import sys, cartwheel_aws; assert not {'boto3', 'botocore'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
