"""Signed webhooks: only ours, only now, and no header can raise anything but a refusal."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cartwheel.ports import Secret
from cartwheel.webhooks import (
    ID,
    SIGNATURE,
    TIMESTAMP,
    TOLERANCE,
    WebhookRefused,
    signed_headers,
    verified_id,
)

KEY, OTHER = Secret("our key"), Secret("another key")
NOW, BODY = 1_800_000_000.0, b'{"type":"charge.captured"}'
Headers = dict[str, tuple[str, ...]]


def sent(key: Secret = KEY, *, at: float = NOW, body: bytes = BODY) -> Headers:
    return {name: (value,) for name, value in signed_headers(key, "msg_1", at, body).items()}


def refused(headers: Headers, body: bytes = BODY) -> bool:
    try:
        verified_id(KEY, headers, body, NOW)
    except WebhookRefused:
        return True
    return False


def test_a_webhook_of_ours_gives_its_id() -> None:
    assert verified_id(KEY, sent(), BODY, NOW) == "msg_1"


def test_one_right_signature_of_several_is_enough() -> None:
    both = f"v1a,x {sent(OTHER)[SIGNATURE][0]} {sent()[SIGNATURE][0]}"
    assert verified_id(KEY, {**sent(), SIGNATURE: (both,)}, BODY, NOW) == "msg_1"


@pytest.mark.parametrize(
    ("off", "good"),
    [(0, True), (-TOLERANCE, True), (TOLERANCE, True), (-TOLERANCE - 1, False), (301, False)],
)
def test_a_webhooks_time_may_be_five_minutes_off_to_either_side(off: int, good: bool) -> None:
    assert refused(sent(at=NOW + off)) is not good


CHANGES: dict[str, Headers] = {
    "another key": sent(OTHER),
    "another id": {**sent(), ID: ("msg_2",)},
    "another time": {**sent(), TIMESTAMP: (str(int(NOW) + 1),)},
    "another body": sent(body=BODY + b" "),
    "another version": {**sent(), SIGNATURE: (sent()[SIGNATURE][0].replace("v1,", "v2,"),)},
    "no version": {**sent(), SIGNATURE: (sent()[SIGNATURE][0].removeprefix("v1,"),)},
    "no signature": {**sent(), SIGNATURE: ("",)},
    "an empty v1": {**sent(), SIGNATURE: ("v1,",)},
    "text that is not ASCII": {**sent(), SIGNATURE: ("v1,é\ud800",)},
    "a short digest": {**sent(), SIGNATURE: ("v1," + base64.b64encode(b"x").decode(),)},
    "two signatures headers": {**sent(), SIGNATURE: sent()[SIGNATURE] * 2},
    "two ids": {**sent(), ID: ("msg_1", "msg_1")},
    "a time with a sign": {**sent(), TIMESTAMP: (f"+{int(NOW)}",)},
    "a time with a fraction": {**sent(), TIMESTAMP: (f"{NOW}",)},
    "a time of other digits": {**sent(), TIMESTAMP: ("١٨٠٠٠٠٠٠٠٠",)},
    "an endless time": {**sent(), TIMESTAMP: ("9" * 5000,)},
    "the right one as the eleventh": {
        **sent(),
        SIGNATURE: ("v1,x " * 10 + sent()[SIGNATURE][0],),
    },
    **{f"without {name}": {**sent(), name: ()} for name in (ID, TIMESTAMP, SIGNATURE)},
    "nothing at all": {},
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_not_exactly_what_was_signed_is_refused(name: str) -> None:
    assert refused(CHANGES[name])


@settings(max_examples=300)
@given(
    st.dictionaries(
        st.sampled_from([ID, TIMESTAMP, SIGNATURE]), st.lists(st.text(), max_size=2).map(tuple)
    ),
    st.binary(max_size=20),
)
def test_no_header_raises_anything_but_a_refusal(headers: Headers, body: bytes) -> None:
    assert refused({**sent(), **headers} if headers else {}, body)
