"""Keys of entities keep order and beginnings of the port's keys, in characters that Azure takes."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from cartwheel_azure._table_keys import (
    AFTER_ALL,
    KEPT,
    cut,
    encode,
    entity_key,
    joined,
    mirrored,
    start,
    table_name,
)

# Surrogates too: such a key is in no row, and asking for it must not fail.
TEXTS = st.text(
    st.characters() | st.characters(categories=["Cs"]) | st.sampled_from(" !#./~\uffff\U00010000"),
    max_size=20,
)
TUPLES = st.tuples(TEXTS, TEXTS, TEXTS)
REFUSED = set("/\\#?%'\"+") | {chr(point) for point in (*range(0x20), *range(0x7F, 0xA0))}


def units(text: str) -> bytes:
    """Give what Azure compares: UTF-16 units."""
    return text.encode("utf-16-be", "surrogatepass")


@given(TEXTS, TEXTS)
def test_codes_sort_as_their_texts_do_by_code_points(one: str, other: str) -> None:
    assert (units(encode(one)) < units(encode(other))) == (one < other)
    assert (encode(one) == encode(other)) == (one == other)


@given(TEXTS, TEXTS)
def test_a_code_begins_as_its_text_does(one: str, other: str) -> None:
    assert encode(one + other) == encode(one) + encode(other)
    assert encode(other).startswith(encode(one)) == other.startswith(one)
    assert encode(one + other) < encode(one) + AFTER_ALL


@given(TEXTS)
def test_keys_hold_nothing_that_azure_refuses_and_no_space(text: str) -> None:
    key = entity_key(text)
    assert key
    assert key.isascii()
    assert not REFUSED & set(key)
    assert " " not in key


@given(TUPLES, TUPLES)
def test_joined_codes_sort_as_tuples_do_and_mirrored_ones_the_other_way(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert (units(joined(one)) < units(joined(other))) == (one < other)
    assert (units(mirrored(joined(one))) < units(mirrored(joined(other)))) == (one > other)


@given(st.text(max_size=200), st.text(max_size=200))
def test_long_codes_are_cut_below_azures_limit_and_stay_apart_and_in_order(
    one: str, other: str
) -> None:
    long, longer = cut(encode(one) * 4), cut(encode(other) * 4)
    assert max(len(long), len(longer)) + 1 + 32 <= 512
    assert (long == longer) == (one == other)
    if start(long) != start(longer):
        assert (long < longer) == (encode(one) * 4 < encode(other) * 4)


def test_what_people_use_as_keys_stays_readable() -> None:
    assert entity_key("ord_01JABC-7:line,2") == "ord_01JABC-7:line,2"
    assert entity_key("order/7") == "order.17"
    assert entity_key("guard#x") == "guard!4x"
    assert entity_key("über") == "~00fcber"
    assert KEPT > 400


@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=2))
def test_names_of_tables_are_letters_and_digits_of_either_case(parts: list[str]) -> None:
    name = table_name("cw", *parts)
    assert name.isascii()
    assert name.isalnum()
    assert name == name.lower()
    assert 3 <= len(name) <= 63


def test_names_of_tables_are_apart() -> None:
    parts = [("a",), ("A",), ("a_b",), ("a", "b"), ("az", "b"), ("a", "zb"), ("azib",), ("x" * 99,)]
    assert len({table_name("cw", *each) for each in parts}) == len(parts)
    assert table_name("cw", "orders", "by_owner") == "cworderszibyzuowner"


def test_importing_the_adapter_loads_no_sdk() -> None:
    code = (
        "import sys, cartwheel_azure; print([m for m in sys.modules if m.split('.')[0] == 'azure'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
