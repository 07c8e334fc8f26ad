"""A driver for tests:

answers calls from a script, in virtual time, and remembers what was asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cartwheel.workflow._effects import Call, Err, Error, Leaf, Ok, Outcome, Result, Sleep, Wait
from cartwheel.workflow._execution import Execution
from cartwheel.workflow._interpreter import compile_program
from cartwheel.workflow._ir import Workflow

Answer = Outcome | Callable[[Call], Outcome]


@dataclass
class Played:
    """What a run came to."""

    result: Result
    calls: list[Call]
    effects: list[Leaf]
    journal: list[tuple[str, Outcome, float]] = field(default_factory=list)

    @property
    def keys(self) -> list[str]:
        return [call.key for call in self.calls]

    @property
    def tasks(self) -> list[str]:
        return [call.task for call in self.calls]


def error(code: str, message: str = "no") -> Err:
    return Err(Error(code, message))


def play(
    workflow: Workflow,
    given: dict[str, object] | None = None,
    script: dict[str, object] | None = None,
    signals: dict[str, object] | None = None,
) -> Played:
    """Run a workflow, first asked first answered.

    `script` maps a key without the run id, else a task's name, to an answer, a list of answers by
    attempt, or a function from the call to one; what is not in it answers with null. Signals that
    are not there time out.
    """
    execution = Execution(compile_program(workflow), "run", given or {})  # type: ignore[arg-type]  # tests give plain dicts
    now = 1000.0
    queue = list(execution.start(now))
    played: list[Leaf] = []
    journal: list[tuple[str, Outcome, float]] = []
    while queue:
        effect = queue.pop(0)
        played.append(effect)
        outcome: Outcome = Ok(None)
        if isinstance(effect, Call):
            outcome = _answer(effect, script or {})
        elif isinstance(effect, Wait):
            if effect.signal in (signals or {}):
                outcome = Ok((signals or {})[effect.signal])  # type: ignore[arg-type]  # as above
            else:
                now = max(now, effect.until or now)
                outcome = error("Timeout")
        elif isinstance(effect, Sleep):
            now = max(now, effect.until)
        journal.append((effect.id, outcome, now))
        queue += execution.deliver(effect.id, outcome, now)
    assert execution.result is not None
    assert not execution.pending
    calls = [effect for effect in played if isinstance(effect, Call)]
    return Played(execution.result, calls, played, journal)


def _answer(call: Call, script: dict[str, object]) -> Outcome:
    given = script.get(call.key.removeprefix("run:"), script.get(call.task))
    if callable(given):
        given = given(call)
    if isinstance(given, list):
        given = given[min(call.attempt, len(given)) - 1]
    if isinstance(given, Ok | Err):
        return given
    return Ok(given)  # type: ignore[arg-type]  # tests give plain JSON
