"""What compiling and interpreting a workflow take, and how that grows."""

from __future__ import annotations

from functools import partial

from cartwheel.plugins import load_adapter
from cartwheel.workflow import Execution, Ok, Program, RetryPolicy, Workflow, compile_program
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
    return _linear(f"{steps} steps against {steps // 10}, for {target}", long_, short)


def interpreting() -> Figure:
    """Play a long sequence of tasks on the reference interpreter, and a tenth of it."""
    short, long_ = (
        median_of(3, partial(seconds, partial(_play, compile_program(sequence(count)))))
        for count in (1000, 10_000)
    )
    return _linear("10,000 steps interpreted against 1,000", long_, short)


def _play(program: Program) -> None:
    execution = Execution(program, "run", {"text": "x"})
    effects = execution.start(0.0)
    while effects:
        effects = execution.deliver(effects[0].id, Ok({"text": "x"}), 0.0)


def _linear(title: str, long_: float, short: float) -> Figure:
    ratio = long_ / short
    return Figure(
        title,
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
