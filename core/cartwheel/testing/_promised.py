"""What the language promises of a program: its result, its calls and their partial order.

The reference interpreter's own generators are run line by line, so that the order which is promised
can be read off: a line of steps is a sequence, branches and items are in no order, and so are the
compensations of steps in different branches.
"""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Literal, cast

from cartwheel.ports import Json, JsonObject
from cartwheel.testing._random_scripts import Containers, sites
from cartwheel.testing.corpus._expected import Called, Par, Pattern, Seq, do
from cartwheel.testing.corpus._program import Answer, Cancel, Expected, Program
from cartwheel.testing.corpus._simulation import START
from cartwheel.testing.corpus._tasks import as_seen, usual_output
from cartwheel.testing.corpus._verdict import Played, left_of
from cartwheel.workflow import Call, Err, Error, Ok, Outcome, Sleep, compile_program
from cartwheel.workflow._effects import Leaf, Returned, Steps
from cartwheel.workflow._frames import RunState, error_of, new_frame
from cartwheel.workflow._ir import CANCELLED, LANGUAGE_ERRORS, Workflow

MOST_CALLS = 3_000
_CANCELLED = Error(CANCELLED, "the run was asked to end")


@dataclass(frozen=True, slots=True)
class _Made:
    """Is a call that was made, and whether it undoes something."""

    call: Called
    undoes: bool


Line = list["_Made | Par"]


@dataclass(slots=True)
class Promise:
    """Is what every engine must do with a program."""

    expected: Expected
    calls: Pattern
    left: tuple[str, ...]
    happened: tuple[str, ...]
    made: tuple[Called, ...]


def promise(workflow: Workflow, program: Program) -> Promise:
    """Work out what the language promises of a program's first execution."""
    return _Promising(workflow, program).work_out()


