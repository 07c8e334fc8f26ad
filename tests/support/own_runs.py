"""Opens hosts whose workflows run on an engine that is not the adapter's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cartwheel.app import App, Service
from cartwheel.dispatch import TaskReply
from cartwheel.host import Host, HostOptions
from cartwheel.ports import Ports
from cartwheel.runs import RUNS, ExecutionEngine, ForeignRuntime, Invocations, Wakeup


def with_runs(app: App) -> App:
    """Give an application the collection of runs, as an adapter with a foreign engine does."""
    service = Service("cartwheel_runs")
    service.collections.append(RUNS)
    workflows = app.workflows.values()
    return App(app.name, services=[*app.services, service], workflows=workflows)


def open_over(
    app: App,
    options: HostOptions,
    open_host: Callable[[App, HostOptions], Host],
    engine: ExecutionEngine,
    wakeup: Wakeup,
) -> tuple[Host, Invocations]:
    """Open a host whose workflows run on `engine`, which calls the invocations that are given."""
    app = with_runs(app)
    opened: list[tuple[Host, Invocations]] = []
    made: list[Invocations] = []

    def run_task(name: str, key: str, run_id: str, input: bytes) -> TaskReply:
        return opened[0][0].dispatcher.task(name, key, run_id, input)

    def change(ports: Ports) -> Ports:
        made.append(Invocations(run_task, ports.store, ports.clock, wakeup))
        runtime = ForeignRuntime(app.workflows, ports.store, made[0], engine, ports.clock)
        return replace(ports, workflows=runtime)

    host = open_host(app, replace(options, replace=change))
    opened.append((host, made[0]))
    return opened[0]
