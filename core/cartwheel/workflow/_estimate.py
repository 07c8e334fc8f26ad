"""Estimates what a run of a workflow costs an engine, from the intermediate form alone.

Assumptions, all on the safe side of ordinary runs: a list whose length is not known has
`ASSUMED_ITEMS` items, a string without known values `ASSUMED_STRING` bytes, opaque JSON
`ASSUMED_JSON` bytes; each task succeeds at its first try; a poll makes half of its calls; of two
arms the dearer one runs; no error is handled; every named value is kept to the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import (
    AndExpr,
    ArithExpr,
    CompareExpr,
    Expr,
    FormatExpr,
    IsNullExpr,
    KeyExpr,
    KnownExpr,
    LengthExpr,
    ListExpr,
    LiteralExpr,
    NotExpr,
    ObjectExpr,
    OrExpr,
    RefExpr,
)
from cartwheel.workflow._scope import Scope, type_of
from cartwheel.workflow._types import (
    BoolType,
    IntType,
    JsonType,
    ListType,
    NeverType,
    NullType,
    ObjectType,
    OptionalType,
    StringType,
    Type,
)

ASSUMED_ITEMS = 100
ASSUMED_STRING = 64
ASSUMED_JSON = 1024
ASSUMPTIONS = f"lists of {ASSUMED_ITEMS} items, strings of {ASSUMED_STRING} bytes"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one run costs: entries of Step Functions' history, steps of Cloud Workflows, bytes."""

    events: int
    steps: int
    input_bytes: int
    state_bytes: int


@dataclass(frozen=True, slots=True)
class _Cost:
    events: int = 0
    steps: int = 0

    def __add__(self, other: _Cost) -> _Cost:
        return _Cost(self.events + other.events, self.steps + other.steps)

    def times(self, count: int) -> _Cost:
        return _Cost(self.events * count, self.steps * count)


# A state is entered and left; a task is scheduled, started and answered besides.
_CALL = _Cost(events=5, steps=3)
_STATE = _Cost(events=2, steps=1)


def estimate(workflow: ir.Workflow) -> Estimate:
    """Estimate one run of a checked workflow."""
    types = named_types(workflow)
    cost = _body(workflow.body, types)
    kept = sum(size_of(of) for name, of in types.items() if name != ir.INPUT)
    given = size_of(workflow.input)
    return Estimate(cost.events, cost.steps, given, given + kept)


def _body(steps: Iterable[ir.Step], types: dict[str, Type]) -> _Cost:
    total = _Cost()
    for step in steps:
        total += _step(step, types)
    return total


