"""Counts what a run bills on Durable Functions: executions of functions.

A task call is two: its activity, and the orchestrator's turn that takes its reply. A timer and an
event are a turn each, and the start is one; so n calls in a row are 2n + 1. Replies that come at
once share a turn, which is not counted on. A list of unknown length has as many items as the lint
assumes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from cartwheel.ports._errors import snake_case
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._estimate import item_count
from cartwheel.workflow._expr import (
    AndExpr,
    Expr,
    IsNullExpr,
    KnownExpr,
    ListExpr,
    LiteralExpr,
    NotExpr,
    ObjectExpr,
    OrExpr,
    RefExpr,
)
from cartwheel.workflow._lower_saga import lower_saga
from cartwheel.workflow._targets import Cost
from cartwheel_azure._compile import TARGET
from cartwheel_azure._runtime import LONGEST_TIMER

START = 1
CALL = 2
TURN = 1
_HOP = int(LONGEST_TIMER.total_seconds())


def cost(workflow: ir.Workflow) -> Cost:
    """Count the function executions of a run; raises BuildError for a wrong workflow."""
    lowered = lower_saga(workflow)
    happy, worst = _Bounds(tries=False), _Bounds(tries=True)
    paths: dict[str, int] = {}
    for step in ir.walk(lowered.body):
        if not isinstance(step, ir.TaskStep | ir.PollStep):
            continue
        for code in lowered.tasks[step.task].errors:
            path = _Path(step.name, code, happy)
            count = path.count(lowered.body)
            if path.met:
                name = snake_case(code)
                paths[name] = max(paths.get(name, 0), START + count)
    return Cost(
        target=TARGET,
        unit="action",
        happy=START + happy.of(lowered.body).most,
        worst=START + worst.of(lowered.body).most,
        effects=_Bounds(tries=False, effects=True).of(lowered.body).most,
        paths=dict(sorted(paths.items())),
    )


@dataclass(frozen=True, slots=True)
class _Ends:
    """The dearest ways through some steps: to their end, to an error, to the end of the run."""

    through: int | None = 0
    raised: int | None = None
    returned: int | None = None

    @property
    def most(self) -> int:
        """The dearest of the three."""
        return _most(self.through, self.raised, self.returned) or 0


def _most(*counts: int | None) -> int | None:
    return max((count for count in counts if count is not None), default=None)


def _plus(count: int | None, more: int | None) -> int | None:
    return None if count is None or more is None else count + more


class _Bounds:
    """Counts the dearest way through steps: without any failure, or with every try used up.

    With `effects` it counts task calls only.
    """

    def __init__(self, *, tries: bool, effects: bool = False) -> None:
        self._tries = tries
        self._call, self._turn = (1, 0) if effects else (CALL, TURN)
        self._effects = effects

    def of(self, steps: tuple[ir.Step, ...]) -> _Ends:
        """Count steps that run one after the other."""
        through: int | None = 0
        raised: int | None = None
        returned: int | None = None
        for step in steps:
            ends = self._step(step)
            raised = _most(raised, _plus(through, ends.raised))
            returned = _most(returned, _plus(through, ends.returned))
            through = _plus(through, ends.through)
        return _Ends(through, raised, returned)

    def _step(self, step: ir.Step) -> _Ends:
        match step:
            case ir.TaskStep(compensates=None):
                count = self.call(step.retry, step.timeout)
                return _Ends(count, count if self._tries else None)
            case ir.TaskStep():
                return _Ends(self.call(step.retry, step.timeout))
            case ir.PollStep():
                calls = step.attempts if self._tries else 1
                pauses = (calls - 1) * self.timers(step.interval)
                count = calls * self.call(step.retry, step.timeout) + pauses
                return _Ends(count, count if self._tries else None)
            case ir.AssignStep():
                return _Ends()
            case ir.WhenStep():
                then, otherwise = self.of(step.then), self.of(step.otherwise)
                return _either(then, otherwise)
            case ir.ParallelStep():
                return self._all(self.of(branch.body) for branch in step.branches)
            case ir.MapStep():
                return self._all([self.of(step.body)] * item_count(step.items))
            case ir.TryStep():
                return self._try(step)
            case ir.SagaStep():
                return self.of(step.body)
            case ir.SleepStep(seconds=LiteralExpr(value=int(seconds))):
                return _Ends(self.timers(seconds))
            case ir.SleepStep():
                return _Ends(self._turn)
            case ir.WaitStep():
                return self.wait(step)
            case ir.FailStep() | ir.RaiseStep():
                return _Ends(None, 0)
            case ir.ReturnStep():
                return _Ends(None, None, 0)
            case _:
                assert_never(step)

    def call(self, retry: ir.RetryPolicy, timeout: int | None) -> int:
        """Count a task call; one that timed out has a turn for its timer and for its reply."""
        if not self._tries:
            return self._call
        pauses = sum(self.timers(retry.delay(tried)) for tried in range(1, retry.attempts))
        late = 0 if timeout is None else self.timers(timeout)
        return retry.attempts * (self._call + late) + pauses

    def timers(self, seconds: int) -> int:
        """Count the turns that a wait of so many seconds takes."""
        return 0 if self._effects else -(-max(0, seconds) // _HOP)

    def wait(self, step: ir.WaitStep) -> _Ends:
        """Count a wait: it is registered, then the signal comes, or its end is asked about."""
        if self._effects:
            return _Ends()
        answered = CALL + TURN
        if step.timeout is None or not self._tries:
            return _Ends(answered)
        expired = CALL + self.timers(step.timeout) + CALL
        return _Ends(expired, expired)

    def _all(self, branches: Iterable[_Ends]) -> _Ends:
        ends = list(branches)
        total = sum(branch.most for branch in ends)
        failed = any(branch.raised is not None for branch in ends)
        unhurt = all(branch.through is not None for branch in ends)
        return _Ends(total if unhurt else None, total if failed else None)

    def _try(self, step: ir.TryStep) -> _Ends:
        body = self.of(step.body)
        ends = _Ends(body.through, None, body.returned)
        if body.raised is None:
            return ends
        for handler in step.handlers:
            after = self.of(handler.body)
            caught = _Ends(
                _plus(body.raised, after.through),
                _plus(body.raised, after.raised),
                _plus(body.raised, after.returned),
            )
            ends = _either(ends, caught)
        if any(ir.ANY_ERROR in handler.codes for handler in step.handlers):
            return ends
        return _Ends(ends.through, _most(ends.raised, body.raised), ends.returned)


def _either(one: _Ends, two: _Ends) -> _Ends:
    return _Ends(
        _most(one.through, two.through),
        _most(one.raised, two.raised),
        _most(one.returned, two.returned),
    )


class _Something:
    """Is a value of which only that it is not null may be known."""


_UNKNOWN, _SOME = _Something(), _Something()
_Value: TypeAlias = "_Something | dict[str, _Value] | list[_Value] | None"
_Names: TypeAlias = dict[str, _Value]


class _Raised(Exception):
    """The failure that a path is about, on its way to a handler."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Returned(Exception):
    """The end of the run."""


