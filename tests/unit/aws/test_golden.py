"""The shop's workflows compile to what lies under tests/golden/aws, byte for byte.

CARTWHEEL_UPDATE_GOLDEN=1 writes it anew.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cartwheel_aws import check, compile_workflow
from cartwheel_workflows.cancel_order import cancel_order
from cartwheel_workflows.checkout import checkout

GOLDEN = Path(__file__).parents[2] / "golden" / "aws"
UPDATE = "CARTWHEEL_UPDATE_GOLDEN"
WORKFLOWS = {"checkout": checkout.ir, "cancel_order": cancel_order.ir}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_of_the_shop_compiles_to_its_golden_files(name: str) -> None:
    compiled = compile_workflow(WORKFLOWS[name])
    assert check(compiled) == ()
    folder = GOLDEN / name
    if os.environ.get(UPDATE) == "1":
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for path, text in compiled.files.items():
            (folder / path).write_bytes(text.encode("utf-8"))
    kept = {path.name: path.read_bytes().decode("utf-8") for path in folder.iterdir()}
    assert sorted(kept) == sorted(compiled.files), f"{UPDATE}=1 writes the files anew"
    for path, text in compiled.files.items():
        assert kept[path] == text, f"{path} differs; {UPDATE}=1 writes it anew"
