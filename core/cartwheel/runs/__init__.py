"""Durable workflow runs over a journal, for adapters whose platform has no workflow engine.

An adapter brings a `Journal`; `DurableRuntime` is the `WorkflowRuntime` over it, and `Engine` does
the work, driven inline (`InlineDriver`: deterministic, in the caller's thread) or by threads
(`WorkerDriver`).
"""

from cartwheel.runs._active import ActiveRun
from cartwheel.runs._definitions import Definitions
from cartwheel.runs._engine import Driver, Engine
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
from cartwheel.runs._letterbox import RUNS, Letterbox, Wakeup
from cartwheel.runs._runtime import DurableRuntime
from cartwheel.runs._workers import WorkerDriver

__all__ = [
    "CANCEL",
    "EXPIRED",
    "REDRIVE",
    "RUNS",
    "WAIT",
    "ActiveRun",
    "Definitions",
    "Driver",
    "DurableRuntime",
    "Ended",
    "Engine",
    "InlineDriver",
    "Invocation",
    "Invocations",
    "Journal",
    "Letterbox",
    "Record",
    "Redriven",
    "RunRow",
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