class _Path:
    """Counts the run in which one step fails with one code at its first try, and nothing else does.

    Of a map the first item fails. Where a condition is not known, the arm with the failing step
    runs, or else the dearer one.
    """

    def __init__(self, step: str, code: str, happy: _Bounds) -> None:
        self._step_name = step
        self._code = code
        self._happy = happy
        self.met = False
        self._count = 0

    def count(self, body: tuple[ir.Step, ...]) -> int:
        """Count the whole run, its start left out."""
        with suppress(_Raised, _Returned):
            self._run(body, {})
        return self._count

    def _run(self, body: tuple[ir.Step, ...], names: _Names) -> None:
        for step in body:
            self._visit(step, names)

    def _visit(self, step: ir.Step, names: _Names) -> None:
        match step:
            case ir.TaskStep():
                self._count += CALL
                self._fail_at(step.name)
                _set(names, step.result)
            case ir.PollStep():
                self._count += CALL
                self._fail_at(step.name)
                _set(names, step.result)
            case ir.AssignStep(variable=variable, value=value):
                names[variable] = _value(value, names)
            case ir.WhenStep():
                self._run(step.then if self._holds(step, names) else step.otherwise, names)
            case ir.ParallelStep():
                self._parallel(step, names)
            case ir.MapStep():
                self._map(step, names)
            case ir.TryStep():
                self._try(step, names)
            case ir.SagaStep():
                self._run(step.body, names)
            case ir.SleepStep() | ir.WaitStep():
                self._count += self._happy.of((step,)).most
                _set(names, step.result if isinstance(step, ir.WaitStep) else None)
            case ir.FailStep(code=code):
                raise _Raised(code)
            case ir.RaiseStep():
                raise _Raised(self._code)
            case ir.ReturnStep():
                raise _Returned
            case _:
                assert_never(step)

    def _fail_at(self, step: str) -> None:
        if step == self._step_name and not self.met:
            self.met = True
            raise _Raised(self._code)

    def _holds(self, step: ir.WhenStep, names: _Names) -> bool:
        known = _truth(step.condition, names)
        if known is not None:
            return known
        for arm in (step.then, step.otherwise):
            if not self.met and any(inner.name == self._step_name for inner in ir.walk(arm)):
                return arm is step.then
        then, otherwise = self._happy.of(step.then), self._happy.of(step.otherwise)
        return then.most >= otherwise.most

    def _branch(self, body: tuple[ir.Step, ...], value: Expr, names: _Names) -> _Value | _Raised:
        try:
            self._run(body, names)
        except _Raised as raised:
            return raised
        return _value(value, names)

    def _parallel(self, step: ir.ParallelStep, names: _Names) -> None:
        outcomes = [
            self._branch(branch.body, branch.value, dict(names)) for branch in step.branches
        ]
        values = list(_or_raise(outcomes))
        for branch, value in zip(step.branches, values, strict=True):
            if branch.result is not None:
                names[branch.result] = value

    def _map(self, step: ir.MapStep, names: _Names) -> None:
        items = _value(step.items, names)
        if not isinstance(items, list):
            items = [_UNKNOWN] * item_count(step.items)
        outcomes = [
            self._branch(step.body, step.value, {**names, step.item: item}) for item in items
        ]
        values = list(_or_raise(outcomes))
        if step.result is not None:
            names[step.result] = values

    def _try(self, step: ir.TryStep, names: _Names) -> None:
        try:
            self._run(step.body, names)
        except _Raised as raised:
            for handler in step.handlers:
                if raised.code in handler.codes or ir.ANY_ERROR in handler.codes:
                    _set(names, handler.error)
                    self._run(handler.body, names)
                    return
            raise


