"""Leaves out of source code what nothing runs: docstrings and comments, a third of it."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator


def lean(source: bytes) -> bytes:
    """Return Python source in UTF-8 without docstrings and comments, each line where it was.

    So a traceback names the lines that the original has. Code that reads its own docstrings must
    not be given.
    """
    lines = source.decode().split("\n")
    for statement, alone in _docstrings(ast.parse(source)):
        last = statement.end_lineno or statement.lineno
        # One that shares a line with code stays: there are hardly any.
        end = (statement.end_col_offset or 0) - len(lines[last - 1].encode())
        before = lines[statement.lineno - 1].encode()[: statement.col_offset].decode()
        if before.strip() or end:
            continue
        lines[statement.lineno - 1 : last] = [""] * (last - statement.lineno + 1)
        if alone:
            lines[statement.lineno - 1] = f"{before}..."
    bare = io.StringIO("\n".join(lines))
    for token in tokenize.generate_tokens(bare.readline):
        if token.type == tokenize.COMMENT:
            line, column = token.start
            lines[line - 1] = lines[line - 1][:column].rstrip()
    return "\n".join(lines).encode()


def _docstrings(tree: ast.Module) -> Iterator[tuple[ast.Expr, bool]]:
    """Give the statements that are nothing but a text, and whether each is a body of its own.

    That of an attribute, which stands below it, is one, too.
    """
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        alone = len(node.body) == 1 and not isinstance(node, ast.Module)
        for statement in node.body:
            match statement:
                case ast.Expr(value=ast.Constant(value=str())):
                    yield statement, alone
