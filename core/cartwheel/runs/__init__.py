"""Durable workflow runs, on an engine of ours or on one that is somebody else's.

Where a platform has no workflow engine, its adapter brings a `Journal`; `DurableRuntime` is the
`WorkflowRuntime` over it, and `Engine` does the work, driven inline (`InlineDriver`: deterministic,
in the caller's thread) or by threads (`WorkerDriver`).

Where it has one, its adapter brings an `ExecutionEngine` and a `Wakeup`; `ForeignRuntime` is the
`WorkflowRuntime` over them and the store, and `Invocations` answers what the engine calls.

Names load on first use: a function on a platform that has an engine needs nothing of ours.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cartwheel.runs._active import ActiveRun
    from cartwheel.runs._definitions import Archive, Definitions
    from cartwheel.runs._engine import Driver, Engine
    from cartwheel.runs._execution import ExecutionEngine, Launch, Pause, Seen
    from cartwheel.runs._foreign import ForeignRuntime
    from cartwheel.runs._inline import InlineDriver
    from cartwheel.runs._invocation import (
        EXPIRED,
        WAIT,
        Invocation,
        Invocations,
        envelope,
        problem,
        task_error,
    )
    from cartwheel.runs._journal import (
        CANCEL,
        REDRIVE,
        Ended,
        Journal,
        Record,
        Redriven,
        RunRow,
        Settled,
        Signalled,
        Started,
        cancel_id,
        first_row,
        redrive_id,
    )
    from cartwheel.runs._letterbox import LISTED, RUNS, Letterbox, Wakeup
    from cartwheel.runs._runtime import DurableRuntime
    from cartwheel.runs._workers import WorkerDriver

_HOMES = {
    "ActiveRun": "_active",
    "Archive": "_definitions",
    "CANCEL": "_journal",
    "Definitions": "_definitions",
    "Driver": "_engine",
    "DurableRuntime": "_runtime",
    "EXPIRED": "_invocation",
    "Ended": "_journal",
    "Engine": "_engine",
    "ExecutionEngine": "_execution",
    "ForeignRuntime": "_foreign",
    "InlineDriver": "_inline",
    "Invocation": "_invocation",
    "Invocations": "_invocation",
    "Journal": "_journal",
    "LISTED": "_letterbox",
    "Launch": "_execution",
    "Letterbox": "_letterbox",
    "Pause": "_execution",
    "REDRIVE": "_journal",
    "RUNS": "_letterbox",
    "Record": "_journal",
    "Redriven": "_journal",
    "RunRow": "_journal",
    "Seen": "_execution",
    "Settled": "_journal",
    "Signalled": "_journal",
    "Started": "_journal",
    "WAIT": "_invocation",
    "Wakeup": "_letterbox",
    "WorkerDriver": "_workers",
    "cancel_id": "_journal",
    "envelope": "_invocation",
    "first_row": "_journal",
    "problem": "_invocation",
    "redrive_id": "_journal",
    "task_error": "_invocation",
}

__all__ = [
    "CANCEL",
    "EXPIRED",
    "LISTED",
    "REDRIVE",
    "RUNS",
    "WAIT",
    "ActiveRun",
    "Archive",
    "Definitions",
    "Driver",
    "DurableRuntime",
    "Ended",
    "Engine",
    "ExecutionEngine",
    "ForeignRuntime",
    "InlineDriver",
    "Invocation",
    "Invocations",
    "Journal",
    "Launch",
    "Letterbox",
    "Pause",
    "Record",
    "Redriven",
    "RunRow",
    "Seen",
    "Settled",
    "Signalled",
    "Started",
    "Wakeup",
    "WorkerDriver",
    "cancel_id",
    "envelope",
    "first_row",
    "problem",
    "redrive_id",
    "task_error",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
