"""Sleeps, waits for signals, and polls."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow import _ir as ir
from cartwheel.workflow import _types as t
from cartwheel_aws._errors import SERVICE
from cartwheel_aws.machines import _render as render
from cartwheel_aws.machines._machine import Label, State
from cartwheel_aws.machines._raising import catches, throw
from cartwheel_aws.machines._scope import Place
from cartwheel_aws.machines._spot import Spot
from cartwheel_aws.machines._values import FALSE, NULL, At, Cmp, Lit, Obj, Sum, lit, text

if TYPE_CHECKING:
    from cartwheel_aws.machines._generate import Generator

WAIT = "cartwheel.wait"


def sleep(generator: Generator, step: ir.SleepStep, spot: Spot, place: Place) -> None:
    """Write a sleep; what has passed does not wait."""
    if step.seconds is not None:
        seconds = generator.value(step.seconds, spot)
        if isinstance(seconds, Lit):
            if isinstance(seconds.value, int) and seconds.value > 0:
                spot.put("", {"Type": "Wait", "Seconds": seconds.value})
            return
        at = spot.ready(seconds)
        if not isinstance(at, At):
            at = spot.assign(generator.slot(f"{step.name}_seconds", spot.frame), at)
        long, on = Label(), Label()
        rule = render.rule(Cmp(">", at, lit(0)))
        spot.choose(": whether", [(rule, long)], on)
        fields: JsonObject = {"Type": "Wait", "SecondsPath": render.path_text(at.path)}
        long.bind(State(step.name, fields, on))
        spot.here = on
    elif step.until is not None:
        _sleep_until(generator, step, spot, place)


def wait(generator: Generator, step: ir.WaitStep, spot: Spot, place: Place) -> None:
    """Write a wait: it hands its token to the endpoint, which wakes it."""
    from cartwheel_aws.machines._generate import ENDPOINT, placeholder

    generator.functions.add(ENDPOINT)
    given = Obj(
        (
            ("signal", lit(step.signal)),
            ("token", At((render.CONTEXT, "Task", "Token"))),
            ("timeout", lit(step.timeout)),
        )
    )
    key = spot.ready(generator.key(step.name, spot.frame))
    payload = generator.invocation(WAIT, step.name, key, given, compensation=False)
    parameters: Json = {"FunctionName": placeholder(ENDPOINT), "Payload": payload}
    again: Json = {
        "ErrorEquals": list(SERVICE),
        "IntervalSeconds": 1,
        "MaxAttempts": 3,
        "BackoffRate": 2,
    }
    slot = generator.slot_of(step.name, spot.frame)
    fields: JsonObject = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": parameters,
        "Retry": [again],
        "ResultPath": f"$.{slot}" if step.result is not None else None,
    }
    if step.timeout is not None:
        fields["TimeoutSeconds"] = step.timeout
    state = spot.put("", fields)
    state.catches.extend(catches(generator, (), spot.facts, place))
    spot.facts = spot.facts.knowing(step.result, At((slot,), step.payload))


def poll(generator: Generator, step: ir.PollStep, spot: Spot, place: Place) -> None:
    """Write a poll: the task, a choice, and the way round while the answer is not there."""
    slot = generator.slot_of(step.name, spot.frame)
    counter = generator.slot_of(f"{step.name}_count", spot.frame)
    spot.frame.initial[counter] = {"n": 0}
    number = At((counter, "n"), t.INT)
    spec = generator.workflow.tasks[step.task]
    first = Spot(generator, spot.frame, spot.facts, Label(), step.name)
    fields = generator.call(step, spot, generator.key(step.name, spot.frame, number))
    spot.here.alias(first.here)
    state = first.put("", {**fields, "ResultPath": f"$.{slot}"})
    state.catches.extend(catches(generator, spec.errors, spot.facts, place))
    first.facts = spot.facts.knowing(step.result, At((slot,), spec.output))
    going = Label()
    more = Spot(generator, spot.frame, first.facts, Label(unusual=True), step.name)
    first.branch(generator.value(step.until, first), going, more.here)
    facts = first.facts
    given_up = Spot(generator, spot.frame, spot.facts, Label(), step.name)
    again = Label()
    more.choose(
        ": once more",
        [(render.rule(Cmp(">=", number, lit(step.attempts - 1))), given_up.here)],
        again,
    )
    message = (
        f"step {step.name}: task {step.task} was polled {step.attempts} times without the answer"
    )
    error = (("code", lit(ir.TIMEOUT)), ("message", lit(message)), ("details", NULL))
    throw(generator, Obj((*error, ("retryable", FALSE))), given_up, place)
    back = Spot(generator, spot.frame, spot.facts, again, step.name)
    if step.interval > 0:
        back.put(": interval", {"Type": "Wait", "Seconds": step.interval})
    count = render.template((("n", Sum("+", number, lit(1))),))
    once = back.put(": count", {"Type": "Pass", "Parameters": count, "ResultPath": f"$.{counter}"})
    once.again = step.attempts - 1
    if state is None:
        raise AssertionError("the generator is at fault")
    top = Label()
    top.alias(_label_of(state))
    back.here.alias(top)
    spot.facts, spot.here = facts, going


def _label_of(state: State) -> Label:
    label = Label()
    label.bind(state)
    return label


def _sleep_until(generator: Generator, step: ir.SleepStep, spot: Spot, place: Place) -> None:
    if step.until is None:
        raise AssertionError("the generator is at fault")
    until = generator.value(step.until, spot)
    if isinstance(until, Lit):
        time = _utc(str(until.value))
        if time is None:
            _no_time(generator, spot, place)
            spot.here = Label()
            return
        spot.put("", {"Type": "Wait", "Timestamp": time})
        return
    at = spot.ready(until)
    if not isinstance(at, At):
        at = spot.assign(generator.slot(f"{step.name}_until", spot.frame), at)
    long, on = Label(), Label()
    wrong = Spot(generator, spot.frame, spot.facts, Label(), step.name)
    rule: JsonObject = {"Variable": render.path_text(at.path), "IsTimestamp": True}
    spot.choose(": whether", [(rule, long)], wrong.here)
    long.bind(State(step.name, {"Type": "Wait", "TimestampPath": render.path_text(at.path)}, on))
    _no_time(generator, wrong, place)
    spot.here = on


def _no_time(generator: Generator, spot: Spot, place: Place) -> None:
    message = text(iter([lit("sleep until: not an RFC 3339 time with offset")]))
    fields = (("code", lit(ir.UNEXPECTED)), ("message", message), ("details", NULL))
    throw(generator, Obj((*fields, ("retryable", FALSE))), spot, place)


def _utc(value: str) -> str | None:
    """Return a time as the engine reads it, in UTC and whole seconds rounded up."""
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    if time.tzinfo is None:
        return None
    whole = time.astimezone(UTC)
    return whole.strftime("%Y-%m-%dT%H:%M:%SZ")
