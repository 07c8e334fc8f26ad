"""Parallels and maps: every branch settles, with a value or with an error; then the first error is
raised."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow import _ir as ir
from cartwheel.workflow import _types as t
from cartwheel.workflow._expr import Expr, ObjectExpr, RefExpr
from cartwheel_aws.machines import _render as render
from cartwheel_aws.machines._ends import FAILED
from cartwheel_aws.machines._machine import Label, State, reachable
from cartwheel_aws.machines._raising import throw
from cartwheel_aws.machines._scope import Frame, Place, Root, compensates, reads
from cartwheel_aws.machines._spot import Spot
from cartwheel_aws.machines._values import (
    At,
    Caught,
    Fmt,
    MaybeCaught,
    Path,
    everything,
    joined,
    lit,
)

if TYPE_CHECKING:
    from cartwheel_aws.machines._generate import Generator

_ROOT = re.compile(r"(?<!\$)\$\.([A-Za-z_][A-Za-z0-9_]*)")
_ELSEWHERE = ("ResultSelector", "ResultPath", "Result", "Catch", "Branches", "ItemProcessor")
_INDEX: Path = (render.CONTEXT, "Map", "Item", "Index")
_ITEM: Path = (render.CONTEXT, "Map", "Item", "Value")


def branch_parallel(generator: Generator, step: ir.ParallelStep, spot: Spot, place: Place) -> None:
    """Write a parallel, and a choice that raises the lowest-numbered error."""
    from cartwheel_aws.machines._generate import End

    slot = generator.slot_of(step.name, spot.frame)
    undoes = compensates((step,))
    facts = replace(spot.facts, done=frozenset())
    # Branches are told apart by name: moto takes a field of a list's item for a list.
    chosen: JsonObject = {f"{_branch(i)}.$": f"$[{i}]" for i in range(len(step.branches))}
    if undoes:
        chosen["failed.$"] = f"$[*].{FAILED}"
    fields: JsonObject = {"Type": "Parallel", "ResultPath": f"$.{slot}", "ResultSelector": chosen}
    state = spot.put("", fields)
    raising: list[Path] = []
    after = replace(spot.facts, undone=spot.facts.undone or undoes)
    for index, branch in enumerate(step.branches):
        start, root = Label(), Root(spot.frame, branch.body, settles=True)
        end = End(branch.value, bare=_is_record(branch.value), types=[])
        inner = Place(spot.frame, root, end)
        generator.line(generator.pos(branch.body), facts, inner, start)
        state.branches.append(start)
        if root.raised:
            raising.append((slot, _branch(index), "error"))
        path: Path = (slot, _branch(index)) if end.bare else (slot, _branch(index), "value")
        after = after.knowing(branch.result, At(path, _all_of(end.types)))
    spot.facts = after
    _raise_first(generator, spot, place, raising)


def branch_map(generator: Generator, step: ir.MapStep, spot: Spot, place: Place) -> None:
    """Write a map, and a choice that raises the first item's error."""
    from cartwheel_aws.machines._generate import End

    items = generator.value(step.items, spot)
    if isinstance(items, At) and items.path[-1] == "items" and _unpacks(step):
        _unpack(generator, step, items, spot, place)
        return
    if not isinstance(items, At):
        items = spot.assign(generator.slot(f"{step.name}_items", spot.frame), items, " items")
    slot = generator.slot_of(step.name, spot.frame)
    frame = Frame(in_map=True)
    item = generator.slot_of(f"{step.name}_{step.item}", frame)
    start, root = Label(), Root(frame, step.body, settles=True)
    record = _is_record(step.value)
    end = End(step.value, bare=record, types=[])
    of = items.type.item if isinstance(items.type, t.ListType) else t.JSON
    facts = replace(spot.facts, done=frozenset(), undone=False).knowing(step.item, At((item,), of))
    fields: JsonObject = {"Type": "Map", "ItemsPath": render.path_text(items.path)}
    state = spot.put("", fields)
    generator.line(generator.pos(step.body), facts, Place(frame, root, end), start)
    state.item = start
    fields["MaxConcurrency"] = step.concurrency or 0
    inherited = {
        part.slot
        for name, value in spot.facts.env.items()
        if name in reads((step,))
        for part in everything(value)
        if isinstance(part, Caught)
    }
    frame.owned |= generator.errors - inherited
    fields["ItemSelector"] = _selector(spot.frame, frame, item, start)
    undoes = compensates((step,))
    chosen: JsonObject = {}
    if record:
        chosen["items.$"] = "$"
    if record or step.result is not None:
        chosen["values.$"] = "$[*].value"
    if record or root.raised:
        chosen["errors.$"] = "$[*].error"
    if undoes:
        chosen["failed.$"] = f"$[*].{FAILED}"
    fields["ResultPath"] = f"$.{slot}" if chosen else None
    if chosen:
        fields["ResultSelector"] = chosen
    values = t.ListType(item=_all_of(end.types))
    name = "items" if record else "values"
    spot.facts = replace(spot.facts, undone=spot.facts.undone or undoes)
    spot.facts = spot.facts.knowing(step.result, At((slot, name), values))
    if root.raised:
        _raise_first(generator, spot, place, [(slot, "errors", 0)])


