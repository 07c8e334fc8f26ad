"""Writes values as the Amazon States Language does: paths, payload templates, intrinsic functions,
and the rules of a choice."""

from __future__ import annotations

import re

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow import _types as t
from cartwheel_aws.machines._values import (
    NULL,
    All,
    At,
    Caught,
    Cmp,
    Fmt,
    IsNull,
    Len,
    Lit,
    Lst,
    MaybeCaught,
    Not,
    Obj,
    Path,
    Some,
    Sum,
    Value,
    type_of,
)

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SAFE = re.compile(r"[A-Za-z0-9 _.,:;!?#@%&*+=/<>|~^-]+")
"""Text that the interpreters agree on inside an intrinsic function's quotes."""

CONTEXT = "$$"
"""As a path's first step: what the engine knows of the execution, instead of the frame."""
EACH = "[*]"
"""As a step of a path: every item of a list."""

_KINDS = {"string": "String", "int": "Numeric", "bool": "Boolean"}
_OPERATORS = {
    "==": "Equals",
    "<": "LessThan",
    "<=": "LessThanEquals",
    ">": "GreaterThan",
    ">=": "GreaterThanEquals",
}
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}


def path_text(path: Path) -> str:
    """Write a path of the frame."""
    parts = ["$"]
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif step == EACH:
            parts.append(step)
        elif _PLAIN.fullmatch(step):
            parts.append(f".{step}")
        else:
            quoted = step.replace("\\", "\\\\").replace("'", "\\'")
            parts.append(f"['{quoted}']")
    return "".join(parts)


def is_argument(value: Value) -> bool:
    """Tell whether a value can be an argument of an intrinsic function."""
    match value:
        case At():
            return True
        case Lit(value=str() as words):
            return _SAFE.fullmatch(words) is not None
        case Lit():
            return value != NULL
        case Lst(items=parts):
            return all(map(is_argument, parts))
        case Fmt(parts=parts):
            # A constant part stands in the function's quotes too.
            return all(map(is_argument, parts))
        case Len(of=of):
            return is_argument(of)
        case Sum(op=op, left=left, right=right):
            return (
                is_argument(left) and is_argument(right) and (op == "+" or isinstance(right, Lit))
            )
        case _:
            return False


def is_static(value: Value) -> bool:
    """Tell whether a value is a constant through and through."""
    match value:
        case Lit():
            return True
        case Obj(fields=fields):
            return all(is_static(inner) for _, inner in fields)
        case Lst(items=items):
            return all(map(is_static, items))
        case _:
            return False


def is_template(value: Value) -> bool:
    """Tell whether a value can stand in a payload template as it is."""
    match value:
        case Lit(kind="int", value=int() as number):
            return number >= 0  # moto reads a negative number in a template as a float.
        case Lit() | At() | Caught():
            return True
        case MaybeCaught():
            return False
        case Obj(fields=fields):
            return all(is_template(inner) for _, inner in fields)
        case Lst(items=items):
            return _is_literal_list(items) or is_argument(value)
        case _:
            return is_argument(value)


def template(fields: tuple[tuple[str, Value], ...]) -> JsonObject:
    """Write fields as a payload template."""
    written: JsonObject = {}
    for name, value in fields:
        match value:
            case Lit() | Obj():
                written[name] = plain(value)
            case Lst(items=items) if _is_literal_list(items):
                written[name] = plain(value)
            case _:
                written[f"{name}.$"] = argument(value)
    return written


def plain(value: Value) -> Json:
    """Write a constant, or an object or list of templates."""
    match value:
        case Lit(value=known):
            return known
        case Obj(fields=fields):
            return template(fields)
        case Lst(items=items):
            return [plain(item) for item in items]
        case _:
            raise AssertionError(f"{value} is not a template")


