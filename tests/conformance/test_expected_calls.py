"""The corpus's own pattern of calls takes every promised order and no other."""

from __future__ import annotations

from itertools import permutations

import pytest

from cartwheel.testing.corpus import Called, Pattern, do, first_difference, par, seq, tries


def calls(text: str) -> list[Called]:
    """Read `a b a` as calls under these keys, counting the tries of each."""
    keys = text.split()
    return [Called("t", key, {}, keys[: n + 1].count(key)) for n, key in enumerate(keys)]


DIAMOND = seq(do("a"), par(seq(do("b"), do("c")), do("d")), do("e"))


@pytest.mark.parametrize("text", ["a b c d e", "a b d c e", "a d b c e"])
def test_every_interleaving_of_branches_is_taken(text: str) -> None:
    assert first_difference(DIAMOND, calls(text)) is None


def test_no_other_order_is_taken() -> None:
    taken = [p for p in permutations("abcde") if not first_difference(DIAMOND, calls(" ".join(p)))]
    assert len(taken) == 3


@pytest.mark.parametrize(
    ("pattern", "text", "said"),
    [
        (seq(do("a"), do("b")), "a", "after 1 calls nothing more came; expected b#1"),
        (seq(do("a")), "a b", "call 2 is b#1 t {}; expected no further call"),
        (tries("a", 2), "a b", "call 2 is b#1 t {}; expected a#2"),
        (par(do("a"), do("b")), "c", "call 1 is c#1 t {}; expected a#1 or b#1"),
        (do("a", {"x": 1}), "a", 'call 1 is a#1 t {}; expected a#1 {"x": 1}'),
    ],
)
def test_a_difference_says_what_was_expected(pattern: Pattern, text: str, said: str) -> None:
    assert first_difference(pattern, calls(text)) == said


def test_tries_of_branches_may_interleave() -> None:
    pattern = par(tries("a", 2), tries("b", 2))
    assert first_difference(pattern, calls("a b b a")) is None
    assert first_difference(pattern, calls("a b b")) is not None
