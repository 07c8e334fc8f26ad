"""The corpus of the workflow language through deployed functions, over DynamoDB.

A machine, its function from a package, and the store between them are all on ministack: each task
is called by the engine, answers from its script, and notes what it did in a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cartwheel.testing.corpus import (
    ONE_A_RULE,
    PROGRAMS,
    Program,
    differences,
    on_host,
)
from cartwheel.workflow._ir import PollStep, TaskStep, WaitStep, walk
from cartwheel_aws._host import AwsHost
from tests.engines._registry import known
from tests.support.aws_deployed import Sky

STAGES = {
    "corpus_rules": ONE_A_RULE,
    "corpus_rest": tuple(one for one in PROGRAMS if one not in ONE_A_RULE),
}
TOGETHER = 4
"""How many programs are under way at once: most of them wait most of the time."""
PATIENCE = 120
"""Seconds within which a run ends, the start of its function included."""
AGAIN = 2
"""How often a program is played again whose answers were perhaps late."""
SLACK = 60.0
"""Seconds by which a run may be late on a machine that others use, too."""


class Plays:
    """Plays the programs, some at once, each on the stage that has its machine."""

    def __init__(self) -> None:
        self._sky = Sky()
        self._hosts: dict[str, AwsHost] = {}
        try:
            for name, programs in STAGES.items():
                stage = self._sky.stage(name)
                host = self._sky.host(stage, stage.app)
                self._hosts |= {program.name: host for program in programs}
        except BaseException:
            self._sky.close()
            raise
        self._pool = ThreadPoolExecutor(TOGETHER, thread_name_prefix="corpus")
        self._first = {
            program.name: self._pool.submit(self.play, program, 1)
            for program in PROGRAMS
            if not program.long
        }

    def first(self, program: Program) -> list[str]:
        """Give what the first play did not do as claimed."""
        return self._first[program.name].result()

    def play(self, program: Program, time: int) -> list[str]:
        """Play a program for the so-manieth time, and give what it did not do as claimed."""
        driver = on_host(self._hosts[program.name], unique=str(time), patience=PATIENCE)
        try:
            return differences(program, driver(program), slack=SLACK)
        except AssertionError as error:
            return [f"{type(error).__name__}: {error}"]

    def close(self) -> None:
        """End the engine and what is under way."""
        self._pool.shutdown(cancel_futures=True)
        self._sky.close()


@pytest.fixture(scope="module")
def plays() -> Iterator[Plays]:
    opened = Plays()
    yield opened
    opened.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_a_program_is_as_claimed_through_functions(program: Program, plays: Plays) -> None:
    if program.long:
        pytest.skip("lasts longer than a real clock should be waited for")
    why = known("ministack").get(program.name)
    found = plays.first(program)
    for time in range(2, 2 + AGAIN):
        if why is None and found and _is_timed(program):
            found = plays.play(program, time)
    if why is None:
        assert not found, "\n".join(found)
        return
    assert found, f"{program} runs on ministack now: take it from its table of known gaps"
    pytest.xfail(f"{why.kind}: {why.reason}")


def _is_timed(program: Program) -> bool:
    """Tell whether an answer has to come in time: where the machine stalls, it may be late."""
    for step in walk(program.definition.ir.body):
        undone = step.compensate if isinstance(step, TaskStep) else None
        timed = step if isinstance(step, TaskStep | PollStep | WaitStep) else None
        if any(one is not None and one.timeout is not None for one in (timed, undone)):
            return True
    return False
