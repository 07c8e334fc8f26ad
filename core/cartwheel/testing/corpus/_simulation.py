"""Plays programs on the reference interpreter in virtual time, in any order of what is due at once.

The simulation keeps the rules that the language leaves to its runtime: signals are kept and told
apart by id, a cancelled run's calls are refused, a call ends at its timeout, a redriven run answers
from records.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from cartwheel.ports import Json, JsonObject, from_rfc3339
from cartwheel.testing.corpus._expected import Called
from cartwheel.testing.corpus._program import Act, Answer, Order, Program, Signal
from cartwheel.testing.corpus._tasks import as_seen, usual_output
from cartwheel.testing.corpus._verdict import Played
from cartwheel.workflow import (
    LANGUAGE_ERRORS,
    Call,
    Err,
    Error,
    Execution,
    Leaf,
    Ok,
    Outcome,
    Result,
    Sleep,
    Wait,
    Workflow,
)
from cartwheel.workflow import Program as Compiled

START = from_rfc3339("2026-01-01T00:00:00Z")
MOST_EVENTS = 20_000
CANCELLED = Error("Cancelled", "the run was asked to end")


@dataclass(frozen=True, slots=True)
class Delivered:
    """Is one answer of a run's journal, and the ids of the effects that were open after it."""

    effect: str
    outcome: Outcome
    now: float
    pending: frozenset[str]


