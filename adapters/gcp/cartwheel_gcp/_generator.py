"""Generates the steps of Workflows from a workflow whose sagas are lowered.

Data in, data out: the result is the document as dicts and lists. Every step is billed, so a call's
answer is read where the call step put it, neighbouring assignments share a step, and what begins as
null does so in one step.
"""

from __future__ import annotations

from typing import assert_never

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import LiteralExpr, NotExpr, ObjectExpr
from cartwheel.workflow._lint_targets import GCP_CALL_SECONDS
from cartwheel.workflow._targets import Gap
from cartwheel_gcp import _shape as shape
from cartwheel_gcp._attempts import catch, generate_try
from cartwheel_gcp._block import Block, Steps
from cartwheel_gcp._branches import generate_map, generate_parallel
from cartwheel_gcp._calls import (
    Retries,
    document,
    error_of,
    has_code,
    language_error,
    post,
)
from cartwheel_gcp._expressions import Expressions
from cartwheel_gcp._names import BODY, ERROR_OF, FAILURES, RUN, Fresh, Place
from cartwheel_gcp._registered import Registration, Tight
from cartwheel_gcp._scope import Scope
from cartwheel_gcp._waits import SIGNAL, generate_poll, generate_sleep, generate_wait


class Generator:
    """Generates the document of one workflow; `gaps` collects what can't be expressed."""

    def __init__(self, tight: Tight) -> None:
        self.gaps: list[Gap] = []
        self.workflow = tight.workflow
        self.variables = Fresh()
        self._tight = tight
        self._steps = Fresh()
        self.retries = Retries(self.variables)
        self._undoes = shape.compensates(self.workflow.body)
        self._step: ir.Step | None = None

    def document(self) -> JsonObject:
        """Generate the whole document."""
        workflow = self.workflow
        scope = self.scope(workflow.body, None)
        scope.places[ir.INPUT] = Place(RUN, ".input")
        scope.types[ir.INPUT] = workflow.input
        inside = self.block()
        self.body(workflow.body, scope, inside)
        if not shape.ends(workflow.body):
            inside.add("finish", {"return": document("succeeded", None, None, undoes=self._undoes)})
        main = self.block()
        start: list[Json] = [{FAILURES: []}] if self._undoes else []
        self.begin(main, scope, "begin", start)
        if shape.can_raise(workflow.body):
            main.add("whole", self._whole(inside.steps))
        else:
            main.steps.extend(inside.steps)
        routines = self.retries.routines()
        if routines or _calls(ERROR_OF, main.steps):
            routines[ERROR_OF] = language_error()
        return {"main": {"params": [RUN], "steps": main.steps}, **routines}

    def block(self) -> Block:
        """Begin a list of steps."""
        return Block(self._steps)

    def block_name(self, wanted: str) -> str:
        """Give a step's name that no other has."""
        return self._steps(wanted)

    def write(self, scope: Scope, block: Block) -> Expressions:
        """Give the writer of expressions for a list of steps."""
        return Expressions(scope, block, self.variables, self._too_long)

    def scope(self, body: shape.Body, outer: Scope | None) -> Scope:
        """Give the scope of a line of steps: a variable of its own for every name."""
        scope = Scope({}, {}, outer)
        if outer is not None:
            scope.position, scope.depth = outer.position, outer.depth
        writers: dict[str, list[ir.Step]] = {}
        for step in shape.frame_steps(body):
            for name in shape.writes(step):
                writers.setdefault(name, []).append(step)
        for name, steps in writers.items():
            scope.places[name] = Place(self.variables(name), _path(steps))
        for name in sorted(shape.escaping(body)):
            scope.declare(scope.places[name].variable)
        dropped = shape.first_nulls(body)
        for step in shape.frame_steps(body):
            if step.name in dropped and isinstance(step, ir.AssignStep):
                scope.declare(scope.places[step.variable].variable)
        scope.dropped = dropped
        scope.once = frozenset(name for name, steps in writers.items() if len(steps) == 1)
        return scope

    def begin(self, block: Block, scope: Scope, name: str, before: list[Json]) -> None:
        """Let the variables exist that a line of steps needs from its start."""
        nulls: list[Json] = [{variable: None} for variable in scope.declared]
        block.assign(name, [*before, *nulls])

    def body(self, steps: shape.Body, scope: Scope, block: Block) -> None:
        """Generate the steps of a body in order."""
        for step in steps:
            self._step = step
            self._generate(step, scope, block)

    def gap(self, feature: str, limit: str, remedy: str) -> None:
        """Report something of the current step that can't be expressed."""
        name = None if self._step is None else self._step.name
        self.gaps.append(Gap(name, feature, "gcp", limit, remedy))

    def materialise(self, body: shape.Body, read: list[str], scope: Scope, block: Block) -> None:
        """Write the registrations of a body's calls that have been answered, before a reader."""
        within = {step.name for step in shape.frame_steps(body)}
        for registration in self._tight.by_step.values():
            if registration.step in within and registration.undo in read:
                inner = block.inner()
                marker = scope.place(registration.marker)
                output: Json = "${" + marker.text + "}"
                self._register(registration, output, scope, inner)
                condition = "${" + marker.variable + " != null}"
                entry: Json = {"condition": condition, "steps": inner.steps}
                block.add(f"{registration.step}_done", {"switch": [entry]})

    def _generate(self, step: ir.Step, scope: Scope, block: Block) -> None:
        match step:
            case ir.TaskStep(compensates=None):
                self._task(step, scope, block)
            case ir.TaskStep():
                self._compensation(step, scope, block)
            case ir.AssignStep():
                self._assign(step, scope, block)
            case ir.WhenStep():
                self._when(step, scope, block)
            case ir.ParallelStep():
                generate_parallel(self, step, scope, block)
            case ir.MapStep():
                generate_map(self, step, scope, block)
            case ir.TryStep():
                generate_try(self, step, scope, block)
            case ir.SagaStep():
                raise AssertionError(f"saga {step.name!r} was not lowered")
            case ir.SleepStep():
                generate_sleep(self, step, scope, block)
            case ir.WaitStep():
                generate_wait(self, step, scope, block)
            case ir.PollStep():
                generate_poll(self, step, scope, block)
            case ir.FailStep():
                self._fail(step, scope, block)
            case ir.ReturnStep():
                output = self.write(scope, block).value(step.value)
                end = document("succeeded", output, None, undoes=self._undoes)
                block.add("finish" if step.name == "end" else step.name, {"return": end})
            case ir.RaiseStep():
                error = self.write(scope, block).value(step.error)
                block.add(step.name, {"raise": error})
            case _ as never:
                assert_never(never)

    def _whole(self, steps: Steps) -> JsonObject:
        """Make the try step around the whole run: a failed run ends with its document too."""
        raised, error = self.variables("raised"), self.variables("error")
        cancelled: Json = {
            "condition": "${" + has_code(error, (ir.CANCELLED,))[0] + "}",
            "raise": document("cancelled", None, "${" + error + "}", undoes=self._undoes),
        }
        handler = self.block()
        handler.add("error", error_of(raised, error))
        handler.add("cancelled", {"switch": [cancelled]})
        failed = document("failed", None, "${" + error + "}", undoes=self._undoes)
        handler.add("failed", {"raise": failed})
        return catch(steps, raised, handler.steps)

    def _task(self, step: ir.TaskStep, scope: Scope, block: Block) -> None:
        write = self.write(scope, block)
        given = write.value(ObjectExpr(fields=step.input))
        key = write.computed(write.key(step.name))
        call = post(step.task, step.name, key, given, step.timeout)
        self.check_timeout(step.timeout)
        if step.result is not None:
            place = scope.place(step.result)
            call["result"] = place.variable
            scope.learn(step.result, self.workflow.tasks[step.task].output)
        registration = self._tight.by_step.get(step.name)
        handler: JsonObject | None = None
        if registration is not None:
            scope.declare(scope.place(registration.marker).variable)
            handler = self._failed(registration, scope)
        block.add(step.name, self.tried(call, step.retry, handler))

    def tried(
        self, call: JsonObject, policy: ir.RetryPolicy, handler: JsonObject | None = None
    ) -> JsonObject:
        """Put retries and a handler round a call, as far as it has them: still one step."""
        retry = self.retries.block(policy)
        if retry is None and handler is None:
            return call
        step: JsonObject = {"try": call}
        if retry is not None:
            step["retry"] = retry
        if handler is not None:
            step["except"] = handler
        return step

    def _failed(self, registration: Registration, scope: Scope) -> JsonObject:
        """Handle the failure of a registered call: unless nothing happened, it is to be undone."""
        name = registration.step
        raised = self.variables(f"{name}_raised")
        handler = self.block()
        if registration.codes:
            error = self.variables(f"{name}_error")
            handler.add(f"{name}_error", error_of(raised, error))
            refused: list[Json] = [
                {"condition": "${" + text + "}", "raise": "${" + raised + "}"}
                for text in has_code(error, registration.codes)
            ]
            handler.add(f"{name}_refused", {"switch": refused})
        self._register(registration, None, scope, handler)
        handler.add(f"{name}_raise", {"raise": "${" + raised + "}"})
        return {"as": raised, "steps": handler.steps}

    def _register(
        self, registration: Registration, output: Json, scope: Scope, block: Block
    ) -> None:
        write = self.write(scope, block)
        record: JsonObject = {
            "input": write.value(registration.input),
            "output": output,
            "key": write.computed(write.key(registration.step)),
        }
        undo = scope.place(registration.undo)
        block.assign(f"{registration.step}_registered", [undo.entry(record)])

    def _compensation(self, step: ir.TaskStep, scope: Scope, block: Block) -> None:
        """Call a compensation; when it fails for good that is noted, and the run goes on."""
        write = self.write(scope, block)
        given = write.value(ObjectExpr(fields=step.input))
        name = f"{step.compensates}.compensate"
        key = write.computed(write.key(name))
        call = post(step.task, name, key, given, step.timeout, undo=True)
        self.check_timeout(step.timeout)
        raised = self.variables(f"{name}_raised")
        error, failure = self.variables(f"{name}_error"), self.variables(f"{name}_failure")
        handler = self.block()
        handler.add(f"{name}_error", error_of(raised, error))
        record: JsonObject = {"step": step.compensates, "key": key, "error": "${" + error + "}"}
        noted: Json = f"${{list.concat({FAILURES}, {failure})}}"
        handler.assign(f"{name}_failed", [{failure: record}, {FAILURES: noted}])
        block.add(step.name, self.tried(call, step.retry, {"as": raised, "steps": handler.steps}))

    def _assign(self, step: ir.AssignStep, scope: Scope, block: Block) -> None:
        value = self.write(scope, block).value(step.value)
        scope.learn(step.variable, step.type or scope.type_of(step.value))
        if step.name in scope.dropped:
            return
        entries: list[Json] = [scope.place(step.variable).entry(value)]
        registration = self._tight.by_undo.get(step.variable)
        if registration is not None:
            # What is undone is not to be found answered by an outer saga.
            entries.append({scope.place(registration.marker).variable: None})
        block.assign(step.name, entries)

    def _when(self, step: ir.WhenStep, scope: Scope, block: Block) -> None:
        condition = step.condition
        if isinstance(condition, LiteralExpr):
            self.body(step.then if condition.value else step.otherwise, scope, block)
            return
        text = self.write(scope, block).condition(condition)
        then, otherwise = block.inner(), block.inner()
        self.body(step.then, scope, then)
        self.body(step.otherwise, scope, otherwise)
        arms: list[Json] = []
        if then.steps:
            arms.append({"condition": text, "steps": then.steps})
            if otherwise.steps:
                arms.append({"condition": True, "steps": otherwise.steps})
        elif otherwise.steps:
            text = self.write(scope, block).condition(NotExpr(operand=condition))
            arms.append({"condition": text, "steps": otherwise.steps})
        if arms:
            block.add(step.name, {"switch": arms})

    def _fail(self, step: ir.FailStep, scope: Scope, block: Block) -> None:
        write = self.write(scope, block)
        error: JsonObject = {
            "code": step.code,
            "message": write.value(step.message),
            "details": write.value(step.details),
            "retryable": False,
        }
        block.add(step.name, {"raise": error})

    def _too_long(self, text: str) -> None:
        what = f"an expression has at most 400 characters, this has {len(text)}"
        self.gap("a long expression", what, "let a task decide, or set variables before")

    def check_timeout(self, seconds: int | None) -> None:
        """Report a call that may take longer than Workflows waits for one."""
        if seconds is not None and seconds > GCP_CALL_SECONDS:
            what = f"a call takes at most {GCP_CALL_SECONDS} s, this {seconds}"
            self.gap("a long timeout", what, "start the work in a task and poll for its end")


def _calls(routine: str, value: Json) -> bool:
    """Tell whether some step in a part of the document calls a routine."""
    if isinstance(value, dict):
        return value.get("call") == routine or any(_calls(routine, v) for v in value.values())
    return isinstance(value, list) and any(_calls(routine, each) for each in value)


def _path(writers: list[ir.Step]) -> str:
    """Give where in its variable the value of a name lies that these steps set."""
    if any(isinstance(step, ir.TaskStep | ir.PollStep) for step in writers):
        return BODY
    return SIGNAL if all(isinstance(step, ir.WaitStep) for step in writers) else ""
