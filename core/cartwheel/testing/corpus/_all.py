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
