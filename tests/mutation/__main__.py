"""Mutates the domain's modules one by one and prints how many mutants the tests notice."""

from __future__ import annotations

import argparse
import contextlib
import importlib.abc
import importlib.util
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from cosmic_ray.mutating import mutate_code  # type: ignore[import-untyped]  # has no types
from cosmic_ray.plugins import get_operator, operator_names  # type: ignore[import-untyped]  # same

ROOT = Path(__file__).parents[2]
SECONDS = 60
"""CPU time that the tests of one mutant may take; longer counts as noticed, and is said."""
PATIENCE = 10 * SECONDS
"""The same on the clock, for a mutant that waits for ever; a busy machine needs much of it."""
SHOP, HTTP, E2E = "tests/unit/shop", "tests/unit/http", "tests/e2e"

TARGETS: dict[str, tuple[str, ...]] = {
    "cartwheel_shop._base": (f"{SHOP}/test_base.py", SHOP),
    "cartwheel_shop.inventory.model": (
        f"{SHOP}/test_inventory_model.py",
        f"{SHOP}/test_inventory_service.py",
    ),
    "cartwheel_shop.orders.model": (
        f"{SHOP}/test_orders_model.py",
        f"{SHOP}/test_orders.py",
        f"{E2E}/test_fulfilment.py",
    ),
    "cartwheel_shop.payments.model": (
        f"{SHOP}/test_payments_model.py",
        f"{SHOP}/test_payments.py",
        f"{E2E}/test_webhooks.py",
    ),
    "cartwheel.http._idempotency": (
        f"{HTTP}/test_idempotency_guard.py",
        f"{HTTP}/test_idempotency.py",
    ),
    "cartwheel_shop.users.model": (
        f"{SHOP}/test_users_model.py",
        f"{SHOP}/test_users.py",
        f"{SHOP}/test_accounts.py",
    ),
    "cartwheel_shop.users._tokens": (f"{SHOP}/test_tokens.py",),
    "cartwheel_shop.users._passwords": (f"{SHOP}/test_users.py",),
}
"""The module to mutate, and the tests that must notice, quickest first."""

EQUIVALENT = ("BitOr", "_Is_Eq", "_IsNot_NotEq", "_Eq_Is", "_NotEq_IsNot")
"""Operators that change no meaning here: unions in annotations, identity of enum members."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """Is a module's source with one thing changed."""

    operator: str
    line: str
    source: str


def mutants_of(source: str) -> Iterator[Mutant]:
    """Give every mutant of a module."""
    for name in operator_names():
        if any(part in name for part in EQUIVALENT):
            continue
        occurrence = 0
        while True:
            # Some operators fail on syntax that they do not know, and need arguments of their own.
            with contextlib.suppress(TypeError, AttributeError):
                changed = mutate_code(source, get_operator(name)(), occurrence)
                if changed is None or changed == source:
                    break
                yield Mutant(name.removeprefix("core/"), _changed_line(source, changed), changed)
                occurrence += 1
                continue
            break


def _changed_line(before: str, after: str) -> str:
    pairs = zip(before.splitlines(), after.splitlines(), strict=False)
    for number, (old, new) in enumerate(pairs, 1):
        if old != new:
            return f"{number}: {new.strip()}"
    return "the end"


class Served(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports one module from a text instead of its file."""

    def __init__(self, module: str, path: Path, source: str) -> None:
        self._module, self._path, self._source = module, path, source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer for the one module."""
        if fullname != self._module:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=str(self._path))

    def get_source(self, fullname: str) -> str:
        """Give the text."""
        return self._source


def survives(module: str, path: Path, mutant: str, tests: Sequence[str]) -> bool:
    """Run the tests on a mutant in a fork; False when any of them noticed."""
    child = os.fork()
    if child == 0:
        _run(module, path, mutant, tests)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        print(f"  ended by {signal.Signals(os.WTERMSIG(status)).name}: {module}", flush=True)
    return os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0


def _run(module: str, path: Path, mutant: str, tests: Sequence[str]) -> None:
    code = 1
    try:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.alarm(PATIENCE)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        sys.meta_path.insert(0, Served(module, path, mutant))
        import pytest

        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *OFF, *tests]))
    finally:
        os._exit(code)


OFF = (
    *("-p", "no:schemathesis", "-p", "no:xdist", "-p", "no:anyio"),
    "--assert=plain",  # pytest's own importer would read the mutated module from its file
)


def preload() -> None:
    """Load what every fork needs and no mutant touches."""
    import argon2
    import hypothesis
    import jwt
    import pluggy
    import pydantic
    import pytest
    import typer

    loaded = (argon2, hypothesis, jwt, pluggy, pydantic, pytest, typer)
    assert not [name for name in sys.modules if name.startswith("cartwheel")], loaded


def main() -> int:
    """Mutate what was asked for, or all; gives 1 when fewer than the goal were noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help=f"of {', '.join(TARGETS)}; none is all")
    parser.add_argument("--goal", type=float, default=85.0, help="per cent to notice in all")
    asked = parser.parse_args()
    preload()
    os.chdir(ROOT)
    all_killed = all_total = 0
    for module in asked.modules or TARGETS:
        path = next(ROOT.glob(f"core/{module.replace('.', '/')}.py"))
        source = path.read_text(encoding="utf-8")
        tests = [test for test in TARGETS[module] if (ROOT / test).exists()]
        if not survives(module, path, source, tests):
            print(f"{module}: its tests fail without any mutant", file=sys.stderr)
            return 2
        killed = total = 0
        for mutant in mutants_of(source):
            total += 1
            if survives(module, path, mutant.source, tests):
                print(f"  lives: {module} {mutant.operator} {mutant.line}", flush=True)
            else:
                killed += 1
        share = 100 * killed / total if total else 100.0
        print(f"{module}: {killed} of {total} noticed, {share:.1f} %", flush=True)
        all_killed, all_total = all_killed + killed, all_total + total
    share = 100 * all_killed / all_total if all_total else 100.0
    print(f"all: {all_killed} of {all_total} noticed, {share:.1f} % (goal {asked.goal:g} %)")
    return 0 if share >= asked.goal else 1


if __name__ == "__main__":
    raise SystemExit(main())
