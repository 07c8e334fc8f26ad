"""The typed surface: what it records, and how it refuses what cannot be recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from cartwheel.ports import Json
from cartwheel.workflow import (
    BuildError,
    WorkflowDefinition,
    and_,
    attempt,
    catch,
    fail,
    finish,
    fmt,
    is_null,
    length,
    map_each,
    not_,
    or_,
    otherwise,
    parallel,
    result,
    saga,
    sleep,
    variable,
    wait_for,
    when,
    workflow,
)
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._evaluate import compile_expr
from cartwheel.workflow._expr import IsNullExpr, NotExpr
from cartwheel.workflow._symbol import lift
from tests.unit.workflow.driver import error, play
from tests.unit.workflow.parts import (
    ORDER,
    SCRIPT,
    START,
    ById,
    Done,
    Line,
    Order,
    load,
    release,
    reserve,
    say,
    task,
)


def built(function: Callable[[Order], object]) -> WorkflowDefinition[Order, None]:
    function.__annotations__ = {"o": Order, "return": None}
    return workflow("w", version="1")(function)  # type: ignore[arg-type]  # results do not matter here


def refused(function: Callable[[Order], object]) -> str:
    with pytest.raises(BuildError) as caught:
        _ = built(function).ir
    return str(caught.value)


def use(value: object) -> None:
    """Stand for whatever a user would do with a value."""


REFUSED: list[tuple[Callable[[Order], object], str]] = [
    (
        lambda o: 1 if o.total else 2,
        "input.total has no truth value while the workflow is built; use with when(...)",
    ),
    (
        lambda o: o.total > 1 and o.total < 3,
        "for `if`, and_, or_ and not_ for `and`, `or` and `not`",
    ),
    (lambda o: not o.email, "input.email has no truth value"),
    (lambda o: list(o.lines), "input.lines cannot be iterated over at build time; use map_each"),
    (lambda o: "x" in o.order_id, "`in` does not work on input.order_id"),
    (lambda o: len(o.lines), "len() does not work on input.lines; use length(...)"),
    (lambda o: o.lines[0], "input.lines cannot be indexed"),
    (lambda o: f"order {o.order_id}", "input.order_id is no text yet; use fmt("),
    (lambda o: str(o.order_id), "input.order_id is no text yet; use fmt("),
    (lambda o: int(o.total), "input.total is no number yet"),
    (lambda o: o.total * 2, "a workflow only adds and subtracts integers; let a task calculate"),
    (lambda o: o.order_id + "x", "+ takes integers, not str; use fmt(...)"),
    (
        lambda o: o.price,  # type: ignore[attr-defined]  # on purpose
        "input has no field 'price'; there are fields email, lines, order_id, total",
    ),
    (
        lambda o: o.total.cents,  # type: ignore[attr-defined]  # on purpose
        "input.total is int and has no field 'cents'",
    ),
    (lambda o: setattr(o, "total", 3), "input.total cannot be set"),
    (lambda o: length(o.total), "length takes a list, not int"),
    (lambda o: map_each(o.total, lambda x: x), "map_each goes over a list, not int"),  # type: ignore[arg-type]  # on purpose
    (lambda o: when(o.email is None).__enter__(), "when got a plain False, which was decided when"),
    (lambda o: and_(o.total > 1, True), "and_ got a plain True"),
    (lambda o: say(text=1.5), "1.5 is a float; use an int in a small unit"),
    (lambda o: say(text=object()), "a object is no workflow value"),
    (lambda o: say(text=datetime(2026, 1, 1)), "has no time zone"),  # noqa: DTZ001  # on purpose
    (lambda o: say(text={1: "x"}), "1 is no field name"),
    (lambda o: say(text=[1, "a"]), "a list holds both int and one of 'a'"),
    (lambda o: say(text=3), "say's input.text must be str, not int"),
    (lambda o: say(), "say's input lacks the field 'text' (str); give text=..."),
    (lambda o: say(text="x", loud=True), "say's input has no field 'loud'; there are fields text"),
    (lambda o: (say(text="x", step="a"), say(text="x", step="a")), "the step name 'a' is taken"),
    (lambda o: reserve(order_id="x", compensate=release), "a compensation needs a saga around it"),
    (
        lambda o: say(text="x", step="two words"),
        "'two words' is no name for a step",
    ),
    (lambda o: wait_for("go", Line, timeout=0), "timeout 0: Input should be greater"),
    (lambda o: fail("not a code", "x"), "code 'not a code': String should match pattern"),
    (
        lambda o: map_each(o.lines, lambda line: line.sku, concurrency=0),
        "concurrency 0: Input should be greater",
    ),
    (lambda o: sleep(), "sleep takes either a duration or until="),
    (lambda o: parallel(), "parallel got no branch"),  # type: ignore[call-overload]  # on purpose
    (lambda o: fmt("{} {}", o.total), "fmt has 2 places {} and 1 values"),
    (lambda o: fmt("{name}", o.total), "fmt knows plain {} only"),
    (lambda o: otherwise().__enter__(), "otherwise() must follow a when(...) directly"),
    (lambda o: catch("X").__enter__(), "catch(...) must follow an attempt() directly"),
    (lambda o: wait_for("two words", Line), "the signal name 'two words' is no identifier"),
    (lambda o: variable("input", str), "the name 'input' is taken or no identifier"),
    (lambda o: use(variable("x", float)), "the variable 'x' is a float"),
    (
        lambda o: say(text=variable("z", str).value),
        "nothing is named 'z' here",
    ),
    (lambda o: fail("Timeout", "x"), "fail cannot raise the language's own Timeout"),
    (lambda o: (task("t")(), task("t", ById)(order_id="x")), "two different tasks are named 't'"),
    (lambda o: parallel(lambda: finish(None)), "a run cannot end inside 'parallel'"),
]


@pytest.mark.parametrize(
    ("function", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED]
)
def test_what_cannot_be_recorded_is_refused_with_its_line_and_a_remedy(
    function: Callable[[Order], object], message: str
) -> None:
    text = refused(function)
    assert message in text
    assert f"test_surface.py:{function.__code__.co_firstlineno}" in text


def test_a_code_that_is_none_is_refused_where_it_is_caught() -> None:
    def body(o: Order) -> None:
        with attempt():
            say(text="x")
        with catch("not a code"):
            say(text="y")

    line = body.__code__.co_firstlineno + 3
    assert f"test_surface.py:{line}: codes.0 'not a code': String should match" in refused(body)


def test_an_attempt_without_catch_is_refused() -> None:
    def body(o: Order) -> None:
        with attempt():
            say(text="x")

    assert "has no catch; follow it with catch(...)" in refused(body)


def test_a_block_without_with_is_refused() -> None:
    def body(o: Order) -> None:
        when(o.total > 1)
        say(text="x")

    line = body.__code__.co_firstlineno + 1
    assert f"when(...) at test_surface.py:{line} is not used with `with`" in refused(body)


def test_a_task_called_outside_a_workflow_says_how_to_call_its_handler() -> None:
    with pytest.raises(BuildError, match=r"calling task 'say' belongs inside a workflow function"):
        say(text="x")


def test_a_workflow_function_needs_one_model_and_a_result_type() -> None:
    with pytest.raises(BuildError, match="must take one typed argument"):
        workflow("w", version="1")(lambda: None)  # type: ignore[arg-type, misc]  # on purpose

    def of_text(text: str) -> None:
        use(text)

    with pytest.raises(BuildError, match="is no pydantic model"):
        workflow("w", version="1")(of_text)  # type: ignore[type-var]  # on purpose


def test_a_workflow_of_an_undefined_model_is_refused() -> None:
    with pytest.raises(BuildError, match="names a type that is not defined: name 'Missing'"):

        @workflow("w", version="1")
        def broken(cmd: Missing) -> None:  # type: ignore[name-defined]  # noqa: F821  # on purpose
            use(cmd)


def test_a_workflow_is_built_on_first_use_and_once() -> None:
    runs: list[int] = []

    @workflow("once", version="7")
    def once(cmd: ById) -> None:
        """Does nothing."""
        runs.append(1)

    assert (once.name, once.version, once.__doc__) == ("once", "7", "Does nothing.")
    assert runs == []
    assert once.ir is once.ir
    assert once.program.workflow is once.ir
    assert runs == [1]


def test_steps_are_named_after_their_tasks_and_numbered() -> None:
    def body(o: Order) -> None:
        say(text="1")
        say(text="2")
        say(text="3", step="third")
        sleep(1)

    names = [step.name for step in built(body).ir.body]
    assert names == ["say", "say_2", "third", "sleep"]


def test_steps_know_their_line() -> None:
    def body(o: Order) -> None:
        say(text="1")
        with when(o.total > 1):
            say(text="2")

    first = body.__code__.co_firstlineno + 1
    steps = ir.walk(built(body).ir.body)
    assert [step.at for step in steps] == [f"test_surface.py:{first + n}" for n in range(3)]


def test_a_variable_set_in_both_arms_has_the_value_of_the_arm_that_ran() -> None:
    @workflow("arms", version="1")
    def arms(cmd: Order) -> str:
        size = variable("size", str)
        with when(or_(cmd.total > 10, length(cmd.lines) > 5)):
            size.set("big")
        with otherwise():
            size.set(fmt("{} of {}", "small", cmd.total))
        return size.value

    assert play(arms.ir, {**ORDER, "total": 11}).result.output == "big"
    assert play(arms.ir, {**ORDER, "total": 2}).result.output == "small of 2"


def test_a_nullable_may_be_used_once_null_is_ruled_out() -> None:
    @workflow("mail", version="1")
    def mail(cmd: Order) -> str:
        with when(and_(not_(is_null(cmd.email)), cmd.email != "")):
            say(text=cmd.email)
            finish("sent")
        return "silent"

    assert play(mail.ir, {**ORDER, "email": "a@b"}).result.output == "sent"
    assert play(mail.ir, ORDER).result.output == "silent"


def test_comparing_with_none_is_is_null() -> None:
    def body(o: Order) -> None:
        with when(o.email == None):  # noqa: E711  # a symbol's == is an expression
            say(text="1")
        with when(o.email != None):  # noqa: E711  # as above
            say(text="2")

    first, second = built(body).ir.body
    assert isinstance(first, ir.WhenStep)
    assert isinstance(first.condition, IsNullExpr)
    assert isinstance(second, ir.WhenStep)
    assert isinstance(second.condition, NotExpr)


def test_an_object_is_built_with_its_constant_defaults() -> None:
    @workflow("object", version="1")
    def make(cmd: ById) -> Order:
        return result(Order, order_id=cmd.order_id, total=1, lines=[result(Line, sku="a", count=2)])

    assert play(make.ir, START).result.output == {
        "order_id": "o1",
        "total": 1,
        "lines": [{"sku": "a", "count": 2}],
        "email": None,
    }


def test_a_built_object_with_a_wrong_value_is_refused() -> None:
    @workflow("object", version="1")
    def make(cmd: ById) -> Done:
        return result(Done, status="shipped", order_id=cmd.order_id)  # a status that Done lacks

    with pytest.raises(
        BuildError, match="must be one of 'confirmed', 'declined', not one of 'shipped'"
    ):
        _ = make.ir


@workflow("part", version="1")
def part(cmd: ById) -> Order:
    with saga():
        reserve(order_id=cmd.order_id, compensate=release)
        return load(order_id=cmd.order_id)


def test_a_workflow_called_inside_another_is_put_in_under_a_prefix() -> None:
    @workflow("whole", version="1")
    def whole(cmd: ById) -> int:
        with saga(step="around"):
            first = part(order_id=cmd.order_id)
            second = part(order_id=first.order_id, step="again")
            say(text=second.order_id)
        return second.total

    played = play(whole.ir, START, {**SCRIPT, "say": error("Timeout")})
    assert [call.step for call in played.calls] == [
        "part.reserve",
        "part.load",
        "again.reserve",
        "again.load",
        "say",
        "again.reserve.compensate",
        "part.reserve.compensate",
    ]
    assert play(whole.ir, START, SCRIPT).result.output == 3


def test_a_part_of_a_workflow_may_not_finish_the_run() -> None:
    @workflow("early", version="1")
    def early(cmd: ById) -> None:
        finish()

    text = refused(lambda o: early(order_id=o.order_id))
    assert "a workflow that is part of another one cannot finish early" in text


def test_values_that_nobody_reads_get_no_name() -> None:
    def body(o: Order) -> None:
        load(order_id="1", step="unread")
        order = load(order_id="2", step="read")
        say(text=order.order_id)

    steps = built(body).ir.body
    assert [step.result for step in steps if isinstance(step, ir.TaskStep)] == [None, "read", None]


def test_the_hash_changes_with_the_meaning_and_not_with_the_lines() -> None:
    def one(o: Order) -> None:
        say(text="1")

    def same(o: Order) -> None:
        say(text="1")

    def other(o: Order) -> None:
        say(text="2")

    assert built(one).ir != built(same).ir
    assert built(one).ir.content_hash == built(same).ir.content_hash
    assert built(one).ir.content_hash != built(other).ir.content_hash


def test_a_field_named_at_counts_for_the_hash() -> None:
    class At(BaseModel):
        at: str

    note = task("note", At)

    def noting(text: str) -> Callable[[Order], object]:
        return lambda o: note(at=text)

    hashes = {built(noting(text)).ir.content_hash for text in ("a", "b")}
    assert len(hashes) == 2


def test_a_workflow_survives_json() -> None:
    assert ir.Workflow.from_json(part.ir.to_json(indent=2)) == part.ir
    assert ir.Workflow.from_json(part.ir.to_json()).content_hash == part.ir.content_hash


def test_the_json_schema_knows_every_kind_of_step() -> None:
    kinds = set(ir.Workflow.model_json_schema()["$defs"])
    assert {"TaskStep", "SagaStep", "PollStep", "WaitStep", "MapStep"} <= kinds


scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5)


def nested_values(scalar: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.recursive(
        scalar, lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3)
    )


@given(
    nested_values(scalars)
    | st.lists(nested_values(st.text(max_size=3)).filter(lambda v: isinstance(v, str)))
)
def test_every_json_value_written_down_evaluates_to_itself(value: Json) -> None:
    expr = lift(value)._expr
    assert compile_expr(expr)({}) == value
    again = ir.AssignStep.model_validate_json(
        ir.AssignStep(name="a", variable="a", value=expr).model_dump_json()
    )
    assert again.value == expr
    kept = compile_expr(again.value)({})
    assert kept == value
    assert type(kept) is type(value)


def test_importing_the_language_imports_nothing_heavy(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, cartwheel.workflow; "
        "print([m for m in ('pydantic', 'pluggy') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert run.stdout.strip() == "[]"


def test_every_public_name_exists() -> None:
    import cartwheel.workflow as package

    names: Iterable[str] = package.__all__
    assert all(getattr(package, name) is not None for name in names)
    with pytest.raises(AttributeError, match="has no attribute 'nobody'"):
        _ = package.nobody
