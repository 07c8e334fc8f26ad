"""The reference interpreter means what the corpus says, natively and with sagas lowered, whatever
comes first of what is due at once."""

from __future__ import annotations

from collections import Counter

import pytest

from cartwheel.testing.corpus import PROGRAMS, Order, Program, Rule, interpreter, run_program

ORDERS: tuple[Order, ...] = ("first", "last", 0, 1, 2)
each = pytest.mark.parametrize("program", PROGRAMS, ids=str)


@each
def test_a_program_means_what_the_language_says(program: Program) -> None:
    for order in ORDERS:
        run_program(program, interpreter(order=order))


@each
def test_a_program_means_the_same_with_its_sagas_lowered(program: Program) -> None:
    for order in ORDERS:
        run_program(program, interpreter(lowered=True, order=order))


def test_every_rule_has_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    count = Counter(program.rule for program in PROGRAMS)
    with capsys.disabled():
        print(f"\nlanguage corpus: {len(PROGRAMS)} programs for {len(count)} of {len(Rule)} rules")
    assert [rule.name for rule in Rule if rule not in count] == []
    assert len(PROGRAMS) >= 75


def test_programs_have_names_of_their_own() -> None:
    names = Counter(program.name for program in PROGRAMS)
    assert [name for name, count in names.items() if count > 1] == []
