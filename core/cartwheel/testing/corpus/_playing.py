"""Plays programs: on the reference interpreter, natively or with sagas lowered, and on any host."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from cartwheel.app import App
from cartwheel.host import Host
from cartwheel.ports import Run, RunStatus, from_rfc3339
from cartwheel.testing.corpus._program import Order, Program, Signal
from cartwheel.testing.corpus._tasks import RUN_ENDING, learn, observed, service
from cartwheel.testing.corpus._verdict import Played, differences

if TYPE_CHECKING:
    from cartwheel.workflow import Execution, Workflow
    from cartwheel.workflow import Program as Compiled

PATIENCE = 30
"""Seconds after its last action within which a program ends, on a real clock."""
LONG_PATIENCE = 2 * 86_400
REAL_SLACK = 20.0
"""Seconds by which a real clock may be late before that is a fault of the engine."""

Driver = Callable[[Program], Played]
"""Plays a program to its end."""


def interpreter(
    *,
    lowered: bool = False,
    order: Order = "first",
    compile: Callable[[Workflow], Compiled] | None = None,
    execution: type[Execution] | None = None,
) -> Driver:
    """Return a driver over the reference interpreter, or over another one in its place."""
    # Functions that serve the corpus are deployed without what only compiles or interprets.
    from cartwheel.testing.corpus._simulation import Simulation
    from cartwheel.workflow import Execution, compile_program, lower_saga

    def play(program: Program) -> Played:
        workflow = program.definition.ir
        if lowered:
            workflow = lower_saga(workflow)
        return Simulation(
            program, workflow, compile or compile_program, order, execution or Execution
        ).play()

    return play


def corpus_app(programs: Iterable[Program]) -> App:
    """Make the application that serves programs; its tasks answer from their scripts."""
    listed = tuple(programs)
    learn(listed)
    return App("corpus", services=[service], workflows=[program.definition for program in listed])


def on_host(host: Host, *, unique: str = "1", patience: int = PATIENCE) -> Driver:
    """Return a driver over a host that has opened the corpus's application.

    `unique` ends the run ids, for hosts whose store has seen the corpus before. Runs end within
    `patience` seconds after their last action; those that need virtual time have days.
    """

    def play(program: Program) -> Played:
        runtime, run_id = host.ports.workflows, f"{program.name}{RUN_ENDING}{unique}"
        runtime.start(program.definition.name, run_id, program.input)
        passed, accepted = 0, []
        for seconds, act in sorted(program.actions, key=lambda action: action[0]):
            _pass_time(host, seconds - passed)
            passed = seconds
            if isinstance(act, Signal):
                accepted.append(runtime.signal(run_id, act.name, act.payload, signal_id=act.id))
            else:
                runtime.cancel(run_id)
        run = _ended(host, run_id, program, patience)
        earlier: list[str] = []
        for _ in range(program.redrives):
            earlier.append(str(run.status))
            runtime.redrive(run_id)
            run = _ended(host, run_id, program, patience)
        seen, error = observed(host.ports.store, run_id), run.error
        return Played(
            status=str(run.status),
            output=run.output,
            code=None if error is None else error.code,
            message=None if error is None else error.message,
            details=None if error is None else error.details,
            undone=tuple((f.step, f.error.code) for f in run.compensation_failures),
            calls=seen.calls,
            happened=seen.happened,
            in_flight=seen.in_flight,
            seconds=_seconds(run),
            accepted=tuple(accepted),
            earlier=tuple(earlier),
        )

    return play


def _pass_time(host: Host, seconds: float) -> None:
    """Let so many seconds of the host's clock pass, with the work that falls due in them."""
    clock = host.ports.clock
    end = clock.now() + seconds
    host.settle(seconds)
    while (left := end - clock.now()) > 0:
        clock.sleep(left)
        host.settle()


def _ended(host: Host, run_id: str, program: Program, patience: int) -> Run:
    patience = LONG_PATIENCE if program.long else patience
    began = host.ports.clock.now()
    host.settle()
    run = host.ports.workflows.status(run_id)
    while run.status == RunStatus.RUNNING:
        if host.ports.clock.now() - began > patience:
            raise AssertionError(f"{program.name} is still waiting for {run.waiting_for}")
        _pass_time(host, 600 if program.long else 0.05)
        run = host.ports.workflows.status(run_id)
    return run


def _seconds(run: Run) -> float:
    return from_rfc3339(run.ended_at or run.started_at) - from_rfc3339(run.started_at)


def run_program(program: Program, driver: Driver, *, slack: float = 0.0) -> Played:
    """Play a program and raise AssertionError with every way in which it was not as claimed."""
    played = driver(program)
    found = differences(program, played, slack=slack)
    if found:
        lines = [f"program {program.name}: {program.rule}", *(f"  {each}" for each in found)]
        lines.append("  calls: " + _shown([str(call) for call in played.calls]))
        raise AssertionError("\n".join(lines))
    return played


def _shown(lines: Sequence[str]) -> str:
    return "none" if not lines else "".join(f"\n    {line}" for line in lines)
