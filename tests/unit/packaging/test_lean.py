"""Code without docstrings and comments is the same code, line by line."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from cartwheel.packaging import lean

ROOT = Path(__file__).resolve().parents[3]
OURS = sorted(
    path
    for folder in ("core/cartwheel", "adapters/aws/cartwheel_aws")
    for path in (ROOT / folder).rglob("*.py")
    if not {"testing", "packaging", "deploy", "machines"} & set(path.parts)
)
GIVEN = '''#!/usr/bin/env python
"""Tells of a module.

# This is no comment.
"""

import os  # a comment


class Thing:
    """Is a thing."""

    size: int = 1  # with a # in it
    """Is how large it is."""
    text = """not
# a comment"""


class Wrong(Exception):
    """Is wrong."""


def one(n: int) -> str:
    """Do one thing."""  # noqa: D401
    if n:
        "nothing"
    return f"# {n:#x} {'#'}"  # a comment


def two(): "says it beside"


async def three() -> None:
    """Say ünïcode."""


def four():
    """Do
    the fourth."""; return 4
'''
LEFT = '''





import os


class Thing:


    size: int = 1

    text = """not
# a comment"""


class Wrong(Exception):
    ...


def one(n: int) -> str:
    """Do one thing."""
    if n:
        "nothing"
    return f"# {n:#x} {'#'}"


def two(): "says it beside"


async def three() -> None:
    ...


def four():
    """Do
    the fourth."""; return 4
'''


def test_docstrings_and_comments_go() -> None:
    assert lean(GIVEN.encode()).decode() == LEFT


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_left_is_the_same_code(path: Path) -> None:
    source = path.read_bytes()
    left = lean(source)
    assert _code(ast.parse(left)) == _code(ast.parse(source))
    assert lean(left) == left


def _code(tree: ast.Module) -> list[str]:
    """Give every statement with its line, but texts that stand alone and what stands for them."""
    return [
        f"{node.lineno} {type(node).__name__} {_expressions(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and not _is_text(node)
    ]


def _is_text(node: ast.stmt) -> bool:
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        return False
    return isinstance(node.value.value, str) or node.value.value is ...


def _expressions(node: ast.stmt) -> list[str]:
    return [ast.dump(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
