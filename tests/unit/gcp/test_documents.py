"""How a row lies in Firestore: ids that Firestore takes, indexes as its tools read them."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cartwheel.ports import MAX_KEY_BYTES, Collection, Index, InvalidWrite
from cartwheel_gcp import exemptions_of, indexes_of
from cartwheel_gcp._documents import MAX_ID_BYTES, MAX_INDEXED_BYTES, document_id, index_fields

KEY = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=[chr(code) for code in range(32)]),
    min_size=1,
).filter(lambda key: len(key.encode()) <= MAX_KEY_BYTES)
TRICKY = st.text("~/:_.0123a", min_size=1, max_size=6)
ANY_KEY = KEY | TRICKY
LARGE = st.builds(str.__mul__, st.sampled_from("~/:_é😀a"), st.integers(100, MAX_KEY_BYTES)).filter(
    lambda key: len(key.encode()) <= MAX_KEY_BYTES
)
PLACE = st.tuples(ANY_KEY | LARGE, ANY_KEY | LARGE)


@pytest.mark.parametrize(
    ("partition", "key", "expected"),
    [
        ("order-1", "lines#2", "order-1:lines#2"),
        ("a/b", "c:d~e", "a~1b:c~2d~0e"),
        (".", "..", ".:.."),
        ("__a", "b__", "~3_a:b__"),
        ("ünï", "日本", "ünï:日本"),
    ],
)
def test_an_id_reads_like_its_place(partition: str, key: str, expected: str) -> None:
    assert document_id(partition, key) == expected


@given(PLACE)
def test_firestore_takes_every_id(place: tuple[str, str]) -> None:
    given = document_id(*place)
    assert 0 < len(given.encode()) <= MAX_ID_BYTES
    assert "/" not in given
    assert given not in {".", ".."}
    assert not re.fullmatch("__.*__", given, re.DOTALL)


@given(PLACE, PLACE)
def test_two_places_never_share_an_id(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (document_id(*one) == document_id(*other)) == (one == other)


def test_an_id_that_is_made_to_look_like_a_digest_is_another_one() -> None:
    large = document_id("~" * MAX_KEY_BYTES, "~" * MAX_KEY_BYTES)
    assert len(large.encode()) == MAX_ID_BYTES
    kept, digest = large.rsplit("~~", 1)
    assert re.fullmatch("[0-9a-f]{64}", digest)
    assert document_id("~" * MAX_KEY_BYTES, "~" * (MAX_KEY_BYTES - 1) + "/") != large
    # Of the signs that follow a tilde in an escaped key none is another tilde.
    assert "~~" not in document_id("~~", "~~")
    assert kept.startswith("~0~0")


def test_an_index_takes_strings_up_to_what_firestore_compares() -> None:
    things = Collection("things", (Index("by_owner", "owner", sort="rank"),))
    fits = "é" * (MAX_INDEXED_BYTES // 2)
    assert index_fields(things, {"owner": fits})["by_owner"]["value"] == fits
    for data in ({"owner": fits + "é"}, {"owner": "a", "rank": fits + "é"}):
        with pytest.raises(InvalidWrite, match="by_owner"):
            index_fields(things, data)


def test_indexes_and_exemptions_are_what_the_tools_of_firestore_read() -> None:
    things = Collection("things", (Index("by-owner", "owner", sort="rank"),))
    assert json.loads(json.dumps(indexes_of(things))) == [
        {
            "collectionGroup": "things",
            "queryScope": "COLLECTION",
            "fields": [
                {"fieldPath": "partition", "order": "ASCENDING"},
                {"fieldPath": "key", "order": "ASCENDING"},
            ],
        },
        *(
            {
                "collectionGroup": "things",
                "queryScope": "COLLECTION",
                "fields": [
                    {"fieldPath": "indexes.`by-owner`.value", "order": "ASCENDING"},
                    {"fieldPath": "indexes.`by-owner`.sort", "order": way},
                    {"fieldPath": "partition", "order": way},
                    {"fieldPath": "key", "order": way},
                ],
            }
            for way in ("ASCENDING", "DESCENDING")
        ),
    ]
    assert exemptions_of(things)[0] == {
        "collectionGroup": "things",
        "fieldPath": "partition",
        "indexes": [],
    }
    exempt = {each["fieldPath"] for each in exemptions_of(things)}
    assert exempt == {"partition", "key", "version", "data", "commit", "indexes"}


def test_importing_the_adapter_loads_no_library_of_googles() -> None:
    code = (
        "import sys, cartwheel_gcp, cartwheel_gcp.plugin;"
        "print(sorted({'google', 'grpc', 'flask', 'werkzeug'} & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert told.stdout.strip() == "[]"
