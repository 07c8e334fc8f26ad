"""Every rule that the checker holds a workflow to, each by a workflow that breaks it."""

from __future__ import annotations

import pytest

from cartwheel.workflow import BuildError, Problem, RetryPolicy, Workflow, find_problems
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import (
    AndExpr,
    ArithExpr,
    CompareExpr,
    Expr,
    FormatExpr,
    IsNullExpr,
    KeyExpr,
    LengthExpr,
    ListExpr,
    LiteralExpr,
    NotExpr,
    ObjectExpr,
    OrExpr,
    RefExpr,
)
from cartwheel.workflow._interpreter import compile_program
from cartwheel.workflow._types import (
    INT,
    JSON,
    MAX_INT,
    NULL,
    STRING,
    ListType,
    ObjectType,
    OptionalType,
    StringType,
    Type,
    optional,
)

INNER = ObjectType(fields={"n": INT})
INPUT = ObjectType(
    fields={
        "text": STRING,
        "n": INT,
        "maybe": OptionalType(of=INNER),
        "note": OptionalType(of=STRING),
        "items": ListType(item=INNER),
        "opaque": JSON,
        "status": StringType(enum=("a", "b")),
    }
)
SAY = ir.TaskSpec(input=ObjectType(fields={"text": STRING}), output=INNER, errors=("Busy",))
UNSAY = ir.TaskSpec(
    input=ObjectType(fields={"input": SAY.input, "output": optional(INNER), "key": STRING}),
    output=NULL,
)
TASKS = {"say": SAY, "unsay": UNSAY}


def lit(value: bool | int | str | None) -> LiteralExpr:
    return LiteralExpr(value=value)


def ref(name: str, *path: str) -> RefExpr:
    return RefExpr(name=name, path=path)


def given(*path: str) -> RefExpr:
    return ref("input", *path)


def say(name: str = "say", text: Expr | None = None, **more: object) -> ir.TaskStep:
    step = ir.TaskStep(
        name=name, at=f"shop.py:{len(name)}", task="say", input={"text": text or lit("x")}
    )
    return step.model_copy(update=more)


def let(name: str, value: Expr, of: Type | None = None, step: str | None = None) -> ir.AssignStep:
    return ir.AssignStep(name=step or f"set_{name}", variable=name, value=value, type=of)


def flow(*steps: ir.Step, output: Type = NULL) -> Workflow:
    return Workflow(name="w", version="1", input=INPUT, output=output, tasks=TASKS, body=steps)


def problems(*steps: ir.Step, output: Type = NULL) -> list[str]:
    return [str(problem) for problem in find_problems(flow(*steps, output=output))]


def condition(test: Expr, *then: ir.Step) -> ir.WhenStep:
    return ir.WhenStep(name="when", condition=test, then=then)


def present(expr: Expr) -> Expr:
    return NotExpr(operand=IsNullExpr(operand=expr))


def wait(name: str, signal: str = "go") -> ir.WaitStep:
    return ir.WaitStep(name=name, signal=signal, payload=NULL)


def attempt(body: ir.Step, *codes: str, name: str = "attempt") -> ir.TryStep:
    return ir.TryStep(name=name, body=(body,), handlers=(ir.Handler(codes=codes),))


def fail(code: str = "Nope", name: str = "fail") -> ir.FailStep:
    return ir.FailStep(name=name, code=code, message=lit("no"))


USE = ir.CompensateSpec(task="unsay")
N = given("maybe", "n")

