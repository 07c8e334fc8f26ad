"""Each correction of the emulator puts right a fault that it has without it, and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from cartwheel.ports import Json, JsonObject
from tests.engines.gcp.engine import WorkflowsEmulator
from tests.engines.gcp.probes import PROBES, Probe


@pytest.fixture(scope="module")
def engine() -> Iterator[WorkflowsEmulator]:
    engine = WorkflowsEmulator()
    engine.start()
    yield engine
    engine.stop()


def _run(engine: WorkflowsEmulator, probe: Probe, without: list[Json]) -> JsonObject:
    job: JsonObject = {"source": probe.source, "input": probe.input, "without": without}
    return engine.emulator.run({**job, "real": probe.real, "patience": 4})


@pytest.mark.parametrize("probe", PROBES, ids=str)
def test_the_emulator_alone_is_wrong(probe: Probe, engine: WorkflowsEmulator) -> None:
    ended = _run(engine, probe, [probe.correction])
    assert ended.get("result") != probe.expected, "the correction is not needed any more"


@pytest.mark.parametrize("probe", PROBES, ids=str)
def test_the_corrected_emulator_does_as_documented(probe: Probe, engine: WorkflowsEmulator) -> None:
    ended = _run(engine, probe, [])
    assert ended.get("result") == probe.expected, ended


def test_every_correction_has_a_probe() -> None:
    path = Path(__file__).with_name("corrections.py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Correction"
        and isinstance(node.args[0], ast.Constant)
    }
    assert names == {probe.correction for probe in PROBES}
