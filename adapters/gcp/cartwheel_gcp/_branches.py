"""Generates parallels and maps: every branch settles into a slot, then the first error is raised.

Variables of a branch are its own; what it shares with the steps around it is declared, and is set
by one assignment, which Workflows makes atomic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow import _ir as ir
from cartwheel.workflow import _types as t
from cartwheel.workflow._expr import Expr, KnownExpr, ListExpr, RefExpr
from cartwheel.workflow._lint_targets import GCP_BRANCHES, GCP_NESTING
from cartwheel_gcp import _shape as shape
from cartwheel_gcp._attempts import put_try
from cartwheel_gcp._block import Block, Steps
from cartwheel_gcp._calls import error_of
from cartwheel_gcp._names import BODY, FAILURES, Place, field
from cartwheel_gcp._scope import Scope

if TYPE_CHECKING:
    from cartwheel_gcp._generator import Generator


def generate_parallel(gen: Generator, step: ir.ParallelStep, scope: Scope, block: Block) -> None:
    """Generate a parallel: branches, then a switch that raises the lowest-numbered error."""
    if len(step.branches) > GCP_BRANCHES:
        what = f"a parallel has at most {GCP_BRANCHES} branches, this has {len(step.branches)}"
        remedy = "use map_each, or put some branches after the others"
        gen.gap("a parallel of many branches", what, remedy)
    # Workflows wants two branches at least: one that is alone is put into the line.
    alone = sum(bool(each.body) or each.result is not None for each in step.branches) < 2
    if not alone:
        _check_depth(gen, scope)
    shared: list[Json] = []
    bodies: list[tuple[str, Steps]] = []
    raises: list[Json] = []
    for number, branch in enumerate(step.branches, 1):
        inside = gen.scope(branch.body, scope)
        inside.depth += 0 if alone else 1
        name = f"{step.name}_{number}"
        place = None if branch.result is None else scope.place(branch.result)
        if place is not None and branch.result is not None:
            shared.append(scope.declare(place.variable))
            read = _answer(branch) if branch.result in scope.once and not place.path else None
            if read is not None:
                call, path = read
                inside.places[call] = Place(place.variable, BODY)
                scope.places[branch.result] = Place(place.variable, BODY + path)
                place = None
        error = None
        if shape.can_raise(branch.body):
            error = scope.declare(gen.variables(f"{name}_error"))
            shared.append(error)
            raises.append({"condition": f"${{{error} != null}}", "raise": f"${{{error}}}"})
        steps = _branch(gen, branch, inside, place=place, name=name, error=error)
        if branch.result is not None:
            scope.learn(branch.result, inside.type_of(branch.value))
        if steps:
            bodies.append((name, steps))
    if any(shape.compensates(branch.body) for branch in step.branches):
        shared.append(FAILURES)
    if len(bodies) > 1:
        branches: list[Json] = [{gen.block_name(name): {"steps": own}} for name, own in bodies]
        whole: JsonObject = {"shared": shared} if shared else {}
        block.add(step.name, {"parallel": {**whole, "branches": branches}})
    for _, own in bodies if len(bodies) == 1 else ():
        block.steps.extend(own)
    if raises:
        block.add(f"{step.name}_settled", {"switch": raises})


def _answer(branch: ir.Branch) -> tuple[str, str] | None:
    """Give the name and the path that a branch ends with, if that is the answer of its last call.

    The call then puts its answer where the branch's value is looked for.
    """
    last, value = branch.body[-1] if branch.body else None, branch.value
    while isinstance(value, KnownExpr):
        value = value.operand
    if not isinstance(last, ir.TaskStep) or not isinstance(value, RefExpr):
        return None
    written = [name for step in shape.frame_steps(branch.body) for name in shape.writes(step)]
    if last.result != value.name or written.count(value.name) > 1:
        return None
    return value.name, "".join(map(field, value.path))


def _branch(
    gen: Generator,
    branch: ir.Branch,
    scope: Scope,
    *,
    place: Place | None,
    name: str,
    error: str | None,
) -> Steps:
    inner = gen.block()
    gen.body(branch.body, scope, inner)
    if place is not None and not shape.ends(branch.body):
        gen.materialise(branch.body, shape.names_in(branch.value), scope, inner)
        value = gen.write(scope, inner).value(branch.value)
        inner.assign(f"{name}_value", [place.entry(value)])
    outer = gen.block()
    gen.begin(outer, scope, f"{name}_begin", [])
    if error is None:
        outer.steps.extend(inner.steps)
    else:
        raised = gen.variables(f"{name}_raised")
        handler = gen.block()
        handler.add(f"{name}_failed", error_of(raised, error))
        put_try(f"{name}_settle", inner.steps, raised, handler.steps, outer)
    return outer.steps


def generate_map(gen: Generator, step: ir.MapStep, scope: Scope, block: Block) -> None:
    """Generate a map: a parallel loop over the items, with a slot for each result by position."""
    write = gen.write(scope, block)
    items = write.value(step.items)
    item_type = scope.type_of(step.items)
    line = step.concurrency == 1 or shape.is_pure(step.body)
    if not line:
        _check_depth(gen, scope)
    variable, index = gen.variables(step.item), gen.variables(f"{step.name}_index")
    inside = gen.scope(step.body, scope)
    inside.places[step.item] = Place(variable)
    inside.types[step.item] = item_type.item if isinstance(item_type, t.ListType) else t.JSON
    inside.position = (*scope.position, index)
    inside.depth += 0 if line else 1
    results = _results(gen, step, scope)
    # Items that only compute need not settle: the first failure ends the loop.
    settles = shape.can_raise(step.body) and not shape.is_pure(step.body)
    failures = gen.variables(f"{step.name}_failures") if settles else None
    start: list[Json] = []
    if results is not None:
        start.append({results: _copy(gen, step.items, scope, block)})
    if failures is not None:
        start.append({failures: []})
    block.assign(f"{step.name}_start", start)
    steps = _item(gen, step, inside, index=index, results=results, failures=failures)
    loop: JsonObject = {"value": variable, "index": index, "in": items, "steps": steps}
    if line:
        block.add(step.name, {"for": loop})
    else:
        shared = [name for name in (results, failures) if name is not None]
        if shape.compensates(step.body):
            shared.append(FAILURES)
        whole: JsonObject = {"shared": [*shared]} if shared else {}
        if step.concurrency is not None:
            whole["concurrency_limit"] = step.concurrency
        block.add(step.name, {"parallel": {**whole, "for": loop}})
    if failures is not None:
        _raise_first(gen, step, failures, block)
    if step.result is not None and results is not None:
        scope.learn(step.result, t.ListType(item=inside.type_of(step.value)))
        place = scope.place(step.result)
        if place.variable != results:
            block.assign(f"{step.name}_results", [place.entry(f"${{{results}}}")])


def _results(gen: Generator, step: ir.MapStep, scope: Scope) -> str | None:
    """Give the variable that takes the items' results."""
    if step.result is None:
        return None
    place = scope.place(step.result)
    return gen.variables(f"{step.name}_results") if place.path else place.variable