BROKEN: list[tuple[str, tuple[ir.Step, ...], str]] = [
    ("unknown task", (say(task="shout"),), "no task is named 'shout'; there are tasks say, unsay"),
    ("missing field", (say(input={}),), "say's input lacks the field 'text' (str)"),
    (
        "unknown field",
        (say(input={"text": lit("x"), "y": lit(1)}),),
        "say's input has no field 'y'; there are fields text",
    ),
    ("wrong type", (say(text=lit(1)),), "say's input.text must be str, not int"),
    ("null for a value", (say(text=given("note")),), "use it inside when(not_(is_null(...)))"),
    (
        "unknown name",
        (say(text=ref("nobody")),),
        "nothing is named 'nobody' here; there are names input",
    ),
    (
        "unknown input field",
        (say(text=given("txt")),),
        "input has no field 'txt'; there are fields items",
    ),
    (
        "field of a scalar",
        (say(text=given("text", "x")),),
        "input.text is str and has no field 'x'",
    ),
    ("field of null", (let("x", N),), "input.maybe may be null, so it has no field 'n'"),
    ("field of opaque", (let("x", given("opaque", "a")),), "opaque JSON may only be passed on"),
    (
        "is_null of opaque",
        (condition(IsNullExpr(operand=given("opaque"))),),
        "is_null of opaque JSON",
    ),
    ("opaque as text", (say(text=given("opaque")),), "must be str, not json"),
    ("duplicate name", (say(), say()), "the name 'say' is taken at shop.py:3"),
    (
        "name of a compensation",
        (ir.SagaStep(name="saga", body=(say(compensate=USE), say("say.compensate"))),),
        "the name 'say.compensate' is taken",
    ),
    ("condition is no bool", (condition(given("n")),), "a condition must be bool, not int"),
    (
        "equality of kinds",
        (condition(CompareExpr(op="==", left=given("n"), right=lit("1"))),),
        "cannot compare int == one of '1'",
    ),
    (
        "equality of bool and int",
        (condition(CompareExpr(op="==", left=given("n"), right=lit(True))),),
        "cannot compare int == bool",
    ),
    (
        "equality of objects",
        (condition(CompareExpr(op="==", left=given("maybe"), right=given("maybe"))),),
        "equality is for two booleans",
    ),
    (
        "equality with null",
        (condition(CompareExpr(op="==", left=given("note"), right=lit(None))),),
        "use is_null(...)",
    ),
    (
        "misspelt value",
        (condition(CompareExpr(op="==", left=given("status"), right=lit("c"))),),
        "can never be equal",
    ),
    (
        "order of null",
        (condition(CompareExpr(op="<", left=given("note"), right=lit("x"))),),
        "cannot order str | None < one of 'x'",
    ),
    (
        "order of kinds",
        (condition(CompareExpr(op="<", left=given("n"), right=lit("x"))),),
        "cannot order int < one of 'x'",
    ),
    (
        "length of text",
        (let("x", LengthExpr(operand=given("text"))),),
        "length takes a list, not str",
    ),
    (
        "sum of texts",
        (let("x", ArithExpr(op="+", left=given("text"), right=lit(1))),),
        "the left side of + must be int, not str",
    ),
    (
        "text of null",
        (say(text=FormatExpr(parts=(given("note"),))),),
        "fmt takes strings and integers, not str | None",
    ),
    (
        "text of bool",
        (say(text=FormatExpr(parts=(lit(True),))),),
        "fmt takes strings and integers, not bool",
    ),
    (
        "mixed list",
        (let("x", ListExpr(items=(lit(1), lit("a")))),),
        "a list holds both int and one of 'a'",
    ),
    ("huge integer", (let("x", lit(MAX_INT + 1)),), "is out of range"),
    (
        "key of no step",
        (say(text=KeyExpr(step="nobody")),),
        "no step is named 'nobody'; there are steps say",
    ),
    (
        "set in one arm",
        (condition(lit(True), let("x", lit(1))), say(text=ref("x"))),
        "'x' is set on one way to this place only",
    ),
    (
        "two types",
        (
            ir.WhenStep(
                name="when",
                condition=lit(True),
                then=(let("x", lit(1)),),
                otherwise=(let("x", lit("a"), step="s2"),),
            ),
            let("y", ref("x")),
        ),
        "'x' is int on one way to this place and one of 'a' on another",
    ),
    ("declared type", (let("x", lit("a"), of=INT),), "'x' must be int, not one of 'a'"),
    ("setting the input", (let("input", lit(1)),), "the name 'input' is the run's input"),
    (
        "set in the body of a try, read in a handler",
        (
            ir.TryStep(
                name="try",
                body=(let("x", lit("a")), say()),
                handlers=(ir.Handler(codes=("*",), body=(say("two", ref("x")),)),),
            ),
        ),
        "'x' may not have been set when the error was raised",
    ),
    (
        "outer name in a branch",
        (
            let("x", lit(1)),
            ir.ParallelStep(name="p", branches=(ir.Branch(body=(let("x", lit(2), step="s2"),)),)),
        ),
        "'x' belongs to the steps around this branch",
    ),
    (
        "branch's own name outside",
        (
            ir.ParallelStep(name="p", branches=(ir.Branch(body=(let("x", lit("a")),)),)),
            say(text=ref("x")),
        ),
        "nothing is named 'x' here",
    ),
    (
        "return in a branch",
        (ir.ParallelStep(name="p", branches=(ir.Branch(body=(ir.ReturnStep(name="r"),)),)),),
        "a run cannot end inside 'p'",
    ),
    (
        "return in a map",
        (ir.MapStep(name="m", items=given("items"), item="i", body=(ir.ReturnStep(name="r"),)),),
        "a run cannot end inside 'm'",
    ),
    (
        "map over no list",
        (ir.MapStep(name="m", items=given("n"), item="i", body=()),),
        "map_each goes over a list, not int",
    ),
    (
        "map's item shadows",
        (let("x", lit(1)), ir.MapStep(name="m", items=given("items"), item="x", body=())),
        "'x' belongs to the steps around this branch",
    ),
    ("step after the end", (fail(), say()), "is never reached: 'fail' always ends the run before"),
    (
        "code that cannot happen",
        (attempt(say(), "Gone"),),
        "'Gone' cannot happen: no task in the body declares it",
    ),
    (
        "code caught twice",
        (
            ir.TryStep(
                name="t",
                body=(say(),),
                handlers=(ir.Handler(codes=("*",)), ir.Handler(codes=("Busy",))),
            ),
        ),
        "'Busy' is caught by an earlier handler",
    ),
    (
        "one signal in two branches",
        (
            ir.ParallelStep(
                name="p", branches=(ir.Branch(body=(wait("a"),)), ir.Branch(body=(wait("b"),)))
            ),
        ),
        "two branches wait for the signal 'go'",
    ),
    (
        "signal in a map",
        (ir.MapStep(name="m", items=given("items"), item="i", body=(wait("a"),)),),
        "the items of 'm' would share one signal",
    ),
    ("compensation without saga", (say(compensate=USE),), "a compensation needs a saga around it"),
    (
        "compensation of another shape",
        (ir.SagaStep(name="s", body=(say(compensate=ir.CompensateSpec(task="say")),)),),
        "'say' cannot undo 'say': it takes {text: str}; a compensation is given {input:",
    ),
    (
        "retry of a strange code",
        (say(retry=RetryPolicy(on=("Gone",))),),
        "'Gone' cannot be retried",
    ),
    ("fail with Timeout", (fail("Timeout"),), "fail cannot raise the language's own Timeout"),
    ("sleep for a text", (ir.SleepStep(name="s", seconds=lit("1")),), "seconds must be int"),
    ("sleep until a number", (ir.SleepStep(name="s", until=lit(1)),), "until must be str"),
    ("raise of a text", (ir.RaiseStep(name="r", error=lit("x")),), "the error must be {code: str"),
]


