"""The contract of the workflow language: the programs of the corpus on an adapter's own engine."""

from __future__ import annotations

import pytest

from cartwheel.testing._base import Contract, OpenHost
from cartwheel.testing.corpus._all import PROGRAMS
from cartwheel.testing.corpus._playing import REAL_SLACK, corpus_app, on_host, run_program
from cartwheel.testing.corpus._program import Program


class WorkflowLanguageContract(Contract):
    """Holds an adapter to the language; its author supplies the fixture `open_host`.

    Without virtual time the programs that last longer than some seconds are skipped.
    """

    @pytest.mark.parametrize("program", PROGRAMS, ids=str)
    def test_a_program_means_what_the_language_says(
        self, program: Program, open_host: OpenHost
    ) -> None:
        if program.long and not self.virtual_time:
            pytest.skip("lasts longer than a real clock should be waited for")
        # Handlers that sleep may do so one after the other, in virtual time too.
        slack = 0.0 if self.virtual_time and not program.has_slow_answers else REAL_SLACK
        with open_host(corpus_app([program])) as host:
            run_program(program, on_host(host), slack=slack)
