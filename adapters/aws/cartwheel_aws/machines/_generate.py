"""Generates a state machine from a workflow whose sagas are lowered.

It walks each line of steps with what is known there, and writes a state only where something
happens: a task, a choice, a wait. Assignments are known values, so registering a compensation costs
nothing; where two ways with different values meet, one state keeps the difference. Error handlers
are written once for each set of facts that differs, and shared otherwise, so that the compensations
of a saga are one chain which is entered in the middle.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import assert_never

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow import _ir as ir
from cartwheel.workflow import _types as t
from cartwheel.workflow._expr import Expr, ObjectExpr, RefExpr
from cartwheel_aws._errors import ALL, retriers
from cartwheel_aws.machines import _render as render
from cartwheel_aws.machines._branches import branch_map, branch_parallel
from cartwheel_aws.machines._ends import finish, finished
from cartwheel_aws.machines._joins import close, narrowed
from cartwheel_aws.machines._machine import Catch, Label
from cartwheel_aws.machines._raising import catches, throw
from cartwheel_aws.machines._scope import (
    Continuation,
    Facts,
    Frame,
    Guard,
    Join,
    Place,
    Pos,
    Resume,
    Root,
    Steps,
    live,
    names_in,
)
from cartwheel_aws.machines._spot import Spot
from cartwheel_aws.machines._timing import poll, sleep, wait
from cartwheel_aws.machines._values import (
    NULL,
    TRUE,
    At,
    Lit,
    Obj,
    Value,
    evaluate,
    lit,
    relative,
    size,
    text,
    type_of,
)

RESERVED = {"run_id", "execution", "input", "constants", "at"}
BIGGEST = 24
"""Values of more parts than this are computed once, into a slot."""
ENDPOINT = "cartwheel"
"""The function that serves what belongs to no service: waits for signals."""


def placeholder(service: str) -> str:
    """Return what stands for the ARN of a service's function until it is deployed."""
    return f"${{{service}_function_arn}}"


@dataclass(eq=False, slots=True)
class End(Continuation):
    """Ends the run, or a branch with its value; `bare` leaves the settled record to the value."""

    value: Expr | None
    bare: bool = False
    types: list[t.Type] | None = None

    def enter(self, generator: Generator, facts: Facts, here: Label) -> None:
        """Write the end; the generator knows where."""
        raise AssertionError("an end is written by its line")

    def live(self, name: str) -> bool:
        """Tell whether the value reads a name."""
        parts = () if self.value is None else (self.value,)
        return any(name in names_in(part) for part in parts)