@dataclass
class Simulation:
    """Plays one program; `compile` and `execution` may be others than the reference's."""

    program: Program
    workflow: Workflow
    compile: Callable[[Workflow], Compiled]
    order: Order = "first"
    execution: type[Execution] = Execution
    now: float = START
    calls: list[Called] = field(default_factory=list)
    happened: list[str] = field(default_factory=list)
    in_flight: int = 0
    journal: list[Delivered] = field(default_factory=list)

    def play(self) -> Played:
        """Play the program to its end."""
        self._random = random.Random(self.order if isinstance(self.order, int) else 0)  # noqa: S311  # a test's order
        self._due: list[tuple[float, Callable[[], None]]] = []
        self._cancelled = False
        self._seen: set[str] = set()
        self._mailbox: dict[str, deque[Json]] = {}
        self._letters: list[Signal] = []
        self._done: dict[str, Outcome] = {}
        self._accepted: list[bool] = []
        for at in sorted({seconds for seconds, _ in self.program.actions}):
            acts = [act for seconds, act in self.program.actions if seconds == at]
            self._due.append((START + at, partial(self._act_all, acts)))
        ended: list[Result] = []
        for _ in range(1 + self.program.redrives):
            self._cancelled = False
            self._mailbox = {}
            for letter in self._letters:
                self._post(letter)
            self._answers: list[tuple[str, Outcome]] = []
            ended.append(self._execute())
            self._done |= _records(self._answers)
        seconds = self.now - START
        while self._due:
            self._next()
        last, error = ended[-1], ended[-1].error
        return Played(
            status=last.status,
            output=last.output,
            code=None if error is None else error.code,
            message=None if error is None else error.message,
            details=None if error is None else error.details,
            undone=tuple((f.step, f.error.code) for f in last.compensation_failures),
            calls=tuple(self.calls),
            happened=tuple(self.happened),
            in_flight=self.in_flight,
            seconds=seconds,
            accepted=tuple(self._accepted),
            earlier=tuple(result.status for result in ended[:-1]),
        )

    def _execute(self) -> Result:
        compiled = self.compile(self.workflow)
        self._run = self.execution(compiled, self.program.name, _copy(self.program.input))
        self._begin(self._run.start(self.now))
        for _ in range(MOST_EVENTS):
            if self._run.result is not None:
                return self._run.result
            if not self._due:
                raise AssertionError(f"the run waits for ever: {sorted(self._run.pending)}")
            self._next()
        raise AssertionError(f"the run has not ended after {MOST_EVENTS} events")

    def _next(self) -> None:
        earliest = min(due for due, _ in self._due)
        ready = [index for index, (due, _) in enumerate(self._due) if due == earliest]
        match self.order:
            case "first":
                chosen = ready[0]
            case "last":
                chosen = ready[-1]
            case _:
                chosen = self._random.choice(ready)
        self.now, event = max(self.now, earliest), self._due.pop(chosen)[1]
        event()

    def _begin(self, effects: list[Leaf]) -> None:
        running = sum(isinstance(effect, Call) for effect in self._run.pending.values())
        self.in_flight = max(self.in_flight, running)
        for effect in effects:
            match effect:
                case Call():
                    self._due.append((self.now, partial(self._call, effect)))
                case Sleep(id=id, until=until, jitter=jitter):
                    early = jitter * self._random.random()
                    self._later(max(self.now, until - early), id, Ok(None))
                case Wait():
                    self._wait(effect)

    def _later(self, due: float, id: str, outcome: Outcome) -> None:
        self._due.append((due, partial(self._deliver, id, outcome)))

    def _deliver(self, id: str, outcome: Outcome) -> None:
        if id not in self._run.pending:
            return  # the timer of a wait that was answered
        effects = self._run.deliver(id, outcome, self.now)
        self.journal.append(Delivered(id, outcome, self.now, frozenset(self._run.pending)))
        self._begin(effects)

    def _wait(self, wait: Wait) -> None:
        kept = self._mailbox.get(wait.signal)
        if self._cancelled:
            self._later(self.now, wait.id, Err(CANCELLED))
        elif kept:
            self._later(self.now, wait.id, Ok(kept.popleft()))
        elif wait.until is not None:
            error = Error("Timeout", f"signal {wait.signal} did not come", retryable=True)
            self._later(max(self.now, wait.until), wait.id, Err(error))

    def _act_all(self, acts: list[Act]) -> None:
        for act in acts:
            accepted = self._do(act)
            if isinstance(act, Signal):
                self._accepted.append(accepted)

    def _do(self, act: Act) -> bool:
        if self._run.result is not None:
            return False
        waits = [effect for effect in self._run.pending.values() if isinstance(effect, Wait)]
        if not isinstance(act, Signal):
            self._cancelled = True
            for wait in waits:
                self._deliver(wait.id, Err(CANCELLED))
            return True
        if act.id in self._seen:
            return False
        self._seen.add(act.id)
        self._letters.append(act)
        for wait in waits:
            if wait.signal == act.name:
                self._deliver(wait.id, Ok(_copy(act.payload)))
                return True
        self._post(act)
        return True

    def _post(self, letter: Signal) -> None:
        self._mailbox.setdefault(letter.name, deque()).append(_copy(letter.payload))

    def _call(self, call: Call) -> None:
        if call.id not in self._run.pending:
            return
        key = call.key.removeprefix(f"{self.program.name}:")
        if self._cancelled and not call.compensation:
            self._deliver(call.id, Err(CANCELLED))
            return
        if key in self._done:
            self._deliver(call.id, self._done[key])
            return
        attempt = 1 + sum(before.key == key for before in self.calls)
        seen = as_seen(_copy(call.input), self.program.name)
        answer = self.program.answer(call.task, key, attempt)
        self.calls.append(Called(call.task, key, seen, attempt))
        if answer.happened:
            self.happened.append(key)
        for act in answer.acts:
            self._do(act)
        outcome = self._outcome(answer, call, key)
        self._answers.append((key, outcome))
        if call.timeout is not None and answer.seconds >= call.timeout:
            error = Error("Timeout", f"{call.task} did not answer in time", retryable=True)
            self._later(self.now + call.timeout, call.id, Err(error))
        elif answer.seconds:
            self._later(self.now + answer.seconds, call.id, outcome)
        else:
            self._deliver(call.id, outcome)

    def _outcome(self, answer: Answer, call: Call, key: str) -> Outcome:
        match answer.kind:
            case "ok":
                usual = usual_output(call.task, key, call.input)
                value = _copy(usual if answer.value is None else answer.value)
                return Ok(value)
            case "declared":
                return Err(Error(answer.code, answer.message, dict(answer.details)))
            case "unavailable":
                return Err(Error("Unavailable", "the script says so", retryable=True))
            case "unexpected":
                return Err(Error("Unexpected", "the script has a bug"))


def _records(answers: list[tuple[str, Outcome]]) -> dict[str, Outcome]:
    """Give what stays of an execution: outputs, and declared errors that the run went on from."""
    good = [number for number, (_, outcome) in enumerate(answers) if isinstance(outcome, Ok)]
    last = max(good, default=-1)
    return {
        key: outcome
        for number, (key, outcome) in enumerate(answers)
        if isinstance(outcome, Ok) or (number < last and outcome.error.code not in LANGUAGE_ERRORS)
    }


def _copy(value: Json) -> JsonObject:
    """Return a value as another process would get it."""
    copied: JsonObject = json.loads(json.dumps(value))
    return copied
