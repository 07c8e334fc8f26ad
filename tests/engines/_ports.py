"""The part of docs/parity.md about ports: which adapter is held to which contract, and on what.

It is read from the tests themselves: a class in tests/contract derived from a contract is run by
the build, and a test of it that is marked as failing must fail.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cartwheel import testing as kit

TESTS = Path(__file__).parents[1]
_OTHERS = ("Contract", "WorkflowLanguageContract")
"""The base of all, and what the rest of the page is about."""
CONTRACTS = tuple(name for name in kit.__all__ if name.endswith("Contract") and name not in _OTHERS)
HELD = {
    "memory": ("test_memory.py",),
    "local": ("test_local.py",),
    "aws": ("test_aws.py",),
    "gcp": ("test_gcp.py",),
    "azure": ("test_azure.py", "test_azure_http.py"),
}
ON = {
    "memory": "this process, with virtual time",
    "local": "SQLite and a real HTTP server on this machine",
    "aws": "a stage that CloudFormation deployed to ministack 1.5.33, with functions under "
    "awslambdaric 4.2.2",
    "gcp": "Google's Firestore emulator, functions-framework 3.10.1",
    "azure": "Azurite 3.35.0, azure-functions-runtime 1.3.0",
}
ELSE = {
    "every program of the corpus that ends within minutes, through deployed functions": (
        "contract/test_aws_language.py"
    ),
    "the HTTP events of API Gateway in both formats, function URLs and load balancers": (
        "contract/test_aws_http.py"
    ),
    "deploying, changing, going back, drift, destroying": "e2e/aws/test_deploying.py",
    "an end of the deployer before and after each call of AWS": "e2e/aws/test_interrupted.py",
    "a customer's day over the deployed API, its failures, 64 buyers for 20 units": (
        "e2e/aws/test_day.py"
    ),
    "a day of the shop over Firestore": "e2e/test_shop_on_firestore.py",
}
HEAD = """\
## Ports

Each adapter is held to the same contracts (`cartwheel.testing`), on what stands in for its
platform. An empty cell is not there yet.

"""


@dataclass(frozen=True, slots=True)
class Gap:
    """Is a test of a contract that is known not to pass, with the reason."""

    test: str
    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """Says that an adapter is held to a contract: `only` says when, otherwise always."""

    gaps: tuple[Gap, ...] = ()
    only: str = ""


def held(adapter: str) -> dict[str, Held]:
    """Give the contracts that an adapter is held to, by name."""
    found: dict[str, Held] = {}
    for name in HELD[adapter]:
        tree = ast.parse((TESTS / "contract" / name).read_text(encoding="utf-8"))
        constants = dict(_constants(tree))
        for node in tree.body:
            if not isinstance(node, ast.ClassDef):
                continue
            for base in node.bases:
                contract = base.attr if isinstance(base, ast.Attribute) else ""
                if contract in CONTRACTS:
                    found.setdefault(contract, _held(node, constants))
    return found


def _constants(tree: ast.Module) -> Iterator[tuple[str, object]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            if isinstance(value, ast.Call) and _is_mark(value, "xfail"):
                yield node.targets[0].id, value
            elif isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield node.targets[0].id, value.value


def _held(node: ast.ClassDef, constants: dict[str, object]) -> Held:
    gaps: list[Gap] = []
    for part in node.body:
        if isinstance(part, ast.FunctionDef):
            for mark in ast.walk(part):
                reason = _xfail(mark, constants)
                if reason is not None:
                    gaps.append(Gap(part.name, reason))
    skips = [m for m in node.decorator_list if isinstance(m, ast.Call) and _is_mark(m, "skipif")]
    return Held(tuple(gaps), _reason(skips[0], constants) if skips else "")


def _xfail(node: ast.AST, constants: dict[str, object]) -> str | None:
    named = constants.get(node.id) if isinstance(node, ast.Name) else None
    call = named if isinstance(named, ast.Call) else node
    if isinstance(call, ast.Call) and _is_mark(call, "xfail"):
        return _reason(call, constants)
    return None


def _is_mark(call: ast.Call, name: str) -> bool:
    return ast.unparse(call.func) == f"pytest.mark.{name}"


def _reason(call: ast.Call, constants: dict[str, object]) -> str:
    given = next(word.value for word in call.keywords if word.arg == "reason")
    texts = {name: text for name, text in constants.items() if isinstance(text, str)}
    # A reason is a text, a name of one, or a text that is filled in.
    value: object = eval(ast.unparse(given), {"__builtins__": {}}, texts)  # noqa: S307  # of our own tests
    return str(value)


def ports() -> str:
    """Give the part of the page."""
    tables = {adapter: held(adapter) for adapter in HELD}
    parts = [HEAD, "| adapter | runs on |\n| --- | --- |\n"]
    parts += [f"| {adapter} | {on} |\n" for adapter, on in ON.items()]
    parts.append("\n| contract | " + " | ".join(HELD) + " |\n| --- |" + " --- |" * len(HELD) + "\n")
    for contract in CONTRACTS:
        row = " | ".join(_cell(tables[adapter].get(contract)) for adapter in HELD)
        parts.append(f"| {contract.removesuffix('Contract')} | {row} |\n")
    parts.append("\n")
    for adapter, table in tables.items():
        for contract, found in table.items():
            place = f"{adapter}, {contract.removesuffix('Contract')}"
            if found.only:
                parts.append(f"- {place}: {found.only}\n")
            parts += [f"- {place}, `{gap.test}`: {gap.reason}\n" for gap in found.gaps]
    parts.append("\nBeside the contracts:\n\n")
    parts += [f"- {what} (`tests/{path}`)\n" for what, path in ELSE.items()]
    return "".join(parts)


def _cell(found: Held | None) -> str:
    if found is None:
        return ""
    words = ["proved in the soak" if found.only else "proved"]
    if found.gaps:
        words.append(f"all but {len(found.gaps)}")
    return ", ".join(words)