def _unpack(generator: Generator, step: ir.MapStep, items: At, spot: Spot, place: Place) -> None:
    """Raise the first error of a map that settled, and know its values."""
    slot = items.path[0]
    record = items.type.item if isinstance(items.type, t.ListType) else t.JSON
    value = record.fields["value"] if isinstance(record, t.ObjectType) else t.JSON
    values = At((slot, "values"), t.ListType(item=t.without_null(value)))
    spot.facts = spot.facts.knowing(step.result, values)
    _raise_first(generator, spot, place, [(slot, "errors", 0)])


def _branch(index: int) -> str:
    return f"branch_{index}"


def _raise_first(generator: Generator, spot: Spot, place: Place, paths: list[Path]) -> None:
    """Write a choice that raises the first error which is there."""
    if not paths:
        return
    rules: list[tuple[JsonObject, Label]] = []
    going = Label()
    for path in paths:
        there: JsonObject = {"Variable": render.path_text(path), "IsPresent": True}
        raised = Spot(generator, spot.frame, spot.facts, Label(unusual=True), spot.step)
        rules.append((there, raised.here))
        throw(generator, MaybeCaught(path), raised, place)
    spot.choose(": settled", rules, going)
    spot.here = going


def _selector(outer: Frame, frame: Frame, item: str, start: Label) -> JsonObject:
    """Return what an item's frame begins with: the run, the item, and what its states read."""
    index = At(_INDEX)
    position = Fmt((lit(":"), index))
    if outer.in_map:
        position = Fmt((At(("at",)), lit(":"), index))
    chosen: JsonObject = {"run_id.$": "$.run_id", "at.$": render.argument(position)}
    for root in sorted({root for state in _inside(start) for root in _roots(state)}):
        if root in frame.owned or f"{root}.$" in chosen:
            continue
        chosen[f"{root}.$"] = f"$.{root}"
    chosen[f"{item}.$"] = render.argument(At(_ITEM))
    chosen.update(frame.initial)
    return chosen


def _inside(start: Label) -> Iterator[State]:
    """Yield the states that share a frame with the first one of a machine."""
    for state in reachable(start):
        yield state
        for branch in state.branches:
            yield from _inside(branch)


def _roots(state: State) -> Iterator[str]:
    """Yield the slots which a state reads."""
    yield from slots_read(state.fields)
    for rule, _ in state.rules:
        yield from _read(rule)


def slots_read(fields: JsonObject) -> Iterator[str]:
    """Yield the slots which a written state reads, without those of the machines inside it."""
    own = {key: value for key, value in fields.items() if key not in _ELSEWHERE}
    yield from _read(own)


def _read(value: Json, *, template: bool = False) -> Iterator[str]:
    match value:
        case dict():
            for key, inner in value.items():
                path = key.endswith((".$", "Path")) or key == "Variable"
                yield from _read(inner, template=path)
        case list():
            for inner in value:
                yield from _read(inner)
        case str() if template:
            yield from _ROOT.findall(value)
        case _:
            pass


def _all_of(types: list[t.Type] | None) -> t.Type:
    found: t.Type = t.NEVER
    for one in types or ():
        found = joined(found, one)
    return found


def _is_record(value: Expr) -> bool:
    """Tell whether a branch ends with the settled record that lowering gave it."""
    if not isinstance(value, ObjectExpr) or list(value.fields)[:2] != ["error", "value"]:
        return False
    error = value.fields["error"]
    return isinstance(error, RefExpr) and error.name.startswith("settled_error_")


def _unpacks(step: ir.MapStep) -> bool:
    """Tell whether a map only raises the errors of settled records and takes their values."""
    match step.body:
        case (ir.WhenStep(then=(ir.RaiseStep(error=RefExpr(name=name, path=("error",))),)),):
            return name == step.item and ".unpack" in step.name
        case _:
            return False
