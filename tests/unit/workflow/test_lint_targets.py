"""Lint knows the limits of each target, and estimates what a run costs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import BaseModel

from cartwheel.ports import ConfigurationError
from cartwheel.workflow import (
    TARGETS,
    and_,
    attempt,
    catch,
    days,
    fail,
    lint,
    map_each,
    parallel,
    result,
    saga,
    sleep,
    when,
    workflow,
)
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._estimate import ASSUMED_ITEMS, estimate, longest_expression
from cartwheel.workflow._expr import AndExpr, CompareExpr, LiteralExpr, RefExpr
from tests.unit.workflow.linted import RETRIED, found, guarded, read, told, undo
from tests.unit.workflow.parts import (
    ById,
    Done,
    Order,
    Text,
    task,
)


def one_task(cmd: ById) -> None:
    told(text=cmd.order_id)


class Many(BaseModel):
    """A wide input."""

    order_id: str
    words: list[str]
    orders: list[Order]


def many_events(cmd: ById) -> None:
    order = read(order_id=cmd.order_id)

    def each(line: object) -> None:
        for number in range(60):
            told(text="x", step=f"tell_{number}")

    map_each(order.lines, each, concurrency=5)


def eleven_branches(cmd: ById) -> None:
    branch = lambda: told(text=cmd.order_id)  # noqa: E731  # the same branch, eleven times
    parallel(*(branch for _ in range(11)))


def three_deep(cmd: ById) -> None:
    order = read(order_id=cmd.order_id)
    map_each(
        order.lines,
        lambda a: map_each(order.lines, lambda b: parallel(lambda: told(text="x"))[0], step="two"),
        step="one",
    )


def long_condition(cmd: ById) -> None:
    order = read(order_id=cmd.order_id)
    with when(and_(*(order.order_id != f"order number {number}" for number in range(20)))):
        told(text="x")


def two_years(cmd: ById) -> None:
    sleep(days(366))
    told(text=cmd.order_id)
    sleep(days(366))


def twenty_minutes(cmd: ById) -> None:
    told(text=cmd.order_id, timeout=1200)


def an_hour(cmd: ById) -> None:
    told(text=cmd.order_id, timeout=3600)


def sixty_at_once(cmd: ById) -> None:
    order = read(order_id=cmd.order_id)
    map_each(order.lines, lambda line: told(text=line.sku), concurrency=60)


def reserved_code(cmd: ById) -> None:
    with when(cmd.order_id == "x"):
        fail("States.Timeout", "not ours")


def sixty_compensations(cmd: ById) -> None:
    with saga():
        for number in range(60):
            guarded(order_id=cmd.order_id, sku="a", compensate=undo, step=f"g{number}")


def big_values(cmd: ById) -> list[list[list[Order]]]:
    order = read(order_id=cmd.order_id)
    one = map_each(order.lines, lambda line: read(order_id=line.sku), step="one", concurrency=9)
    three = map_each(
        order.lines, lambda line: read(order_id=line.sku, step="third"), step="three", concurrency=9
    )
    return [[one, three]]


LIMITS = [
    ("aws", "events", many_events, None, "warning"),
    ("aws", "state-size", big_values, None, "warning"),
    ("aws", "duration", two_years, None, "error"),
    ("aws", "task-timeout", twenty_minutes, "told", "error"),
    ("aws", "concurrency", sixty_at_once, "map", "warning"),
    ("aws", "reserved-code", reserved_code, "fail", "error"),
    ("gcp", "branches", eleven_branches, "parallel", "error"),
    ("gcp", "nesting", three_deep, "parallel", "error"),
    ("gcp", "expression-length", long_condition, "when", "warning"),
    ("gcp", "task-timeout", an_hour, "told", "error"),
    ("gcp", "duration", two_years, None, "error"),
    ("gcp", "assignments", sixty_compensations, "saga", "error"),
    ("gcp", "variable-size", big_values, None, "warning"),
    ("azure", "task-timeout", twenty_minutes, "told", "error"),
]


@pytest.mark.parametrize(
    ("target", "code", "function", "step", "severity"),
    LIMITS,
    ids=[f"{target}-{code}" for target, code, *_ in LIMITS],
)
def test_each_limit_of_a_target_is_known(
    target: str, code: str, function: Callable[[ById], object], step: str | None, severity: str
) -> None:
    finding = found(function, target=target)[code]
    assert (finding.target, finding.step, finding.severity) == (target, step, severity)
    assert finding.remedy


@pytest.mark.parametrize(
    ("target", "name"), [("aws", "a.b"), ("gcp", "_a"), ("azure", "Checkout"), ("aws", "a" * 81)]
)
def test_names_that_an_engine_refuses_are_reported(target: str, name: str) -> None:
    finding = found(one_task, name, target)["name"]
    assert name in finding.message


def test_a_long_step_name_is_reported() -> None:
    def long_name(cmd: ById) -> None:
        told(text=cmd.order_id, step="s" * 81)

    assert found(long_name, target="aws")["name"].step == "s" * 81


def test_a_wide_input_is_too_large_an_argument() -> None:
    def wide(cmd: Many) -> None:
        map_each(cmd.orders, lambda order: told(text=order.order_id), concurrency=5)

    definition = workflow("wide", version="1")(wide)
    codes = {finding.code for finding in lint(definition.ir, "gcp")}
    assert "argument-size" in codes


def test_a_workflow_of_many_steps_is_too_long_a_source_and_too_many_steps() -> None:
    def huge(cmd: ById) -> None:
        order = read(order_id=cmd.order_id)
        for number in range(600):
            map_each(
                order.lines,
                lambda line: told(text=line.sku),
                step=f"m{number}",
                concurrency=9,
            )

    codes = set(found(huge, target="gcp"))
    assert {"steps", "source-size"} <= codes


def test_fifty_one_codes_in_one_attempt_are_too_many_conditions() -> None:
    codes = tuple(f"Code{number}" for number in range(51))
    risky = task("risky", Text, errors=codes, retry=RETRIED, timeout=5)

    def many_codes(cmd: ById) -> None:
        with attempt():
            risky(text=cmd.order_id)
        with catch(*codes):
            told(text="caught")

    assert found(many_codes, target="gcp")["conditions"].step == "attempt"


def test_values_of_megabytes_are_too_large_for_durable_functions() -> None:
    def enormous(cmd: ById) -> None:
        order = read(order_id=cmd.order_id)
        map_each(order.lines, lambda line: read(order_id=line.sku), step="all", concurrency=9)

    ours = workflow("enormous", version="1")(enormous).ir
    grown = ours.model_dump(mode="json")
    wide = {"kind": "object", "fields": {f"f{n}": {"kind": "json"} for n in range(100)}}
    grown["tasks"]["read"]["output"]["fields"]["lines"]["item"] = {
        "kind": "object",
        "fields": {
            "sku": {"kind": "string"},
            "count": {"kind": "int"},
            "more": wide,
        },
    }
    codes = {f.code for f in lint(ir.Workflow.model_validate(grown), "azure")}
    assert codes >= {"result-size"}


def test_one_target_is_linted_when_named_and_all_by_default() -> None:
    assert {"aws", "azure"} <= {
        f.target for f in lint(workflow("w", version="1")(twenty_minutes).ir)
    }
    only = lint(workflow("w", version="1")(twenty_minutes).ir, "gcp")
    assert [finding.code for finding in only] == []


def test_an_unknown_target_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ConfigurationError, match=r"no target 'ibm'.*aws, azure, gcp"):
        lint(workflow("w", version="1")(one_task).ir, "ibm")
    assert TARGETS == ("aws", "azure", "gcp")


# Estimates.


def test_estimates_multiply_by_assumed_items() -> None:
    def mapped(cmd: ById) -> None:
        order = read(order_id=cmd.order_id)
        map_each(order.lines, lambda line: told(text=line.sku))

    cost = estimate(workflow("w", version="1")(mapped).ir)
    assert cost.events == 5 + 2 + ASSUMED_ITEMS * (2 + 5)


def test_lists_of_known_length_are_counted_as_they_are() -> None:
    def mapped(cmd: ById) -> None:
        map_each([cmd.order_id, "b"], lambda word: told(text=word))

    assert estimate(workflow("w", version="1")(mapped).ir).events == 2 + 2 * (2 + 5)


def test_a_choice_costs_its_dearer_arm() -> None:
    def chosen(cmd: ById) -> Done:
        with when(cmd.order_id == "x"):
            told(text="a", step="a")
            told(text="b", step="b")
        return result(Done, status="confirmed", order_id=cmd.order_id)

    assert estimate(workflow("w", version="1")(chosen).ir).events == 2 + 5 + 5 + 2


def test_leaves_of_objects_are_expressions_of_their_own() -> None:
    part = CompareExpr(op="==", left=RefExpr(name="x"), right=LiteralExpr(value="y"))
    both = AndExpr(operands=(part, part))
    assert longest_expression(both) == len('${(x == "y") and (x == "y")}')
    assert longest_expression(LiteralExpr(value="y" * 500)) == 0
