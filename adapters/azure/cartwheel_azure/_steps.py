"""Turns the steps of a lowered workflow into the statements of a Python generator function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeAlias, assert_never

from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import Expr, RefExpr, walk_expr
from cartwheel_azure._expressions import (
    Expressions,
    attribute,
    call,
    constant,
    name,
    runtime,
    store,
)
from cartwheel_azure._names import Names
from cartwheel_azure._source import Comment

Statements: TypeAlias = list[ast.stmt]
MAIN = "steps"


class StepsWriter:
    """Writes the function `steps` of one workflow, and collects the policies that it names.

    `sources` are the steps as they were before the lowering; comments name those. `events` gives
    each waiting step the name of its event.
    """

    def __init__(self, sources: dict[str, str | None], events: dict[str, str]) -> None:
        self._sources = sources
        self._events = events
        self._names = Names()
        self._policies: dict[ir.RetryPolicy, str] = {}

    def main(self, body: tuple[ir.Step, ...]) -> ast.FunctionDef:
        """Return the function that runs a workflow's steps."""
        line = _Line(self, at=None)
        given: dict[str, ast.expr] = {"run": runtime("Run")}
        given[self.variable(ir.INPUT)] = runtime("Json")
        return function(MAIN, given, _generator(line.body(body)))

    @property
    def policies(self) -> Iterator[ast.stmt]:
        """Yield the assignments of the retry policies, in the order of their first use."""
        for policy, constant_name in self._policies.items():
            fields = {
                "attempts": constant(policy.attempts),
                "interval": constant(policy.interval),
                "rate": constant(policy.rate),
                "cap": constant(policy.cap),
                "jitter": constant(policy.jitter),
                "on": ast.Tuple(elts=[constant(code) for code in policy.on], ctx=ast.Load()),
            }
            value = call(runtime("Retry"), keywords=fields)
            yield ast.Assign(targets=[store(constant_name)], value=value, lineno=0)

    def variable(self, of: str) -> str:
        return self._names.variable(of)

    def fresh(self, wanted: str) -> str:
        return self._names.fresh(wanted)

    def policy(self, policy: ir.RetryPolicy) -> ast.Name:
        if policy not in self._policies:
            self._policies[policy] = self.fresh("RETRY")
        return name(self._policies[policy])

    def event(self, step: str) -> str:
        return self._events[step]

    def comment(self, step: ir.Step) -> str | None:
        """Name the source step that a step belongs to, with its place in the source."""
        parts = step.name.split(".")
        for length in range(len(parts), 0, -1):
            source = ".".join(parts[:length])
            if source in self._sources:
                at = self._sources[source]
                return source if at is None else f"{source}, {at}"
        return None