def _set(names: _Names, name: str | None) -> None:
    if name is not None:
        names[name] = _SOME


def _or_raise(outcomes: list[_Value | _Raised]) -> Iterator[_Value]:
    for outcome in outcomes:
        if isinstance(outcome, _Raised):
            raise outcome
        yield outcome


def _value(expr: Expr, names: _Names) -> _Value:
    """Return what is known of a value: that it is null, that it is not, or its fields."""
    match expr:
        case LiteralExpr(value=None):
            return None
        case ObjectExpr(fields=fields):
            return {field: _value(value, names) for field, value in fields.items()}
        case RefExpr(name=name, path=path):
            value = names.get(name, _UNKNOWN)
            for field in path:
                value = value.get(field, _UNKNOWN) if isinstance(value, dict) else _UNKNOWN
            return value
        case ListExpr(items=items):
            return [_value(item, names) for item in items]
        case KnownExpr(operand=operand):
            return _value(operand, names)
        case _:
            return _SOME


def _truth(expr: Expr, names: _Names) -> bool | None:
    """Return whether a condition holds, None when that is not known."""
    match expr:
        case LiteralExpr(value=bool(holds)):
            return holds
        case IsNullExpr(operand=operand):
            value = _value(operand, names)
            return None if value is _UNKNOWN else value is None
        case NotExpr(operand=operand):
            known = _truth(operand, names)
            return None if known is None else not known
        case AndExpr(operands=operands) | OrExpr(operands=operands):
            stop = isinstance(expr, OrExpr)
            truths = [_truth(operand, names) for operand in operands]
            if stop in truths:
                return stop
            return None if None in truths else not stop
        case _:
            return None
