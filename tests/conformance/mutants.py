"""Interpreters with one planted bug each: what the corpus has to catch.

They are made of the reference interpreter's own classes by overriding; nothing of the product knows
of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from cartwheel.testing.corpus import Driver, interpreter
from cartwheel.workflow import Err, Execution, Ok, Outcome, Program, RetryPolicy, Workflow
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._effects import All, Call, Raised, Returned, Steps
from cartwheel.workflow._execution import _Fiber
from cartwheel.workflow._frames import Frame, Run, Undo, error_of
from cartwheel.workflow._interpreter import _Compiler

Change: TypeAlias = Callable[[ir.Step], ir.Step]


def compiled_by(compiler: type[_Compiler]) -> Driver:
    """Return a driver over another compiler."""

    def compiled(workflow: Workflow) -> Program:
        main = compiler(workflow).body(workflow.body)
        return Program(workflow, workflow.content_hash, main)

    return interpreter(compile=compiled)


def rewritten(change: Change) -> Driver:
    """Return a driver that misreads each step in some way."""

    def body(steps: tuple[ir.Step, ...]) -> tuple[ir.Step, ...]:
        return tuple(change(ir.with_bodies(step, body)) for step in steps)

    def compiled(workflow: Workflow) -> Program:
        misread = workflow.model_copy(update={"body": body(workflow.body)})
        return Program(misread, misread.content_hash, _Compiler(misread).body(misread.body))

    return interpreter(compile=compiled)


def with_retry(change: Callable[[RetryPolicy], dict[str, object]]) -> Driver:
    """Return a driver that misreads retry policies."""

    def misread(step: ir.Step) -> ir.Step:
        if not isinstance(step, ir.TaskStep | ir.PollStep):
            return step
        return step.model_copy(update={"retry": step.retry.model_copy(update=change(step.retry))})

    return rewritten(misread)


def catch_all_first(step: ir.Step) -> ir.Step:
    if not isinstance(step, ir.TryStep):
        return step
    return step.model_copy(update={"handlers": tuple(reversed(step.handlers))})


def without_timeout(step: ir.Step) -> ir.Step:
    if isinstance(step, ir.TaskStep):
        return step.model_copy(update={"timeout": None})
    return step


def without_limit(step: ir.Step) -> ir.Step:
    return step.model_copy(update={"concurrency": None}) if isinstance(step, ir.MapStep) else step


def one_more_poll(step: ir.Step) -> ir.Step:
    if isinstance(step, ir.PollStep):
        return step.model_copy(update={"attempts": step.attempts + 1})
    return step


def only_first_arm(step: ir.Step) -> ir.Step:
    return step.model_copy(update={"otherwise": ()}) if isinstance(step, ir.WhenStep) else step


class SagaWith(_Compiler):
    """Runs sagas with a planted bug, which subclasses say."""

    def order(self, log: list[Undo]) -> Iterator[Undo]:
        return reversed(log)

    def hand_over(self, outer: list[Undo], log: list[Undo]) -> None:
        outer.extend(log)

    def _saga(self, step: ir.SagaStep) -> Run:
        body = self.body(step.body)

        def run(frame: Frame) -> Steps:
            outer, log = frame.log, list[Undo]()
            frame.log = log
            try:
                yield from body(frame)
            except Exception as raised:  # noqa: BLE001  # as the original does
                error = error_of(raised)
            else:
                frame.log = outer
                if outer is not None:
                    self.hand_over(outer, log)
                return
            frame.log = outer
            for entry in self.order(log):
                before = len(frame.run.failures)
                yield from entry.run(frame, entry)
                self.undone(frame, entry, failed=len(frame.run.failures) > before)
            self.end(Raised(error))

        return run

    def undone(self, frame: Frame, entry: Undo, *, failed: bool) -> None:
        """Note a compensation that has run."""

    def end(self, error: Raised) -> None:
        raise error


class InOrder(SagaWith):
    """Compensates in the order of the steps."""

    def order(self, log: list[Undo]) -> Iterator[Undo]:
        return iter(log)


class ForgetsInner(SagaWith):
    """Forgets what an inner saga has done."""

    def hand_over(self, outer: list[Undo], log: list[Undo]) -> None:
        return


class OnlyCompleted(SagaWith):
    """Registers a step when it has succeeded, not before its first try."""

    def order(self, log: list[Undo]) -> Iterator[Undo]:
        return reversed([entry for entry in log if entry.output is not None])


class StopsAtFailure(SagaWith):
    """Ends compensation at the first that fails."""

    def undone(self, frame: Frame, entry: Undo, *, failed: bool) -> None:
        if failed:
            raise Raised(frame.run.failures[-1].error)


class SwallowsError(SagaWith):
    """Takes a compensated saga for a success."""

    def end(self, error: Raised) -> None:
        return


class ForgetsFailures(SagaWith):
    """Does not record a compensation that failed."""

    def undone(self, frame: Frame, entry: Undo, *, failed: bool) -> None:
        frame.run.failures.clear()


class CompensatesDeclared(_Compiler):
    """Compensates steps whose error says that they did nothing."""

    def __init__(self, workflow: Workflow) -> None:
        super().__init__(workflow)
        self._tasks = {
            name: task.model_copy(update={"errors": ()}) for name, task in self._tasks.items()
        }


class KeysWithoutIndex(_Compiler):
    """Gives all items of a map the same keys."""

    def _map(self, step: ir.MapStep) -> Run:
        run = super()._map(step)

        def renamed(frame: Frame) -> Steps:
            steps, outcome = run(frame), None
            while True:
                try:
                    effect = steps.send(outcome)
                except StopIteration:
                    return
                if isinstance(effect, All):
                    effect = All((same_key(branch) for branch in effect.branches), effect.limit)
                outcome = yield effect

        return renamed


def same_key(steps: Steps) -> Steps:
    outcome = None
    while True:
        try:
            effect = steps.send(outcome)
        except StopIteration as stop:
            return stop.value
        if isinstance(effect, Call):
            effect.key = effect.key.rpartition(":")[0]
        outcome = yield effect


class RaisesLast(_Compiler):
    """Raises the error of the highest-numbered failed branch."""

    def _parallel(self, step: ir.ParallelStep) -> Run:
        run = super()._parallel(step)

        def wrong(frame: Frame) -> Steps:
            steps = run(frame)
            outcomes: list[Outcome] = yield next(steps)
            failed = [outcome for outcome in outcomes if isinstance(outcome, Err)]
            if failed:
                outcomes = [failed[-1] if isinstance(o, Err) else o for o in outcomes]
            try:
                steps.send(outcomes)
            except StopIteration:
                return

        return wrong


class SwallowsBranch(RaisesLast):
    """Takes a failed branch for one that ended with nothing."""

    def _parallel(self, step: ir.ParallelStep) -> Run:
        run = _Compiler._parallel(self, step)

        def wrong(frame: Frame) -> Steps:
            steps = run(frame)
            outcomes: list[Outcome] = yield next(steps)
            try:
                steps.send([Ok(None) if isinstance(o, Err) else o for o in outcomes])
            except StopIteration:
                return

        return wrong


class FailsFast(Execution):
    """Goes on as soon as one branch has failed, and leaves the others alone."""

    def _settled(self, fiber: _Fiber, outcome: Outcome) -> list[tuple[_Fiber, object]]:
        join = fiber.join
        if join is not None and isinstance(outcome, Err) and join.running > 0:
            join.running = -1_000_000
            return [(join.fiber, [outcome])]
        return super()._settled(fiber, outcome)


class ByArrival(Execution):
    """Gives the results of branches in the order in which they came."""

    def _settled(self, fiber: _Fiber, outcome: Outcome) -> list[tuple[_Fiber, object]]:
        join = fiber.join
        if join is not None:
            arrived = len(join.outcomes) - join.running
            fiber.position = min(arrived, len(join.outcomes) - 1)
        return super()._settled(fiber, outcome)


class ReturnIsCaught(_Compiler):
    """Runs a saga's compensations at an early return too."""

    def _saga(self, step: ir.SagaStep) -> Run:
        body = self.body(step.body)

        def run(frame: Frame) -> Steps:
            outer, log = frame.log, list[Undo]()
            frame.log = log
            try:
                yield from body(frame)
            except (Exception, Returned):
                frame.log = outer
                for entry in reversed(log):
                    yield from entry.run(frame, entry)
                raise
            frame.log = outer
            if outer is not None:
                outer.extend(log)

        return run


