"""The corpus of the workflow language through deployed functions, over DynamoDB.

A machine, its function from a package, and the store between them are all on ministack: each task
is called by the engine, answers from its script, and notes what it did in a table. In CI a program
for each rule is played, and all of them under CARTWHEEL_SOAK=1.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from cartwheel.testing.corpus import (
    ONE_A_RULE,
    PROGRAMS,
    Driver,
    Played,
    Program,
    differences,
    on_host,
)
from tests.engines._registry import known
from tests.support.aws_deployed import Sky

SOAK = os.environ.get("CARTWHEEL_SOAK") == "1"
STAGES = {"corpus_rules": ONE_A_RULE}
if SOAK:
    STAGES["corpus_rest"] = tuple(one for one in PROGRAMS if one not in ONE_A_RULE)
CHOSEN = tuple(program for programs in STAGES.values() for program in programs)
TOGETHER = 4
"""How many programs are under way at once: most of them wait most of the time."""
SLACK = 60.0
"""Seconds by which a run may be late on a machine that others use, too."""


@pytest.fixture(scope="module")
def plays() -> Iterator[dict[str, Future[Played]]]:
    """Play the programs, some at once, each on the stage that has its machine."""
    sky = Sky()
    pool = ThreadPoolExecutor(TOGETHER, thread_name_prefix="corpus")
    try:
        drivers = {
            program.name: driver
            for name, programs in STAGES.items()
            for driver in [_driver(sky, name)]
            for program in programs
        }
        yield {
            program.name: pool.submit(drivers[program.name], program)
            for program in CHOSEN
            if not program.long
        }
    finally:
        pool.shutdown(cancel_futures=True)
        sky.close()


def _driver(sky: Sky, name: str) -> Driver:
    stage = sky.stage(name)
    return on_host(sky.host(stage, stage.app))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("program", CHOSEN, ids=str)
def test_a_program_is_as_claimed_through_functions(
    program: Program, plays: dict[str, Future[Played]]
) -> None:
    if program.long:
        pytest.skip("lasts longer than a real clock should be waited for")
    why = known("ministack").get(program.name)
    try:
        found = differences(program, plays[program.name].result(), slack=SLACK)
    except AssertionError as error:
        found = [f"{type(error).__name__}: {error}"]
    if why is None:
        assert not found, "\n".join(found)
        return
    assert found, f"{program} runs on ministack now: take it from its table of known gaps"
    pytest.xfail(f"{why.kind}: {why.reason}")


def test_every_rule_is_played() -> None:
    assert len({program.rule for program in CHOSEN}) == len({one.rule for one in PROGRAMS}) == 69
    assert len(CHOSEN) >= 69