@dataclass
class _Promising:
    workflow: Workflow
    program: Program
    calls: list[Called] = field(default_factory=list)
    happened: list[str] = field(default_factory=list)
    mailbox: dict[str, deque[Json]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    cancelled: bool = False

    def __post_init__(self) -> None:
        self.around = {site.key: site.around for site in sites(self.workflow.body)}
        self.state = RunState(self.program.name, START)

    def work_out(self) -> Promise:
        """Run everything and put together what follows."""
        copied: dict[str, Json] = json.loads(json.dumps(self.program.input))
        line: Line = []
        main = compile_program(self.workflow).main(new_frame(self.state, copied))
        try:
            running = self._run(main, line)
            while True:
                next(running)
                raise AssertionError(f"{self.program.name} waits for a signal that never comes")
        except StopIteration as stop:
            outcome = cast("Outcome", stop.value)
        except Returned as returned:
            outcome = Ok(returned.value)
        expected = self._expected(outcome)
        played = Played(
            expected.status, None, None, None, None, (), (), tuple(self.happened), 0, 0.0
        )
        return Promise(
            expected,
            self._pattern(line),
            tuple(left_of(played)),
            tuple(self.happened),
            tuple(self.calls),
        )

    def _expected(self, outcome: Outcome) -> Expected:
        undone = tuple((each.step, each.error.code) for each in self.state.failures)
        if isinstance(outcome, Ok):
            return Expected("succeeded", outcome.value, undone=undone)
        error = outcome.error
        status: Literal["failed", "cancelled"] = (
            "cancelled" if error.code == CANCELLED else "failed"
        )
        if error.code in LANGUAGE_ERRORS:
            return Expected(status, None, error.code, undone=undone)
        return Expected(status, None, error.code, error.message, error.details, undone)

    def _run(self, steps: Steps, line: Line) -> Generator[None, None, Outcome]:
        """Run a line of steps; yields whenever it waits for a signal that has not come yet."""
        answer: object = None
        while True:
            try:
                effect = steps.send(answer)
            except StopIteration as stop:
                return Ok(stop.value)
            except Exception as raised:  # noqa: BLE001  # as the interpreter's driver does
                return Err(error_of(raised))
            if isinstance(effect, Call):
                answer = self._call(effect, line)
            elif isinstance(effect, Leaf):
                answer = yield from self._pass(effect)
            else:
                answer = yield from self._branches(effect.branches, line)

    def _branches(
        self, branches: Iterator[Steps], line: Line
    ) -> Generator[None, None, list[Outcome]]:
        lines: list[Line] = []
        waiting: dict[int, Generator[None, None, Outcome]] = {}
        outcomes: dict[int, Outcome] = {}
        for number, steps in enumerate(branches):
            lines.append([])
            waiting[number] = self._run(steps, lines[-1])
            self._advance(waiting, outcomes)
        while waiting:
            before = len(outcomes)
            self._advance(waiting, outcomes)
            if len(outcomes) == before and waiting:
                yield
        line.append(Par(tuple(self._pattern(each) for each in lines)))
        return [outcomes[number] for number in range(len(lines))]

    def _advance(
        self, waiting: dict[int, Generator[None, None, Outcome]], outcomes: dict[int, Outcome]
    ) -> None:
        for number, running in list(waiting.items()):
            try:
                next(running)
            except StopIteration as stop:
                outcomes[number] = cast("Outcome", stop.value)
                del waiting[number]

    def _pass(self, effect: Leaf) -> Generator[None, None, Outcome]:
        if isinstance(effect, Sleep):
            self.state.now = max(self.state.now, effect.until)
            return Ok(None)
        assert not isinstance(effect, Call)
        while True:
            kept = self.mailbox.get(effect.signal)
            if self.cancelled:
                return Err(_CANCELLED)
            if kept:
                return Ok(kept.popleft())
            if effect.until is not None:
                self.state.now = max(self.state.now, effect.until)
                return Err(Error("Timeout", "", retryable=True))
            yield

    def _call(self, call: Call, line: Line) -> Outcome:
        if self.cancelled and not call.compensation:
            return Err(_CANCELLED)
        if len(self.calls) >= MOST_CALLS:
            raise AssertionError(f"{self.program.name} makes more than {MOST_CALLS} calls")
        key = call.key.removeprefix(f"{self.program.name}:")
        attempt = 1 + sum(before.key == key for before in self.calls)
        given: JsonObject = json.loads(json.dumps(call.input))
        called = Called(call.task, key, as_seen(given, self.program.name), attempt)
        self.calls.append(called)
        line.append(_Made(called, call.compensation))
        answer = self.program.answer(call.task, key, attempt)
        if answer.happened:
            self.happened.append(key)
        for act in answer.acts:
            if isinstance(act, Cancel):
                self.cancelled = True
            elif act.id not in self.seen:
                self.seen.add(act.id)
                self.mailbox.setdefault(act.name, deque()).append(act.payload)
        if call.timeout is not None and answer.seconds >= call.timeout:
            self.state.now += call.timeout
            return Err(Error("Timeout", "", retryable=True))
        self.state.now += answer.seconds
        return _outcome(answer, call.task, key, given)

    def _pattern(self, line: Line) -> Pattern:
        parts: list[Pattern] = []
        for undoes, group in itertools.groupby(
            line, lambda each: isinstance(each, _Made) and each.undoes
        ):
            if undoes:
                calls = [each.call for each in group if isinstance(each, _Made)]
                parts.append(_undoing([(self._path(call), call) for call in calls], 0))
            else:
                parts += [_one(each.call) if isinstance(each, _Made) else each for each in group]
        return Seq(tuple(parts))

    def _path(self, call: Called) -> Containers:
        """Give where a call was made: the parallels and maps around it, with branch or item."""
        name, *indexes = call.key.split(":")
        items = iter(indexes)
        return tuple(
            (container, int(next(items)) if branch is None else branch)
            for container, branch in self.around[name]
        )


def _undoing(calls: list[tuple[Containers, Called]], depth: int) -> Pattern:
    """Order compensations: in sequence, but in no order between branches and between items."""
    parts: list[Pattern] = []
    for container, group in itertools.groupby(
        calls, lambda each: each[0][depth][0] if len(each[0]) > depth else None
    ):
        if container is None:
            parts += [_one(call) for _, call in group]
            continue
        branches: dict[int | None, list[tuple[Containers, Called]]] = {}
        for each in group:
            branches.setdefault(each[0][depth][1], []).append(each)
        parts.append(Par(tuple(_undoing(each, depth + 1) for each in branches.values())))
    return Seq(tuple(parts))


def _one(call: Called) -> Pattern:
    return do(call.key, call.input, attempt=call.attempt)


def _outcome(answer: Answer, task: str, key: str, given: JsonObject) -> Outcome:
    match answer.kind:
        case "ok":
            value: Json = usual_output(task, key, given) if answer.value is None else answer.value
            return Ok(json.loads(json.dumps(value)))
        case "declared":
            return Err(Error(answer.code, answer.message, dict(answer.details)))
        case "unavailable":
            return Err(Error("Unavailable", "", retryable=True))
        case "unexpected":
            return Err(Error("Unexpected", ""))
