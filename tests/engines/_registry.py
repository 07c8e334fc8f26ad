"""The engines that nobody here wrote, by name, and what each is known not to run."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import get_args

from cartwheel.plugins import load_adapter
from cartwheel.workflow import Compiled, Workflow
from cartwheel.workflow._expr import CompareExpr, FormatExpr, walk_expr
from cartwheel.workflow._ir import expressions, walk
from tests.engines._driver import Engine, Kind, Known

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
    table: tuple[Known, ...] | dict[str, str] = getattr(_tables(name), "KNOWN", ())
    if isinstance(table, dict):
        return {program: _read(name, program, text) for program, text in table.items()}
    return {each.program: each for each in table if each.engine == name}


def _tables(engine: str) -> ModuleType | None:
    module = f"tests.engines.{target_of(engine)}.known"
    return None if find_spec(module) is None else import_module(module)


def _read(engine: str, program: str, text: str) -> Known:
    """Read a row that is text: what kind of gap it is, a colon, the reason."""
    kind, _, reason = text.partition(": ")
    for known_kind in get_args(Kind):
        if kind == known_kind:
            return Known(engine, program, known_kind, reason)
    raise ValueError(f"{program}: {text!r} begins with none of {get_args(Kind)}")


def hit_by(engine: str, workflow: Workflow) -> str | None:
    """Name the known program that shows the engine's own bug which a workflow would meet."""
    for program, meets in _BUGS.get(engine, {}).items():
        if meets(workflow):
            return program
    return None


def _orders_texts(workflow: Workflow) -> bool:
    """Tell whether two texts are put in order; in random programs the left one is put together."""
    conditions = (expr for step in walk(workflow.body) for expr in expressions(step))
    return any(
        isinstance(part, CompareExpr)
        and part.op not in {"==", "!="}
        and isinstance(part.left, FormatExpr)
        for condition in conditions
        for part in walk_expr(condition)
    )


_BUGS: dict[str, dict[str, Callable[[Workflow], bool]]] = {
    "ministack": {"strings_compare_by_code_point": _orders_texts},
}
"""Which random workflows meet an engine's bug, by the program of its table of known gaps."""


def compile_for(target: str, workflow: Workflow) -> Compiled:
    """Compile a workflow with a target's compiler."""
    return load_adapter(target).compile_workflow(workflow)
