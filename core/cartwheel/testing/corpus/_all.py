"""All programs of the corpus."""

from __future__ import annotations

from cartwheel.testing.corpus import (
    _branches,
    _cancels,
    _catching,
    _flow,
    _retries,
    _saga_branches,
    _saga_nesting,
    _sagas,
    _timing,
    _values,
)
from cartwheel.testing.corpus._program import Program
from cartwheel.testing.corpus._rules import Rule

PROGRAMS: tuple[Program, ...] = tuple(
    program
    for chapter in (
        _flow,
        _values,
        _catching,
        _branches,
        _retries,
        _sagas,
        _saga_nesting,
        _saga_branches,
        _timing,
        _cancels,
    )
    for program in chapter.program.programs
)

ONE_A_RULE: tuple[Program, ...] = tuple(
    next(
        (each for each in PROGRAMS if each.rule is rule and not each.long),
        next(each for each in PROGRAMS if each.rule is rule),
    )
    for rule in Rule
)
"""One program for each rule, where that is all that there is time for."""
