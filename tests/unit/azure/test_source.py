"""The writer says what the tree says, on every version of Python, in the formatter's layout."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cartwheel.testing.corpus import PROGRAMS, Program
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._evaluate import compile_expr
from cartwheel.workflow._expr import (
    AndExpr,
    ArithExpr,
    CompareExpr,
    Expr,
    FormatExpr,
    IsNullExpr,
    LengthExpr,
    ListExpr,
    LiteralExpr,
    NotExpr,
    ObjectExpr,
    OrExpr,
    RefExpr,
)
from cartwheel.workflow._lower_saga import lower_saga
from cartwheel_azure import _runtime, compile_workflow
from cartwheel_azure._expressions import Expressions
from cartwheel_azure._names import event_names
from cartwheel_azure._source import Comment, flat, quoted, write
from cartwheel_azure._steps import StepsWriter

ints = st.integers(-(2**53) + 1, 2**53 - 1)
texts = st.text(max_size=8)


def scalars() -> st.SearchStrategy[Expr]:
    return st.builds(LiteralExpr, value=ints)


INTS: st.SearchStrategy[Expr] = st.recursive(
    scalars() | st.just(RefExpr(name="n")),
    lambda inner: (
        st.builds(ArithExpr, op=st.sampled_from(["+", "-"]), left=inner, right=inner)
        | st.builds(LengthExpr, operand=st.builds(ListExpr, items=st.tuples(inner, inner)))
    ),
    max_leaves=6,
)
TEXTS: st.SearchStrategy[Expr] = st.builds(LiteralExpr, value=texts) | st.builds(
    FormatExpr, parts=st.tuples(INTS, st.builds(LiteralExpr, value=texts))
)
OPS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
BOOLS: st.SearchStrategy[Expr] = st.recursive(
    st.builds(LiteralExpr, value=st.booleans())
    | st.builds(CompareExpr, op=OPS, left=INTS, right=INTS)
    | st.builds(CompareExpr, op=OPS, left=TEXTS, right=TEXTS)
    | st.builds(IsNullExpr, operand=TEXTS),
    lambda inner: (
        st.builds(AndExpr, operands=st.lists(inner, max_size=3).map(tuple))
        | st.builds(OrExpr, operands=st.lists(inner, max_size=3).map(tuple))
        | st.builds(NotExpr, operand=inner)
        | st.builds(CompareExpr, op=st.sampled_from(["==", "!="]), left=inner, right=inner)
    ),
    max_leaves=8,
)
EXPRESSIONS = st.one_of(
    INTS,
    TEXTS,
    BOOLS,
    st.builds(ObjectExpr, fields=st.dictionaries(texts, BOOLS | INTS, max_size=3)),
)


@given(EXPRESSIONS, ints)
def test_an_expression_has_the_value_that_the_interpreter_gives_it(expr: Expr, n: int) -> None:
    tree = Expressions(lambda name: name, None).of(expr)
    names = {"cw": _runtime, "n": n}
    seen: object = eval(flat(tree), names)  # noqa: S307  # what was written just now
    assert seen == compile_expr(expr)({"n": n})
    statement = write(ast.Module(body=[_assign(tree)], type_ignores=[]))
    exec(statement, names)  # noqa: S102  # same
    assert names["x"] == seen


def _assign(value: ast.expr) -> ast.stmt:
    return ast.Assign(targets=[ast.Name(id="x", ctx=ast.Store())], value=value, lineno=0)


@given(st.text() | st.text(st.characters(categories=["Cs", "Cc", "Cf", "Zl", "Zp"])))
def test_any_text_is_a_literal_on_one_visible_line(text: str) -> None:
    literal = quoted(text)
    assert ast.literal_eval(literal) == text
    assert len(literal.splitlines()) == 1
    literal.encode("utf-8")


@given(st.text())
def test_no_code_comes_out_of_a_comment(text: str) -> None:
    written = write(ast.Module(body=[Comment(text), ast.Pass()], type_ignores=[]))
    assert ast.dump(ast.parse(written)) == ast.dump(ast.parse("pass"))


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_a_second_writer_says_the_same(program: Program) -> None:
    lowered = lower_saga(program.definition.ir)
    waits = [step.name for step in ir.walk(lowered.body) if isinstance(step, ir.WaitStep)]
    tree = StepsWriter({}, event_names(waits)).main(lowered.body)
    written = ast.parse(write(ast.Module(body=[tree], type_ignores=[])))
    other = ast.parse(ast.unparse(ast.fix_missing_locations(tree)))
    assert ast.dump(written) == ast.dump(other)


def test_what_the_writer_does_not_know_is_a_defect() -> None:
    with pytest.raises(TypeError, match="does not know the statement"):
        write(ast.parse("del x"))
    with pytest.raises(TypeError, match="does not know the expression"):
        write(ast.parse("x = a * b"))


def test_orchestrators_are_laid_out_as_the_formatter_does(tmp_path: Path) -> None:
    _write_all(tmp_path)
    ruff = Path(sys.executable).with_name("ruff")
    command = [str(ruff if ruff.exists() else shutil.which("ruff")), "format", "--isolated"]
    options = ["--line-length", "100", "--no-cache", "--diff", str(tmp_path)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_orchestrators_are_typed(tmp_path: Path) -> None:
    _write_all(tmp_path)
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = true\n", encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--no-incremental"]
    done = subprocess.run(
        [*command, "."], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def _write_all(folder: Path) -> None:
    for program in PROGRAMS:
        for path, text in compile_workflow(program.definition.ir).files.items():
            (folder / path).write_text(text, encoding="utf-8")
