"""A line of log is one line of JSON that says the same, whatever is in it."""

from __future__ import annotations

import json
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from cartwheel.log import Log, discard
from cartwheel.ports import Secret
from cartwheel.realtime import RealClock

VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=()))
    | st.dates()
    | st.lists(st.integers(), max_size=2)
)


def read(value: object) -> tuple[str, object]:
    lines: list[str] = []
    Log(RealClock(), lines.append).info("said", value=value)
    (line,) = lines
    return line, json.loads(line)["value"]


@given(VALUES)
def test_a_value_is_read_back(value: object) -> None:
    line, found = read(value)
    assert line.isascii()
    assert line.isprintable()
    assert found == (str(value) if isinstance(value, date) else value)
    assert type(found) is (str if isinstance(value, date) else type(value))


def test_a_secret_is_not_told() -> None:
    line, _ = read(Secret("a canary"))
    assert "canary" not in line
    assert "canary" not in read([Secret("a canary")])[0]
    assert "canary" not in read({"a": Secret("a canary")})[0]


def test_a_log_that_is_dropped_says_so() -> None:
    assert Log(RealClock(), discard).bind(request_id="r").silent
    lines: list[str] = []
    assert not Log(RealClock(), lines.append).silent
