"""Where ways meet: what all of them agree on stays known, what differs is kept in a slot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cartwheel.ports import JsonObject
from cartwheel.workflow import _types as t
from cartwheel_aws.machines import _render as render
from cartwheel_aws.machines._machine import Label
from cartwheel_aws.machines._scope import Facts, Join, live
from cartwheel_aws.machines._spot import Spot
from cartwheel_aws.machines._values import NULL, At, IsNull, Not, Obj, Once, Value, joined, type_of

if TYPE_CHECKING:
    from cartwheel_aws.machines._generate import Generator


def close(generator: Generator, join: Join, spot: Spot, what: str, *, fork: bool) -> bool:
    """Go on where ways meet; false when none comes there.

    What differs and is read later is kept in a slot by each way. At a `fork`, a registration
    that one way made and the other did not is known by the slot of its output.
    """
    if not join.exits:
        return False
    env, differing = _common(join, fork=fork)
    spot.here = Label()
    if differing:
        slot = generator.slot_of(f"{spot.step}{what}", spot.frame)
        types: dict[str, t.Type] = {}
        for facts, label in join.exits:
            way = Spot(generator, spot.frame, facts, label, spot.step)
            ready = [(name, way.ready(facts.env[name])) for name in differing]
            for name, value in ready:
                types[name] = joined(types.get(name, t.NEVER), type_of(value))
            fields = render.template(tuple(ready))
            state: JsonObject = {"Type": "Pass", "Parameters": fields}
            way.put(": keep", {**state, "ResultPath": f"$.{slot}"})
            way.here.alias(spot.here)
        env |= {name: At((slot, name), types[name]) for name in differing}
    else:
        for _, label in join.exits:
            label.alias(spot.here)
    every = [facts for facts, _ in join.exits]
    spot.facts = Facts(
        env,
        frozenset.intersection(*(facts.normal for facts in every)),
        frozenset.intersection(*(facts.read for facts in every)),
        frozenset.intersection(*(facts.done for facts in every)),
        any(facts.undone for facts in every),
    )
    return True


def _common(join: Join, *, fork: bool) -> tuple[dict[str, Value], list[str]]:
    """Return what all ways agree on, and the names that they must keep."""
    first = join.exits[0][0].env
    rest = [facts.env for facts, _ in join.exits[1:]]
    env: dict[str, Value] = {}
    differing: list[str] = []
    for name, value in first.items():
        if any(name not in other for other in rest):
            continue
        if all(other[name] == value for other in rest):
            env[name] = value
        elif live(name, join.at, join.place):
            once = _once(name, join) if fork else None
            if once is None:
                differing.append(name)
            else:
                env[name] = once
    return env, differing


def narrowed(facts: Facts, condition: Value, *, holds: bool) -> Facts:
    """Return the facts in an arm: whether a registration is there is known in it."""
    if isinstance(condition, Not):
        condition, holds = condition.of, not holds
    if not isinstance(condition, IsNull):
        return facts
    env = {
        name: (NULL if holds else value.value)
        if isinstance(value, Once) and value.slot == condition.of
        else value
        for name, value in facts.env.items()
    }
    return replace(facts, env=env)


def _once(name: str, join: Join) -> Once | None:
    """Return a registration that one way of a fork made: it is there if its output is."""
    made: Value | None = None
    for facts, _ in join.exits:
        value = facts.env[name]
        if value == NULL:
            continue
        inner = value.value if isinstance(value, Once) else value
        output = inner.get("output") if isinstance(inner, Obj) else NULL
        if not isinstance(output, At) or len(output.path) != 1:
            return None
        slot = output.path[0]
        if isinstance(value, Obj) and slot not in facts.done:
            return None
        if made is not None and made != inner:
            return None
        made = inner
    if not isinstance(made, Obj):
        return None
    output = made.get("output")
    if not isinstance(output, At):
        raise AssertionError("the generator is at fault")
    return Once(At(output.path, t.optional(output.type or t.JSON)), made)