class _Line:
    """Writes one line of steps: the workflow's own, a branch's, or an item's."""

    def __init__(self, writer: StepsWriter, at: str | None, around: str | None = None) -> None:
        self._writer = writer
        self._at = at
        self._around = around
        self._declared: set[str] = set()
        self._expressions = Expressions(writer.variable, at)

    def body(self, steps: tuple[ir.Step, ...]) -> Statements:
        """Return the statements of steps, one comment for what belongs to one source step."""
        statements: Statements = []
        outer = last = self._around
        for step in steps:
            comment = self._writer.comment(step)
            if comment is not None and comment != last:
                statements.append(Comment(comment))
                self._around = last = comment
            statements.extend(self._step(step))
            self._around = last
        self._around = outer
        return statements

    def _block(self, steps: tuple[ir.Step, ...]) -> Statements:
        return self.body(steps) or [ast.Pass()]

    def _step(self, step: ir.Step) -> Statements:
        match step:
            case ir.TaskStep(compensates=None):
                return [self._yielded(self._call("call", step), step.result)]
            case ir.TaskStep():
                return [self._yielded(self._call("undo", step), None)]
            case ir.AssignStep(variable=variable, value=value):
                return [self._assign(variable, self._of(value))]
            case ir.WhenStep():
                return [self._when(step)]
            case ir.ParallelStep():
                return self._parallel(step)
            case ir.MapStep():
                return self._map(step)
            case ir.TryStep():
                return [self._try(step)]
            case ir.SagaStep():
                raise AssertionError(f"step {step.name!r}: sagas are lowered before")
            case ir.SleepStep(seconds=seconds, until=until):
                verb = "sleep" if until is None else "sleep_until"
                ends = [self._of(end) for end in (seconds, until) if end is not None]
                return [self._yielded(self._run(verb, *ends), None)]
            case ir.WaitStep():
                return [self._yielded(self._wait(step), step.result)]
            case ir.PollStep():
                return self._poll(step)
            case ir.FailStep(code=code, message=message, details=details):
                error = (constant(code), self._of(message), self._of(details))
                return [ast.Raise(exc=call(runtime("Raised"), *error))]
            case ir.ReturnStep(value=value):
                return [ast.Return(value=self._of(value))]
            case ir.RaiseStep(error=raised):
                again = ast.Attribute(value=runtime("Raised"), attr="of", ctx=ast.Load())
                return [ast.Raise(exc=call(again, self._of(raised)))]
            case _:
                assert_never(step)

    def _of(self, expr: Expr) -> ast.expr:
        return self._expressions.of(expr)

    def _assign(self, variable: str, value: ast.expr) -> ast.stmt:
        """Set a name; what is built here is declared as JSON first, for the type checker."""
        target = store(self._writer.variable(variable))
        if variable in self._declared or isinstance(value, ast.YieldFrom | ast.Attribute):
            self._declared.add(variable)
            return ast.Assign(targets=[target], value=value, lineno=0)
        self._declared.add(variable)
        return ast.AnnAssign(target=target, annotation=runtime("Json"), value=value, simple=1)

    def _yielded(self, value: ast.expr, result: str | None) -> ast.stmt:
        waiting = ast.YieldFrom(value=value)
        return ast.Expr(value=waiting) if result is None else self._assign(result, waiting)

    def _run(self, verb: str, *given: ast.expr, **options: ast.expr | None) -> ast.Call:
        keywords = {key: value for key, value in options.items() if value is not None}
        return call(attribute("run", verb), *given, keywords=keywords)

    def _call(self, verb: str, step: ir.TaskStep) -> ast.Call:
        place = step.compensates or step.name
        return self._run(
            verb,
            constant(step.task),
            constant(place),
            self._expressions.object(step.input),
            self._writer.policy(step.retry),
            timeout=_optional(step.timeout),
            at=self._position(),
        )

    def _position(self) -> ast.expr | None:
        return None if self._at is None else name(self._at)

    def _wait(self, step: ir.WaitStep) -> ast.Call:
        given = constant(step.signal), constant(step.name), constant(self._writer.event(step.name))
        return self._run("wait", *given, timeout=_optional(step.timeout))

    def _when(self, step: ir.WhenStep) -> ast.stmt:
        then = self._block(step.then)
        orelse = self._block(step.otherwise) if step.otherwise else []
        return ast.If(test=self._of(step.condition), body=then, orelse=orelse)

    def _branch(self, at: str | None, body: tuple[ir.Step, ...], value: Expr) -> Statements:
        inside = _Line(self._writer, at, self._around)
        statements = inside.body(body)
        if not statements or not isinstance(statements[-1], ast.Raise | ast.Return):
            statements.append(ast.Return(value=inside._of(value)))
        return _generator(statements)

    def _parallel(self, step: ir.ParallelStep) -> Statements:
        statements: Statements = []
        started: list[ast.expr] = []
        for number, branch in enumerate(step.branches, 1):
            called = self._writer.fresh(f"{step.name}_branch_{number}")
            body = self._branch(self._at, branch.body, branch.value)
            statements.append(function(called, {}, body))
            started.append(call(name(called)))
        value = ast.YieldFrom(value=self._run("parallel", *started))
        results = [branch.result for branch in step.branches]
        if not any(results):
            return [*statements, ast.Expr(value=value)]
        targets: list[ast.expr] = [
            store("_" if result is None else self._writer.variable(result)) for result in results
        ]
        self._declared.update(filter(None, results))
        target = ast.Tuple(elts=targets, ctx=ast.Store())
        return [*statements, ast.Assign(targets=[target], value=value, lineno=0)]

    def _map(self, step: ir.MapStep) -> Statements:
        called, at = self._writer.fresh(f"{step.name}_item"), self._writer.fresh("at")
        given: dict[str, ast.expr] = {at: name("str")}
        given[self._writer.variable(step.item)] = runtime("Json")
        body = self._branch(at, step.body, step.value)
        value = self._run(
            "map_each",
            self._of(step.items),
            name(called),
            limit=_optional(step.concurrency),
            at=self._position(),
        )
        return [function(called, given, body), self._yielded(value, step.result)]

    def _try(self, step: ir.TryStep) -> ast.stmt:
        attempted = self._block(step.body)
        handled = [self._handler(handler) for handler in step.handlers]
        chain: Statements = [ast.Raise()]
        for handler, body in reversed(list(zip(step.handlers, handled, strict=True))):
            if ir.ANY_ERROR in handler.codes:
                chain = body
            elif len(handled) == 1:
                chain = [ast.If(test=_is_one_of(handler.codes, no=True), body=chain, orelse=[])]
                chain.extend(body)
            else:
                chain = [ast.If(test=_is_one_of(handler.codes), body=body, orelse=chain)]
        read = any(handler.error for handler in step.handlers) or not isinstance(chain[0], ast.Pass)
        caught = ast.ExceptHandler(
            type=runtime("Raised"), name="raised" if read else None, body=chain
        )
        return ast.Try(body=attempted, handlers=[caught], orelse=[], finalbody=[])

    def _handler(self, handler: ir.Handler) -> Statements:
        body: Statements = []
        if handler.error is not None:
            body.append(self._assign(handler.error, attribute("raised", "error")))
        return [*body, *self.body(handler.body)] or [ast.Pass()]

    def _poll(self, step: ir.PollStep) -> Statements:
        count = self._writer.fresh("count")
        given: ast.expr = self._expressions.object(step.input)
        before: Statements = []
        if any(_reads(expr, step.result) for expr in step.input.values()):
            # The input is that of the first call, whatever the name holds later.
            asked = self._writer.fresh(f"{step.result}_input")
            before = [ast.Assign(targets=[store(asked)], value=given, lineno=0)]
            given = name(asked)
        position = [constant(":"), name(count)]
        if self._at is not None:
            position = [name(self._at), *position]
        asking = self._run(
            "call",
            constant(step.task),
            constant(step.name),
            given,
            self._writer.policy(step.retry),
            timeout=_optional(step.timeout),
            at=call(runtime("text"), *position),
        )
        body: Statements = []
        if step.interval:
            pause = self._yielded(self._run("sleep", constant(step.interval)), None)
            later = ast.Compare(left=name(count), ops=[ast.Gt()], comparators=[constant(0)])
            body.append(ast.If(test=later, body=[pause], orelse=[]))
        body.append(self._yielded(asking, step.result))
        body.append(ast.If(test=self._of(step.until), body=[ast.Break()], orelse=[]))
        message = f"step {step.name}: task {step.task} was polled {step.attempts} times"
        error = call(
            runtime("Raised"), constant(ir.TIMEOUT), constant(f"{message} without the answer")
        )
        loop = ast.For(
            target=store(count),
            iter=call(name("range"), constant(step.attempts)),
            body=body,
            orelse=[ast.Raise(exc=error)],
            lineno=0,
        )
        return [*before, loop]


