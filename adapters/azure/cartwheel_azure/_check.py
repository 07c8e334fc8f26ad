"""Checks a compiled orchestrator for what the host refuses and what a replay would misread.

The rules hold for the text, whoever wrote it: a hand-edited orchestrator is checked as well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

from cartwheel.workflow._targets import Compiled, Finding
from cartwheel_azure._compile import ENTRY_POINT, NAME
from cartwheel_azure._expressions import RUNTIME
from cartwheel_azure._names import FUNCTION_NAME, VERSION_ENDING, digest

RUNTIME_PREFIX = "cartwheel_runtime_"
LARGEST_FILE = 1_000_000
"""Bytes above which every cold start reads for too long."""

_PURE_MODULES = frozenset(
    (
        "__future__",
        "collections",
        "contextlib",
        "dataclasses",
        "datetime",
        "hashlib",
        "json",
        "typing",
    )
)
_FORBIDDEN_CALLS = frozenset(
    (
        *("__import__", "compile", "eval", "exec", "globals", "input", "open", "print"),
        *("frozenset", "hash", "id", "set", "vars"),
    )
)
_FORBIDDEN_ATTRIBUTES = {
    "now": "it reads the clock",
    "utcnow": "it reads the clock",
    "today": "it reads the clock",
    "new_uuid": "ids come from the run's own",
    "new_guid": "ids come from the run's own",
    "call_activity_with_retry": "the SDK's retry has no filter by code",
    "call_sub_orchestrator_with_retry": "the SDK's retry has no filter by code",
    "task_all": "it never ends on an empty list, and fails before all have settled",
    "continue_as_new": "it forgets what a replay needs",
}
_CONTEXT_CALLS = frozenset(
    (
        "call_activity",
        "call_sub_orchestrator",
        "create_timer",
        "task_any",
        "wait_for_external_event",
    )
)
_WAITING = frozenset(("call", "map_each", "parallel", "sleep", "sleep_until", "undo", "wait"))


def check(compiled: Compiled) -> tuple[Finding, ...]:
    """Find what the host would refuse, and what breaks a replay."""
    return tuple(_findings(compiled))


def _findings(compiled: Compiled) -> Iterator[Finding]:
    if not FUNCTION_NAME.match(compiled.name):
        what = f"the host takes no function named {compiled.name!r}"
        yield Finding("name", compiled.name, what, "small letters, digits, '_', '-', 128 in all")
    if not VERSION_ENDING.search(compiled.name):
        what = "the name does not hold the definition's hash, so new code would be replayed"
        yield Finding("version", compiled.name, what, "compile the workflow anew")
    for path, text in compiled.files.items():
        if len(text.encode("utf-8", "surrogatepass")) > LARGEST_FILE:
            yield Finding(
                "size", path, f"it is longer than {LARGEST_FILE} bytes", "split the workflow"
            )
        stem = path.removesuffix(".py")
        if stem.startswith(RUNTIME_PREFIX) and digest(text, 8) != stem.removeprefix(RUNTIME_PREFIX):
            what = "the text is not the one that the name's hash is of"
            yield Finding("runtime", path, what, "runs under way replay it: restore it")
        yield from _replay_findings(path, text)
    try:
        tree = ast.parse(compiled.main)
    except SyntaxError:
        return
    yield from _entry_findings(compiled, tree)


@lru_cache(maxsize=64)
def _replay_findings(path: str, text: str) -> tuple[Finding, ...]:
    """Find what makes a file's code behave otherwise in a replay."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        return (Finding("syntax", f"{path}:{error.lineno}", f"Python refuses it: {error.msg}"),)
    return tuple(
        Finding(rule, f"{path}:{getattr(node, 'lineno', 0)}", what, remedy)
        for node in ast.walk(tree)
        for rule, what, remedy in _node_findings(node)
    )


