"""The checker: the one authority on whether a workflow means something.

It judges the intermediate form, so that a workflow read from JSON is held to the same rules as one
built in Python. It collects all problems before it raises.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import Expr, KeyExpr, walk_expr
from cartwheel.workflow._problems import BuildError, Problem, listed
from cartwheel.workflow._scope import (
    Scope,
    expect,
    expect_fields,
    facts,
    merge,
    merge_value,
    type_of,
)
from cartwheel.workflow._types import (
    BOOL,
    ERROR_TYPE,
    INT,
    JSON,
    NULL,
    STRING,
    ListType,
    ObjectType,
    Type,
    assignable,
    describe,
    is_nullable,
    optional,
)


@dataclass(slots=True, frozen=True)
class _Place:
    """What lies around a step."""

    in_saga: bool = False
    branch: str | None = None
    in_map: str | None = None


@dataclass(slots=True)
class _Assigned:
    """The names that were set inside a body, with the types which they took."""

    types: dict[str, list[Type | None]] = field(default_factory=dict)


def check(workflow: ir.Workflow) -> None:
    """Raise BuildError with all problems of a workflow, if it has any."""
    problems = find_problems(workflow)
    if problems:
        raise BuildError(problems, workflow.name)


def find_problems(workflow: ir.Workflow) -> tuple[Problem, ...]:
    """Return all problems of a workflow, in source order."""
    return _Checker(workflow).run()


class _Checker:
    def __init__(self, workflow: ir.Workflow) -> None:
        self._workflow = workflow
        self._problems: list[Problem] = []
        self._step: ir.Step | None = None
        self._collectors: list[_Assigned] = []

    def run(self) -> tuple[Problem, ...]:
        for name, task in self._workflow.tasks.items():
            for code in task.errors:
                if code in ir.LANGUAGE_ERRORS:
                    remedy = "choose another code"
                    self._report(f"task {name!r} declares the language's own {code}", "", remedy)
        self._names()
        scope = self._body(self._workflow.body, Scope({ir.INPUT: self._workflow.input}), _Place())
        if scope is not None and not is_nullable(self._workflow.output):
            output = describe(self._workflow.output)
            self._step = self._workflow.body[-1] if self._workflow.body else None
            self._report(f"the run can end without its result ({output})", "", "return a value")
        return tuple(dict.fromkeys(self._problems))

    def _report(self, what: str, exists: str = "", remedy: str = "") -> None:
        step = self._step
        name, at = (None, None) if step is None else (step.name, step.at)
        self._problems.append(Problem(what, name, at, exists, remedy))

    def _names(self) -> None:
        """Report names that two steps share, or that a compensation's key needs."""
        seen: dict[str, ir.Step] = {}
        for step in ir.walk(self._workflow.body):
            self._step = step
            names = [step.name]
            if isinstance(step, ir.TaskStep) and step.compensate is not None:
                names.append(f"{step.name}.compensate")
            for name in names:
                other = seen.setdefault(name, step)
                if other is not step:
                    where = "" if other.at is None else f" at {other.at}"
                    remedy = "give one of them another name with step=..."
                    self._report(f"the name {name!r} is taken{where}", "", remedy)
        self._step = None

    def _body(self, steps: tuple[ir.Step, ...], scope: Scope | None, place: _Place) -> Scope | None:
        """Check steps in order; return what holds after them, or None if their end is not
        reached."""
        for index, step in enumerate(steps):
            self._step = step
            if scope is None:
                before = steps[index - 1].name
                self._report(
                    f"is never reached: {before!r} always ends the run before", "", "remove it"
                )
                return None
            scope = self._visit(step, scope, place)
        return scope

    def _visit(self, step: ir.Step, scope: Scope, place: _Place) -> Scope | None:
        match step:
            case ir.TaskStep():
                self._task(step, scope, place)
            case ir.AssignStep():
                self._assign(step, scope)
            case ir.WhenStep():
                return self._when(step, scope, place)
            case ir.ParallelStep():
                self._parallel(step, scope, place)
            case ir.MapStep():
                self._map(step, scope, place)
            case ir.TryStep():
                return self._try(step, scope, place)
            case ir.SagaStep():
                return self._body(step.body, scope, replace(place, in_saga=True))
            case ir.SleepStep():
                if step.seconds is not None:
                    self._expect(step.seconds, INT, scope, "seconds")
                if step.until is not None:
                    self._expect(step.until, STRING, scope, "until")
            case ir.WaitStep():
                self._wait(step, scope, place)
            case ir.PollStep():
                self._poll(step, scope)
            case ir.FailStep():
                self._fail(step, scope)
                return None
            case ir.ReturnStep():
                if place.branch is not None:
                    remedy = "let the branch end with a value, and return after it"
                    self._report(f"a run cannot end inside {place.branch!r}", "", remedy)
                self._expect(step.value, self._workflow.output, scope, "the result")
                return None
            case ir.RaiseStep():
                self._expect(step.error, ERROR_TYPE, scope, "the error")
                return None
        return scope

    def _expect(self, expr: Expr, target: Type, scope: Scope, what: str) -> None:
        self._keys(expr)
        expect(expr, target, scope, self._report, what)

    def _type(self, expr: Expr, scope: Scope) -> Type | None:
        self._keys(expr)
        return type_of(expr, scope, self._report)

    def _keys(self, expr: Expr) -> None:
        for part in walk_expr(expr):
            if isinstance(part, KeyExpr):
                names = {step.name for step in ir.walk(self._workflow.body)}
                if part.step not in names:
                    self._report(f"no step is named {part.step!r}", listed(names, "steps"))

    def _set(self, scope: Scope, name: str, of: Type | None, value: Type | None = None) -> None:
        if name == ir.INPUT:
            self._report(f"the name {name!r} is the run's input", "", "choose another name")
            return
        if name in scope.outer:
            what = f"{name!r} belongs to the steps around this branch, which cannot set it"
            self._report(what, "", "let the branch end with the value instead")
            return
        scope.set(name, of, value)
        for collector in self._collectors:
            collector.types.setdefault(name, []).append(of)

    def _known_task(self, name: str) -> ir.TaskSpec | None:
        task = self._workflow.tasks.get(name)
        if task is None:
            self._report(f"no task is named {name!r}", listed(self._workflow.tasks, "tasks"))
        return task

    def _retry(self, policy: ir.RetryPolicy, name: str, task: ir.TaskSpec) -> None:
        known = {*task.errors, *ir.LANGUAGE_ERRORS, ir.ANY_ERROR}
        for code in policy.on:
            if code not in known:
                what = f"{code!r} cannot be retried: task {name!r} does not declare it"
                self._report(what, listed(known, "codes"))

    def _task(self, step: ir.TaskStep, scope: Scope, place: _Place) -> None:
        task = self._known_task(step.task)
        if task is not None:
            for expr in step.input.values():
                self._keys(expr)
            expect_fields(step.input, task.input, scope, self._report, f"{step.task}'s input")
            self._retry(step.retry, step.task, task)
            if step.compensate is not None:
                self._compensate(step.compensate, step.task, task, place)
        if step.result is not None:
            self._set(scope, step.result, None if task is None else task.output)

    def _compensate(
        self, spec: ir.CompensateSpec, name: str, undone: ir.TaskSpec, place: _Place
    ) -> None:
        if not place.in_saga:
            remedy = "put the step inside saga()"
            self._report("a compensation needs a saga around it", "", remedy)
        task = self._known_task(spec.task)
        if task is None:
            return
        self._retry(spec.retry, spec.task, task)
        given = {"input": undone.input, "output": optional(undone.output), "key": STRING}
        source = ObjectType(fields=given)
        if not assignable(source, task.input):
            what = f"{spec.task!r} cannot undo {name!r}: it takes {describe(task.input)}"
            self._report(what, f"a compensation is given {describe(source)}", "")

    def _assign(self, step: ir.AssignStep, scope: Scope) -> None:
        if step.type is None:
            of = self._type(step.value, scope)
            self._set(scope, step.variable, of)
            return
        self._expect(step.value, step.type, scope, repr(step.variable))
        quiet = type_of(step.value, scope, lambda what, exists, remedy: None)
        self._set(scope, step.variable, step.type, quiet)

    def _when(self, step: ir.WhenStep, scope: Scope, place: _Place) -> Scope | None:
        self._expect(step.condition, BOOL, scope, "a condition")
        then = scope.narrowed(facts(step.condition, holds=True))
        otherwise = scope.narrowed(facts(step.condition, holds=False))
        return merge(
            self._body(step.then, then, place), self._body(step.otherwise, otherwise, place)
        )

    def _branch(
        self, body: tuple[ir.Step, ...], value: Expr, scope: Scope, place: _Place
    ) -> Type | None:
        """Check a branch and return the type of its value; one that always fails has any type."""
        step = self._step
        end = self._body(body, scope, place)
        self._step = step
        return NULL if end is None else self._type(value, end)

    def _parallel(self, step: ir.ParallelStep, scope: Scope, place: _Place) -> None:
        inside = replace(place, branch=step.name)
        results: list[tuple[str, Type | None]] = []
        for branch in step.branches:
            of = self._branch(branch.body, branch.value, scope.inner(), inside)
            if branch.result is not None:
                results.append((branch.result, of))
        for name, of in results:
            self._set(scope, name, of)
        seen: set[str] = set()
        for branch in step.branches:
            signals = {s.signal for s in ir.walk(branch.body) if isinstance(s, ir.WaitStep)}
            for signal in sorted(seen & signals):
                what = f"two branches wait for the signal {signal!r}"
                self._report(what, "", "a signal goes to one: give them different names")
            seen |= signals

    def _map(self, step: ir.MapStep, scope: Scope, place: _Place) -> None:
        items = self._type(step.items, scope)
        if items is not None and not isinstance(items, ListType):
            self._report(f"map_each goes over a list, not {describe(items)}")
        inside = scope.inner()
        self._set(inside, step.item, items.item if isinstance(items, ListType) else None)
        around = replace(place, branch=step.name, in_map=step.name)
        of = self._branch(step.body, step.value, inside, around)
        if step.result is not None:
            self._set(scope, step.result, None if of is None else ListType(item=of))

    def _try(self, step: ir.TryStep, scope: Scope, place: _Place) -> Scope | None:
        before = scope.copy()
        assigned = _Assigned()
        self._collectors.append(assigned)
        after = self._body(step.body, scope, place)
        self._collectors.pop()
        self._step = step
        for name, types in assigned.types.items():
            if name in before.types:
                of = before.types[name]
                for later in types:
                    of = merge_value(of, later)
                before.set(name, of)
            else:
                before.unsure[name] = "may not have been set when the error was raised"
        self._codes(step)
        for handler in step.handlers:
            inside = before.copy()
            if handler.error is not None:
                self._step = step
                self._set(inside, handler.error, ERROR_TYPE)
            after = merge(after, self._body(handler.body, inside, place))
        return after

    def _codes(self, step: ir.TryStep) -> None:
        """Report codes that the body cannot raise, and handlers that are never reached."""
        raised = set(ir.LANGUAGE_ERRORS)
        for inner in ir.walk(step.body):
            match inner:
                case ir.TaskStep(task=name) | ir.PollStep(task=name):
                    task = self._workflow.tasks.get(name)
                    raised.update(() if task is None else task.errors)
                case ir.FailStep(code=code):
                    raised.add(code)
                case _:
                    pass
        seen: set[str] = set()
        for code in (code for handler in step.handlers for code in handler.codes):
            if code in seen or ir.ANY_ERROR in seen:
                self._report(f"{code!r} is caught by an earlier handler", "", "remove it")
            elif code != ir.ANY_ERROR and code not in raised:
                what = f"{code!r} cannot happen: no task in the body declares it"
                self._report(what, listed(raised, "codes"))
            seen.add(code)

    def _wait(self, step: ir.WaitStep, scope: Scope, place: _Place) -> None:
        if place.in_map is not None:
            remedy = "wait before or after the map"
            self._report(f"the items of {place.in_map!r} would share one signal", "", remedy)
        if step.result is not None:
            self._set(scope, step.result, step.payload)

    def _poll(self, step: ir.PollStep, scope: Scope) -> None:
        task = self._known_task(step.task)
        if task is not None:
            expect_fields(step.input, task.input, scope, self._report, f"{step.task}'s input")
            self._retry(step.retry, step.task, task)
        self._set(scope, step.result, None if task is None else task.output)
        self._expect(step.until, BOOL, scope, "until")

    def _fail(self, step: ir.FailStep, scope: Scope) -> None:
        if step.code in ir.LANGUAGE_ERRORS:
            remedy = "choose a code of the workflow's own"
            self._report(f"fail cannot raise the language's own {step.code}", "", remedy)
        self._expect(step.message, STRING, scope, "the message")
        self._expect(step.details, JSON, scope, "the details")
