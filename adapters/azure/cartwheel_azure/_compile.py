"""The compiler's front door for Durable Functions: a workflow in, an orchestrator out."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from cartwheel.workflow import _ir as ir
from cartwheel.workflow._lower_saga import lower_saga
from cartwheel.workflow._targets import Compiled, Gap, Unsupported
from cartwheel_azure._expressions import RUNTIME, call, constant, name, runtime, store
from cartwheel_azure._names import digest, event_names, function_name
from cartwheel_azure._source import write
from cartwheel_azure._steps import MAIN, StepsWriter

TARGET = "azure"
ENTRY_POINT = "orchestrator"
"""The generator function of a compiled module that takes an SDK's context."""
NAME = "NAME"


def compile_workflow(workflow: ir.Workflow) -> Compiled:
    """Compile a workflow to a module for azure-functions-durable, with its runtime beside it.

    The name holds the definition's hash and one of the code, because an engine replays its code:
    a run ends on the orchestrator that it began with. Raises BuildError for a workflow with
    problems of its own, Unsupported for what Python's compiler refuses.
    """
    lowered = lower_saga(workflow)
    helper, text = runtime_file()
    sources = {step.name: step.at for step in ir.walk(workflow.body)}
    waits = (step.name for step in ir.walk(lowered.body) if isinstance(step, ir.WaitStep))
    writer = StepsWriter(sources, event_names(waits))
    main = writer.main(lowered.body)
    code = [*writer.policies, main]
    digests = workflow.content_hash[:12], digest(helper + _without_comments(code), 6)
    deployed = function_name(workflow.name, *digests)
    written = write(_module(workflow, deployed, helper, code))
    _refuse_what_python_refuses(workflow, written)
    entry = f"orchestrator_{deployed.replace('-', '_')}.py"
    return Compiled(TARGET, deployed, {entry: written, f"{helper}.py": text}, entry)


@cache
def runtime_file() -> tuple[str, str]:
    """Return the module name and the text of the runtime; another text has another name."""
    text = Path(__file__).with_name("_runtime.py").read_text(encoding="utf-8")
    return f"cartwheel_runtime_{digest(text, 8)}", text


def _module(workflow: ir.Workflow, deployed: str, helper: str, code: list[ast.stmt]) -> ast.Module:
    version = " ".join(workflow.version.split())
    about = (
        f"Workflow {workflow.name}, version {version}.\n\n"
        f"An orchestrator of Durable Functions, from the definition\n{workflow.content_hash}.\n"
        "Written by Cartwheel. Runs under way replay this code: don't change it, compile anew.\n"
    )
    start = ast.YieldFrom(value=call(runtime("orchestrate"), name("context"), name(MAIN)))
    entry = ast.FunctionDef(
        name=ENTRY_POINT,
        args=ast.arguments(
            posonlyargs=[],
            args=[ast.arg(arg="context", annotation=runtime("Context"))],
            kwonlyargs=[],
            kw_defaults=[],
            defaults=[],
        ),
        body=[_docstring("Run the workflow; register it under NAME."), ast.Return(value=start)],
        decorator_list=[],
        returns=runtime("Orchestration"),
        lineno=0,
    )
    annotations = ast.ImportFrom(
        module="__future__", names=[ast.alias(name="annotations")], level=0
    )
    return ast.Module(
        body=[
            _docstring(about),
            annotations,
            ast.Import(names=[ast.alias(name=helper, asname=RUNTIME)]),
            ast.Assign(targets=[store(NAME)], value=constant(deployed), lineno=0),
            *code[:-1],
            entry,
            code[-1],
        ],
        type_ignores=[],
    )


def _docstring(text: str) -> ast.stmt:
    return ast.Expr(value=ast.Constant(value=text))


def _without_comments(code: list[ast.stmt]) -> str:
    """Return the text that decides what the code does; source lines are not among it."""
    module = ast.Module(body=code, type_ignores=[])
    kept = [line for line in write(module).splitlines() if not line.lstrip().startswith("#")]
    return "\n".join(kept)


def _refuse_what_python_refuses(workflow: ir.Workflow, text: str) -> None:
    """Raise Unsupported when the blocks or brackets nest deeper than Python reads."""
    try:
        compile(text, "<orchestrator>", "exec", dont_inherit=True)
    except (SyntaxError, RecursionError, MemoryError) as error:
        if isinstance(error, SyntaxError) and "too many" not in str(error):
            raise
        gap = Gap(
            None,
            "steps or expressions nested this deep",
            TARGET,
            f"Python refuses the orchestrator ({error})",
            "move the inner steps into a branch, or values into a variable",
        )
        raise Unsupported([gap], workflow.name) from None