def _node_findings(node: ast.AST) -> Iterator[tuple[str, str, str]]:
    pure = "call a task for it"
    match node:
        case ast.Import(names=names):
            for each in names:
                yield from _import_findings(each.name)
        case ast.ImportFrom(module=module):
            yield from _import_findings(module or "")
        case ast.Call(func=ast.Name(id=called)) if called in _FORBIDDEN_CALLS:
            yield "pure", f"{called}() has no place in an orchestrator", pure
        case ast.Attribute(attr=attr) if attr in _FORBIDDEN_ATTRIBUTES:
            yield "pure", f".{attr}: {_FORBIDDEN_ATTRIBUTES[attr]}", "use the runtime's functions"
        case ast.Set() | ast.SetComp():
            yield "pure", "the order of a set changes from process to process", "use a tuple"
        case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
            yield "generator", "an orchestrator is a generator, never async", "use yield from"
        case ast.Global() | ast.Nonlocal():
            yield "pure", "what is shared between turns is not replayed", "pass it on as a value"
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=attr))) if attr in _CONTEXT_CALLS:
            yield "yielded", f".{attr}() is not awaited, so the SDK 1.7 never runs it", "yield it"
        case _:
            return


def _import_findings(module: str) -> Iterator[tuple[str, str, str]]:
    top = module.partition(".")[0]
    if top not in _PURE_MODULES and not top.startswith(RUNTIME_PREFIX):
        yield "import", f"{module} may do I/O or read the clock", "leave it to a task"


def _entry_findings(compiled: Compiled, tree: ast.Module) -> Iterator[Finding]:
    """Find what is wrong with the orchestrator itself."""
    path = compiled.entry
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if constants.get(NAME) != compiled.name:
        what = f"{NAME} is {constants.get(NAME)!r}, the workflow is deployed as {compiled.name!r}"
        yield Finding("name", path, what, "compile the workflow anew")
    for node in tree.body:
        if isinstance(node, ast.Import):
            for each in node.names:
                if each.asname == RUNTIME and f"{each.name}.py" not in compiled.files:
                    yield Finding(
                        "runtime", path, f"its runtime {each.name}.py is not among the files"
                    )
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    entry = functions.get(ENTRY_POINT)
    if entry is None or [each.arg for each in entry.args.args] != ["context"]:
        what = f"there is no function {ENTRY_POINT}(context), which the SDKs call"
        yield Finding("generator", path, what, "compile the workflow anew")
    yield from _yield_findings(path, tree)
    yield from _event_findings(path, tree)


def _yield_findings(path: str, tree: ast.Module) -> Iterator[Finding]:
    awaited = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.YieldFrom)}
    branches = {
        id(branch)
        for node in ast.walk(tree)
        if _verb(node) == "parallel" and isinstance(node, ast.Call)
        for branch in node.args
    }
    inner = {
        node.name
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.FunctionDef) and node is not function
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        where = f"{path}:{node.lineno}"
        verb = _verb(node)
        if verb in _WAITING and id(node) not in awaited:
            yield Finding("yielded", where, f"run.{verb}() is not awaited", "yield from it")
        if isinstance(node.func, ast.Name) and node.func.id in inner and id(node) not in branches:
            what = f"{node.func.id}() starts nothing by itself"
            yield Finding("yielded", where, what, "give it to run.parallel")
        if isinstance(node.func, ast.Attribute) and node.func.attr in _CONTEXT_CALLS:
            what = f"the orchestrator calls {node.func.attr} past its runtime"
            yield Finding("yielded", where, what, "let the runtime do it")


def _event_findings(path: str, tree: ast.Module) -> Iterator[Finding]:
    """Find two waits on one event: the SDK 1.7 answers the later one first."""
    seen: set[str] = set()
    for node in ast.walk(tree):
        if _verb(node) != "wait" or not isinstance(node, ast.Call) or len(node.args) < 3:
            continue
        event = node.args[2]
        if not isinstance(event, ast.Constant) or not isinstance(event.value, str):
            continue
        if event.value.lower() in seen:
            what = f"two waits have the event {event.value!r}, told apart without regard to case"
            yield Finding("event", f"{path}:{node.lineno}", what, "give each its own")
        seen.add(event.value.lower())


def _verb(node: ast.AST) -> str | None:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="run"), attr=verb)):
            return verb
        case _:
            return None
