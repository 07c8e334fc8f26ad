"""Workflows for the diagrams' tests."""

from __future__ import annotations

from cartwheel.workflow import (
    RetryPolicy,
    WorkflowDefinition,
    attempt,
    catch,
    fail,
    finish,
    fmt,
    map_each,
    otherwise,
    parallel,
    poll,
    saga,
    sleep,
    variable,
    wait_for,
    when,
    workflow,
)
from tests.unit.workflow.parts import (
    ById,
    Text,
    charge,
    load,
    refund,
    release,
    reserve,
    say,
)

PATIENT = RetryPolicy(attempts=4)


@workflow("checkout", version="2")
def checkout(cmd: ById) -> str:
    with saga():
        order = load(order_id=cmd.order_id)
        reserve(order_id=cmd.order_id, compensate=release, retry=PATIENT)
        with when(order.total > 0):
            charge(order_id=cmd.order_id, compensate=refund, timeout=30)
        with otherwise():
            say(text="free")
    return "confirmed"


@workflow("fan_out", version="1")
def fan_out(cmd: ById) -> list[str]:
    order = load(order_id=cmd.order_id)

    def lines() -> list[str]:
        return map_each(
            order.lines,
            lambda line: reserve(order_id=cmd.order_id, sku=line.sku).hold_id,
            concurrency=3,
        )

    def approval() -> None:
        wait_for("approved", Text, timeout=60)
        sleep(5)

    holds, _ = parallel(lines, approval)
    return holds


@workflow("careful", version="1")
def careful(cmd: ById) -> str:
    told = variable("told", str)
    with attempt():
        poll(load, until=lambda o: o.total > 0, interval=10, attempts=6, order_id=cmd.order_id)
        with when(cmd.order_id == 'say "hi" #1; <b>`x`</b> | end'):
            finish("odd")
        told.set(fmt("order {} is there", cmd.order_id))
    with catch("NoOrder", "Timeout") as error:
        say(text=error.message)
        fail("GivenUp", "there is no order")
    with catch("*"):
        told.set("who knows")
    sleep(until="2030-01-01T00:00:00Z")
    return told.value


DRAWN: tuple[WorkflowDefinition[ById, str] | WorkflowDefinition[ById, list[str]], ...] = (
    checkout,
    fan_out,
    careful,
)