@dataclass(frozen=True)
class Mutant:
    """A planted bug and the interpreter that has it."""

    name: str
    driver: Driver

    def __str__(self) -> str:
        return self.name


MUTANTS = (
    Mutant("one_try_too_many", with_retry(lambda retry: {"attempts": retry.attempts + 1})),
    Mutant("one_try_too_few", with_retry(lambda retry: {"attempts": max(1, retry.attempts - 1)})),
    Mutant("retries_everything", with_retry(lambda retry: {"on": ("*",)})),
    Mutant("ignores_the_rate", with_retry(lambda retry: {"rate": 1})),
    Mutant("ignores_the_cap", with_retry(lambda retry: {"cap": None})),
    Mutant("lost_catch_order", rewritten(catch_all_first)),
    Mutant("no_timeouts", rewritten(without_timeout)),
    Mutant("no_limit_of_a_map", rewritten(without_limit)),
    Mutant("one_poll_too_many", rewritten(one_more_poll)),
    Mutant("lost_otherwise", rewritten(only_first_arm)),
    Mutant("compensates_in_order", compiled_by(InOrder)),
    Mutant("forgets_an_inner_saga", compiled_by(ForgetsInner)),
    Mutant("registers_after_success", compiled_by(OnlyCompleted)),
    Mutant("stops_at_a_failed_compensation", compiled_by(StopsAtFailure)),
    Mutant("swallows_a_sagas_error", compiled_by(SwallowsError)),
    Mutant("forgets_failed_compensations", compiled_by(ForgetsFailures)),
    Mutant("compensates_declared_errors", compiled_by(CompensatesDeclared)),
    Mutant("compensates_at_a_return", compiled_by(ReturnIsCaught)),
    Mutant("keys_without_index", compiled_by(KeysWithoutIndex)),
    Mutant("raises_the_last_error", compiled_by(RaisesLast)),
    Mutant("swallows_a_branchs_error", compiled_by(SwallowsBranch)),
    Mutant("does_not_await_branches", interpreter(execution=FailsFast)),
    Mutant("results_by_arrival", interpreter(execution=ByArrival)),
)
