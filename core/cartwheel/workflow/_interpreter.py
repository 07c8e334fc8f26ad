"""The reference interpreter: compiles a workflow once into generators that yield effects.

It does no I/O, reads no clock and knows no thread: `Execution` drives the generators, and whoever
drives `Execution` does the effects. A compiled step is a function from a frame to a generator (or,
for an assignment, a plain function); running one touches neither the intermediate form nor
pydantic.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from cartwheel.workflow import _ir as ir
from cartwheel.workflow._check import check
from cartwheel.workflow._effects import (
    All,
    Call,
    Err,
    Error,
    Raised,
    Returned,
    Sleep,
    Steps,
    Wait,
)
from cartwheel.workflow._evaluate import (
    compile_expr,
    compile_object,
)
from cartwheel.workflow._expr import Expr, LiteralExpr
from cartwheel.workflow._frames import (
    Frame,
    Plain,
    Run,
    Undo,
    call_with_retry,
    epoch,
    error_of,
    retry_after,
    settle,
    undo_by,
    undo_with,
)

CACHED_PROGRAMS = 256


@dataclass(slots=True, frozen=True)
class Program:
    """A compiled workflow; one serves any number of runs at once."""

    workflow: ir.Workflow
    content_hash: str
    main: Run


_programs: dict[str, Program] = {}
_programs_lock = threading.Lock()


def compile_program(workflow: ir.Workflow) -> Program:
    """Check and compile a workflow; the same content is compiled once.

    Raises BuildError with all problems of the workflow.
    """
    digest = workflow.content_hash
    program = _programs.get(digest)
    if program is None:
        check(workflow)
        program = Program(workflow, digest, _Compiler(workflow).body(workflow.body))
        with _programs_lock:
            if len(_programs) >= CACHED_PROGRAMS:
                del _programs[next(iter(_programs))]
            _programs[digest] = program
    return program


class _Compiler:
    """Turns steps into functions; one per program."""

    def __init__(self, workflow: ir.Workflow) -> None:
        self._tasks = workflow.tasks

    def body(self, steps: tuple[ir.Step, ...]) -> Run:
        parts = tuple((self._plain(step), self._step(step)) for step in steps)
        if not parts:
            return _nothing
        if len(parts) == 1 and parts[0][0] is None:
            return parts[0][1]

        def run(frame: Frame) -> Steps:
            for plain, effects in parts:
                if plain is None:
                    yield from effects(frame)
                else:
                    plain(frame)

        return run

    def _plain(self, step: ir.Step) -> Plain | None:
        """Compile a step without effects, which needs no generator."""
        match step:
            case ir.AssignStep():
                return self._assign(step)
            case ir.FailStep():
                return self._fail(step)
            case ir.ReturnStep():
                return self._return(step)
            case ir.RaiseStep():
                return self._raise(step)
            case _:
                return None

    def _step(self, step: ir.Step) -> Run:
        match step:
            case ir.AssignStep() | ir.FailStep() | ir.ReturnStep() | ir.RaiseStep():
                return _nothing
            case ir.TaskStep(compensates=None):
                return self._task(step)
            case ir.TaskStep():
                return self._compensation_step(step)
            case ir.WhenStep():
                return self._when(step)
            case ir.ParallelStep():
                return self._parallel(step)
            case ir.MapStep():
                return self._map(step)
            case ir.TryStep():
                return self._try(step)
            case ir.SagaStep():
                return self._saga(step)
            case ir.SleepStep():
                return self._sleep(step)
            case ir.WaitStep():
                return self._wait(step)
            case ir.PollStep():
                return self._poll(step)

    def _assign(self, step: ir.AssignStep) -> Plain:
        value, variable = compile_expr(step.value), step.variable

        def assign(frame: Frame) -> None:
            frame.env[variable] = value(frame.env)

        return assign

    def _task(self, step: ir.TaskStep) -> Run:
        name, task, timeout, result = step.name, step.task, step.timeout, step.result
        build, retry = compile_object(step.input), retry_after(step.retry)
        undo = None if step.compensate is None else undo_by(name, step.compensate)
        declared = frozenset(self._tasks[task].errors)
        head = f":{name}"

        def run(frame: Frame) -> Steps:
            env, position = frame.env, frame.position
            given = build(env)
            place = name + position
            key = frame.run.run_id + head + position
            entry = None
            if undo is not None and frame.log is not None:
                entry = Undo(undo, position, key, given)
                frame.log.append(entry)
            attempt = 1
            while True:
                outcome = yield Call(
                    f"{place}#{attempt}", key, name, task, given, attempt, timeout, False
                )
                if type(outcome) is not Err:
                    break
                delay = retry(attempt, outcome.error.code)
                if delay is None:
                    if entry is not None and outcome.error.code in declared:
                        frame.log.pop()  # type: ignore[union-attr]  # an entry was put there
                    raise Raised(outcome.error)
                yield Sleep(f"{place}~{attempt}", name, frame.run.now + delay[0], delay[1], True)
                attempt += 1
            if entry is not None:
                entry.output = outcome.value
            if result is not None:
                env[result] = outcome.value

        return run

    def _compensation_step(self, step: ir.TaskStep) -> Run:
        build, spec = (
            compile_object(step.input),
            ir.CompensateSpec(task=step.task, retry=step.retry, timeout=step.timeout),
        )
        undo = undo_with(step.compensates or step.name, spec)

        def run(frame: Frame) -> Steps:
            return undo(frame.run, frame.position, build(frame.env))

        return run

    def _when(self, step: ir.WhenStep) -> Run:
        condition = compile_expr(step.condition)
        then, otherwise = self.body(step.then), self.body(step.otherwise)

        def run(frame: Frame) -> Steps:
            return then(frame) if condition(frame.env) else otherwise(frame)

        return run

    def _branch(self, body: tuple[ir.Step, ...], value: Expr) -> Run:
        steps, end = self.body(body), compile_expr(value)

        def run(frame: Frame) -> Steps:
            yield from steps(frame)
            return end(frame.env)

        return run

    def _parallel(self, step: ir.ParallelStep) -> Run:
        branches = tuple(self._branch(branch.body, branch.value) for branch in step.branches)
        names = tuple(branch.result for branch in step.branches)

        def run(frame: Frame) -> Steps:
            frames = [frame.fork(None) for _ in branches]
            started = (start(own) for start, own in zip(branches, frames, strict=True))
            values = settle(frame, frames, (yield All(started, None)))
            for name, value in zip(names, values, strict=True):
                if name is not None:
                    frame.env[name] = value

        return run

    def _map(self, step: ir.MapStep) -> Run:
        items, item, result = compile_expr(step.items), step.item, step.result
        branch, limit = self._branch(step.body, step.value), step.concurrency

        def run(frame: Frame) -> Steps:
            frames: list[Frame] = []
            values = tuple(items(frame.env))

            def started() -> Iterator[Steps]:
                for index, value in enumerate(values):
                    own = frame.fork(index)
                    own.env[item] = value
                    frames.append(own)
                    yield branch(own)

            outputs = settle(frame, frames, (yield All(started(), limit)))
            if result is not None:
                frame.env[result] = outputs

        return run

    def _try(self, step: ir.TryStep) -> Run:
        body = self.body(step.body)
        handlers = tuple(
            (frozenset(handler.codes), handler.error, self.body(handler.body))
            for handler in step.handlers
        )

        def run(frame: Frame) -> Steps:
            try:
                yield from body(frame)
            except Exception as raised:  # noqa: BLE001 - a defect is the language's Unexpected
                error = error_of(raised)
            else:
                return
            for codes, name, handle in handlers:
                if error.code in codes or ir.ANY_ERROR in codes:
                    if name is not None:
                        frame.env[name] = error.to_json()
                    yield from handle(frame)
                    return
            raise Raised(error)

        return run

    def _saga(self, step: ir.SagaStep) -> Run:
        body = self.body(step.body)

        def run(frame: Frame) -> Steps:
            outer = frame.log
            log: list[Undo] = []
            frame.log = log
            try:
                yield from body(frame)
            except Exception as raised:  # noqa: BLE001 - a defect is the language's Unexpected
                error = error_of(raised)
            else:
                # What an inner saga did is still undone by the outer one.
                frame.log = outer
                if outer is not None:
                    outer.extend(log)
                return
            frame.log = outer
            for entry in reversed(log):
                yield from entry.run(frame, entry)
            raise Raised(error)

        return run

    def _sleep(self, step: ir.SleepStep) -> Run:
        name = step.name
        if step.seconds is not None:
            seconds = compile_expr(step.seconds)

            def run(frame: Frame) -> Steps:
                until = frame.run.now + max(0, seconds(frame.env))
                yield Sleep(name + frame.position, name, until, 0.0)

            return run
        time = compile_expr(step.until or LiteralExpr(value=""))

        def run_until(frame: Frame) -> Steps:
            yield Sleep(name + frame.position, name, epoch(time(frame.env)), 0.0)

        return run_until

    def _wait(self, step: ir.WaitStep) -> Run:
        name, signal, timeout, result = step.name, step.signal, step.timeout, step.result

        def run(frame: Frame) -> Steps:
            until = None if timeout is None else frame.run.now + timeout
            outcome = yield Wait(name + frame.position, name, signal, until)
            if type(outcome) is Err:
                raise Raised(outcome.error)
            if result is not None:
                frame.env[result] = outcome.value

        return run

    def _poll(self, step: ir.PollStep) -> Run:
        name, interval, attempts, result = step.name, step.interval, step.attempts, step.result
        task = step.task
        once = call_with_retry(name, task, step.retry, step.timeout)
        build, until = compile_object(step.input), compile_expr(step.until)

        def run(frame: Frame) -> Steps:
            given = build(frame.env)
            for count in range(attempts):
                if count:
                    pause = f"{name}{frame.position}:{count - 1}"
                    yield Sleep(pause, name, frame.run.now + interval, 0.0)
                ending = f"{frame.position}:{count}"
                outcome = yield from once(frame.run, ending, given, compensation=False)
                if type(outcome) is Err:
                    raise Raised(outcome.error)
                frame.env[result] = outcome.value
                if until(frame.env):
                    return
            message = f"step {name}: task {task} was polled {attempts} times without the answer"
            raise Raised(Error(ir.TIMEOUT, message))

        return run

    def _fail(self, step: ir.FailStep) -> Plain:
        code = step.code
        message, details = compile_expr(step.message), compile_expr(step.details)

        def run(frame: Frame) -> None:
            raise Raised(Error(code, message(frame.env), details(frame.env)))

        return run

    def _return(self, step: ir.ReturnStep) -> Plain:
        value = compile_expr(step.value)

        def run(frame: Frame) -> None:
            raise Returned(value(frame.env))

        return run

    def _raise(self, step: ir.RaiseStep) -> Plain:
        error = compile_expr(step.error)

        def run(frame: Frame) -> None:
            raise Raised(Error.from_json(error(frame.env)))

        return run


def _nothing(frame: Frame) -> Steps:
    """Run no step."""
    yield from ()
