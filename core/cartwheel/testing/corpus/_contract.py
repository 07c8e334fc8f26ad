"""The contract of the workflow language: the programs of the corpus on an adapter's own engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest

from cartwheel.app import App
from cartwheel.host import Host
from cartwheel.testing.corpus._all import PROGRAMS
from cartwheel.testing.corpus._playing import REAL_SLACK, corpus_app, on_host, run_program
from cartwheel.testing.corpus._program import Program


class WorkflowLanguageContract:
    """Holds an adapter to the language; a subclass supplies the fixture `open_host`.

    `virtual_time` says whether `settle` moves time rather than waiting for it; without it the
    programs that last longer than some seconds are skipped.
    """

    virtual_time: ClassVar[bool] = True

    @pytest.fixture
    def open_host(self) -> Callable[[App], Host]:
        """Open an application on the adapter under test."""
        raise NotImplementedError("the contract's subclass or its module defines open_host")

    @pytest.mark.parametrize("program", PROGRAMS, ids=str)
    def test_a_program_means_what_the_language_says(
        self, program: Program, open_host: Callable[[App], Host]
    ) -> None:
        if program.long and not self.virtual_time:
            pytest.skip("lasts longer than a real clock should be waited for")
        host = open_host(corpus_app([program]))
        # Handlers that sleep may do so one after the other, in virtual time too.
        slack = 0.0 if self.virtual_time and not program.has_slow_answers else REAL_SLACK
        run_program(program, on_host(host), slack=slack)