def _step(step: ir.Step, types: dict[str, Type]) -> _Cost:
    match step:
        case ir.TaskStep() | ir.WaitStep():
            return _CALL
        case ir.PollStep(attempts=attempts):
            return (_CALL + _STATE).times((attempts + 1) // 2)
        case ir.WhenStep(then=then, otherwise=otherwise):
            arms = (_body(then, types), _body(otherwise, types))
            return _STATE + max(arms, key=lambda arm: (arm.events, arm.steps))
        case ir.ParallelStep(branches=branches):
            inside = [_body(branch.body, types) for branch in branches]
            return sum(inside, _STATE)
        case ir.MapStep(items=items, body=body):
            return _STATE + (_STATE + _body(body, types)).times(item_count(items))
        case ir.TryStep(body=body) | ir.SagaStep(body=body):
            return _body(body, types)
        case _:
            return _STATE


def item_count(items: Expr) -> int:
    """Return how many items a list has, as far as that is known."""
    return len(items.items) if isinstance(items, ListExpr) else ASSUMED_ITEMS


def named_types(workflow: ir.Workflow) -> dict[str, Type]:
    """Return the types of all names outside of maps; inside one, a name lasts for an item only."""
    scope = Scope({ir.INPUT: workflow.input})
    kept: dict[str, Type] = {ir.INPUT: workflow.input}
    _collect(workflow, workflow.body, scope, kept, inside_map=False)
    return kept


def _collect(
    workflow: ir.Workflow,
    body: tuple[ir.Step, ...],
    scope: Scope,
    kept: dict[str, Type],
    *,
    inside_map: bool,
) -> None:
    def name(of_name: str | None, of: Type | None) -> None:
        if of_name is not None and of is not None:
            scope.types[of_name] = of
            if not inside_map:
                kept[of_name] = of

    for step in body:
        if isinstance(step, ir.MapStep):
            items = _type(step.items, scope)
            if isinstance(items, ListType):
                scope.types[step.item] = items.item
        for inner in ir.bodies(step):
            inside = inside_map or isinstance(step, ir.MapStep)
            _collect(workflow, inner, scope, kept, inside_map=inside)
        match step:
            case ir.TaskStep(task=task, result=result) | ir.PollStep(task=task, result=result):
                spec = workflow.tasks.get(task)
                name(result, None if spec is None else spec.output)
            case ir.WaitStep(payload=payload, result=result):
                name(result, payload)
            case ir.AssignStep(variable=variable, value=value, type=of):
                name(variable, of or _type(value, scope))
            case ir.ParallelStep(branches=branches):
                for branch in branches:
                    name(branch.result, _type(branch.value, scope))
            case ir.MapStep(value=value, result=result):
                item = _type(value, scope)
                name(result, None if item is None else ListType(item=item))
            case _:
                pass


def _type(expr: Expr, scope: Scope) -> Type | None:
    return type_of(expr, scope, lambda what, exists, remedy: None)


def size_of(of: Type) -> int:
    """Return how many bytes a value of a type takes as JSON."""
    match of:
        case NullType() | NeverType():
            return 4
        case BoolType():
            return 5
        case IntType():
            return 16
        case StringType(enum=values):
            longest = max((len(value) for value in values or ()), default=ASSUMED_STRING)
            return longest + 2
        case JsonType():
            return ASSUMED_JSON
        case ListType(item=item):
            return 2 + ASSUMED_ITEMS * (size_of(item) + 1)
        case ObjectType(fields=fields):
            return 2 + sum(len(name) + 4 + size_of(field) for name, field in fields.items())
        case OptionalType(of=inner):
            return size_of(inner)


def longest_expression(expr: Expr) -> int:
    """Return the length in characters of the longest single expression that Cloud Workflows gets.

    Lists and objects are written as data, so each of their leaves is an expression of its own.
    """
    match expr:
        case ListExpr(items=items):
            return max((longest_expression(item) for item in items), default=0)
        case ObjectExpr(fields=fields):
            return max((longest_expression(field) for field in fields.values()), default=0)
        case LiteralExpr():
            return 0
        case _:
            return len(text_of(expr)) + len("${}")


def text_of(expr: Expr) -> str:
    """Return an expression about as an engine's language writes it."""
    match expr:
        case LiteralExpr(value=value):
            return json.dumps(value, ensure_ascii=False)
        case RefExpr(name=name, path=path):
            return ".".join((name, *path))
        case ListExpr(items=items):
            return "[" + ", ".join(text_of(item) for item in items) + "]"
        case ObjectExpr(fields=fields):
            inside = (f"{json.dumps(name)}: {text_of(field)}" for name, field in fields.items())
            return "{" + ", ".join(inside) + "}"
        case CompareExpr(op=op, left=left, right=right) | ArithExpr(op=op, left=left, right=right):
            return f"{text_of(left)} {op} {text_of(right)}"
        case AndExpr(operands=operands):
            return " and ".join(_inner(operand) for operand in operands)
        case OrExpr(operands=operands):
            return " or ".join(_inner(operand) for operand in operands)
        case NotExpr(operand=operand):
            return f"not {_inner(operand)}"
        case IsNullExpr(operand=operand):
            return f"{text_of(operand)} == null"
        case LengthExpr(operand=operand):
            return f"length({text_of(operand)})"
        case FormatExpr(parts=parts):
            return " + ".join(text_of(part) for part in parts)
        case KeyExpr(step=step):
            return f'key("{step}")'
        case KnownExpr(operand=operand):
            return text_of(operand)


def _inner(expr: Expr) -> str:
    text = text_of(expr)
    return f"({text})" if isinstance(expr, AndExpr | OrExpr | CompareExpr | IsNullExpr) else text
