"""The kit itself: it loads nothing before it is used, and it finds broken adapters."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from cartwheel import testing as kit

BROKEN = Path(__file__).with_name("broken_adapters.py")


def test_the_plugin_imports_nothing_but_pytest_and_the_standard_library() -> None:
    code = (
        "import json, sys, pytest; before = set(sys.modules); import cartwheel.testing.plugin; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert "cartwheel" in loaded
    assert loaded - {"cartwheel"} <= set(sys.stdlib_module_names)


def test_every_name_of_the_kit_can_be_had() -> None:
    for name in kit.__all__:
        assert getattr(kit, name).__name__ in {name, "Callable"}
    with pytest.raises(AttributeError, match="nothing"):
        _ = kit.nothing
    assert set(kit.__all__) <= set(dir(kit))


def test_every_test_of_a_contract_states_a_claim() -> None:
    contracts = [getattr(kit, name) for name in kit.__all__ if name.endswith("Contract")]
    tests = {name for one in contracts for name in dir(one) if name.startswith("test_")}
    assert len(tests) > 150
    assert [name for name in sorted(tests) if name.count("_") < 3] == []


def test_each_planted_bug_is_found_by_the_contract(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", str(BROKEN), "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, f"--junitxml={report}", "--tb=no"],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    failed: dict[str, int] = {}
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314  # pytest wrote it
        contract = case.attrib["classname"].rpartition(".")[2]
        broke = case.find("failure") is not None or case.find("error") is not None
        failed[contract] = failed.get(contract, 0) + broke
    assert failed.pop("TestSound", None) == 0, done.stdout
    print(f"planted bugs: {len(failed)}, found: {sum(map(bool, failed.values()))}")
    assert len(failed) >= 18
    assert [name for name, count in failed.items() if not count] == []
