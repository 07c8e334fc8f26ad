"""What compiling a workflow for a provider's engine takes, and how it grows."""

from __future__ import annotations

from functools import partial

from cartwheel.plugins import load_adapter
from cartwheel.workflow import RetryPolicy, Workflow
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import LiteralExpr
from cartwheel.workflow._types import NULL, STRING, ObjectType
from cartwheel_workflows.checkout import checkout
from tests.benchmarks._table import Figure, median_of, seconds

TARGETS = ("aws", "gcp", "azure")
LIMIT = 0.020
STEPS = {"aws": 1000, "gcp": 400, "azure": 1000}
"""Steps of the long workflow; Google takes 128 KiB of source, which is some 450 such steps."""


def compilers() -> list[Figure]:
    """Compile the checkout for each target, and long sequences of tasks."""
    figures: list[Figure] = []
    for target in TARGETS:
        adapter, workflow = load_adapter(target), checkout.ir
        taken = median_of(15, partial(seconds, partial(adapter.compile_workflow, workflow)))
        size = sum(len(text.encode()) for text in adapter.compile_workflow(workflow).files.values())
        figures.append(
            Figure(
                f"checkout compiled for {target}",
                f"{taken * 1e3:.1f} ms, {size / 1024:.1f} KiB",
                "<= 20 ms",
                taken <= LIMIT,
            )
        )
        figures.append(_growth(target))
    return figures


def _growth(target: str) -> Figure:
    adapter, steps = load_adapter(target), STEPS[target]
    short, long_ = (
        median_of(3, partial(seconds, partial(adapter.compile_workflow, sequence(count))))
        for count in (steps // 10, steps)
    )
    ratio = long_ / short
    return Figure(
        f"{steps} steps against {steps // 10}, for {target}",
        f"{long_ * 1e3:.0f} ms / {short * 1e3:.0f} ms = {ratio:.1f}",
        "<= 15 (linear: 10)",
        ratio <= 15,
    )


def sequence(count: int) -> Workflow:
    """Make a workflow of so many tasks, one after the other."""
    text = ObjectType(fields={"text": STRING})
    steps = tuple(
        ir.TaskStep(
            name=f"say{number}",
            task="bench.say",
            input={"text": LiteralExpr(value="x")},
            retry=RetryPolicy(attempts=1),
            result=f"said{number}" if number % 2 else None,
        )
        for number in range(count)
    )
    tasks = {"bench.say": ir.TaskSpec(input=text, output=text)}
    name = f"sequence_{count}"
    return Workflow(name=name, version="1", input=text, output=NULL, tasks=tasks, body=steps)