class Generator:
    """Writes one workflow's machine; used once."""

    def __init__(self, workflow: ir.Workflow) -> None:
        self.workflow = workflow
        self.functions: set[str] = set()
        self.constants: dict[str, Json] = {}
        self.errors: set[str] = set()
        """The slots that hold errors while these are handled."""
        self.top = Frame()
        self.taken = set(RESERVED)
        self._slots: dict[str, str] = {}
        self._memo: dict[tuple[object, ...], Label] = {}
        self._positions: dict[tuple[int, int, int], Pos] = {}
        self._places: list[object] = []
        self._outputs = _outputs(workflow)

    def run(self) -> Label:
        """Write the machine and return where it begins."""
        body = self.workflow.body
        start, root = Label(), Root(self.top, body, settles=False)
        facts = Facts({ir.INPUT: At((ir.INPUT,), self.workflow.input)})
        self.line(self.pos(body), facts, Place(self.top, root, End(None)), start)
        if self.constants:
            self.top.initial["constants"] = self.constants
        return start

    def line(
        self, at: Pos | None, facts: Facts, place: Place, here: Label, *, shared: bool = False
    ) -> None:
        """Write a line of steps from a label on; a shared one joins an equal one that is there."""
        spot = Spot(self, place.frame, facts, here, "")
        while True:
            if shared:
                key = self._key(at, spot.facts, place)
                known = self._memo.get(key)
                if known is not None:
                    spot.here.alias(known)
                    return
                self._memo[key] = spot.here
            if at is None:
                self._end(spot, place)
                return
            step, after = at.step, self.pos(at.steps, at.index + 1, at.rest)
            spot.step = step.name
            match step:
                case ir.AssignStep():
                    self._assign(step, spot)
                case ir.TaskStep():
                    if not self._task(step, spot, after, place):
                        return
                case ir.WhenStep():
                    going = self._when(step, spot, after, place)
                    if going is None:
                        return
                    after = going[0]
                case ir.TryStep():
                    if not self._try(step, spot, after, place):
                        return
                case ir.ParallelStep():
                    branch_parallel(self, step, spot, place)
                case ir.MapStep():
                    branch_map(self, step, spot, place)
                case ir.SleepStep():
                    sleep(self, step, spot, place)
                case ir.WaitStep():
                    wait(self, step, spot, place)
                case ir.PollStep():
                    poll(self, step, spot, place)
                case ir.FailStep():
                    fields = (
                        ("code", lit(step.code)),
                        ("message", self.value(step.message, spot)),
                        ("details", self.value(step.details, spot)),
                        ("retryable", lit(False)),
                    )
                    throw(self, Obj(fields), spot, place)
                    return
                case ir.RaiseStep():
                    throw(self, self.value(step.error, spot), spot, place)
                    return
                case ir.ReturnStep():
                    finish(self, self.value(step.value, spot), spot, place)
                    return
                case ir.SagaStep():
                    raise AssertionError("sagas are lowered before")
                case _:
                    assert_never(step)
            at = after

    def pos(self, steps: Steps, index: int = 0, rest: Pos | None = None) -> Pos | None:
        """Return a place in a body, the same object for the same place."""
        if index >= len(steps):
            return rest
        key = (id(steps), index, id(rest))
        found = self._positions.get(key)
        if found is None:
            found = self._positions[key] = Pos(steps, index, rest)
        return found

    def value(self, expr: Expr, spot: Spot) -> Value:
        """Return what an expression is at a spot."""
        return evaluate(expr, spot.facts.env, lambda step: self.key(step, spot.frame))

    def key(self, step: str, frame: Frame, *more: Value) -> Value:
        """Return the idempotency key of a step's calls, as a text to put together."""
        parts: list[Value] = [At(("run_id",), t.STRING), lit(f":{step}")]
        if frame.in_map:
            parts.append(At(("at",), t.STRING))
        for one in more:
            parts += [lit(":"), one]
        return text(iter(parts))

    def slot(self, wanted: str, frame: Frame) -> str:
        """Return a slot of a frame that no other place uses."""
        base = re.sub(r"\W", "_", wanted)
        name, number = base, 2
        while name in self.taken:
            name, number = f"{base}_{number}", number + 1
        self.taken.add(name)
        frame.owned.add(name)
        return name

    def slot_of(self, what: str, frame: Frame) -> str:
        """Return the one slot of a step in a frame."""
        found = self._slots.get(what)
        if found is None:
            found = self._slots[what] = self.slot(what, frame)
        frame.owned.add(found)
        return found

    def constant(self, value: Lit) -> At:
        """Keep a constant in the frame that can't be written inside a function's arguments."""
        found = next((n for n, known in self.constants.items() if known == value.value), None)
        if found is None:
            kind = {"str": "text", "int": "number", "NoneType": "null"}[value.kind]
            found = f"{kind}_{len(self.constants) + 1}"
            self.constants[found] = value.value
        return At(("constants", found), type_of(value))

    def resource(self, task: str) -> str:
        """Return the placeholder of the function that serves a task."""
        service = task.partition(".")[0]
        self.functions.add(service)
        return placeholder(service)

    def invocation(
        self, task: str, step: str, key: Value, given: Value, *, compensation: bool
    ) -> JsonObject:
        """Return the template of an invocation."""
        return render.template(
            (
                ("run_id", At(("run_id",), t.STRING)),
                ("task", lit(task)),
                ("step", lit(step)),
                ("key", key),
                ("input", given),
                ("compensation", lit(compensation)),
            )
        )

    def call(self, step: ir.TaskStep | ir.PollStep, spot: Spot, key: Value) -> JsonObject:
        """Return the fields of a task's state, without where its result goes."""
        given = Obj(tuple((name, self.value(expr, spot)) for name, expr in step.input.items()))
        ready = spot.ready(given)
        undoing = isinstance(step, ir.TaskStep) and step.compensates is not None
        name = calls_as(step)
        fields: JsonObject = {"Type": "Task", "Resource": self.resource(step.task)}
        ready_key = spot.ready(key)
        fields["Parameters"] = self.invocation(
            step.task, name, ready_key, ready, compensation=undoing
        )
        if step.timeout is not None:
            fields["TimeoutSeconds"] = step.timeout
        retry = retriers(step.retry)
        if retry:
            fields["Retry"] = retry
        return fields

    def ends_soon(self, at: Pos | None, after: Continuation) -> bool:
        """Tell whether a line is so short that each way to it may have its own."""
        while at is not None:
            match at.step:
                case ir.ReturnStep() | ir.FailStep() | ir.RaiseStep():
                    return True
                case ir.AssignStep():
                    at = self.pos(at.steps, at.index + 1, at.rest)
                case _:
                    return False
        return after.terminal

    def _end(self, spot: Spot, place: Place) -> None:
        match place.after:
            case End():
                finished(self, place.after, spot, place)
            case after:
                after.enter(self, spot.facts, spot.here)

    def _assign(self, step: ir.AssignStep, spot: Spot) -> None:
        value = self.value(step.value, spot)
        output = self._outputs.get(step.variable)
        if output is not None and isinstance(value, Obj) and value.get("output") == NULL:
            # The slot of the output is null until the step is done: it can stand for it now.
            of = t.optional(self.workflow.tasks[output.task].output)
            slot = self.slot_of(output.name, spot.frame)
            spot.frame.initial.setdefault(slot, None)
            fields = tuple(
                (name, At((slot,), of) if name == "output" else part) for name, part in value.fields
            )
            value = Obj(fields)
        elif size(value) > BIGGEST and not isinstance(value, Obj):
            value = spot.assign(self.slot_of(step.name, spot.frame), value)
        spot.facts = spot.facts.knowing(step.variable, value)

    def _task(self, step: ir.TaskStep, spot: Spot, after: Pos | None, place: Place) -> bool:
        """Write a task; false when it is the last state of its line."""
        fields = self.call(step, spot, self.key(calls_as(step), spot.frame))
        if step.compensates is not None:
            slot = self.slot_of(f"failed_{step.compensates}", spot.frame)
            state = spot.put("", {**fields, "ResultPath": None})
            if state.next is None:
                raise AssertionError("the generator is at fault")
            state.catches.append(Catch((ALL,), slot, state.next))
            spot.facts = replace(spot.facts, undone=True)
            return True
        spec, before = self.workflow.tasks[step.task], spot.facts
        slot = self.slot_of(step.name, spot.frame)
        spot.facts = before.knowing(step.result, At((slot,), spec.output))
        if not t.is_nullable(spec.output):
            spot.facts = replace(spot.facts, done=spot.facts.done | {slot})
        selector = self._folded(slot, spot.facts, after, place)
        if selector is not None:
            state = spot.end("", {**fields, "ResultSelector": render.template(selector)})
        else:
            # A result that no name holds may still be what a compensation is given.
            wanted = step.result is not None and live(step.result, after, place)
            wanted = wanted or slot in spot.frame.initial
            state = spot.put("", {**fields, "ResultPath": f"$.{slot}" if wanted else None})
        state.catches.extend(catches(self, spec.errors, before, place))
        return selector is None

    def _folded(
        self, slot: str, facts: Facts, at: Pos | None, place: Place
    ) -> tuple[tuple[str, Value], ...] | None:
        """Return the end that follows a task, if it can be made of the task's result alone."""
        spot = Spot(self, place.frame, facts, Label(), "")
        while at is not None and isinstance(at.step, ir.AssignStep):
            value = self.value(at.step.value, spot)
            if size(value) > BIGGEST:
                return None
            spot.facts = spot.facts.knowing(at.step.variable, value)
            at = self.pos(at.steps, at.index + 1, at.rest)
        if spot.facts.undone:
            return None
        after: Continuation | None = place.after
        if at is not None:
            if not isinstance(at.step, ir.ReturnStep):
                return None
            value = self.value(at.step.value, spot)
            fields: tuple[tuple[str, Value], ...] = (
                ("status", lit("succeeded")),
                ("output", value),
            )
        elif isinstance(after, Resume):
            return self._folded(slot, spot.facts, after.at, after.place)
        elif isinstance(after, End):
            value = NULL if after.value is None else self.value(after.value, spot)
            if after.bare:
                return None
            if after.types is None:
                fields = (("status", lit("succeeded")), ("output", value))
            else:
                fields = (("value", value),)
        else:
            return None
        seen = relative(Obj(fields), slot)
        if not isinstance(seen, Obj) or not render.is_template(seen):
            return None
        if isinstance(after, End) and after.types is not None and at is None:
            after.types.append(type_of(value))
        return seen.fields

    def _when(
        self, step: ir.WhenStep, spot: Spot, after: Pos | None, place: Place
    ) -> tuple[Pos | None] | None:
        """Write a choice and its arms; None when nothing comes after them here."""
        condition = self.value(step.condition, spot)
        if isinstance(condition, Lit):
            return (self.pos(step.then if condition == TRUE else step.otherwise, 0, after),)
        yes, no = Label(), Label()
        arms = ((step.then, yes), (step.otherwise, no))
        if self.ends_soon(after, place.after):
            spot.branch(condition, yes, no)
            for arm, label in arms:
                facts = narrowed(spot.facts, condition, holds=label is yes)
                self.line(self.pos(arm, 0, after), facts, place, label, shared=True)
            return None
        spot.branch(condition, yes, no)
        join = Join(after, place)
        inner = Place(place.frame, place.context, join)
        for arm, label in arms:
            facts = narrowed(spot.facts, condition, holds=label is yes)
            self.line(self.pos(arm), replace(facts, done=frozenset()), inner, label)
        before = spot.facts.done
        if not close(self, join, spot, "", fork=True):
            return None
        spot.facts = replace(spot.facts, done=spot.facts.done | before)
        return (after,)

    def _try(self, step: ir.TryStep, spot: Spot, after: Pos | None, place: Place) -> bool:
        """Write an attempt; false when nothing comes after it here."""
        if self.ends_soon(after, place.after):
            on: Join | Resume = Resume(after, place)
        else:
            on = Join(after, place)
        guard = Guard(step.handlers, on, place.context)
        self._places += [guard, on]
        self.line(self.pos(step.body), spot.facts, Place(place.frame, guard, on), spot.here)
        return isinstance(on, Join) and close(self, on, spot, "", fork=False)

    def _key(self, at: Pos | None, facts: Facts, place: Place) -> tuple[object, ...]:
        self._places.append(place)
        names = [name for name in facts.env if live(name, at, place)]
        return (
            id(at),
            id(place.frame),
            id(place.context),
            id(place.after),
            frozenset((name, facts.env[name]) for name in names),
            facts.normal,
            facts.read,
            facts.done,
            facts.undone,
        )


def calls_as(step: ir.TaskStep | ir.PollStep) -> str:
    """Return the step in whose name a task is called: a compensation has its step's, wherever."""
    undone = step.compensates if isinstance(step, ir.TaskStep) else None
    return step.name if undone is None else f"{undone}.compensate"


def _outputs(workflow: ir.Workflow) -> dict[str, ir.TaskStep]:
    """Return for each registration the step whose output it gets once that is done."""
    setters: dict[str, list[ir.TaskStep]] = {}
    for step in ir.walk(workflow.body):
        if isinstance(step, ir.TaskStep) and step.result is not None:
            setters.setdefault(step.result, []).append(step)
    found: dict[str, ir.TaskStep] = {}
    for step in ir.walk(workflow.body):
        if not isinstance(step, ir.AssignStep) or not isinstance(step.value, ObjectExpr):
            continue
        fields = step.value.fields
        output, given = fields.get("output"), fields.get("input")
        if list(fields) != ["input", "output", "key"] or not isinstance(output, RefExpr):
            continue
        known = isinstance(given, RefExpr) and given.name == step.variable and not output.path
        if known and len(setters.get(output.name, ())) == 1:
            found[step.variable] = setters[output.name][0]
    return found
