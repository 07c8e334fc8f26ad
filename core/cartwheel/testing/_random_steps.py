"""Random steps that the checker accepts by construction, nested to a depth, over the whole
language.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import BaseModel

from cartwheel.testing._random_values import CAUGHT, NOTE, WORDS, Names, Pick, Values
from cartwheel.testing.corpus import _tasks as tasks
from cartwheel.testing.corpus._program import Given, Line
from cartwheel.workflow import Compensation, RetryPolicy
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import (
    CompareExpr,
    Expr,
    IsNullExpr,
    LiteralExpr,
    NotExpr,
    RefExpr,
)
from cartwheel.workflow._python_types import object_type
from cartwheel.workflow._types import BOOL, INT, JSON, STRING, ListType, ObjectType, Type

Body = tuple[ir.Step, ...]

GIVEN = object_type(Given)
LINES = ListType(item=object_type(Line))
RESULT = ObjectType(
    fields={"text": STRING, "count": INT, "flag": BOOL, "words": WORDS, "note": NOTE}
)
PAYLOAD = ObjectType(fields={"word": STRING, "note": NOTE})
UNDO = {"corpus.take": "corpus.put_back", "corpus.pay": "corpus.pay_back"}
_MODELS: tuple[tuple[str, type[BaseModel], type[BaseModel], tuple[str, ...]], ...] = (
    ("corpus.say", tasks.Text, tasks.Text, ()),
    ("corpus.take", tasks.Take, tasks.Taken, ("OutOfStock",)),
    ("corpus.pay", tasks.Pay, tasks.Paid, ("Declined",)),
    ("corpus.look", tasks.Look, tasks.Seen, ("NotFound", "Gone")),
    ("corpus.carry", tasks.Cargo, tasks.Cargo, ()),
    ("corpus.put_back", Compensation[tasks.Take, tasks.Taken], tasks.Done, ()),
    ("corpus.pay_back", Compensation[tasks.Pay, tasks.Paid], tasks.Done, ()),
)
TASKS = {
    name: ir.TaskSpec(input=object_type(given), output=object_type(out), errors=errors)
    for name, given, out, errors in _MODELS
}
CALLED = ("corpus.say", "corpus.take", "corpus.pay", "corpus.look", "corpus.carry")
DEEPEST = 4
DEEPEST_PARALLEL = 2
MOST_STEPS = 16


@dataclass(frozen=True, slots=True)
class Place:
    """Is where a body stands: how deep, in how many parallels, in which kinds of block."""

    depth: int = 0
    parallel: int = 0
    in_saga: bool = False
    in_map: bool = False

    def down(self, *, parallel: bool = False, saga: bool = False, each: bool = False) -> Place:
        """Give the place of a body inside a step here."""
        return Place(
            self.depth + 1,
            self.parallel + (parallel or each),
            self.in_saga or saga,
            self.in_map or each,
        )


@dataclass(slots=True)
class Steps:
    """Makes steps, and notes the signals that must be sent for the run to come to its end.

    Without `timers` nothing takes time: no sleeps, no timeouts, no waits between tries.
    """

    pick: Pick
    timers: bool
    left: int = MOST_STEPS
    early: list[str] = field(default_factory=list)
    """Signals to send before the run's first step ends."""
    sent_by: dict[str, str] = field(default_factory=dict)
    """Signals by the step during whose call they are sent."""
    doomed: list[str] = field(default_factory=list)
    """Calls that had better fail: those at the end of a saga or an attempt."""
    _count: int = 0

    @property
    def _values(self) -> Values:
        return Values(self.pick)

    def workflow(self, name: str) -> ir.Workflow:
        """Make a whole workflow."""
        names = Names()
        names.types[ir.INPUT] = GIVEN
        start = self._plain_call("corpus.say", {"text": LiteralExpr(value="start")}, "start")
        whole = self.pick(2)
        body = self._saga(names, Place()) if whole else self.body(names, Place(), most=5)
        end = ir.ReturnStep(name="end", value=self._values.make(RESULT, names))
        return ir.Workflow(
            name=name,
            version="1",
            input=GIVEN,
            output=RESULT,
            tasks=TASKS,
            body=(start, *body, end),
        )

    def body(self, names: Names, place: Place, most: int = 3) -> Body:
        """Make a body of one step at least; `names` are afterwards those known at its end."""
        steps: list[ir.Step] = []
        for _ in range(1 + self.pick(most)):
            steps += self._step(names, place)
            if self.left <= 0:
                break
        return tuple(steps)

    def _step(self, names: Names, place: Place) -> Body:
        self.left -= 1
        makers: list[Callable[[Names, Place], Body]] = [self._assign]
        makers[:0] = [self._task] * 5
        if self.left > 0 and place.depth < DEEPEST:
            makers += [self._when, self._try, self._saga]
            if place.parallel < DEEPEST_PARALLEL:
                makers += [self._parallel, self._map]
                if not place.in_map:
                    makers.append(self._meet)
        makers += [self._poll, self._sleep]
        if not place.in_map:
            makers.append(self._wait)
        return makers[self.pick(len(makers))](names, place)

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}{self._count}"

    def _retry(self, task: str) -> RetryPolicy:
        tries = self.pick(4)
        if tries == 0:
            return RetryPolicy(attempts=1)
        declared = (*TASKS[task].errors, ir.UNAVAILABLE, ir.TIMEOUT, ir.UNEXPECTED)
        sets = (("*",), (ir.UNAVAILABLE, ir.TIMEOUT), (declared[self.pick(len(declared))],))
        interval = self.pick(2) if self.timers else 0
        return RetryPolicy(
            attempts=tries, interval=interval, jitter=bool(self.pick(2)), on=sets[self.pick(3)]
        )

    def _timeout(self) -> int | None:
        return 1 if self.timers and self.pick(4) == 3 else None

    def _plain_call(self, task: str, given: dict[str, Expr], name: str) -> ir.TaskStep:
        return ir.TaskStep(name=name, task=task, input=given, retry=RetryPolicy(attempts=1))

    def _task(self, names: Names, place: Place) -> Body:
        among = tuple(UNDO) if place.in_saga and self.pick(2) else CALLED
        task = among[self.pick(len(among))]
        name = self._name(task.rpartition(".")[2])
        given = {n: self._values.make(of, names) for n, of in TASKS[task].input.fields.items()}
        undo = None
        if place.in_saga and task in UNDO and self.pick(3):
            undo = ir.CompensateSpec(
                task=UNDO[task], retry=self._retry(UNDO[task]), timeout=self._timeout()
            )
        result = f"out_{name}" if self.pick(2) else None
        step = ir.TaskStep(
            name=name,
            task=task,
            input=given,
            retry=self._retry(task),
            timeout=self._timeout(),
            compensate=undo,
            result=result,
        )
        if result is not None:
            names.set(result, TASKS[task].output)
        return (step,)

    def _assign(self, names: Names, place: Place) -> Body:
        kinds: tuple[Type, ...] = (STRING, INT, BOOL, WORDS, NOTE, JSON)
        old = [(n, names.types[n]) for n in sorted(names.mine) if names.types[n] in kinds]
        if old and self.pick(2):
            variable, of = old[self.pick(len(old))]
        else:
            variable, of = self._name("v"), kinds[self.pick(len(kinds))]
        value = self._values.make(of, names)
        names.set(variable, of)
        step = ir.AssignStep(name=self._name("set"), variable=variable, value=value, type=of)
        return (step,)

    def _when(self, names: Names, place: Place) -> Body:
        nullable = [ref for ref, of in names.references() if of == NOTE]
        then, otherwise = names.copy(), names.copy()
        if nullable and self.pick(3) == 2:
            ref = nullable[self.pick(len(nullable))]
            condition: Expr = NotExpr(operand=IsNullExpr(operand=ref))
            then.not_null |= {(ref.name, *ref.path)}
        else:
            condition = self._values.condition(names)
        name = self._name("when")
        arm = self.body(then, place.down())
        ending = self._ending(then, place)
        other: Body = self.body(otherwise, place.down()) if self.pick(2) else ()
        step = ir.WhenStep(name=name, condition=condition, then=(*arm, *ending), otherwise=other)
        if not ending and other and self.pick(3) == 2:
            return (self._both(step, then, otherwise, names),)
        names.not_null &= otherwise.not_null if ending else then.not_null & otherwise.not_null
        return (step,)

    def _both(self, step: ir.WhenStep, then: Names, otherwise: Names, names: Names) -> ir.Step:
        """Let both arms set the same new name."""
        variable = self._name("v")
        ends = [
            ir.AssignStep(
                name=self._name("set"),
                variable=variable,
                value=self._values.make(STRING, arm),
                type=STRING,
            )
            for arm in (then, otherwise)
        ]
        names.set(variable, STRING)
        arms = {"then": (*step.then, ends[0]), "otherwise": (*step.otherwise, ends[1])}
        names.not_null &= then.not_null & otherwise.not_null
        return step.model_copy(update=arms)

    def _ending(self, names: Names, place: Place) -> Body:
        """Sometimes end an arm for good: with an error, or outside of branches with a result."""
        match self.pick(6):
            case 4:
                return (
                    ir.FailStep(
                        name=self._name("fail"),
                        code=("Stopped", "Too.Much")[self.pick(2)],
                        message=self._values.format(names),
                        details=self._values.make(ObjectType(fields={"why": STRING}), names),
                    ),
                )
            case 5 if place.parallel == 0:
                value = self._values.make(RESULT, names)
                return (ir.ReturnStep(name=self._name("return"), value=value),)
            case _:
                return ()

    def _try(self, names: Names, place: Place) -> Body:
        name, inside = self._name("try"), names.copy()
        body = self.body(inside, place.down())
        body = (*body, *self._doomed(inside, place.down()))
        codes = [*sorted(_raised(body) - {ir.CANCELLED}), ir.CANCELLED, ir.ANY_ERROR]
        chosen: list[str] = []
        for _ in range(1 + self.pick(2)):
            code = (ir.ANY_ERROR, *codes)[self.pick(len(codes) + 1)]
            if code not in chosen and ir.ANY_ERROR not in chosen:
                chosen.append(code)
        handlers = []
        for code in chosen:
            known, error = names.copy(), self._name("err") if self.pick(2) else None
            # What the body did to a name that may be null is not known here.
            known.not_null = names.not_null & inside.not_null
            if error is not None:
                known.set(error, CAUGHT)
            handled = self.body(known, place.down(), most=2) if self.pick(2) else ()
            end = self._ending(known, place)
            handlers.append(ir.Handler(codes=(code,), error=error, body=(*handled, *end)))
            names.not_null &= known.not_null
        names.not_null &= inside.not_null
        return (ir.TryStep(name=name, body=body, handlers=tuple(handlers)),)

    def _saga(self, names: Names, place: Place) -> Body:
        name = self._name("saga")
        body = self.body(names, place.down(saga=True), most=4)
        body = (*body, *self._doomed(names, place.down(saga=True)))
        return (ir.SagaStep(name=name, body=body),)

    def _doomed(self, names: Names, place: Place) -> Body:
        """Mostly end a body with a call that the script will have fail."""
        if not self.pick(4):
            return ()
        body = self._task(names, place)
        self.doomed += [step.name for step in body]
        return body

    def _parallel(self, names: Names, place: Place) -> Body:
        name, results, branches = self._name("par"), [], []
        for _ in range(2 + self.pick(2)):
            inside = names.inner()
            body = self.body(inside, place.down(parallel=True), most=2)
            result = self._name("b") if self.pick(2) else None
            value = self._values.format(inside) if result else LiteralExpr()
            branches.append(ir.Branch(body=body, value=value, result=result))
            if result is not None:
                results.append(result)
        for result in results:
            names.set(result, STRING)
        return (ir.ParallelStep(name=name, branches=tuple(branches)),)

    def _map(self, names: Names, place: Place) -> Body:
        name, item, inside = self._name("map"), self._name("item"), names.inner()
        of = (WORDS, LINES)[self.pick(2)]
        # A name, not a list made here: the items of an empty one would have no type.
        lists = [ref for ref, found in names.references() if found == of]
        items = lists[self.pick(len(lists))]
        inside.set(item, of.item)
        body = self.body(inside, place.down(each=True), most=2)
        result = self._name("m") if self.pick(2) else None
        value = self._values.format(inside) if result else LiteralExpr()
        if result is not None:
            names.set(result, WORDS)
        return (
            ir.MapStep(
                name=name,
                items=items,
                item=item,
                body=body,
                value=value,
                concurrency=(None, 1, 2)[self.pick(3)],
                result=result,
            ),
        )

    def _meet(self, names: Names, place: Place) -> Body:
        """Let one branch wait for a signal that is sent during a call of the other."""
        signal, heard = self._name("signal"), self._name("heard")
        wait = ir.WaitStep(name=self._name("wait"), signal=signal, payload=PAYLOAD, result=heard)
        word = RefExpr(name=heard, path=("word",))
        told = self._plain_call("corpus.say", {"text": word}, self._name("say"))
        sender = self._name("say")
        self.sent_by[signal] = sender
        send = self._plain_call("corpus.say", {"text": LiteralExpr(value="go")}, sender)
        branches = [ir.Branch(body=(wait, told)), ir.Branch(body=(send,))]
        return (ir.ParallelStep(name=self._name("par"), branches=tuple(branches)),)

    def _sleep(self, names: Names, place: Place) -> Body:
        name = self._name("sleep")
        if self.timers and self.pick(2):
            return (ir.SleepStep(name=name, seconds=LiteralExpr(value=1)),)
        if self.pick(2):
            past = ("2020-02-29T12:00:00Z", "2001-01-01T00:00:00.250+02:00")[self.pick(2)]
            return (ir.SleepStep(name=name, until=LiteralExpr(value=past)),)
        return (ir.SleepStep(name=name, seconds=LiteralExpr(value=-self.pick(2))),)

    def _wait(self, names: Names, place: Place) -> Body:
        signal, name = self._name("signal"), self._name("wait")
        result = self._name("heard") if self.pick(2) else None
        comes = not self.timers or self.pick(3) < 2
        if comes:
            self.early.append(signal)
        timeout = 1 if not comes else (None, 60)[self.pick(2)]
        if result is not None:
            names.set(result, PAYLOAD)
        step = ir.WaitStep(
            name=name, signal=signal, payload=PAYLOAD, timeout=timeout, result=result
        )
        return (step,)

    def _poll(self, names: Names, place: Place) -> Body:
        name = self._name("poll")
        result = f"out_{name}"
        status = RefExpr(name=result, path=("status",))
        wanted = LiteralExpr(value=("ready", "done")[self.pick(2)])
        step = ir.PollStep(
            name=name,
            task="corpus.look",
            input={"id": self._values.make(STRING, names)},
            retry=self._retry("corpus.look"),
            timeout=self._timeout(),
            result=result,
            until=CompareExpr(op="==", left=status, right=wanted),
            interval=self.pick(2) if self.timers else 0,
            attempts=1 + self.pick(3),
        )
        names.set(result, TASKS["corpus.look"].output)
        return (step,)


def _raised(body: Body) -> set[str]:
    """Give the codes that a body may raise."""
    raised = {ir.UNAVAILABLE, ir.TIMEOUT, ir.UNEXPECTED, ir.CANCELLED}
    for step in ir.walk(body):
        match step:
            case ir.TaskStep(task=task) | ir.PollStep(task=task):
                raised.update(TASKS[task].errors)
            case ir.FailStep(code=code):
                raised.add(code)
            case _:
                pass
    return raised
