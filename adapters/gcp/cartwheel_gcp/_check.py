"""Finds what Workflows would refuse or misread in a compiled workflow, before a deployment does.

No schema of the language is right, so the rules are those of the documentation: kinds of steps and
their fields, names, targets of `next`, scopes of variables, the grammar of expressions, limits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow._lint_targets import (
    GCP_BRANCHES,
    GCP_CALL_SECONDS,
    GCP_NAME,
    GCP_NESTING,
    GCP_SOURCE_BYTES,
    GCP_STEP_ENTRIES,
    KIB,
    YEAR,
)
from cartwheel.workflow._targets import Compiled, Finding
from cartwheel_gcp._grammar import BLOCKING, GrammarError, parse
from cartwheel_gcp._names import IDENTIFIER, LONGEST
from cartwheel_gcp._variables import Variables, assigned_root

_FIELDS = {
    "call": {"args", "result", "next"},
    "assign": {"next"},
    "switch": {"next"},
    "try": {"retry", "except"},
    "for": set[str](),
    "parallel": set[str](),
    "steps": {"next"},
    "return": set[str](),
    "raise": set[str](),
    "next": set[str](),
}
_ENDS = frozenset({"end", "break", "continue"})
_MODULES = frozenset(
    """base64 events experimental googleapis hash http json list map math retry sys text time
    uuid""".split()  # noqa: SIM905 - a list of words reads better in lines
)


def check(compiled: Compiled) -> tuple[Finding, ...]:
    """Find everything in a compiled workflow that Workflows would refuse or misread."""
    text = compiled.main
    findings: list[Finding] = []
    if not GCP_NAME.match(compiled.name):
        what = f"{compiled.name!r} is no name: a letter, then letters, digits, '_' and '-'"
        findings.append(Finding("name", compiled.entry, what))
    size = len(text.encode("utf-8"))
    if size > GCP_SOURCE_BYTES:
        what = f"the source has {size} bytes, at most {GCP_SOURCE_BYTES} are allowed"
        findings.append(Finding("source-size", compiled.entry, what))
    try:
        document: Json = json.loads(text)
    except ValueError as error:
        return (*findings, Finding("json", compiled.entry, f"it is not JSON: {error}"))
    if not isinstance(document, dict) or "main" not in document:
        return (*findings, Finding("main", compiled.entry, "there is no main routine"))
    for name, routine in document.items():
        findings.extend(_Routine(name, document).check(routine))
    return tuple(findings)


@dataclass(slots=True)
class _Place:
    """Is where a list of steps stands."""

    where: str
    targets: frozenset[str] = frozenset()
    in_loop: bool = False
    parallels: int = 0
    variables: Variables = field(default_factory=Variables)


class _Routine:
    """Checks one routine."""

    def __init__(self, name: str, document: JsonObject) -> None:
        self._name = name
        self._document = document
        self._seen: set[str] = set()

    def check(self, routine: Json) -> Iterator[Finding]:
        """Check the routine."""
        if not isinstance(routine, dict) or not isinstance(routine.get("steps"), list):
            yield Finding("routine", self._name, "a routine is a map with steps")
            return
        if not IDENTIFIER.match(self._name) or self._name in _MODULES:
            yield Finding("name", self._name, "it is no name for a routine")
        params = routine.get("params", [])
        if not isinstance(params, list) or (self._name == "main" and len(params) > 1):
            yield Finding("params", self._name, "main takes one parameter at most")
            return
        variables = Variables(names={str(param) for param in params})
        yield from self._steps(routine["steps"], _Place(self._name, variables=variables))

    def _steps(self, steps: Json, place: _Place) -> Iterator[Finding]:
        if not isinstance(steps, list) or not steps:
            yield Finding("steps", place.where, "a list of steps holds one at least")
            return
        named: list[tuple[str, JsonObject]] = []
        for each in steps:
            if not isinstance(each, dict) or len(each) != 1:
                yield Finding("step", place.where, "a step is a map of its name alone")
                return
            ((name, step),) = each.items()
            if not isinstance(step, dict):
                yield Finding("step", f"{self._name}.{name}", "a step is a map")
                return
            named.append((name, step))
        place.variables.declare(step for _, step in named)
        place.targets |= {name for name, _ in named}
        for name, step in named:
            where = f"{self._name}.{name}"
            if not IDENTIFIER.match(name) or name in _ENDS:
                yield Finding("step-name", where, f"{name!r} is no name for a step")
            if name in self._seen:
                yield Finding("step-name", where, "two steps have this name")
            self._seen.add(name)
            inner = _Place(where, place.targets, place.in_loop, place.parallels, place.variables)
            yield from self._step(step, inner)

    def _step(self, step: JsonObject, place: _Place) -> Iterator[Finding]:
        kinds = [kind for kind in _FIELDS if kind in step]
        kind = next(iter(kinds), None)
        if kind is None:
            yield Finding("step-kind", place.where, f"it does nothing: {sorted(step)}")
            return
        extra = step.keys() - {kind} - _FIELDS[kind]
        if extra:
            yield Finding("step-kind", place.where, f"{kind} goes not with {sorted(extra)}")
        target = step.get("next")
        if target is not None:
            yield from self._next(target, place)
        match kind:
            case "call":
                yield from self._call(step, place)
            case "assign":
                yield from self._assign(step["assign"], place)
            case "switch":
                yield from self._switch(step["switch"], place)
            case "try":
                yield from self._try(step, place)
            case "for":
                yield from self._loop(step["for"], place, parallel=False, shared=frozenset())
            case "parallel":
                yield from self._parallel(step["parallel"], place)
            case "steps":
                yield from self._steps(step["steps"], place)
            case "return" | "raise":
                yield from self._value(step[kind], place)

    def _next(self, target: Json, place: _Place) -> Iterator[Finding]:
        if target in ("break", "continue"):
            if not place.in_loop:
                yield Finding("next", place.where, f"{target} outside a loop")
        elif target != "end" and target not in place.targets:
            yield Finding("next", place.where, f"there is no step {target!r} to go on with")

    def _call(self, step: JsonObject, place: _Place) -> Iterator[Finding]:
        name, args = step["call"], step.get("args", {})
        yield from self._value(args, place)
        result = step.get("result")
        if result is not None:
            yield from self._written(str(result), place)
        if not isinstance(args, dict):
            yield Finding("args", place.where, "arguments are a map")
            return
        routine = self._document.get(str(name))
        if isinstance(routine, dict):
            params = routine.get("params", [])
            if isinstance(params, list) and set(args) != set(map(str, params)):
                yield Finding("args", place.where, f"{name} takes {params}, not {sorted(args)}")
        elif name not in BLOCKING:
            yield Finding("call", place.where, f"there is nothing to call under {name!r}")
        longest = {"http.post": GCP_CALL_SECONDS, "events.await_callback": YEAR}.get(str(name))
        timeout = args.get("timeout")
        if longest is not None and isinstance(timeout, int) and timeout > longest:
            what = f"{name} waits {longest} s at most, not {timeout}"
            yield Finding("timeout", place.where, what)

    def _assign(self, entries: Json, place: _Place) -> Iterator[Finding]:
        if not isinstance(entries, list) or not 1 <= len(entries) <= GCP_STEP_ENTRIES:
            what = f"a step makes 1 to {GCP_STEP_ENTRIES} assignments"
            yield Finding("entries", place.where, what)
            return
        for entry in entries:
            if not isinstance(entry, dict) or len(entry) != 1:
                yield Finding("assign", place.where, "an assignment is a map of one name")
                continue
            ((target, value),) = entry.items()
            yield from self._value(value, place)
            yield from self._written(target, place)

    def _written(self, target: str, place: _Place) -> Iterator[Finding]:
        root = assigned_root(target)
        if not IDENTIFIER.match(root) or root in _MODULES or root in self._document:
            yield Finding("variable-name", place.where, f"{root!r} is no name for a variable")
        if place.variables.is_locked(root):
            what = f"{root!r} belongs to the steps around this branch, and is not shared"
            yield Finding("shared", place.where, what)
        if root != target:
            yield from self._expression(target, place)

    def _switch(self, arms: Json, place: _Place) -> Iterator[Finding]:
        if not isinstance(arms, list) or not 1 <= len(arms) <= GCP_STEP_ENTRIES:
            yield Finding("entries", place.where, f"a switch has 1 to {GCP_STEP_ENTRIES} arms")
            return
        for arm in arms:
            if not isinstance(arm, dict) or "condition" not in arm or len(arm) != 2:
                yield Finding("switch", place.where, "an arm is a condition and what it leads to")
                continue
            condition = arm["condition"]
            if not isinstance(condition, bool | str):
                yield Finding("switch", place.where, f"{condition!r} is no condition")
            yield from self._value(condition, place)
            rest = {key: value for key, value in arm.items() if key != "condition"}
            yield from self._step(rest, place)

    def _try(self, step: JsonObject, place: _Place) -> Iterator[Finding]:
        body, handler, retry = step["try"], step.get("except"), step.get("retry")
        if handler is None and retry is None:
            yield Finding("try", place.where, "a try has retries, or an except block")
        if isinstance(body, dict):
            yield from self._step(body, place)
        if isinstance(retry, dict):
            yield from self._retry(retry, place)
        if isinstance(handler, dict):
            variables = place.variables.inner({str(handler.get("as"))})
            inner = _Place(place.where, place.targets, place.in_loop, place.parallels, variables)
            yield from self._steps(handler.get("steps"), inner)

    def _retry(self, retry: JsonObject, place: _Place) -> Iterator[Finding]:
        most, predicate = retry.get("max_retries"), retry.get("predicate")
        if not isinstance(most, int) or most < 1:
            yield Finding("retry", place.where, f"max_retries is {most!r}")
        routine = self._document.get(str(predicate).removeprefix("${").removesuffix("}"))
        params = routine.get("params") if isinstance(routine, dict) else None
        if not isinstance(params, list) or len(params) != 1:
            yield Finding("retry", place.where, f"there is no predicate {predicate!r}")
        backoff = retry.get("backoff")
        numbers = backoff.values() if isinstance(backoff, dict) else [None]
        if not all(isinstance(number, int) and number >= 0 for number in numbers):
            yield Finding("retry", place.where, f"backoff is {backoff!r}")

    def _parallel(self, parallel: Json, place: _Place) -> Iterator[Finding]:
        if not isinstance(parallel, dict):
            yield Finding("parallel", place.where, "a parallel is a map")
            return
        if place.parallels >= GCP_NESTING:
            yield Finding("nesting", place.where, f"parallels nest {GCP_NESTING} deep at most")
        limit, shared = parallel.get("concurrency_limit", 1), parallel.get("shared", [])
        if not isinstance(limit, int) or limit < 1:
            yield Finding("parallel", place.where, f"concurrency_limit is {limit!r}")
        names = frozenset(map(str, shared)) if isinstance(shared, list) else frozenset[str]()
        for name in sorted(names):
            if not place.variables.knows(name):
                yield Finding("shared", place.where, f"{name!r} is shared and not known here")
        branches, loop = parallel.get("branches"), parallel.get("for")
        if isinstance(branches, list) and loop is None:
            if not 2 <= len(branches) <= GCP_BRANCHES:
                what = f"a parallel has 2 to {GCP_BRANCHES} branches, this has {len(branches)}"
                yield Finding("branches", place.where, what)
            for branch in branches:
                if not isinstance(branch, dict) or len(branch) != 1:
                    yield Finding("branches", place.where, "a branch is a map of its name")
                    continue
                ((name, inside),) = branch.items()
                inner = self._within(place, f"{self._name}.{name}", names)
                yield from self._steps(
                    inside.get("steps") if isinstance(inside, dict) else None, inner
                )
        elif branches is None and loop is not None:
            yield from self._loop(loop, place, parallel=True, shared=names)
        else:
            yield Finding("parallel", place.where, "a parallel has branches, or a loop")

    def _within(self, place: _Place, where: str, shared: frozenset[str]) -> _Place:
        variables = place.variables.branch(shared)
        return _Place(where, frozenset(), False, place.parallels + 1, variables)

    def _loop(
        self, loop: Json, place: _Place, *, parallel: bool, shared: frozenset[str]
    ) -> Iterator[Finding]:
        if not isinstance(loop, dict) or ("in" in loop) == ("range" in loop):
            yield Finding("for", place.where, "a loop goes over a list, or over a range")
            return
        extra = loop.keys() - {"value", "index", "in", "range", "steps"}
        if extra or "value" not in loop:
            yield Finding("for", place.where, f"a loop names its value, and has no {extra}")
        yield from self._value(loop.get("in", loop.get("range")), place)
        names = {str(loop[key]) for key in ("value", "index") if key in loop}
        if parallel:
            inner = self._within(place, place.where, shared)
            inner.variables.names |= names
        else:
            variables = place.variables.inner(names)
            inner = _Place(place.where, frozenset(), False, place.parallels, variables)
        inner.in_loop = True
        yield from self._steps(loop.get("steps"), inner)

    def _value(self, value: Json, place: _Place) -> Iterator[Finding]:
        match value:
            case dict():
                for name, each in value.items():
                    if "${" in name:
                        yield Finding("expression", place.where, f"{name!r} is no key")
                    yield from self._value(each, place)
            case list():
                for each in value:
                    yield from self._value(each, place)
            case str() if "${" in value:
                if not value.startswith("${") or not value.endswith("}"):
                    what = f"{value[:60]!r} mixes text and expressions"
                    yield Finding("expression", place.where, what)
                    return
                yield from self._expression(value[2:-1], place)
            case str() if len(value.encode("utf-8")) > 256 * KIB:
                yield Finding("string-size", place.where, "a string has 256 KiB at most")
            case float():
                yield Finding("number", place.where, f"{value!r} is no integer")
            case _:
                pass

    def _expression(self, text: str, place: _Place) -> Iterator[Finding]:
        if len(text) > LONGEST:
            what = f"an expression has {LONGEST} characters at most inside ${{}}, this {len(text)}"
            yield Finding("expression-length", place.where, what)
        try:
            parsed = parse(text)
        except GrammarError as error:
            yield Finding("expression", place.where, f"{text[:80]!r}: {error}")
            return
        for name in sorted(parsed.names):
            if not place.variables.knows(name) and name not in self._document:
                yield Finding("variable", place.where, f"nothing is named {name!r} here")
