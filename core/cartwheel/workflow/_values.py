"""Checks JSON values against the language's types, where values enter a run from outside."""

from __future__ import annotations

from cartwheel.ports import Json
from cartwheel.workflow import _ir as ir
from cartwheel.workflow import _types as t

LARGEST = 2**53 - 1


def signals_of(workflow: ir.Workflow) -> dict[str, t.Type]:
    """Give the signals that a workflow waits for, with the types of their payloads."""
    steps = ir.walk(workflow.body)
    return {step.signal: step.payload for step in steps if isinstance(step, ir.WaitStep)}


def mismatch(value: Json, expected: t.Type, where: str = "input") -> str | None:
    """Say where and why a value is not of a type; None when it is."""
    match expected:
        case t.JsonType():
            return None
        case t.OptionalType(of=of):
            return None if value is None else mismatch(value, of, where)
        case t.ListType(item=of):
            if not isinstance(value, list):
                return _not(value, expected, where)
            found = (mismatch(item, of, f"{where}[{i}]") for i, item in enumerate(value))
            return next((problem for problem in found if problem), None)
        case t.ObjectType(fields=fields):
            if not isinstance(value, dict):
                return _not(value, expected, where)
            unknown = sorted(set(value) - set(fields))
            if unknown:
                known = ", ".join(sorted(fields)) or "none"
                return f"{where} has no field {', '.join(unknown)}; its fields: {known}"
            for name, of in fields.items():
                if name not in value:
                    return f"{where}.{name} is missing"
                problem = mismatch(value[name], of, f"{where}.{name}")
                if problem:
                    return problem
            return None
        case _:
            return None if _is_scalar(value, expected) else _not(value, expected, where)


def _is_scalar(value: Json, expected: t.Type) -> bool:
    match expected:
        case t.NullType():
            return value is None
        case t.BoolType():
            return isinstance(value, bool)
        case t.IntType():
            return type(value) is int and -LARGEST <= value <= LARGEST
        case t.StringType():
            return isinstance(value, str)
        case _:
            return False


def _not(value: Json, expected: t.Type, where: str) -> str:
    return f"{where} is {type(value).__name__}, not {t.describe(expected)}"