def argument(value: Value) -> str:
    """Write a value as a path or an intrinsic function."""
    match value:
        case At(path=path):
            return f"${path_text(path[1:])}" if path[:1] == (CONTEXT,) else path_text(path)
        case Caught(slot=slot):
            return path_text((slot,))
        case Lit(value=str() as words):
            return f"'{words}'"
        case Lit(value=bool() as known):
            return "true" if known else "false"
        case Lit(value=known):
            return str(known)
        case Lst(items=items):
            return _call("Array", items)
        case Len(of=of):
            return _call("ArrayLength", (of,))
        case Sum(op="-", left=left, right=Lit(value=int() as number)):
            return _call("MathAdd", (left, Lit(-number, "int")))
        case Sum(left=left, right=right):
            return _call("MathAdd", (left, right))
        case Fmt(parts=parts):
            words = "".join(str(p.value) if isinstance(p, Lit) else "{}" for p in parts)
            rest = "".join(f", {argument(p)}" for p in parts if not isinstance(p, Lit))
            return f"States.Format('{words}'{rest})"
        case _:
            raise AssertionError(f"{value} is no argument")


def is_rule(value: Value) -> bool:
    """Tell whether a condition can be a rule of a choice as it is."""
    match value:
        case At() | Lit():
            return True
        case IsNull(of=of):
            return isinstance(of, At | MaybeCaught)
        case Not(of=of):
            return is_rule(of)
        case All(parts=parts) | Some(parts=parts):
            return all(map(is_rule, parts))
        case Cmp(left=left, right=right):
            return isinstance(left, At | Lit) and isinstance(right, At | Lit)
        case _:
            return False


def rule(value: Value) -> JsonObject:
    """Write a condition as a rule of a choice."""
    match value:
        case At(path=path):
            return {"Variable": path_text(path), "BooleanEquals": True}
        case IsNull(of=MaybeCaught(path=path)):
            return {"Variable": path_text(path), "IsPresent": False}
        case IsNull(of=At(path=path)):
            return {"Variable": path_text(path), "IsNull": True}
        case Not(of=IsNull(of=MaybeCaught(path=path))):
            return {"Variable": path_text(path), "IsPresent": True}
        case Not(of=IsNull(of=At(path=path))):
            return {"Variable": path_text(path), "IsNull": False}
        case Not(of=At(path=path)):
            return {"Variable": path_text(path), "BooleanEquals": False}
        case Not(of=of):
            return {"Not": rule(of)}
        case All(parts=parts):
            return {"And": [rule(part) for part in parts]}
        case Some(parts=parts):
            return {"Or": [rule(part) for part in parts]}
        case Cmp(op=op, left=left, right=right):
            return _comparison(op, left, right)
        case _:
            raise AssertionError(f"{value} is no rule")


def _comparison(op: str, left: Value, right: Value) -> JsonObject:
    if isinstance(left, Lit):
        return _comparison(_FLIPPED[op], right, left)
    if not isinstance(left, At):
        raise AssertionError("the generator is at fault")
    of = type_of(right) if isinstance(right, Lit) else t.without_null(type_of(left))
    operator = _KINDS[of.kind] + _OPERATORS[op]
    if isinstance(right, Lit):
        return {"Variable": path_text(left.path), operator: right.value}
    if not isinstance(right, At):
        raise AssertionError("the generator is at fault")
    same: JsonObject = {"Variable": path_text(left.path), f"{operator}Path": path_text(right.path)}
    if op != "==" or not t.is_nullable(type_of(right)):
        return same
    # What the other path finds must have the type that is compared.
    there: JsonObject = {"Variable": path_text(right.path), "IsNull": False}
    equal: JsonObject = {"And": [there, same]}
    if not t.is_nullable(type_of(left)):
        return equal
    nulls = [rule(IsNull(left)), rule(IsNull(right))]
    return {"Or": [{"And": [*nulls]}, equal]}


def _is_literal_list(items: tuple[Value, ...]) -> bool:
    """Tell whether a list can be written out: its items are constants or objects of templates."""
    return all(
        is_template(one) and (is_static(one) or isinstance(one, Obj)) and not _confuses(one)
        for one in items
    )


def _confuses(value: Value) -> bool:
    """Tell whether asl-validator would take a text in a list for something else."""
    words = value.value if isinstance(value, Lit) else None
    return isinstance(words, str) and _SAFE.fullmatch(words) is None


def _call(name: str, arguments: tuple[Value, ...]) -> str:
    return f"States.{name}({', '.join(map(argument, arguments))})"
