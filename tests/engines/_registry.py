"""The engines that nobody here wrote, by name, and what each is known not to run."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from cartwheel.plugins import load_adapter
from cartwheel.workflow import Compiled, Workflow
from tests.engines._driver import Engine, Known

_CLASSES = {
    "ministack": ("tests.engines.aws.engines", "Ministack"),
    "moto": ("tests.engines.aws.engines", "Moto"),
    "workflows-emulator": ("tests.engines.gcp.engine", "WorkflowsEmulator"),
    "durable-1.7": ("tests.engines.azure._engines", "Durable1"),
    "durable-2.0": ("tests.engines.azure._engines", "Durable2"),
}
ENGINES = tuple(_CLASSES)
TARGETS = ("aws", "gcp", "azure")


def make(name: str) -> Engine:
    """Make an engine; nothing is started yet."""
    module, class_name = _CLASSES[name]
    made = getattr(import_module(module), class_name)()
    assert isinstance(made, Engine)
    return made


def target_of(name: str) -> str:
    """Give the target whose programs an engine runs."""
    return _CLASSES[name][0].split(".")[2]


def known(name: str) -> dict[str, Known]:
    """Give the programs that an engine is known not to run, by name; none without a table."""
    module = f"tests.engines.{target_of(name)}.known"
    if find_spec(module) is None:
        return {}
    table: tuple[Known, ...] = import_module(module).KNOWN
    return {each.program: each for each in table if each.engine == name}


def compile_for(target: str, workflow: Workflow) -> Compiled:
    """Compile a workflow with a target's compiler."""
    return load_adapter(target).compile_workflow(workflow)
