"""The compiler's front door for Workflows: compile, check, count."""

from __future__ import annotations

from collections.abc import Iterator

from cartwheel.ports import JsonObject
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._ir import Workflow
from cartwheel.workflow._lint_targets import GCP_NAME, GCP_SOURCE_BYTES
from cartwheel.workflow._lower_saga import lower_saga
from cartwheel.workflow._targets import Compiled, Cost, Gap, Unsupported
from cartwheel_gcp._calls import RUNTIME, service_of
from cartwheel_gcp._cost import GROUPING, happy, worst
from cartwheel_gcp._generator import Generator
from cartwheel_gcp._paths import named
from cartwheel_gcp._registered import tighten
from cartwheel_gcp._writer import write, write_short


def compile_workflow(workflow: Workflow) -> Compiled:
    """Compile a workflow to the JSON source of Workflows, which `gcloud` deploys as it is.

    Raises BuildError for a workflow with problems of its own, and Unsupported with everything that
    can't be expressed.
    """
    document, gaps = _document(workflow)
    text = write(document)
    if _bytes(text) > GCP_SOURCE_BYTES:
        text = write_short(document)
    gaps += _size(text)
    if gaps:
        raise Unsupported(dict.fromkeys(gaps), workflow.name)
    path = f"{workflow.name}.workflow.json"
    return Compiled("gcp", workflow.name, {path: text}, path)


def frame(workflow: Workflow) -> JsonObject:
    """Give the slots that a run's input has beside its own: the address of every function."""
    services: set[str] = set()
    for step in ir.walk(workflow.body):
        if isinstance(step, ir.TaskStep | ir.PollStep):
            services.add(service_of(step.task))
        if isinstance(step, ir.TaskStep) and step.compensate is not None:
            services.add(service_of(step.compensate.task))
        if isinstance(step, ir.WaitStep):
            services.add(RUNTIME)
    return {"urls": dict.fromkeys(sorted(services))}


def cost(workflow: Workflow) -> Cost:
    """Count what a run bills; raises Unsupported as compiling does."""
    document, gaps = _document(workflow)
    if gaps:
        raise Unsupported(dict.fromkeys(gaps), workflow.name)
    count = happy(document)
    other = {GROUPING: count.grouping} if count.grouping else {}
    paths = named(_failures(workflow), document)
    return Cost("gcp", "step", count.steps, worst(document), count.effects, paths, other)


def _failures(workflow: Workflow) -> Iterator[tuple[str, str]]:
    """Yield the calls of a workflow with the errors that their tasks declare."""
    for step in ir.walk(workflow.body):
        if isinstance(step, ir.TaskStep | ir.PollStep):
            for code in workflow.tasks[step.task].errors:
                yield step.name, code


def _document(workflow: Workflow) -> tuple[JsonObject, list[Gap]]:
    generator = Generator(tighten(lower_saga(workflow)))
    document = generator.document()
    return document, [*_name(workflow), *generator.gaps]


def _name(workflow: Workflow) -> list[Gap]:
    if GCP_NAME.match(workflow.name):
        return []
    limit = "a name has a letter first, then letters, digits, '_' and '-', 64 in all"
    return [Gap(None, f"the name {workflow.name!r}", "gcp", limit, "rename the workflow")]


def _size(text: str) -> list[Gap]:
    size = _bytes(text)
    if size <= GCP_SOURCE_BYTES:
        return []
    limit = f"a source has at most {GCP_SOURCE_BYTES} bytes, this has {size}"
    return [Gap(None, "a long workflow", "gcp", limit, "split it; a task may start another run")]


def _bytes(text: str) -> int:
    return len(text.encode("utf-8"))
