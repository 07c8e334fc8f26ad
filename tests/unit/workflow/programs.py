"""Workflows with sagas in every position, for the saga's own tests and for its lowering."""

from __future__ import annotations

from cartwheel.workflow import (
    WorkflowDefinition,
    attempt,
    catch,
    fail,
    finish,
    fmt,
    length,
    map_each,
    otherwise,
    parallel,
    result,
    saga,
    variable,
    when,
    workflow,
)
from tests.unit.workflow.parts import (
    ById,
    Done,
    charge,
    load,
    refund,
    release,
    reserve,
    say,
)


@workflow("straight", version="1")
def straight(cmd: ById) -> Done:
    with saga():
        reserve(order_id=cmd.order_id, compensate=release)
        charge(order_id=cmd.order_id, compensate=refund)
        say(text="last")
    return result(Done, status="confirmed", order_id=cmd.order_id)


@workflow("no_saga", version="1")
def no_saga(cmd: ById) -> str:
    held = reserve(order_id=cmd.order_id)
    return fmt("{} done", held.hold_id)


@workflow("in_when", version="1")
def in_when(cmd: ById) -> str:
    status = variable("status", str)
    with saga():
        order = load(order_id=cmd.order_id)
        with when(order.total > 2):
            reserve(order_id="big", compensate=release)
            status.set("big")
        with otherwise():
            reserve(order_id="small", compensate=release)
            status.set("small")
        say(text=status.value)
    return status.value


@workflow("in_parallel", version="1")
def in_parallel(cmd: ById) -> str:
    def two() -> str:
        first = reserve(order_id="x", compensate=release, step="x1")
        reserve(order_id="y", compensate=release, step="x2")
        return first.hold_id

    with saga():
        reserve(order_id="first", compensate=release, step="first")
        held, paid = parallel(two, lambda: charge(order_id=cmd.order_id, compensate=refund))
        say(text=held)
    return paid.hold_id


@workflow("in_map", version="1")
def in_map(cmd: ById) -> list[str]:
    with saga():
        order = load(order_id=cmd.order_id)
        held = map_each(
            order.lines,
            lambda line: reserve(order_id=cmd.order_id, sku=line.sku, compensate=release).hold_id,
            concurrency=2,
        )
        say(text="after")
    return held


@workflow("map_in_map", version="1")
def map_in_map(cmd: ById) -> None:
    with saga():
        order = load(order_id=cmd.order_id)
        map_each(
            order.lines,
            lambda outer: map_each(
                order.lines,
                lambda inner: reserve(order_id=outer.sku, sku=inner.sku, compensate=release),
            ),
        )
        say(text="after")


@workflow("nested", version="1")
def nested(cmd: ById) -> None:
    with saga(step="outer"):
        reserve(order_id="1", compensate=release, step="one")
        with saga(step="inner"):
            reserve(order_id="2", compensate=release, step="two")
            say(text="inner", step="say_inner")
        say(text="outer", step="say_outer")


@workflow("caught_inside", version="1")
def caught_inside(cmd: ById) -> str:
    with saga(step="outer"):
        with attempt(), saga(step="inner"):
            reserve(order_id="1", compensate=release, step="one")
            charge(order_id="1", compensate=refund)
            say(text="inner", step="say_inner")
        with catch("Declined") as error:
            say(text=error.message, step="say_declined")
            reserve(order_id="2", compensate=release, step="two")
        say(text="outer", step="say_outer")
    return "end"


@workflow("caught_outside", version="1")
def caught_outside(cmd: ById) -> str:
    with attempt(), saga():
        reserve(order_id="1", compensate=release)
        charge(order_id="1", compensate=refund)
    with catch("Declined", "OutOfStock") as error:
        finish(error.code)
    return "ok"


@workflow("fails_by_itself", version="1")
def fails_by_itself(cmd: ById) -> None:
    with saga():
        order = load(order_id=cmd.order_id)
        reserve(order_id=order.order_id, compensate=release)
        with when(length(order.lines) == 3):
            fail("TooMany", fmt("{} lines", length(order.lines)))
        say(text="few")


@workflow("saga_in_map", version="1")
def saga_in_map(cmd: ById) -> None:
    order = load(order_id=cmd.order_id)

    def each(line: object) -> None:
        with saga():
            reserve(order_id="x", compensate=release)
            say(text="inside")

    map_each(order.lines, each)


@workflow("saga_in_map_in_saga", version="1")
def saga_in_map_in_saga(cmd: ById) -> None:
    def each(line: object) -> None:
        with saga(step="inner"):
            reserve(order_id="x", compensate=release)
            say(text="inside", step="inside")

    with saga(step="outer"):
        order = load(order_id=cmd.order_id)
        parallel(
            lambda: map_each(order.lines, each),
            lambda: charge(order_id="p", compensate=refund),
        )
        say(text="after", step="after")


@workflow("returns_inside", version="1")
def returns_inside(cmd: ById) -> str:
    with saga():
        order = load(order_id=cmd.order_id)
        reserve(order_id="x", compensate=release)
        with when(order.total == 3):
            finish("early")
        say(text="late")
    return "late"


@workflow("branch_always_fails", version="1")
def branch_always_fails(cmd: ById) -> None:
    def failing() -> None:
        reserve(order_id="x", compensate=release)
        fail("Always", "it always does")

    with saga():
        parallel(failing, lambda: charge(order_id="p", compensate=refund))


ALL: tuple[WorkflowDefinition[ById, object], ...] = (
    straight,
    no_saga,
    in_when,
    in_parallel,
    in_map,
    map_in_map,
    nested,
    caught_inside,
    caught_outside,
    fails_by_itself,
    saga_in_map,
    saga_in_map_in_saga,
    returns_inside,
    branch_always_fails,
)  # type: ignore[assignment]  # definitions of several results
