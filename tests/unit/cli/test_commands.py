"""What the reading commands print, for people and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cartwheel.workflow import Workflow
from shopctl._output import table
from tests.unit.cli.conftest import HELLO, Call


def test_routes_are_listed_for_people(hello: Call) -> None:
    lines = hello("routes").out.splitlines()
    assert lines[0].split() == ["METHOD", "PATH", "WHO", "STATUS", "KEY", "SUMMARY"]
    assert any("/greetings/{name}" in line and "Greet somebody" in line for line in lines)
    assert len(lines) == 5


def test_routes_are_listed_as_json(hello: Call) -> None:
    rows = json.loads(hello("routes", "--json").out)
    welcome = next(row for row in rows if row["path"] == "/welcomes")
    assert welcome == {
        "method": "POST",
        "path": "/welcomes",
        "permission": "anyone",
        "status": 202,
        "idempotent": True,
        "errors": [],
        "service": "hello",
        "name": "hello.welcome_somebody",
        "summary": "Start a welcome; it goes on when the answer comes.",
    }


def test_the_shop_is_the_default(shopctl: Call) -> None:
    rows = json.loads(shopctl("routes", "--json").out)
    assert {"/checkout", "/products", "/cart/items"} <= {row["path"] for row in rows}


def test_openapi_is_printed_or_written(hello: Call, tmp_path: Path) -> None:
    printed = json.loads(hello("openapi").out)
    assert printed["openapi"].startswith("3.1")
    target = tmp_path / "api.json"
    done = hello("openapi", "--out", str(target))
    assert done.out == ""
    assert "wrote" in done.err
    assert json.loads(target.read_text(encoding="utf-8")) == printed


def test_workflows_are_listed(hello: Call) -> None:
    assert "welcome" in hello("workflow", "list").out
    (row,) = json.loads(hello("workflow", "list", "--json").out)
    assert row["name"] == "welcome"
    assert row["signals"] == {"answered": "{text: str}"}
    assert row["tasks"]["hello.say"]["input"] == "{name: str}"
    assert row["steps_by_kind"] == {"return": 1, "task": 1, "wait": 1}


def test_a_workflow_is_shown(hello: Call) -> None:
    text = hello("workflow", "show", "welcome").out
    assert "takes    {name: str}" in text
    assert "hello.say" in text
    assert "answered" in text
    shown = json.loads(hello("workflow", "show", "welcome", "--json").out)
    assert shown["name"] == "welcome"


def test_a_workflow_is_drawn(hello: Call) -> None:
    assert "say" in hello("workflow", "graph", "welcome").out
    drawn = hello("workflow", "graph", "welcome", "--format", "mermaid").out
    assert drawn.startswith("flowchart")


def test_workflows_are_linted(hello: Call) -> None:
    done = hello("workflow", "lint", "--json")
    assert done.code == 0
    rows = json.loads(done.out)
    assert all(row["severity"] != "error" for row in rows)
    assert "1 workflow(s) checked" in hello("workflow", "lint", "welcome").out


def test_a_workflow_as_data_is_the_workflow(hello: Call) -> None:
    data = hello("workflow", "ir", "welcome").out
    shown = json.loads(hello("workflow", "show", "welcome", "--json").out)
    assert Workflow.from_json(data).content_hash == shown["hash"]


def test_the_schema_describes_workflows(shopctl: Call) -> None:
    assert {"name", "version", "body"} <= set(
        json.loads(shopctl("workflow", "schema").out)["properties"]
    )


def test_a_run_prints_its_timeline(hello: Call) -> None:
    signal = ("--signal", 'answered={"text": "hi"}')
    done = hello("workflow", "run", "welcome", "--input", '{"name": "ada"}', *signal)
    assert done.code == 0
    assert '{"text": "hello ada"}' in done.out
    assert "succeeded" in done.out


@pytest.mark.parametrize("adapter", ["memory", "local"])
def test_a_run_on_each_adapter_ends_the_same(hello: Call, tmp_path: Path, adapter: str) -> None:
    given = tmp_path / "in.json"
    given.write_text('{"name": "ada"}', encoding="utf-8")
    done = hello(
        "workflow",
        "run",
        "welcome",
        "--input",
        f"@{given}",
        "--signal",
        'answered={"text": "hi"}',
        "--adapter",
        adapter,
        "--run-id",
        "mine",
        "--json",
    )
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert document["run"]["run_id"] == "mine"
    assert document["run"]["status"] == "succeeded"
    assert document["run"]["output"] == {"greeting": "hello ada", "answer": "hi"}
    assert {entry["kind"] for entry in document["history"]} == {"task", "signal"}


def test_a_run_that_fails_fails_the_command_and_a_day_takes_no_time(hello: Call) -> None:
    done = hello("workflow", "run", "welcome", "--input", "-", "--json", stdin='{"name": "ada"}')
    assert done.code == 1
    run = json.loads(done.out)["run"]
    assert run["error"]["code"] == "Timeout"
    assert run["ended_at"].startswith("2026-01-02T00:00:00")


def test_adapters_are_listed(shopctl: Call) -> None:
    assert "memory" in shopctl("adapters").out
    rows = {row["name"]: row for row in json.loads(shopctl("adapters", "--json").out)}
    assert {"memory", "local"} <= rows.keys()
    assert rows["memory"]["state"] == "ready"
    assert rows["memory"]["virtual_time"] is True
    assert rows["local"]["durable"] is True
    assert rows["local"]["can"] == "run"


def test_the_doctor_finds_the_example_well(hello: Call, tmp_path: Path) -> None:
    done = hello("doctor", "--json", "--port", "0", "--data", str(tmp_path / "data"))
    report = json.loads(done.out)
    assert report["ok"], report
    assert done.code == 0
    names = {check["name"] for check in report["checks"]}
    assert {"python", "sqlite", "application", "data folder", "workflow welcome"} <= names
    assert not (tmp_path / "data").exists()


def test_the_doctor_says_what_is_wrong_and_fails(shopctl: Call, tmp_path: Path) -> None:
    (tmp_path / "ailing.py").write_text("app = undefined\n", encoding="utf-8")
    done = shopctl("doctor", "--app", "ailing:app", "--port", "0", "--json")
    report = json.loads(done.out)
    assert done.code == 1
    assert not report["ok"]
    (bad,) = [check for check in report["checks"] if check["state"] == "problem"]
    assert "NameError" in bad["detail"]


def test_a_project_is_found_from_a_folder_inside_it(
    shopctl: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    (tmp_path / "outer_app.py").write_text(
        "from cartwheel.app import App\napp = App('outer', services=[])\n", encoding="utf-8"
    )
    (tmp_path / "pyproject.toml").write_text(
        '[tool.cartwheel]\napp = "outer_app:app"\n', encoding="utf-8"
    )
    # A nearer project that names no application does not hide the outer one.
    (tmp_path / "a" / "pyproject.toml").write_text('[project]\nname = "a"\n', encoding="utf-8")
    monkeypatch.chdir(inside)
    assert json.loads(shopctl("routes", "--json").out) == []
    assert shopctl("routes").out == "the application has no routes\n"


def test_the_option_wins_over_the_project(hello: Call) -> None:
    rows = json.loads(hello("routes", "--json", "--app", "cartwheel_workflows.shop:app").out)
    assert "/checkout" in {row["path"] for row in rows}


def test_tables_are_aligned_and_hold_one_line_per_row(capsys: pytest.CaptureFixture[str]) -> None:
    table(("a", "long name"), [("x\ny", "1"), ("longer", "[bold]2")])
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["A       LONG NAME", "x y     1", "longer  [bold]2"]


def test_the_example_is_the_one_that_is_tested(hello: Call) -> None:
    assert Path.cwd() == HELLO
    assert hello("routes").code == 0
