"""How runs and branches end: with a document that says what came of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow import _ir as ir
from cartwheel.workflow import _types as t
from cartwheel_aws.machines import _render as render
from cartwheel_aws.machines._machine import Label
from cartwheel_aws.machines._scope import Facts, Place, Root, compensates, own_steps
from cartwheel_aws.machines._spot import Spot
from cartwheel_aws.machines._values import (
    NULL,
    RAW,
    At,
    Caught,
    Lst,
    MaybeCaught,
    Obj,
    Value,
    lit,
    type_of,
)

if TYPE_CHECKING:
    from cartwheel_aws.machines._generate import End, Generator

Fields = tuple[tuple[str, Value], ...]
FAILED = "failed"


def finish(generator: Generator, value: Value, spot: Spot, place: Place) -> None:
    """End the run as succeeded."""
    fields: Fields = (("status", lit("succeeded")), ("output", spot.ready(value)))
    fields += _failures(generator, place.root, spot.facts, "compensation_failures")
    spot.end("", {"Type": "Pass", "Parameters": render.template(fields)})


def finished(generator: Generator, end: End, spot: Spot, place: Place) -> None:
    """End the run, or a branch, after its last step."""
    spot.step = spot.step or _name(place.root)
    value = NULL if end.value is None else generator.value(end.value, spot)
    if end.types is None:
        spot.step = "end"
        finish(generator, value, spot, place)
        return
    if end.bare and isinstance(value, Obj):
        end.types.append(_record_type(value))
        fields: Fields = tuple(
            (name, _raw(part, spot) if name == "error" else spot.ready(part))
            for name, part in value.fields
            if name != "error" or part != NULL
        )
    else:
        end.types.append(type_of(value))
        fields = (("value", spot.ready(value)),)
    fields += _failures(generator, place.root, spot.facts, FAILED)
    spot.end(": end", {"Type": "Pass", "Parameters": render.template(fields)})


def settled(generator: Generator, root: Root, error: Caught, facts: Facts) -> Label:
    """Return where a branch ends with an error, one place for all errors in a slot."""
    known = root.ends.get((error, facts.undone))
    if known is None:
        known = root.ends[error, facts.undone] = Label()
        spot = Spot(generator, root.frame, facts, known, _name(root))
        _settle(generator, root, error, spot)
    return known


def settle(generator: Generator, root: Root, error: Value, spot: Spot) -> None:
    """End a branch with an error that was raised in it."""
    _settle(generator, root, _raw(error, spot), spot)


def fail(generator: Generator, root: Root, error: Value, spot: Spot) -> None:
    """End the run as failed, with the error's code as the engine's error."""
    failures = _failures(generator, root, spot.facts, "compensation_failures")
    if isinstance(error, Caught):
        spot.normalise(error)
        slot = error.slot
        if not failures and not error.settled:
            paths: JsonObject = {"ErrorPath": f"$.{slot}.Error", "CausePath": f"$.{slot}.Cause"}
            spot.end(": fail", {"Type": "Fail", **paths})
            return
        kept = _keep(generator, (("caught", error), *failures), spot)
        fields: JsonObject = {"ErrorPath": f"$.{kept}.caught.Error"}
    else:
        if not isinstance(error, Obj):
            raise AssertionError("the generator is at fault")
        code = render.plain(error.get("code"))
        if render.is_static(error) and not failures:
            document: Json = {"error": render.plain(error)}
            text = json.dumps(document, ensure_ascii=False)
            spot.end("", {"Type": "Fail", "Error": code, "Cause": text})
            return
        kept = _keep(generator, (("error", spot.ready(error)), *failures), spot)
        fields = {"Error": code}
    spot.end(": fail", {"Type": "Fail", **fields, "CausePath": f"States.JsonToString($.{kept})"})


def _name(root: Root) -> str:
    """Return the name of the first step under a root, for the states that belong to none."""
    return next((step.name for step in own_steps(root.steps)), "branch")


def _keep(generator: Generator, fields: Fields, spot: Spot) -> str:
    slot = generator.slot_of("failure", spot.frame)
    state: JsonObject = {"Type": "Pass", "Parameters": render.template(fields)}
    spot.put(": tell", {**state, "ResultPath": f"$.{slot}"})
    return slot


def _settle(generator: Generator, root: Root, raw: Value, spot: Spot) -> None:
    root.raised = True
    fields: Fields = (("error", raw), *_failures(generator, root, spot.facts, FAILED))
    spot.end(": settle", {"Type": "Pass", "Parameters": render.template(fields)})


def _raw(error: Value, spot: Spot) -> Value:
    """Return an error in the form in which the engine gives it, with the error beside it."""
    if isinstance(error, Caught):
        return error
    if isinstance(error, MaybeCaught):
        return At(error.path, RAW)
    ready = spot.ready(error)
    code = ready.get("code") if isinstance(ready, Obj) else NULL
    if isinstance(ready, At):
        code = At((*ready.path, "code"), t.STRING)
    return Obj((("Error", code), ("Cause", lit("")), ("error", ready)))


def _record_type(value: Obj) -> t.Type:
    fields: dict[str, t.Type] = {
        name: t.OptionalType(of=RAW) if name == "error" else type_of(part)
        for name, part in value.fields
    }
    return t.ObjectType(fields=fields)


def _failures(generator: Generator, root: Root, facts: Facts, name: str) -> Fields:
    """Return the compensations that may have failed, each with what was caught or null."""
    if not facts.undone:
        return ()
    found: dict[str, Value] = {}
    for step in own_steps(root.steps):
        match step:
            case ir.TaskStep(compensates=str() as of):
                slot = generator.slot_of(f"failed_{of}", root.frame)
                root.frame.initial[slot] = None
                key = generator.key(f"{of}.compensate", root.frame)
                fields: Fields = (("step", lit(of)), ("key", key), ("caught", At((slot,))))
                found[slot] = Obj(fields)
            case ir.ParallelStep() | ir.MapStep() if compensates((step,)):
                slot = generator.slot_of(step.name, root.frame)
                root.frame.initial[slot] = None
                found[slot] = Obj((("items", At((slot,))),))
            case _:
                pass
    return ((name, Lst(tuple(found.values()))),) if found else ()
