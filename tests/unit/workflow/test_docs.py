"""The examples of the language's manual run as they stand."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

MANUAL = Path(__file__).parents[3] / "docs" / "workflow-language.md"
TEXT = MANUAL.read_text(encoding="utf-8")
EXAMPLES = [
    (TEXT[: found.start()].count("\n") + 2, found[1])
    for found in re.finditer(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
]


@pytest.mark.parametrize(("line", "code"), EXAMPLES, ids=[f"line {line}" for line, _ in EXAMPLES])
def test_an_example_of_the_manual_runs(
    line: int, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    padded = "\n" * (line - 1) + code
    program = compile(padded, str(MANUAL), "exec", dont_inherit=True)
    manual = ModuleType("manual")
    # pydantic looks generic models up in their module.
    monkeypatch.setitem(sys.modules, "manual", manual)
    exec(program, vars(manual))  # noqa: S102  # our own text


def test_the_manual_has_an_example_for_every_construct() -> None:
    words = "when otherwise attempt catch saga parallel map_each sleep wait_for poll fail finish"
    shown = "\n".join(code for _, code in EXAMPLES)
    assert [word for word in words.split() if f"{word}(" not in shown] == []
