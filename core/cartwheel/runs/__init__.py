"""Durable workflow runs, on an engine of ours or on one that is somebody else's.

Where a platform has no workflow engine, its adapter brings a `Journal`; `DurableRuntime` is the
`WorkflowRuntime` over it, and `Engine` does the work, driven inline (`InlineDriver`: deterministic,
in the caller's thread) or by threads (`WorkerDriver`).

Where it has one, its adapter brings an `ExecutionEngine` and a `Wakeup`; `ForeignRuntime` is the
`WorkflowRuntime` over them and the store, and `Invocations` answers what the engine calls.

Names load on first use: a function on a platform that has an engine needs nothing of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cartwheel._lazy import attach

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

__getattr__, __dir__ = attach(
    __name__,
    {
        "_active": ("ActiveRun",),
        "_definitions": ("Archive", "Definitions"),
        "_engine": ("Driver", "Engine"),
        "_execution": ("ExecutionEngine", "Launch", "Pause", "Seen"),
        "_foreign": ("ForeignRuntime",),
        "_inline": ("InlineDriver",),
        "_invocation": (
            "EXPIRED",
            "Invocation",
            "Invocations",
            "WAIT",
            "envelope",
            "problem",
            "task_error",
        ),
        "_journal": (
            "CANCEL",
            "Ended",
            "Journal",
            "REDRIVE",
            "Record",
            "Redriven",
            "RunRow",
            "Settled",
            "Signalled",
            "Started",
            "cancel_id",
            "first_row",
            "redrive_id",
        ),
        "_letterbox": ("LISTED", "Letterbox", "RUNS", "Wakeup"),
        "_runtime": ("DurableRuntime",),
        "_workers": ("WorkerDriver",),
    },
)

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
