"""Finds what Step Functions would refuse, or take for something else, before a deployment does.

It judges the written definition, so that one which was changed by hand is held to the same rules.
The public validators accept five of these faults: States.ALL that is not last or not alone, an
invocation without FunctionName, a wait without its token, a slot that nobody fills, and a name that
is used twice in different parts of one machine.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow._targets import Compiled, Finding
from cartwheel_aws.machines._branches import slots_read
from cartwheel_aws.machines._check_fields import check_fields
from cartwheel_aws.machines._machine import LONGEST_NAME

LARGEST = 1024 * 1024
"""Bytes of a definition."""
GIVEN = {"run_id", "input", "execution"}
"""The slots that every execution's input has."""
_TYPES = ("Task", "Pass", "Choice", "Wait", "Parallel", "Map", "Fail", "Succeed")
_LAST = ("Fail", "Succeed")


def check(compiled: Compiled) -> tuple[Finding, ...]:
    """Find what the engine would refuse or misread in a compiled workflow."""
    text = compiled.main
    found: list[Finding] = []
    if len(text.encode("utf-8")) > LARGEST:
        remedy = "split the workflow: let a task start the second part"
        found.append(Finding("size", compiled.entry, f"it is larger than {LARGEST} bytes", remedy))
    try:
        machine: Json = json.loads(text)
        slots: Json = json.loads(compiled.files.get("frame.json", "{}"))
    except ValueError as error:
        return (*found, Finding("json", compiled.entry, f"it is not JSON: {error}"))
    if not isinstance(machine, dict) or not isinstance(slots, dict):
        return (*found, Finding("json", compiled.entry, "it is not an object"))
    found.extend(_machine(machine, "", {*GIVEN, *slots}))
    names = Counter(name for name, _ in _all_states(machine))
    for name, count in names.items():
        if count > 1:
            found.append(Finding("name", name, f"{count} states have this name"))
    return tuple(found)


def _machine(machine: JsonObject, where: str, slots: set[str]) -> Iterator[Finding]:
    """Yield what is wrong with a machine; `slots` are what its input holds."""
    states = machine.get("States")
    if not isinstance(states, dict) or not states:
        yield Finding("states", where or "the definition", "it has no states")
        return
    start = machine.get("StartAt")
    if start not in states:
        yield Finding("target", where or "the definition", f"StartAt names no state: {start!r}")
        return
    filled = slots | {slot for state in states.values() for slot in _filled(state)}
    reached = _reached(states, str(start))
    for name, state in states.items():
        if not isinstance(state, dict) or state.get("Type") not in _TYPES:
            yield Finding("type", name, "it has no type that exists")
            continue
        if len(name) > LONGEST_NAME:
            yield Finding("name", name, f"its name is longer than {LONGEST_NAME} characters")
        if name not in reached:
            yield Finding("unreachable", name, "no state leads here")
        yield from _flow(name, state, states)
        yield from check_fields(name, state)
        for slot in sorted(set(slots_read(state)) - filled):
            remedy = "give it a value before, or in frame.json"
            yield Finding("slot", name, f"it reads $.{slot}, which nobody fills", remedy)
        yield from _inside(name, state, filled)


def _inside(name: str, state: JsonObject, filled: set[str]) -> Iterator[Finding]:
    branches, item = state.get("Branches"), state.get("ItemProcessor")
    if isinstance(branches, list):
        for branch in branches:
            if isinstance(branch, dict):
                yield from _machine(branch, name, filled)
    if isinstance(item, dict):
        selector = state.get("ItemSelector")
        chosen = (
            {key.removesuffix(".$") for key in selector} if isinstance(selector, dict) else None
        )
        yield from _machine(item, name, filled if chosen is None else chosen)


def _flow(name: str, state: JsonObject, states: JsonObject) -> Iterator[Finding]:
    """Yield what is wrong with where a state goes."""
    for target in _targets(state):
        if target not in states:
            yield Finding("target", name, f"it leads to {target!r}, which is no state here")
    ways = [key for key in ("Next", "End") if key in state]
    if state["Type"] in (*_LAST, "Choice"):
        if ways:
            yield Finding("flow", name, f"a {state['Type']} state has no {ways[0]}")
    elif len(ways) != 1:
        yield Finding("flow", name, "it needs either Next or End")
    if state["Type"] == "Choice" and "Default" not in state:
        yield Finding("flow", name, "without Default a run ends when no rule fits")


def _targets(state: JsonObject) -> Iterator[str]:
    for key in ("Next", "Default"):
        if isinstance(state.get(key), str):
            yield str(state[key])
    for key in ("Choices", "Catch"):
        for one in _list(state.get(key)):
            if isinstance(one, dict):
                yield str(one.get("Next"))


def _reached(states: JsonObject, start: str) -> set[str]:
    seen, todo = {start}, [start]
    while todo:
        state = states.get(todo.pop())
        if isinstance(state, dict):
            for target in _targets(state):
                if target not in seen:
                    seen.add(target)
                    todo.append(target)
    return seen


def _filled(state: Json) -> Iterator[str]:
    """Yield the slots that a state may fill."""
    if not isinstance(state, dict):
        return
    for holder in (state, *_list(state.get("Catch"))):
        path = holder.get("ResultPath") if isinstance(holder, dict) else None
        if isinstance(path, str) and path.startswith("$."):
            yield path[2:].partition(".")[0]


def _all_states(machine: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    states = machine.get("States")
    for name, state in (states if isinstance(states, dict) else {}).items():
        if not isinstance(state, dict):
            continue
        yield name, state
        for inner in (*_list(state.get("Branches")), state.get("ItemProcessor")):
            if isinstance(inner, dict):
                yield from _all_states(inner)


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