@pytest.mark.parametrize(
    ("steps", "message"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN]
)
def test_the_checker_refuses(steps: tuple[ir.Step, ...], message: str) -> None:
    found = problems(*steps)
    assert [text for text in found if message in text], found


FINE: list[tuple[str, tuple[ir.Step, ...]]] = [
    ("a nullable read inside when", (condition(present(given("maybe")), let("x", N)),)),
    (
        "a nullable read in the otherwise arm",
        (
            ir.WhenStep(
                name="when",
                condition=IsNullExpr(operand=given("maybe")),
                then=(),
                otherwise=(let("x", N),),
            ),
        ),
    ),
    (
        "a nullable read later in the same and",
        (
            condition(
                AndExpr(
                    operands=(present(given("maybe")), CompareExpr(op=">", left=N, right=lit(0)))
                )
            ),
        ),
    ),
    (
        "a nullable read after an or has ruled null out",
        (
            condition(
                OrExpr(
                    operands=(
                        IsNullExpr(operand=given("maybe")),
                        CompareExpr(op=">", left=N, right=lit(0)),
                    )
                )
            ),
        ),
    ),
    (
        "a nullable read after null ended the run",
        (condition(IsNullExpr(operand=given("maybe")), fail()), let("x", N)),
    ),
    (
        "a name set in both arms",
        (
            ir.WhenStep(
                name="when",
                condition=lit(True),
                then=(let("x", lit("a")),),
                otherwise=(let("x", lit("b"), step="s2"),),
            ),
            say(text=ref("x")),
        ),
    ),
    (
        "a name set before and in one arm",
        (
            let("x", lit("a")),
            condition(lit(True), let("x", lit("b"), step="s2")),
            say(text=ref("x")),
        ),
    ),
    ("a language error caught without a task", (attempt(wait("w"), "Timeout", "Cancelled"),)),
    ("a workflow's own error caught", (attempt(fail("Own"), "Own"),)),
    ("one signal twice in sequence", (wait("a"), wait("b"))),
    ("a string where values are listed", (let("x", given("text"), of=StringType(enum=("a",))),)),
    ("an empty list for a list", (let("x", ListExpr(), of=ListType(item=INT)),)),
    (
        "an object for a nullable object",
        (let("x", ObjectExpr(fields={"n": lit(1)}), of=OptionalType(of=INNER)),),
    ),
    ("anything passed on as opaque", (let("x", given("items"), of=JSON),)),
]


