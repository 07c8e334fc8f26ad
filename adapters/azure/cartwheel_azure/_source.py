"""Writes a Python syntax tree with comments as text: the same bytes on every version of Python.

`ast.unparse` loses comments, breaks no line and differs between versions. This writer knows the
part of the language that generated orchestrators use; anything else is a defect of the generator
and raises TypeError.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

WIDTH = 100
INDENT = "    "

_OR, _AND, _NOT, _COMPARE, _SUM, _ATOM = range(6)
_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", '"': '\\"'}


class Comment(ast.stmt):
    """A comment on a line of its own."""

    _fields = ("text",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


def write(module: ast.Module) -> str:
    """Return the text of a module, with a newline at its end."""
    return "\n".join(_body(module.body, "", top=True)) + "\n"


def quoted(text: str) -> str:
    """Return a string literal; what can't be seen, or turns text around, is escaped."""
    return '"' + "".join(map(_character, text)) + '"'


def _character(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    code = ord(char)
    if code < 0x20 or 0x7F <= code <= 0xA0 or code == 0xAD:
        return f"\\x{code:02x}"
    invisible = 0x200B <= code <= 0x200F or 0x2028 <= code <= 0x202E or 0x2060 <= code <= 0x206F
    if invisible or 0xD800 <= code <= 0xDFFF or code in (0xFEFF, 0xFFFE, 0xFFFF):
        return f"\\u{code:04x}"
    return char


def _body(
    body: Sequence[ast.stmt], indent: str, *, top: bool = False, function: bool = False
) -> Iterator[str]:
    """Yield the lines of statements; functions stand apart by blank lines, with their comments."""
    apart = [""] * (2 if top else 1)
    for place, statement in enumerate(body):
        before = body[place - 1] if place else None
        if before is None:
            if isinstance(statement, ast.FunctionDef) and not function:
                yield ""
        elif isinstance(before, ast.FunctionDef) or (
            _is_function(body[place:]) and not isinstance(before, Comment)
        ):
            yield from apart
        elif top and _gap(before, statement):
            yield ""
        yield from _statement(statement, indent)


def _is_function(body: Sequence[ast.stmt]) -> bool:
    """Tell whether a function comes first, or after its comment."""
    first = body[1:2] if isinstance(body[0], Comment) else body[:1]
    return bool(first) and isinstance(first[0], ast.FunctionDef)


def _gap(before: ast.stmt, after: ast.stmt) -> bool:
    """Tell whether two statements of a module belong to different groups of lines."""
    if isinstance(before, ast.Expr):
        return True
    imports = (ast.Import, ast.ImportFrom)
    return isinstance(before, imports) and type(after) is not type(before)


def _statement(statement: ast.stmt, indent: str) -> Iterator[str]:
    match statement:
        case Comment(text=text):
            # From a file it may hold anything: no line of code may come out of it.
            yield f"{indent}# {quoted(text)[1:-1]}"
        case ast.Expr(value=ast.Constant(value=str(text))):
            yield from _docstring(text, indent)
        case ast.Expr(value=value):
            yield from _line(indent, "", value)
        case ast.Assign(targets=[target], value=value):
            name = flat(target)
            if isinstance(target, ast.Tuple) and len(target.elts) > 1:
                name = name[1:-1]
            yield from _line(indent, f"{name} = ", value)
        case ast.AnnAssign(target=target, annotation=annotation, value=ast.expr() as value):
            yield from _line(indent, f"{flat(target)}: {flat(annotation)} = ", value)
        case ast.Return(value=None):
            yield f"{indent}return"
        case ast.Return(value=ast.expr() as value):
            yield from _line(indent, "return ", value)
        case ast.Raise(exc=None):
            yield f"{indent}raise"
        case ast.Raise(exc=ast.expr() as exc, cause=None):
            yield from _line(indent, "raise ", exc)
        case ast.Pass():
            yield f"{indent}pass"
        case ast.Break():
            yield f"{indent}break"
        case ast.Import(names=[ast.alias(name=name, asname=str(alias))]):
            yield f"{indent}import {name} as {alias}"
        case ast.ImportFrom(module=module, names=names):
            yield f"{indent}from {module} import {', '.join(each.name for each in names)}"
        case _:
            yield from _compound(statement, indent)


def _compound(statement: ast.stmt, indent: str) -> Iterator[str]:
    """Yield the lines of a statement with others inside."""
    inner = indent + INDENT
    match statement:
        case ast.If():
            yield from _if(statement, indent, "if")
        case ast.For(target=target, iter=items, body=body, orelse=orelse):
            yield from _line(indent, f"for {flat(target)} in ", items, end=":")
            yield from _body(body, inner)
            if orelse:
                yield f"{indent}else:"
                yield from _body(orelse, inner)
        case ast.Try(body=body, handlers=[handler], orelse=[], finalbody=[]):
            yield f"{indent}try:"
            yield from _body(body, inner)
            named = "" if handler.name is None else f" as {handler.name}"
            yield f"{indent}except {flat(handler.type)}{named}:"
            yield from _body(handler.body, inner)
        case ast.FunctionDef(name=name, args=args, body=body, returns=returns):
            given = ", ".join(f"{arg.arg}: {flat(arg.annotation)}" for arg in args.args)
            yield f"{indent}def {name}({given}) -> {flat(returns)}:"
            yield from _body(body, inner, function=True)
        case _:
            raise TypeError(f"the writer does not know the statement {ast.dump(statement)[:80]}")


def _docstring(text: str, indent: str) -> Iterator[str]:
    first, *rest = [quoted(line)[1:-1] for line in text.split("\n")]
    if not rest:
        yield f'{indent}"""{first}"""'
        return
    yield f'{indent}"""{first}'
    yield from (f"{indent}{line}" if line else "" for line in rest[:-1])
    yield f'{indent}"""'


def _if(statement: ast.If, indent: str, word: str) -> Iterator[str]:
    yield from _line(indent, f"{word} ", statement.test, end=":")
    yield from _body(statement.body, indent + INDENT)
    match statement.orelse:
        case []:
            return
        case [ast.If() as other]:
            yield from _if(other, indent, "elif")
        case orelse:
            yield f"{indent}else:"
            yield from _body(orelse, indent + INDENT)


def _line(
    indent: str, head: str, value: ast.expr, level: int = _OR, end: str = ""
) -> Iterator[str]:
    """Yield one line, or several when it is too wide for one."""
    if isinstance(value, ast.YieldFrom) and not head.endswith("return "):
        head, value, level = f"{head}yield from ", value.value, _ATOM
    whole = f"{indent}{head}{flat(value, level)}{end}"
    if len(whole) <= WIDTH:
        yield whole
    else:
        yield from _broken(indent, head, value, end)


def _broken(indent: str, head: str, value: ast.expr, end: str) -> Iterator[str]:
    """Yield an expression with one part a line, or on one line when it has no parts."""
    inner = indent + INDENT
    match value:
        case ast.Call(func=func, args=args, keywords=keywords) if args or keywords:
            yield f"{indent}{head}{flat(func, _ATOM)}("
            for arg in args:
                yield from _line(inner, "", arg, end=",")
            for keyword in keywords:
                yield from _line(inner, f"{keyword.arg}=", keyword.value, end=",")
            yield f"{indent}){end}"
        case ast.Dict(keys=keys, values=values) if keys:
            yield f"{indent}{head}{{"
            for key, item in zip(keys, values, strict=True):
                yield from _line(inner, f"{flat(key)}: ", item, end=",")
            yield f"{indent}}}{end}"
        case ast.List(elts=items) | ast.Tuple(elts=items) if items:
            left, right = "[]" if isinstance(value, ast.List) else "()"
            yield f"{indent}{head}{left}"
            for item in items:
                yield from _line(inner, "", item, end=",")
            yield f"{indent}{right}{end}"
        case ast.Compare(left=side, ops=[operator], comparators=[ast.Tuple() as listed]):
            first = f"{head}{flat(side, _SUM)} {_OPERATORS[type(operator)]} "
            yield from _broken(indent, first, listed, end)
        case ast.BoolOp(op=op, values=values):
            word, level = ("and " if isinstance(op, ast.And) else "or "), _NOT
            yield f"{indent}{head}("
            for index, item in enumerate(values):
                yield from _line(inner, word if index else "", item, level)
            yield f"{indent}){end}"
        case _:
            yield f"{indent}{head}{flat(value)}{end}"


def flat(value: ast.expr | None, level: int = _OR) -> str:
    """Return an expression on one line, in brackets where the place binds tighter than it does."""
    text, own = _flat(value)
    return f"({text})" if own < level else text


def _flat(value: ast.expr | None) -> tuple[str, int]:
    match value:
        case ast.Constant(value=str(text)):
            return quoted(text), _ATOM
        case ast.Constant(value=None | bool() | int() as constant):
            return str(constant), _ATOM
        case ast.Name(id=name):
            return name, _ATOM
        case ast.Attribute(value=of, attr=attr):
            return f"{flat(of, _ATOM)}.{attr}", _ATOM
        case ast.Subscript(value=of, slice=index):
            return f"{flat(of, _ATOM)}[{flat(index)}]", _ATOM
        case ast.Call(func=func, args=args, keywords=keywords):
            given = [flat(arg) for arg in args]
            given += [f"{keyword.arg}={flat(keyword.value)}" for keyword in keywords]
            return f"{flat(func, _ATOM)}({', '.join(given)})", _ATOM
        case ast.List(elts=items):
            return f"[{', '.join(map(flat, items))}]", _ATOM
        case ast.Tuple(elts=items):
            return f"({', '.join(map(flat, items))}{',' if len(items) == 1 else ''})", _ATOM
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return "{" + ", ".join(f"{flat(k)}: {flat(v)}" for k, v in pairs) + "}", _ATOM
        case ast.BoolOp(op=ast.And(), values=values):
            return " and ".join(flat(item, _NOT) for item in values), _AND
        case ast.BoolOp(op=ast.Or(), values=values):
            return " or ".join(flat(item, _NOT) for item in values), _OR
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return f"not {flat(operand, _NOT)}", _NOT
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"-{flat(operand, _ATOM)}", _SUM
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            sides = flat(left, _SUM), flat(right, _SUM)
            return f"{sides[0]} {_OPERATORS[type(operator)]} {sides[1]}", _COMPARE
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
            sign = "+" if isinstance(op, ast.Add) else "-"
            return f"{flat(left, _SUM)} {sign} {flat(right, _ATOM)}", _SUM
        case ast.YieldFrom(value=of):
            return f"(yield from {flat(of, _ATOM)})", _ATOM
        case _:
            shown = "nothing" if value is None else ast.dump(value)[:80]
            raise TypeError(f"the writer does not know the expression {shown}")