def _copy(gen: Generator, items: Expr, scope: Scope, block: Block) -> Json:
    """Give a list with as many places as there are items, which is nobody else's."""
    write = gen.write(scope, block)
    if isinstance(items, ListExpr):
        return write.value(items)
    return write.computed(f"json.decode(json.encode_to_string({write.text(items)}))")


def _item(
    gen: Generator,
    step: ir.MapStep,
    scope: Scope,
    *,
    index: str,
    results: str | None,
    failures: str | None,
) -> Steps:
    inner = gen.block()
    gen.body(step.body, scope, inner)
    if results is not None and not shape.ends(step.body):
        gen.materialise(step.body, shape.names_in(step.value), scope, inner)
        value = gen.write(scope, inner).value(step.value)
        inner.assign(f"{step.name}_value", [{f"{results}[{index}]": value}])
    outer = gen.block()
    gen.begin(outer, scope, f"{step.name}_begin", [])
    if failures is None:
        outer.steps.extend(inner.steps)
    else:
        raised, error = gen.variables(f"{step.name}_raised"), gen.variables(f"{step.name}_error")
        failure = gen.variables(f"{step.name}_failure")
        handler = gen.block()
        handler.add(f"{step.name}_error", error_of(raised, error))
        entries: list[Json] = [
            {failure: {"index": f"${{{index}}}", "error": f"${{{error}}}"}},
            {failures: f"${{list.concat({failures}, {failure})}}"},
        ]
        handler.assign(f"{step.name}_failed", entries)
        put_try(f"{step.name}_settle", inner.steps, raised, handler.steps, outer)
    if not outer.steps:
        outer.assign(f"{step.name}_nothing", [{gen.variables("nothing"): None}])
    return outer.steps


def _raise_first(gen: Generator, step: ir.MapStep, failures: str, block: Block) -> None:
    """Raise the error of the first failed item; failures are noted in the order they came."""
    first, each = gen.variables(f"{step.name}_first"), gen.variables(f"{step.name}_each")
    inner = gen.block()
    inner.assign(f"{step.name}_seek", [{first: f"${{{failures}[0]}}"}])
    earlier: Json = {
        "condition": f"${{{each}.index < {first}.index}}",
        "steps": [{gen.block_name(f"{step.name}_found"): {"assign": [{first: f"${{{each}}}"}]}}],
    }
    loop: Steps = [{gen.block_name(f"{step.name}_look"): {"switch": [earlier]}}]
    seek: JsonObject = {"for": {"value": each, "in": f"${{{failures}}}", "steps": loop}}
    inner.add(f"{step.name}_earliest", seek)
    inner.add(f"{step.name}_raise", {"raise": f"${{{first}.error}}"})
    entry: Json = {"condition": f"${{len({failures}) > 0}}", "steps": inner.steps}
    block.add(f"{step.name}_settled", {"switch": [entry]})


def _check_depth(gen: Generator, scope: Scope) -> None:
    if scope.depth >= GCP_NESTING:
        what = f"parallels and maps nest {GCP_NESTING} deep at most"
        gen.gap("a parallel inside parallels", what, "give a map inside concurrency=1")
