"""A place where states are written one after the other, and what a state needs to be ready first.

The engine's payload templates can say less than the language: no condition, no object as an
argument, no part of a text that was parsed. What a template can't say is computed into a slot
before, and every such state is counted by `cost`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow import _ir as ir
from cartwheel.workflow import _types as t
from cartwheel_aws._errors import FOREIGN, SERVICE, TIMED_OUT, standard
from cartwheel_aws.machines import _render as render
from cartwheel_aws.machines._machine import Label, State
from cartwheel_aws.machines._scope import Facts, Frame
from cartwheel_aws.machines._values import (
    All,
    At,
    Caught,
    Cmp,
    Fmt,
    IsNull,
    Len,
    Lit,
    Lst,
    MaybeCaught,
    Not,
    Obj,
    Once,
    Part,
    Some,
    Sum,
    Value,
    overflows,
    type_of,
)

if TYPE_CHECKING:
    from cartwheel_aws.machines._generate import Generator


@dataclass(eq=False, slots=True)
class Spot:
    """Is where the next state goes, and what is known there."""

    generator: Generator
    frame: Frame
    facts: Facts
    here: Label
    step: str
    """The step whose states are written."""

    def put(self, what: str, fields: JsonObject) -> State:
        """Write a state and go on after it."""
        state = State(f"{self.step}{what}", fields, next=Label())
        self.here.bind(state)
        if state.next is None:
            raise AssertionError("the generator is at fault")
        self.here = state.next
        return state

    def end(self, what: str, fields: JsonObject) -> State:
        """Write a state after which nothing comes."""
        state = State(f"{self.step}{what}", fields)
        self.here.bind(state)
        return state

    def choose(self, what: str, rules: list[tuple[JsonObject, Label]], default: Label) -> State:
        """Write a choice; nothing is written after it here."""
        state = State(f"{self.step}{what}", {"Type": "Choice"}, rules=rules, default=default)
        self.here.bind(state)
        return state

    def goes_on_at(self, here: Label) -> None:
        """Go on at another label."""
        self.here = here

    def assign(self, slot: str, value: Value, what: str = " value") -> At:
        """Compute a value into a slot."""
        written = self.ready(value)
        fields = render.template((("value", written),))
        self.put(f":{what}", {"Type": "Pass", "Parameters": fields, "ResultPath": f"$.{slot}"})
        return At((slot, "value"), type_of(value))

    def ready(self, value: Value, *, argument: bool = False) -> Value:
        """Return a value that a payload template can say, or an intrinsic function's argument."""
        match value:
            case At():
                return value
            case Lit():
                ready = render.is_argument(value) if argument else render.is_template(value)
                return value if ready else self.generator.constant(value)
            case Obj(fields=fields):
                made = Obj(tuple((name, self.ready(inner)) for name, inner in fields))
                return self._hoist(made) if argument else made
            case Lst(items=items):
                return self._list(items, argument=argument)
            case Fmt(parts=parts):
                return Fmt(tuple(self.ready(part, argument=True) for part in parts))
            case Len(of=of):
                return Len(self.ready(of, argument=True))
            case Sum():
                return self._sum(value)
            case Cmp() | All() | Some() | Not() | IsNull():
                return self._boolean(value)
            case Once():
                return self._once(value)
            case Part(of=caught, name="code"):
                self.normalise(caught)
                return At((caught.slot, "Error"), t.STRING)
            case Part(of=caught, name=name):
                self.read(caught)
                return At((caught.slot, "error", name), t.ERROR_TYPE.fields[name])
            case Caught():
                self.read(value)
                return At((value.slot, "error"), t.ERROR_TYPE)
            case MaybeCaught(path=path):
                return At(path)
            case _:
                assert_never(value)

    def branch(self, condition: Value, yes: Label, no: Label) -> None:
        """Go one of two ways; nothing is written after it here."""
        match condition:
            case Lit(value=known):
                self.here.alias(yes if known else no)
            case _ if render.is_rule(condition):
                self.choose("", [(render.rule(condition), yes)], no)
            case Not(of=of):
                self.branch(of, no, yes)
            case All(parts=(first, *rest)):
                following = self._fork()
                self.branch(first, following.here, no)
                following.branch(All(tuple(rest)) if len(rest) > 1 else rest[0], yes, no)
            case Some(parts=(first, *rest)):
                following = self._fork()
                self.branch(first, yes, following.here)
                following.branch(Some(tuple(rest)) if len(rest) > 1 else rest[0], yes, no)
            case Cmp(op=op, left=left, right=right):
                self.branch(Cmp(op, self._operand(left), self._operand(right)), yes, no)
            case IsNull(of=of):
                self.branch(IsNull(self._operand(of)), yes, no)
            case _:
                self.branch(self._operand(condition), yes, no)

    def normalise(self, caught: Caught) -> None:
        """Give an error that the engine named by itself the language's code."""
        slot = caught.slot
        own = caught.codes is not None and not caught.codes & {*ir.LANGUAGE_ERRORS, ir.ANY_ERROR}
        if own or slot in self.facts.normal:
            return
        name = f"$.{slot}.Error"
        done = Label()
        rules: list[tuple[JsonObject, Label]] = []
        for code, operator, names in (
            (ir.TIMEOUT, "StringEquals", TIMED_OUT),
            (ir.UNAVAILABLE, "StringEquals", SERVICE),
            (ir.UNEXPECTED, "StringMatches", FOREIGN),
        ):
            tests: list[Json] = [{"Variable": name, operator: each} for each in names]
            fields: JsonObject = {"Type": "Pass", "Result": standard(code)}
            state = State(f"{self.step}: {code}", {**fields, "ResultPath": f"$.{slot}"}, done)
            target = Label()
            target.bind(state)
            rules.append(({"Or": tests}, target))
        self.choose(": name the error", rules, done)
        self.here = done
        self.facts = replace(self.facts, normal=self.facts.normal | {slot})

    def read(self, caught: Caught) -> None:
        """Take an error's text apart."""
        self.normalise(caught)
        slot = caught.slot
        if slot in self.facts.read:
            return
        done = Label()
        if caught.settled:
            apart = Label()
            there: JsonObject = {"Variable": f"$.{slot}.error", "IsPresent": True}
            self.choose(": whether it was read", [(there, done)], apart)
            self.here = apart
        kept: JsonObject = {"Error.$": f"$.{slot}.Error", "Cause.$": f"$.{slot}.Cause"}
        for what, into, of in (
            (": read the cause", "body", "Cause"),
            (": read the error", "error", "body.errorMessage"),
        ):
            fields = {**kept, f"{into}.$": f"States.StringToJson($.{slot}.{of})"}
            self.put(what, {"Type": "Pass", "Parameters": fields, "ResultPath": f"$.{slot}"})
        self.here.alias(done)
        self.here = done
        self.facts = replace(self.facts, read=self.facts.read | {slot})

    def _operand(self, value: Value) -> Value:
        """Return a value that a choice can compare: a path or a constant."""
        ready = self.ready(value)
        return ready if isinstance(ready, At | Lit) else self._hoist(ready)

    def _hoist(self, ready: Value) -> At:
        slot = self._slot()
        fields = render.template((("value", ready),))
        self.put(": value", {"Type": "Pass", "Parameters": fields, "ResultPath": f"$.{slot}"})
        return At((slot, "value"), type_of(ready))

    def _slot(self) -> str:
        return self.generator.slot(f"{self.step}_value", self.frame)

    def _fork(self) -> Spot:
        """Return another spot at a new label with the same facts."""
        return Spot(self.generator, self.frame, self.facts, Label(), self.step)

    def _list(self, items: tuple[Value, ...], *, argument: bool) -> Value:
        plain = Lst(tuple(self.ready(item) for item in items))
        if render.is_template(plain) and not (argument and not render.is_argument(plain)):
            return plain
        return Lst(tuple(self.ready(item, argument=True) for item in plain.items))

    def _sum(self, value: Sum) -> Value:
        left = self.ready(value.left, argument=True)
        right = self.ready(value.right, argument=True)
        ready = Sum(value.op, left, right)
        if value.op == "-" and not isinstance(right, Lit):
            ready = Sum("+", left, self._negative(right))
        if not overflows(value):
            return ready
        found = self._hoist(ready)
        slot, done = str(found.path[0]), Label()
        rules: list[tuple[JsonObject, Label]] = []
        for operator, limit in (("NumericGreaterThan", t.MAX_INT), ("NumericLessThan", -t.MAX_INT)):
            fields: JsonObject = {"Type": "Pass", "Result": {"value": limit}}
            state = State(f"{self.step}: limit", {**fields, "ResultPath": f"$.{slot}"}, done)
            target = Label()
            target.bind(state)
            rules.append(({"Variable": f"$.{slot}.value", operator: limit}, target))
        self.choose(": within limits", rules, done)
        self.here = done
        return At(found.path, t.INT)

    def _negative(self, value: Value) -> At:
        """Turn a number's sign, for which the engine has no function, by its text."""
        at = self._operand(value)
        if not isinstance(at, At):
            raise AssertionError("the generator is at fault")
        slot, path = self._slot(), render.path_text(at.path)
        minus, plus, done = Label(), Label(), Label()
        self.choose(": sign", [({"Variable": path, "NumericGreaterThan": 0}, minus)], plus)
        for label, expression in (
            (minus, f"States.Format('-{{}}', {path})"),
            (
                plus,
                f"States.ArrayGetItem(States.StringSplit(States.Format('{{}}', {path}), '-'), 0)",
            ),
        ):
            given: Json = {"value.$": f"States.StringToJson({expression})"}
            fields: JsonObject = {"Type": "Pass", "Parameters": given, "ResultPath": f"$.{slot}"}
            label.bind(State(f"{self.step}: minus", fields, done))
        self.here = done
        return At((slot, "value"), t.INT)

    def _boolean(self, value: Value) -> At:
        slot, yes, no, done = self._slot(), Label(), Label(), Label()
        self.branch(value, yes, no)
        for label, known in ((yes, True), (no, False)):
            fields: JsonObject = {"Type": "Pass", "Result": {"value": known}}
            name = f"{self.step}: {'yes' if known else 'no'}"
            label.bind(State(name, {**fields, "ResultPath": f"$.{slot}"}, done))
        self.here = done
        return At((slot, "value"), t.BOOL)

    def _once(self, value: Once) -> At:
        slot, absent, done = self._slot(), Label(), Label()
        there = self._fork()
        self.branch(IsNull(value.slot), absent, there.here)
        nothing: JsonObject = {"Type": "Pass", "Result": {"value": None}, "ResultPath": f"$.{slot}"}
        absent.bind(State(f"{self.step}: nothing", nothing, done))
        there.assign(slot, value.value)
        there.here.alias(done)
        self.here = done
        return At((slot, "value"), t.optional(type_of(value.value)))
