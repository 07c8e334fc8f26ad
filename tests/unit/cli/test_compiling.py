"""`shopctl workflow compile` and `cost` on every provider."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cartwheel.workflow import Workflow
from shopctl._prices import AS_OF, PRICES
from tests.unit.cli.conftest import Call

PROVIDERS = ("aws", "azure", "gcp")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_workflow_is_compiled_the_same_each_time(
    shopctl: Call, tmp_path: Path, provider: str
) -> None:
    printed = shopctl("workflow", "compile", "checkout", "--provider", provider)
    assert printed.code == 0, printed.err
    again = shopctl("workflow", "compile", "checkout", "--provider", provider)
    assert again.out == printed.out
    written = shopctl("workflow", "compile", "checkout", "--provider", provider, "--out", "made")
    assert written.code == 0
    files = sorted(path for path in (tmp_path / "made").rglob("*") if path.is_file())
    assert written.err.count("wrote ") == len(files) >= 1
    assert printed.out in [file.read_text(encoding="utf-8").rstrip("\n") + "\n" for file in files]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_workflow_as_data_compiles_to_the_same(
    shopctl: Call, tmp_path: Path, provider: str
) -> None:
    shopctl("workflow", "ir", "cancel_order", "--out", "ir.json")
    by_name = shopctl("workflow", "compile", "cancel_order", "--provider", provider, "--json")
    by_file = shopctl("workflow", "compile", "--ir", "ir.json", "--provider", provider, "--json")
    assert by_name.code == by_file.code == 0, by_file.err
    assert json.loads(by_name.out) == json.loads(by_file.out)
    document = json.loads(by_file.out)
    assert document["target"] == provider
    assert document["entry"] in document["files"]
    assert document["findings"] == []


def test_the_costs_stand_side_by_side(shopctl: Call) -> None:
    done = shopctl("workflow", "cost", "checkout")
    assert done.code == 0, done.err
    assert all(f"\n{provider}" in done.out for provider in PROVIDERS)
    assert AS_OF in done.out
    for prices in PRICES.values():
        assert all(price.source in done.out for price in prices.values())


def test_a_million_runs_cost_units_times_price(shopctl: Call) -> None:
    rows = json.loads(shopctl("workflow", "cost", "checkout", "--json").out)
    assert [row["provider"] for row in rows] == ["aws", "gcp", "azure"]
    for row in rows:
        prices = PRICES[row["provider"]]
        dollars = prices[row["unit"]].dollars_per_million * row["happy"]
        dollars += sum(prices[what].dollars_per_million * n for what, n in row["other"].items())
        assert row["dollars_per_million_runs"] == pytest.approx(dollars, abs=0.01)
        assert row["worst"] >= row["happy"] >= 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["compile", "--provider", "aws"], "give the workflow's name or --ir FILE"),
        (["compile", "nothing", "--provider", "aws"], "nothing"),
        (["compile", "checkout", "--provider", "memory"], "there are: aws, azure, gcp"),
        (["compile", "checkout"], "--provider"),
        (["compile", "--ir", "bad.json", "--provider", "aws"], "not a workflow"),
        (["compile", "--ir", "latin.json", "--provider", "aws"], "not UTF-8"),
        (["compile", "--ir", "missing.json", "--provider", "aws"], "missing.json"),
        (["cost", "checkout", "--ir", "bad.json"], "one of the two"),
        (["cost", "--ir", "unsound.json"], "nothing is named 'x' here"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cant_be_compiled_is_said(
    shopctl: Call, tmp_path: Path, arguments: list[str], says: str
) -> None:
    (tmp_path / "bad.json").write_text('{"name": 1}', encoding="utf-8")
    (tmp_path / "latin.json").write_bytes(b'{"name": "\xe9"}')
    unsound = {
        "name": "w",
        "version": "1",
        "input": {"kind": "object"},
        "output": {"kind": "json"},
        "body": [{"kind": "return", "name": "end", "value": {"kind": "ref", "name": "x"}}],
    }
    assert Workflow.model_validate(unsound).name == "w"
    (tmp_path / "unsound.json").write_text(json.dumps(unsound), encoding="utf-8")
    done = shopctl("workflow", *arguments)
    assert done.code != 0
    assert done.out == ""
    assert says in done.err
    assert "Traceback" not in done.err
