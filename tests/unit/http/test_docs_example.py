"""The examples in docs/http.md do what they say."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

from cartwheel.http import __all__ as public

PAGE = Path(__file__).parents[3] / "docs" / "http.md"


def test_the_examples_run_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 3
    module = types.ModuleType("notebook")
    monkeypatch.setitem(sys.modules, "notebook", module)
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), vars(module))  # noqa: S102  # our own page


def test_every_code_in_the_table_of_refusals_is_one() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| \d{3}.*?\| (.*?) \|", text, re.MULTILINE)
    codes = {code for row in rows for code in re.findall(r"`(\w+)`", row)}
    names = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() for name in public}
    assert codes - names == {"conflict", "internal", "unavailable"}
    assert len(codes) == 19
