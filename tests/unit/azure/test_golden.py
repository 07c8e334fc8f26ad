"""The shop's workflows compile to what lies under tests/golden/azure, byte for byte.

CARTWHEEL_UPDATE_GOLDEN=1 writes it anew. The files end in `.txt`, so that no tool takes them for
code of this repository.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cartwheel_azure import compile_workflow
from cartwheel_workflows.cancel_order import cancel_order
from cartwheel_workflows.checkout import checkout

GOLDEN = Path(__file__).parents[2] / "golden" / "azure"
UPDATE = "CARTWHEEL_UPDATE_GOLDEN"
WORKFLOWS = {"checkout": checkout.ir, "cancel_order": cancel_order.ir}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_of_the_shop_compiles_to_its_golden_files(name: str) -> None:
    made = {f"{path}.txt": text for path, text in compile_workflow(WORKFLOWS[name]).files.items()}
    folder = GOLDEN / name
    if os.environ.get(UPDATE) == "1":
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for path, text in made.items():
            (folder / path).write_bytes(text.encode("utf-8"))
    kept = {path.name: path.read_bytes().decode("utf-8") for path in folder.iterdir()}
    assert sorted(kept) == sorted(made), f"{UPDATE}=1 writes the files anew"
    for path, text in made.items():
        assert kept[path] == text, f"{path} differs; {UPDATE}=1 writes it anew"
