"""The application that is measured: a workflow of five steps that do next to nothing."""

from __future__ import annotations

from pydantic import BaseModel

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.workflow import workflow


class Number(BaseModel):
    n: int


service = Service("bench")


@service.task()
def add(ctx: Context, cmd: Number) -> Number:  # a task's signature
    """Add one."""
    return Number(n=cmd.n + 1)


@workflow("five", version="1")
def five(cmd: Number) -> Number:
    """Add one, five times."""
    one = add(n=cmd.n)
    two = add(n=one.n)
    three = add(n=two.n)
    four = add(n=three.n)
    return add(n=four.n)


app = App("bench", services=[service], workflows=[five])
STEPS = 5
