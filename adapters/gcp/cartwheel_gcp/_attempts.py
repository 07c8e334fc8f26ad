"""Generates attempts: steps with handlers, told apart by the code of the error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow import _ir as ir
from cartwheel.workflow import _types as t
from cartwheel.workflow._expr import RefExpr
from cartwheel_gcp import _shape as shape
from cartwheel_gcp._block import Block, Steps
from cartwheel_gcp._calls import error_of, has_code
from cartwheel_gcp._names import Place
from cartwheel_gcp._scope import Scope

if TYPE_CHECKING:
    from cartwheel_gcp._generator import Generator

_TRIED = frozenset({"call", "retry"})
"""What the steps have that are one call, with its retries or without."""


def generate_try(gen: Generator, step: ir.TryStep, scope: Scope, block: Block) -> None:
    """Generate an attempt with its handlers, which see the error of the language."""
    body, undo = _fused(step, scope)
    inner, handler = block.inner(), block.inner()
    gen.body(body, scope, inner)
    raised, error = gen.variables(f"{step.name}_raised"), _error(gen, step, scope)
    handler.add(f"{step.name}_error", error_of(raised, error))
    gen.materialise(body, list(shape.reads(undo)), scope, handler)
    gen.body(undo, scope, handler)
    arms: list[Json] = []
    for each in step.handlers:
        own = block.inner()
        if each.error is not None:
            place = scope.place(each.error)
            scope.learn(each.error, t.ERROR_TYPE)
            if place != Place(error):
                own.assign(f"{step.name}_caught", [place.entry("${" + error + "}")])
        gen.materialise(body, list(shape.reads(each.body)), scope, own)
        gen.body(each.body, scope, own)
        whole = ir.ANY_ERROR in each.codes
        if not own.steps and (arms or not whole):
            own.assign(f"{step.name}_ignored", [{gen.variables("ignored"): None}])
        if whole:
            if not arms:
                handler.steps.extend(own.steps)
                break
            arms.append({"condition": True, "steps": own.steps})
        else:
            text = _has_code(gen, error, each.codes, handler)
            arms.append({"condition": text, "steps": own.steps})
    if arms:
        if not any(ir.ANY_ERROR in each.codes for each in step.handlers):
            arms.append({"condition": True, "raise": "${" + error + "}"})
        handler.add(f"{step.name}_catch", {"switch": arms})
    if inner.steps:
        put_try(step.name, inner.steps, raised, handler.steps, block)


def put_try(name: str, steps: Steps, raised: str, handler: Steps, block: Block) -> None:
    """Put steps with a handler into a list; a call that is alone takes the handler itself."""
    only = steps[0] if len(steps) == 1 else None
    if isinstance(only, dict):
        ((own, step),) = only.items()
        if isinstance(step, dict) and "except" not in step and (step.keys() & _TRIED):
            whole: JsonObject = {"try": step.get("try", step)}
            if "retry" in step:
                whole["retry"] = step["retry"]
            whole["except"] = {"as": raised, "steps": handler}
            block.steps.append({own: whole})
            return
    block.add(name, catch(steps, raised, handler))


def catch(steps: Steps, raised: str, handler: Steps) -> JsonObject:
    """Make a try step."""
    return {"try": {"steps": steps}, "except": {"as": raised, "steps": handler}}


def _has_code(gen: Generator, error: str, codes: tuple[str, ...], block: Block) -> str:
    """Write the condition that an error has one of some codes."""
    first, *more = has_code(error, codes)
    if not more:
        return "${" + first + "}"
    name = gen.variables("kept")
    entries: list[Json] = [{name: "${" + first + "}"}]
    entries += [{name: f"${{{name} or {text}}}"} for text in more]
    block.assign(name, entries)
    return "${" + name + "}"


def _error(gen: Generator, step: ir.TryStep, scope: Scope) -> str:
    """Give the variable for a caught error: its name's own, where one handler names it."""
    named = [each.error for each in step.handlers if each.error is not None]
    if len(step.handlers) == len(named) == 1 and not scope.place(named[0]).path:
        return scope.place(named[0]).variable
    return gen.variables(f"{step.name}_error")


def _fused(step: ir.TryStep, scope: Scope) -> tuple[shape.Body, shape.Body]:
    """Give the body of a try, and what is undone before its handlers.

    A saga that is all of an attempt needs no try of its own: what undoes it comes before the
    attempt's handlers.
    """
    body = step.body
    undo: shape.Body = ()
    while True:
        kept = [inner for inner in body if inner.name not in scope.dropped]
        if len(kept) != 1 or not isinstance(kept[0], ir.TryStep):
            return body, undo
        handler = kept[0].handlers[0]
        *before, last = handler.body or (step,)
        if ir.ANY_ERROR not in handler.codes or not isinstance(last, ir.RaiseStep):
            return body, undo
        named = isinstance(last.error, RefExpr) and last.error == RefExpr(name=handler.error or "")
        if not named or shape.can_raise(before) or handler.error in shape.reads(tuple(before)):
            return body, undo
        body, undo = kept[0].body, (*before, *undo)
