"""The parity page says what the tests demand."""

from __future__ import annotations

from tests.engines.parity import PATH, text


def test_the_parity_page_is_up_to_date() -> None:
    assert PATH.read_text(encoding="utf-8") == text(), "run make parity"
