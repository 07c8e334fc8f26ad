"""Who takes an error: what a state that calls something catches, and where a raised one goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from cartwheel.ports import JsonObject
from cartwheel.workflow import _ir as ir
from cartwheel_aws._errors import ALL, names_of
from cartwheel_aws.machines import _render as render
from cartwheel_aws.machines._ends import fail, settle, settled
from cartwheel_aws.machines._machine import Catch, Label
from cartwheel_aws.machines._scope import Context, Facts, Frame, Guard, Place, Root, compensates
from cartwheel_aws.machines._spot import Spot
from cartwheel_aws.machines._values import (
    NULL,
    At,
    Caught,
    Lit,
    MaybeCaught,
    Obj,
    Value,
    everything,
    lit,
)

if TYPE_CHECKING:
    from cartwheel_aws.machines._generate import Generator


def catches(generator: Generator, errors: Iterable[str], facts: Facts, place: Place) -> list[Catch]:
    """Return who takes the errors of a state that calls something."""
    possible = [*errors, *ir.LANGUAGE_ERRORS]
    found: list[Catch] = []
    context = place.context
    while isinstance(context, Guard):
        for index, handler in enumerate(context.handlers):
            anything = ir.ANY_ERROR in handler.codes
            codes = [code for code in possible if code in handler.codes]
            names = (ALL,) if anything else names_of(codes)
            if names:
                slot = _error_slot(generator, context, facts)
                error = Caught(slot, None if anything else frozenset(handler.codes))
                label = _handle(generator, context, index, facts, error, frame=place.frame)
                found.append(Catch(names, slot, label))
            if anything:
                return found
            possible = [code for code in possible if code not in handler.codes]
        context = context.outer
    if not isinstance(context, Root):
        raise AssertionError("the generator is at fault")
    if context.settles:
        slot = _settling_slot(generator)
        found.append(Catch((ALL,), slot, settled(generator, context, Caught(slot), facts)))
    return found


def throw(generator: Generator, error: Value, spot: Spot, place: Place) -> None:
    """Raise an error from a spot; nothing is written after it there."""
    match error:
        case Caught():
            _throw_caught(generator, error, spot, place)
        case MaybeCaught(path=path):
            slot = _error_slot(generator, place.context, spot.facts)
            found = {"Type": "Pass", "InputPath": render.path_text(path)}
            spot.put(": take the error", {**found, "ResultPath": f"$.{slot}"})
            _throw_caught(generator, Caught(slot, None, settled=True), spot, place)
        case Obj() if isinstance(code := error.get("code"), Lit):
            _throw_known(generator, error, str(code.value), spot, place)
        case _:
            slot = _error_slot(generator, place.context, spot.facts)
            at = spot.ready(error)
            code = At((*at.path, "code")) if isinstance(at, At) else NULL
            parts = (("Error", code), ("Cause", lit("")), ("error", at))
            fields = render.template(parts)
            put: JsonObject = {"Type": "Pass", "Parameters": fields}
            spot.put(": take the error", {**put, "ResultPath": f"$.{slot}"})
            _throw_caught(generator, Caught(slot, None, settled=True), spot, place)


def _settling_slot(generator: Generator) -> str:
    """Return the slot in which a branch keeps the error that ends it."""
    generator.errors.add("error")
    generator.taken.add("error")
    return "error"


def _handle(
    generator: Generator, guard: Guard, index: int, facts: Facts, error: Value, *, frame: Frame
) -> Label:
    """Return where a handler begins for what is known when the error is raised."""
    handler, here = guard.handlers[index], Label()
    known = facts.knowing(handler.error, error)
    slots = {part.slot for part in everything(error) if isinstance(part, Caught)}
    known = Facts(
        known.env,
        known.normal if isinstance(error, Caught) and error.settled else known.normal - slots,
        known.read - slots,
        frozenset(),
        known.undone or compensates(handler.body),
    )
    place = Place(frame, guard.outer, guard.after)
    generator.line(generator.pos(handler.body), known, place, here, shared=True)
    return here


def _throw_caught(generator: Generator, error: Caught, spot: Spot, place: Place) -> None:
    context = place.context
    ways: list[tuple[frozenset[str] | None, Callable[[], Label]]] = []
    left = error.codes
    while isinstance(context, Guard) and (left is None or left):
        for index, handler in enumerate(context.handlers):
            if ir.ANY_ERROR in handler.codes:
                ways.append((None, _entry(generator, context, index, error, spot, place=place)))
                break
            own = frozenset(handler.codes)
            codes = own if left is None else left & own
            if codes:
                ways.append((codes, _entry(generator, context, index, error, spot, place=place)))
                left = None if left is None else left - codes
        else:
            context = context.outer
            continue
        break
    else:
        if left is None or left:
            root = place.root
            ways.append((None, partial(_uncaught, generator, root, error, spot)))
    if len(ways) == 1:
        spot.here.alias(ways[0][1]())
        return
    spot.normalise(error)
    rules: list[tuple[JsonObject, Label]] = []
    for listed, enter in ways[:-1]:
        tests: list[JsonObject] = [
            {"Variable": f"$.{error.slot}.Error", "StringEquals": code}
            for code in sorted(listed or ())
        ]
        rules.append((tests[0] if len(tests) == 1 else {"Or": [*tests]}, enter()))
    spot.choose(": which error", rules, ways[-1][1]())


def _entry(
    generator: Generator, guard: Guard, index: int, error: Caught, spot: Spot, *, place: Place
) -> Callable[[], Label]:
    codes = guard.handlers[index].codes
    known = error.codes
    if ir.ANY_ERROR not in codes:
        known = frozenset(codes)
    elif not error.settled:
        known = None
    passed = Caught(error.slot, known, error.settled)
    return lambda: _handle(generator, guard, index, spot.facts, passed, frame=place.frame)


def _throw_known(generator: Generator, error: Obj, code: str, spot: Spot, place: Place) -> None:
    context: Context = place.context
    while isinstance(context, Guard):
        for index, handler in enumerate(context.handlers):
            if code in handler.codes or ir.ANY_ERROR in handler.codes:
                label = _handle(generator, context, index, spot.facts, error, frame=place.frame)
                spot.here.alias(label)
                return
        context = context.outer
    if not isinstance(context, Root):
        raise AssertionError("the generator is at fault")
    (settle if context.settles else fail)(generator, context, error, spot)


def _uncaught(generator: Generator, root: Root, error: Caught, spot: Spot) -> Label:
    if root.settles:
        return settled(generator, root, error, spot.facts)
    here = Label()
    way = Spot(generator, root.frame, spot.facts, here, spot.step)
    fail(generator, root, error, way)
    return here


def _error_slot(generator: Generator, context: Context, facts: Facts) -> str:
    """Return a slot for an error that holds no other which is still needed."""
    name, number = "error", 1
    used = {
        part.slot
        for known, value in facts.env.items()
        for part in everything(value)
        if isinstance(part, Caught) and context.live(known)
    }
    while name in used:
        number += 1
        name = f"error_{number}"
    generator.taken.add(name)
    generator.errors.add(name)
    return name