def function(called: str, given: dict[str, ast.expr], body: Statements) -> ast.FunctionDef:
    """Define a function that gives a line of steps."""
    arguments = [ast.arg(arg=each, annotation=of) for each, of in given.items()]
    return ast.FunctionDef(
        name=called,
        args=ast.arguments(
            posonlyargs=[], args=arguments, kwonlyargs=[], kw_defaults=[], defaults=[]
        ),
        body=body,
        decorator_list=[],
        returns=runtime("Steps"),
        lineno=0,
    )


def _generator(body: Statements) -> Statements:
    """Return a body that makes its function a generator even when no step of it waits."""
    if any(map(_waits, body)):
        return body
    nothing = ast.Tuple(elts=[], ctx=ast.Load())
    return [ast.Expr(value=ast.YieldFrom(value=nothing)), *body]


def _waits(statement: ast.AST) -> bool:
    """Tell whether a statement yields in its own function."""
    if isinstance(statement, ast.YieldFrom):
        return True
    if isinstance(statement, ast.FunctionDef):
        return False
    return any(map(_waits, ast.iter_child_nodes(statement)))


def _optional(value: int | None) -> ast.expr | None:
    return None if value is None else constant(value)


def _is_one_of(codes: tuple[str, ...], *, no: bool = False) -> ast.expr:
    operator: ast.cmpop = ast.NotEq() if no else ast.Eq()
    listed = constant(codes[0])
    if len(codes) > 1:
        operator = ast.NotIn() if no else ast.In()
        listed = ast.Tuple(elts=[constant(code) for code in codes], ctx=ast.Load())
    return ast.Compare(left=attribute("raised", "code"), ops=[operator], comparators=[listed])


def _reads(expr: Expr, of: str) -> bool:
    return any(isinstance(part, RefExpr) and part.name == of for part in walk_expr(expr))