@pytest.mark.parametrize("steps", [case[1] for case in FINE], ids=[case[0] for case in FINE])
def test_the_checker_accepts(steps: tuple[ir.Step, ...]) -> None:
    assert problems(*steps) == []


def test_a_narrowed_name_is_nullable_again_once_it_is_set() -> None:
    nothing = let("x", lit(None), of=OptionalType(of=INNER), step="again")
    steps = (
        let("x", given("maybe"), of=OptionalType(of=INNER)),
        condition(present(ref("x")), nothing, let("y", ref("x", "n"))),
    )
    assert "x may be null" in problems(*steps)[0]


def test_a_run_that_can_end_without_its_result_is_refused() -> None:
    found = problems(condition(lit(True), ir.ReturnStep(name="r", value=lit(1))), output=INT)
    assert found == ["step 'when': the run can end without its result (int); return a value"]


def test_a_task_may_not_declare_the_languages_own_errors() -> None:
    task = SAY.model_copy(update={"errors": ("Timeout",)})
    found = find_problems(flow().model_copy(update={"tasks": {"say": task}}))
    assert "declares the language's own Timeout" in str(found[0])


def test_all_problems_are_reported_at_once_with_step_and_line() -> None:
    with pytest.raises(BuildError) as caught:
        compile_program(flow(say(task="shout"), say("other", lit(1))))
    error = caught.value
    assert [(problem.step, problem.at) for problem in error.problems] == [
        ("say", "shop.py:3"),
        ("other", "shop.py:5"),
    ]
    assert "workflow 'w' does not build" in str(error)
    assert "shop.py:5: step 'other': say's input.text must be str, not int" in str(error)


def test_a_problem_says_where_what_and_what_to_do() -> None:
    problem = Problem("is wrong", "pay", "a.py:3", "there are tasks x", "use x")
    assert str(problem) == "a.py:3: step 'pay': is wrong; there are tasks x; use x"


def test_a_workflow_read_from_json_is_checked_before_it_is_compiled() -> None:
    text = flow(say(task="shout")).to_json()
    with pytest.raises(BuildError, match="no task is named 'shout'"):
        compile_program(Workflow.from_json(text))
