"""Durable runs over a journal, for adapters whose platform has no workflow engine of its own.

The engine holds each open run as an `Execution` in memory. An effect's answer is delivered to the
execution at once, but what the execution asks for next is begun only after the journal has kept the
answer. So a crash loses nothing that anybody has acted on, and the journal's answers, delivered in
their order to a fresh execution, rebuild the same state. Answers of many runs are written in one
batch: whoever holds the flush lock writes for all.

The engine starts no thread and never waits: a driver calls `take`, `perform`, `flush` and
`fire_timers` (`InlineDriver` here, threads in the local adapter).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from pydantic_core import from_json, to_json

from cartwheel.dispatch import TaskReply
from cartwheel.ports import (
    Clock,
    Randomness,
    RunConflict,
    RunStatus,
    Unavailable,
)
from cartwheel.runs._active import (
    CANCELLED,
    TIMEOUT,
    ActiveRun,
    Step,
    columns_of,
    describe,
    outcome_of,
    records_of,
    reply_of,
    result_json,
    timed_out,
)
from cartwheel.runs._definitions import Definitions
from cartwheel.runs._inline import InlineDriver
from cartwheel.runs._journal import (
    CANCEL,
    REDRIVE,
    Ended,
    Journal,
    Redriven,
    RunRow,
    Settled,
    Signalled,
    Started,
)
from cartwheel.runs._timers import Timers
from cartwheel.trace import enter, leave
from cartwheel.workflow import (
    Call,
    Err,
    Error,
    Execution,
    Leaf,
    Ok,
    Outcome,
    Program,
    Result,
    Sleep,
    Wait,
)

TaskRunner = Callable[[str, str, str, bytes], TaskReply]
"""Runs a task: its name, the idempotency key, the run's id and the input as JSON."""


class Driver(Protocol):
    """Is told when there is something to do."""

    def ready(self, run: ActiveRun, calls: int) -> None:
        """Take note that so many more calls of this run can be performed; the lock is held."""
        ...

    def drive(self, run: ActiveRun) -> None:
        """Let the run go on, after its caller has flushed; the lock is not held."""
        ...

    def timer(self, due: float) -> None:
        """Take note that a timer is due at this time; the engine's lock is held."""
        ...


class Glance(NamedTuple):
    """Is what an open run is about."""

    generation: int
    cancel_requested: bool
    waiting_for: tuple[str, ...]


