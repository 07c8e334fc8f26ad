"""What a body may be, and everything that two readers could read differently."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cartwheel.http import InvalidJson
from cartwheel.http._strict_json import MAX_DEPTH, MAX_INT, _read, canonical, read_json
from cartwheel.ports import Json

REFUSED = {
    "a duplicate name": (b'{"a":1,"a":1}', '"a" twice'),
    "a duplicate name deep down": (b'[{"x":{"b":1,"c":2,"b":3}}]', '"b" twice'),
    "a duplicate name in another spelling": (b'{"a":1,"\\u0061":2}', '"a" twice'),
    "a float": (b'{"amount":12.99}', "12.99"),
    "a float that is whole": (b"1.0", "1.0"),
    "an exponent": (b"1e3", "1e3"),
    "NaN": (b"NaN", "NaN"),
    "Infinity": (b"[Infinity]", "Infinity"),
    "negative Infinity": (b"[-Infinity]", "-Infinity"),
    "an integer beyond 2^53": (b"9007199254740992", "2^53"),
    "a negative integer beyond 2^53": (b"-9007199254740992", "2^53"),
    "an integer of 10,000 digits": (b"9" * 10_000, "2^53"),
    "deep arrays": (b"[" * 33 + b"]" * 33, "deeper than 32"),
    "deep objects": (b'{"a":' * 33 + b"1" + b"}" * 33, "deeper than 32"),
    "arrays that never end": (b"[" * 200_000, "deeper than 32"),
    "a lone high surrogate": (b'"\\ud800"', "surrogate"),
    "a lone low surrogate": (b'{"a":"x\\uDC00y"}', "surrogate"),
    "a lone surrogate in a name": (b'{"\\ud800":1}', "surrogate"),
    "surrogates in UTF-8": (b'"\xed\xa0\x80"', "UTF-8 at byte 1"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "byte order mark"),
    "UTF-16": ('{"a":1}'.encode("utf-16"), "UTF-8"),
    "Latin-1": (b'"caf\xe9"', "UTF-8 at byte 4"),
    "a raw newline in a string": (b'"a\nb"', "line 1"),
    "a NUL byte": (b"\x00", "line 1"),
    "a trailing comma": (b"[1,]", "not JSON"),
    "single quotes": (b"{'a':1}", "not JSON"),
    "a comment": (b"{} // no", "not JSON"),
    "two values": (b"{}{}", "not JSON"),
    "blanks alone": (b"  ", "not JSON"),
    "a leading zero": (b"007", "not JSON"),
    "a plus sign": (b"+1", "not JSON"),
    "a cut-off string": (b'{"a":"b', "not JSON"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_body_of_two_meanings_is_refused(what: str) -> None:
    body, told = REFUSED[what]
    with pytest.raises(InvalidJson) as caught:
        read_json(body)
    assert told in caught.value.message
    assert len(caught.value.message) < 250


def test_brackets_within_strings_do_not_nest() -> None:
    text = "[" * 100 + '\\"' + "{" * 100
    assert read_json(f'["{text}"]'.encode()) == [text.replace('\\"', '"')]


def test_as_deep_as_allowed_is_read() -> None:
    value = read_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    assert canonical(value) == "[" * MAX_DEPTH + "]" * MAX_DEPTH


def test_a_quadratic_scan_cannot_be_provoked() -> None:
    with pytest.raises(InvalidJson):
        read_json(b"[" * 40 + b'\\"' * 100_000)


def test_whole_surrogate_pairs_are_characters() -> None:
    assert read_json(b'"\\ud83d\\ude00"') == "\U0001f600"


_JSON: st.SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INT, MAX_INT)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


@given(_JSON, st.booleans())
def test_every_other_json_is_read_as_it_is(value: Json, plain: bool) -> None:
    body = json.dumps(value, ensure_ascii=plain).encode()
    assert read_json(body) == value


@given(st.binary())
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        value = read_json(body)
    except InvalidJson:
        return
    assert read_json(canonical(value).encode()) == value


_PIECES = st.sampled_from(
    [
        *[
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            '"',
            '"a"',
            '"b"',
            '"a":',
            '"b":1',
            '"a":1',
            " ",
            "\n",
            "\t",
        ],
        *["1", "0", "-", "01", "1.5", "1e5", "1E5", "-0", "9007199254740992", "123456789012345"],
        *["true", "false", "null", "NaN", "Infinity", "-Infinity", "\\u0061", "\\", "\ufeff", "é"],
        *['":"', '"::"', '": "', "\x00", "\x1f", "\x7f", '"a":{"a":1}', '{"a":1,"a":2}', "\ud800"],
    ]
)


@settings(max_examples=1500)
@given(st.lists(_PIECES, max_size=14).map("".join))
def test_the_quick_look_never_differs_from_the_thorough_one(text: str) -> None:
    _compare(text.encode("utf-8", "surrogatepass"))


@settings(max_examples=500)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(':"\\ab {é', max_size=6),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text(':"ab', max_size=3), inner, max_size=4)
        ),
        max_leaves=20,
    ),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)
def test_the_quick_look_reads_what_was_written(value: Json, indent: int, ascii_: bool) -> None:
    _compare(json.dumps(value, indent=indent, ensure_ascii=ascii_).encode())


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":1}',
        b'{"a" :1, "a":2}',
        b'{"a" : 1,"b":":", "a":2}',
        b'[{"a":{"b":1},"a":{"b":1}}]',
        b'{"":1,"":2}',
        b'{"a":{"x":":"},"a":"::"}',
    ],
)
def test_a_duplicate_name_is_seen_however_it_is_written(body: bytes) -> None:
    with pytest.raises(InvalidJson, match="twice"):
        read_json(body)


def _compare(body: bytes) -> None:
    assert _outcome(read_json, body) == _outcome(_read, body)


def _outcome(read: Callable[[bytes], Json], body: bytes) -> str:
    try:
        return json.dumps(read(body))
    except InvalidJson as error:
        return error.message
