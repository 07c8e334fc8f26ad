"""The corpus finds bugs planted into compiled orchestrators and their runtime."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator

import pytest

from cartwheel.testing.corpus import PROGRAMS, Program, differences
from cartwheel.workflow import Compiled, Workflow
from cartwheel_azure import compile_workflow
from tests.engines.azure._engines import Durable1


@dataclasses.dataclass(frozen=True)
class Mutant:
    """Is a planted bug: what the text says, and what it says then."""

    name: str
    old: str
    new: str

    def __str__(self) -> str:
        return self.name


MUTANTS = (
    Mutant("one try too many", "failures >= self.attempts", "failures > self.attempts"),
    Mutant("one try too few", "failures >= self.attempts", "failures + 1 >= self.attempts"),
    Mutant("every code is tried again", "code not in self.on:", "False:"),
    Mutant("a cancelled call is tried again", 'or code == "Cancelled"', ""),
    Mutant("waits do not grow", "seconds * self.rate", "seconds"),
    Mutant("a branch's error is swallowed", "raise outcome", "pass"),
    Mutant("the last failed branch counts", "in outcomes:", "in reversed(outcomes):"),
    Mutant("a map knows no limit", "len(started) < asked.limit", "True"),
    Mutant("a map forgets the maps around it", 'branch(f"{at}:{index}"', 'branch(f":{index}"'),
    Mutant("results come in the order of their ends", "[position] = outcome", "[-1] = outcome"),
    Mutant("a join ends with its first branch", "[] if join.running else", "[] if False else"),
    Mutant("a failed compensation ends the run", "self.failures.append(failure)", "raise"),
    Mutant("compensations are refused as calls are", "compensation=True", "compensation=False"),
    Mutant("compensations have the step's key", 'f"{undone}.compensate"', "undone"),
    Mutant("a call never times out", "deadline = None if timeout is None", "deadline = None if 1"),
    Mutant("a signal has no payload", "return _value(raised)", "return None"),
    Mutant("a cancelled run has failed", 'raised.code == "Cancelled"', "False"),
    Mutant("sums wrap nowhere", "max(-MAX_INT, min(MAX_INT, number))", "number"),
    Mutant("details are lost", 'error["details"]', "None"),
    Mutant("a call is never awaited", "    yield from run.call(", "    run.call("),
    Mutant("other codes are handled", "if raised.code != ", "if raised.code == "),
    Mutant(
        "the handler takes everything", "                    raise\n", "                    pass\n"
    ),
    Mutant("otherwise is left out", "    else:\n", "    if False:\n"),
)


@dataclasses.dataclass
class Planter:
    """Compiles with a bug planted; each bug has modules of its own."""

    mutant: Mutant | None = None
    planted: int = 0

    def __call__(self, workflow: Workflow) -> Compiled:
        sound, mutant = compile_workflow(workflow), self.mutant
        if mutant is None:
            return sound
        files: dict[str, str] = {}
        ending = f"_m{MUTANTS.index(mutant)}"
        for path, text in sound.files.items():
            changed = text.replace(mutant.old, mutant.new)
            self.planted += changed != text
            ast.parse(changed)
            for module in (path.removesuffix(".py") for path in sound.files):
                changed = changed.replace(f"import {module} ", f"import {module}{ending} ")
            files[path.replace(".py", f"{ending}.py")] = changed
        return dataclasses.replace(sound, files=files, entry=f"{sound.entry[:-3]}{ending}.py")


PLANTER = Planter()


@pytest.fixture(scope="module")
def engine() -> Iterator[Durable1]:
    engine = Durable1(compile=PLANTER)
    engine.start()
    yield engine
    engine.stop()


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_planted_bug_is_found(mutant: Mutant, engine: Durable1) -> None:
    PLANTER.mutant, PLANTER.planted = mutant, 0
    found = next((each for each in PROGRAMS if _differs(engine, each)), None)
    assert PLANTER.planted, "the text has no such place"
    assert found is not None, "no program of the corpus shows it"


def _differs(engine: Durable1, program: Program) -> bool:
    try:
        return bool(differences(program, engine.play(program)))
    except (AssertionError, ValueError):
        # The SDK, or the world, could not make sense of what the orchestrator did.
        return True
