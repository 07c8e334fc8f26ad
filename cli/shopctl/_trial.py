"""Runs one workflow on fresh state until it ends or can go on no further."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cartwheel.app import App
from cartwheel.host import Host, HostOptions
from cartwheel.log import discard
from cartwheel.plugins import load_adapter
from cartwheel.ports import HistoryEntry, Json, Run, RunStatus, from_rfc3339
from shopctl._errors import CliError, UsageError

LONGEST_VIRTUAL = 400 * 86_400
"""Seconds of virtual time after which a run that is still waiting is left alone."""


def try_run(
    app: App,
    workflow: str,
    input: Json,
    *,
    adapter: str,
    run_id: str | None,
    signals: Sequence[tuple[str, Json]],
    wait: int,
) -> tuple[Run, tuple[HistoryEntry, ...]]:
    """Run a workflow on an adapter with fresh state and give it as it ended, with its history."""
    if not isinstance(input, dict):
        raise UsageError(f"--input is {type(input).__name__}, not an object")
    loaded = load_adapter(adapter)
    with tempfile.TemporaryDirectory(prefix="shopctl-", ignore_cleanup_errors=True) as folder:
        options = HostOptions(data=Path(folder), background=False, log=discard)
        with loaded.open(_without_schedules(app), options) as host:
            runtime = host.ports.workflows
            run_id = run_id or host.ports.ids.new("run")
            try:
                runtime.start(workflow, run_id, input)
            except ValueError as error:
                raise CliError(str(error), f"shopctl workflow show {workflow}") from error
            _drive(host, run_id, list(signals), virtual=loaded.info.virtual_time, wait=wait)
            return runtime.status(run_id), tuple(runtime.history(run_id))


def _without_schedules(app: App) -> App:
    """Leave the schedules out: years of virtual time may pass, and they are not what is tried."""
    return App(
        app.name,
        services=[replace(service, schedules=[]) for service in app.services],
        workflows=app.workflows.values(),
        authenticate=app.authenticate,
        title=app.title,
        version=app.version,
    )


def _drive(
    host: Host, run_id: str, signals: list[tuple[str, Json]], *, virtual: bool, wait: int
) -> None:
    clock, runtime = host.ports.clock, host.ports.workflows
    began = clock.now()
    give_up = time.monotonic() + wait
    pause, sent = 1.0, 0
    while True:
        host.settle()
        run = runtime.status(run_id)
        if run.status is not RunStatus.RUNNING:
            return
        waits = {w.removeprefix("signal:") for w in run.waiting_for if w.startswith("signal:")}
        ready = next((signal for signal in signals if signal[0] in waits), None)
        if ready is not None:
            signals.remove(ready)
            if virtual:
                clock.sleep(1.0)  # so that the timeline shows it after what it answers
            sent += 1
            _send(host, run_id, ready, f"cli-{sent}")
            continue
        if time.monotonic() >= give_up or (virtual and clock.now() - began > LONGEST_VIRTUAL):
            return
        if virtual:
            pause = _next_pause(run, clock.now(), pause)
            clock.sleep(pause)
        else:
            clock.sleep(0.02)


def _send(host: Host, run_id: str, signal: tuple[str, Json], signal_id: str) -> None:
    name, payload = signal
    try:
        host.ports.workflows.signal(run_id, name, payload, signal_id=signal_id)
    except ValueError as error:
        raise CliError(str(error)) from error


def _next_pause(run: Run, now: float, last: float) -> float:
    """Give the seconds to the run's next sleep's end; without one, twice the last pause."""
    ends = [from_rfc3339(w.rsplit(" until ", 1)[1]) for w in run.waiting_for if " until " in w]
    pauses = [end - now for end in ends if end > now]
    return min(pauses) if pauses else last * 2
