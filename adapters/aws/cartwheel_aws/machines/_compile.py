"""The compiler's front door for Step Functions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import cast

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._lower_saga import lower_saga
from cartwheel.workflow._targets import Compiled
from cartwheel_aws.machines._generate import Generator
from cartwheel_aws.machines._machine import Label, write

_WAITS = ("Seconds", "SecondsPath", "Timestamp", "TimestampPath")


def compile_workflow(workflow: ir.Workflow) -> Compiled:
    """Compile a workflow; raises BuildError when it has problems of its own."""
    generator, start = generate(workflow)
    definition: JsonObject = {
        "Comment": f"{workflow.name} version {workflow.version}, content {workflow.content_hash}",
        **write(start),
    }
    frame: JsonObject = dict(generator.top.initial)
    name = re.sub(r"[^A-Za-z0-9_-]", "_", f"{workflow.name}-v{workflow.version}")[:80]
    entry = f"{name}.asl.json"
    return Compiled("aws", name, {entry: _text(definition), "frame.json": _text(frame)}, entry)


def generate(workflow: ir.Workflow) -> tuple[Generator, Label]:
    """Return the generator of a workflow, run, and where its machine begins."""
    generator = Generator(lower_saga(workflow))
    return generator, generator.run()


def frame(compiled: Compiled, run_id: str, given: Json, execution: int = 1) -> JsonObject:
    """Return the input with which an execution of a compiled workflow is started."""
    slots: JsonObject = json.loads(compiled.files["frame.json"])
    return {"run_id": run_id, "input": given, "execution": execution, **slots}


def form_of(compiled: Compiled) -> JsonObject:
    """Return what `StepFunctionsEngine` needs of a definition: its frame, its sleeps' lengths."""
    frame: JsonObject = json.loads(compiled.files["frame.json"])
    waits: JsonObject = dict(_waits(json.loads(compiled.main)))
    return {"frame": frame, "waits": waits}


def _waits(machine: JsonObject) -> Iterator[tuple[str, Json]]:
    states = cast("Mapping[str, JsonObject]", machine["States"])
    for name, state in states.items():
        if state["Type"] == "Wait":
            yield name, {field: state[field] for field in _WAITS if field in state}
        inside = cast("list[JsonObject]", state.get("Branches") or [])
        if "ItemProcessor" in state:
            inside = [cast("JsonObject", state["ItemProcessor"])]
        for each in inside:
            yield from _waits(each)


def _text(value: Json) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
