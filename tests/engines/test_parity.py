"""The parity page says what the tests demand."""

from __future__ import annotations

from tests.engines._ports import CONTRACTS, ELSE, HELD, TESTS, held
from tests.engines.parity import PATH, text


def test_the_parity_page_is_up_to_date() -> None:
    assert PATH.read_text(encoding="utf-8") == text(), "run make parity"


def test_every_adapter_that_opens_hosts_is_held_to_every_contract() -> None:
    for adapter in ("memory", "local", "aws"):
        assert sorted(held(adapter)) == sorted(CONTRACTS), adapter
    assert {adapter: len(held(adapter)) for adapter in HELD}["gcp"] >= 2


def test_what_is_named_beside_the_contracts_is_there() -> None:
    assert [path for path in ELSE.values() if not (TESTS / path).is_file()] == []


def test_gaps_are_read_with_their_reasons() -> None:
    gaps = {gap.test: gap.reason for found in held("aws").values() for gap in found.gaps}
    assert len(gaps) >= 3
    assert all(len(reason) > 20 and "{" not in reason for reason in gaps.values())