class Engine:
    """Drives open runs over a journal; every method may be called from any thread."""

    def __init__(
        self,
        definitions: Definitions,
        run_task: TaskRunner,
        journal: Journal,
        clock: Clock,
        random: Randomness,
    ) -> None:
        self._definitions = definitions
        self._run_task = run_task
        self._journal = journal
        self._clock = clock
        self._random = random
        self._lock = threading.RLock()
        self._flushing = threading.Lock()
        self._admitting = tuple(threading.Lock() for _ in range(64))
        self._runs: dict[str, ActiveRun] = {}
        self._starting: dict[str, Started] = {}
        self._steps: list[Step] = []
        self._timers = Timers()
        self._broken: BaseException | None = None
        self._epoch = 0
        """Counts how often the engine was mended."""
        self._signal_mark = 0
        self.driver: Driver = InlineDriver(self)

    # What the runtime asks for.

    def admit(self, wanted: Sequence[Started], program: Program) -> Sequence[Started]:
        """Begin runs in one commit, unless their ids are taken; gives what each was started with.

        Raises RunConflict for an id that was started otherwise; runs before it have begun then.
        """
        self.mend()
        epoch = self._epoch
        begun: list[Started] = []
        try:
            for started in wanted:
                begun.append(self._admit(started, program))
        finally:
            self.flush(epoch)
            for started in begun:
                self._pump(started.run_id)
        return begun

    def _admit(self, wanted: Started, program: Program) -> Started:
        """Begin a run unless its id is taken; gives what the id was started with."""
        run_id = wanted.run_id
        with self._admitting[hash(run_id) % len(self._admitting)]:
            with self._lock:
                known = self._starting.get(run_id)
            if known is None:
                row = self._journal.run(run_id)
                if row is None:
                    with self._lock:
                        self._begin(wanted, program)
                    return wanted
                known = Started(
                    row.run_id,
                    row.workflow,
                    row.version,
                    row.definition,
                    row.input,
                    row.started_at,
                )
        if known.workflow != wanted.workflow:
            raise RunConflict(run_id, f"is a run of workflow '{known.workflow}'")
        if from_json(known.input) != from_json(wanted.input):
            raise RunConflict(run_id, "was started with another input")
        return known

    def keep_signal(self, run_id: str, name: str, payload: bytes, signal_id: str) -> bool:
        """Keep a signal and hand it to whatever waits for it; false when it is of no use."""
        self.mend()
        epoch = self._epoch
        with self._lock:
            run = self._runs.get(run_id)
            if run is None or signal_id in run.seen or run.execution.result is not None:
                return False
            run.seen.add(signal_id)
            now = self._clock.now()
            signal = Signalled(run_id, signal_id, name, payload, now, run.seq)
            self._steps.append(Step(signal, run, (), ended=False))
            self._post(run, signal)
        self.flush(epoch)
        self._pump(run_id)
        return True

    def redrive(self, row: RunRow) -> None:
        """Begin an ended run's next generation; raises RunConflict when that has begun."""
        self.mend()
        epoch = self._epoch
        with self._lock:
            if row.run_id in self._runs:
                raise RunConflict(row.run_id, "is being redriven already")
            now = self._clock.now()
            generation = row.generation + 1
            active = self._revive(row._replace(generation=generation, generation_at=now))
            effects = active.execution.start(now)
            redriven = Redriven(row.run_id, generation, now)
            self._steps.append(Step(redriven, active, effects, ended=False))
            self._runs[row.run_id] = active
        self.flush(epoch)
        self._pump(row.run_id)

    def look(self, run_id: str) -> Glance | None:
        """Tell where an open run stands now; None when it is not open."""
        with self._lock:
            active = self._runs.get(run_id)
            if active is None:
                return None
            waiting = tuple(describe(effect) for effect in active.execution.pending.values())
            return Glance(active.generation, active.cancelled, waiting)

    # What drivers call.

    def recover(self) -> int:
        """Take up all open runs where the journal has them; gives how many. Call it once, first."""
        with self._lock:
            # The mark comes first: what is written between the two is seen twice, never missed.
            self._signal_mark, _ = self._journal.signals_since(0)
            rows = self._journal.open_runs()
            for row in rows:
                self._take_up(row)
        for row in rows:
            self._pump(row.run_id)
        return len(rows)

    def _take_up(self, row: RunRow) -> None:
        """Go on with an open run where the journal has it; the lock is held."""
        active = self._revive(row)
        self._runs[row.run_id] = active
        active.execution.start(row.generation_at)
        for answer in self._journal.settled(row.run_id):
            if answer.generation == row.generation:
                active.execution.deliver(answer.effect, outcome_of(answer), answer.at)
        self._begin_effects(active, list(active.execution.pending.values()))

    def mend(self) -> bool:
        """Take everything up from the journal again after it could not be written.

        Answers that were not kept are forgotten, so their calls are done again under their keys.
        Nothing happens, and it gives false, when nothing is broken.
        """
        if not self._is_broken():
            return False
        with self._flushing, self._lock:
            if not self._is_broken():
                return False
            self._runs.clear()
            self._starting.clear()
            self._steps.clear()
            self._timers.clear()
            self._epoch += 1
            self._broken = None
        self.recover()
        return True

    def take(self, run: ActiveRun) -> Call | None:
        """Take a call of the run that can be performed now."""
        with self._lock:
            if not run.calls:
                return None
            call = run.calls.popleft()
            if call.timeout is not None:
                run.started[call.id] = self._clock.now()
            return call

    def perform(self, run: ActiveRun, call: Call) -> None:
        """Do a call and deliver its answer; the answer still has to be flushed."""
        if run.cancelled and not call.compensation:
            reply, now = TaskReply(ok=False, json=to_json(CANCELLED.to_json())), self._clock.now()
        elif (record := run.done.get(call.key)) is not None:
            reply, now = TaskReply(record.ok, record.json), self._clock.now()
        else:
            entered = enter(run.trace)
            try:
                reply = self._run_task(call.task, call.key, run.run_id, to_json(call.input))
            finally:
                leave(entered)
            now = self._clock.now()
            if call.timeout is not None:
                began = run.started.get(call.id, now)
                if now - began >= call.timeout:
                    now = began + call.timeout
                    reply = TaskReply(ok=False, json=to_json(timed_out(call).to_json()))
        with self._lock:
            self._answer(run, call, reply, now)

    def flush(self, epoch: int | None = None) -> None:
        """Return when every answer given so far is kept and acted on.

        Raises Unavailable when the journal could not be written since `epoch`: what was given since
        then may be lost. `mend` makes the engine whole again.
        """
        with self._flushing:
            with self._lock:
                steps, self._steps = self._steps, []
            if self._broken is not None or (epoch is not None and epoch != self._epoch):
                raise Unavailable("the journal of runs could not be written; try again")
            if not steps:
                return
            try:
                self._journal.write([step.record for step in steps])
            except BaseException as error:
                # Memory is ahead of the journal now: only what the journal has is right.
                self._broken = error
                raise
            with self._lock:
                starting = self._starting
                for _, run, effects, ended in steps:
                    if starting:
                        starting.pop(run.run_id, None)
                    if ended:
                        self._runs.pop(run.run_id, None)
                        run.finish()
                    elif effects:
                        self._begin_effects(run, effects)

    def fire_timers(self, now: float) -> Sequence[ActiveRun]:
        """Answer the effects whose time has come; gives the runs that may go on."""
        fired: list[ActiveRun] = []
        with self._lock:
            for timer, effect in self._timers.due(now):
                self._answer(timer.run, effect, reply_of(timer.outcome), timer.at)
                fired.append(timer.run)
        return fired

    def next_timer(self) -> float | None:
        """Give when the next timer is due, in epoch seconds."""
        with self._lock:
            return self._timers.next()

    def take_foreign_signals(self) -> None:
        """Deliver the signals that another process has written, and go on with what it redrove."""
        mark, signals = self._journal.signals_since(self._signal_mark)
        self._signal_mark = mark
        touched: list[str] = []
        with self._lock:
            for signal in signals:
                run = self._runs.get(signal.run_id)
                if run is None and signal.name == REDRIVE:
                    row = self._journal.run(signal.run_id)
                    if row is not None and row.status is RunStatus.RUNNING:
                        self._take_up(row)
                        touched.append(signal.run_id)
                elif run is not None and signal.signal_id not in run.seen:
                    run.seen.add(signal.signal_id)
                    self._post(run, signal)
                    touched.append(signal.run_id)
        if touched:
            self.flush()
        for run_id in touched:
            self._pump(run_id)

    def active(self, run_id: str) -> ActiveRun | None:
        """Give an open run as it is in memory."""
        with self._lock:
            return self._runs.get(run_id)

    @property
    def flushing(self) -> bool:
        """Tell whether answers are being written now."""
        return self._flushing.locked()

    @property
    def pending(self) -> int:
        """Count the answers that wait to be kept."""
        return len(self._steps)

    # What both share.

    def _begin(self, started: Started, program: Program) -> None:
        execution = Execution(program, started.run_id, from_json(started.input))
        active = ActiveRun(started.run_id, execution, 1, started.trace)
        self._runs[started.run_id] = active
        self._starting[started.run_id] = started
        effects = active.execution.start(started.at)
        self._steps.append(Step(started, active, effects, ended=False))
        if execution.result is not None:
            self._end(active, execution.result, started.at)

    def _revive(self, row: RunRow) -> ActiveRun:
        """Make a run's memory anew from the journal, up to its last generation's beginning."""
        program = self._definitions.program(row.definition, row.workflow)
        execution = Execution(program, row.run_id, from_json(row.input))
        active = ActiveRun(row.run_id, execution, row.generation, row.trace)
        taken: set[str] = set()
        answers = self._journal.settled(row.run_id)
        active.done = records_of(answers, row.generation)
        for answer in answers:
            active.seq = answer.seq
            if answer.generation == row.generation and answer.signal_id:
                taken.add(answer.signal_id)
        for signal in self._journal.signals(row.run_id):
            active.seen.add(signal.signal_id)
            if signal.name == CANCEL:
                active.cancelled = signal.at >= row.generation_at
            elif signal.name != REDRIVE and signal.signal_id not in taken:
                active.mailbox.setdefault(signal.name, deque()).append(signal)
        return active

    def _begin_effects(self, run: ActiveRun, effects: Sequence[Leaf]) -> None:
        """Begin what the execution asks for; the lock is held and the reason is in the journal."""
        calls = 0
        for effect in effects:
            if type(effect) is Call:
                run.calls.append(effect)
                calls += 1
            elif type(effect) is Sleep:
                early = effect.jitter * self._random.uniform() if effect.jitter else 0.0
                self._set_timer(effect.until - early, run, effect.id, Ok(None))
            elif type(effect) is Wait:
                self._begin_wait(run, effect)
        if calls:
            self.driver.ready(run, calls)

    def _begin_wait(self, run: ActiveRun, wait: Wait) -> None:
        waiting = run.mailbox.get(wait.signal)
        if run.cancelled:
            self._answer(run, wait, reply_of(Err(CANCELLED)), self._clock.now())
        elif waiting:
            self._take_signal(run, wait, waiting.popleft())
        elif wait.until is not None:
            error = Error(TIMEOUT, f"signal '{wait.signal}' did not come in time", retryable=True)
            self._set_timer(wait.until, run, wait.id, Err(error))

    def _set_timer(self, due: float, run: ActiveRun, effect: str, outcome: Outcome) -> None:
        self._timers.set(due, run, effect, outcome)
        self.driver.timer(due)

    def expire_call(self, run: ActiveRun, call: Call) -> None:
        """Have a call that is under way answered with Timeout when its time is over."""
        if call.timeout is not None:
            with self._lock:
                due = run.started[call.id] + call.timeout
                self._set_timer(due, run, call.id, Err(timed_out(call)))

    def _answer(
        self, run: ActiveRun, effect: Leaf, reply: TaskReply, now: float, signal_id: str = ""
    ) -> None:
        """Deliver an answer and queue its record; what follows begins after the flush."""
        execution = run.execution
        if effect.id not in execution.pending or self._runs.get(run.run_id) is not run:
            return
        if run.started:
            run.started.pop(effect.id, None)
        run.seq += 1
        kind, key, task, attempt = columns_of(effect)
        record = Settled(
            run.run_id,
            run.generation,
            run.seq,
            effect.id,
            kind,
            effect.step,
            key,
            task,
            attempt,
            reply.ok,
            reply.json,
            now,
            signal_id,
        )
        effects = execution.deliver(effect.id, outcome_of(record), now)
        self._steps.append(Step(record, run, effects, False))
        if execution.result is not None:
            self._end(run, execution.result, now)

    def _is_broken(self) -> bool:
        return self._broken is not None

    def _end(self, run: ActiveRun, result: Result, now: float) -> None:
        ended = Ended(run.run_id, RunStatus(result.status), result_json(result), now)
        self._steps.append(Step(ended, run, (), ended=True))

    def _take_signal(self, run: ActiveRun, wait: Wait, signal: Signalled) -> None:
        reply = TaskReply(ok=True, json=signal.payload)
        self._answer(run, wait, reply, self._clock.now(), signal.signal_id)

    def _post(self, run: ActiveRun, signal: Signalled) -> None:
        """Hand a kept (or about to be kept) signal to a wait, or lay it into the run's mailbox."""
        waits = [effect for effect in run.execution.pending.values() if type(effect) is Wait]
        if signal.name == CANCEL:
            run.cancelled = True
            for wait in waits:
                self._answer(run, wait, reply_of(Err(CANCELLED)), self._clock.now())
            return
        for wait in waits:
            if wait.signal == signal.name:
                self._take_signal(run, wait, signal)
                return
        run.mailbox.setdefault(signal.name, deque()).append(signal)

    def _pump(self, run_id: str) -> None:
        run = self.active(run_id)
        if run is not None:
            self.driver.drive(run)
