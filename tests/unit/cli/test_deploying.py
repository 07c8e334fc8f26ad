"""The commands that deploy, over a deployer that keeps its stages in memory."""

from __future__ import annotations

import io
import json
import sys
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cartwheel.deployment import (
    Access,
    BuildOptions,
    Bundle,
    Change,
    Deployment,
    DeploymentError,
    Drift,
    LogLine,
    Outside,
    Plan,
    Progress,
    Removed,
    Step,
)
from cartwheel.manifest import Manifest
from cartwheel.plugins import GROUP, AdapterInfo, hookimpl
from cartwheel.ports import Json
from cartwheel_outside import Settings, read_settings
from shopctl._deploy import seconds_of
from shopctl._errors import UsageError
from shopctl._settings import variables
from tests.unit.cli.conftest import Call

MODULE = "plugin_for_the_sky"


@dataclass
class Sky:
    """Is a provider in memory: what is deployed, by stage, as resources with a text each."""

    stages: dict[str, dict[str, str]] = field(default_factory=dict)
    wanted: dict[str, str] = field(default_factory=lambda: {"api": "1", "orders": "1"})
    built: list[BuildOptions] = field(default_factory=list)
    asked: list[Access] = field(default_factory=list)
    drifted: tuple[Drift, ...] = ()
    interrupt: bool = False
    broken: str = ""

    @hookimpl
    def cartwheel_adapter_info(self) -> AdapterInfo:
        """Describe it."""
        return AdapterInfo("sky", "keeps stages in memory")

    @hookimpl
    def cartwheel_build(self, manifest: Manifest, options: BuildOptions) -> Bundle:
        """Make a file per resource."""
        self.built.append(options)
        options.say("building")
        files = {f"{name}.txt": text.encode() for name, text in self.wanted.items()}
        return Bundle("sky", manifest.app, options.stage, files, ("two parts",))

    @hookimpl
    def cartwheel_deployer(self, app: str, access: Access) -> SkyDeployer:
        """Give the deployer."""
        self.asked.append(access)
        return SkyDeployer(self, app, access.stage)


@dataclass
class SkyDeployer:
    """Deploys to the sky."""

    sky: Sky
    app: str
    stage: str

    @property
    def held(self) -> dict[str, str]:
        """Give what is deployed."""
        return self.sky.stages.get(self.stage, {})

    def plan(self, bundle: Bundle) -> Plan:
        """Compare."""
        new = {name.removesuffix(".txt"): text.decode() for name, text in bundle.files.items()}
        changes = [Change("add", "part", n, data=n == "orders") for n in new if n not in self.held]
        changes += [
            Change("change", "part", n, (f"text: {self.held[n]} -> {new[n]}",), data=n == "orders")
            for n in new
            if n in self.held and self.held[n] != new[n]
        ]
        changes += [
            Change("remove", "part", n, data=n == "orders") for n in self.held if n not in new
        ]
        return Plan("sky", self.stage, tuple(changes))

    def deploy(
        self, bundle: Bundle, progress: Progress, *, allow_data_loss: bool = False
    ) -> Deployment:
        """Take over what the bundle has."""
        plan = self.plan(bundle)
        if plan.loses_data and not allow_data_loss:
            raise DeploymentError("this would take data away")
        for change in plan.changes:
            action = change.action if change.action != "replace" else "change"
            progress(Step("doing", change.name, change.kind, action=action))
            if self.sky.interrupt:
                raise KeyboardInterrupt
            if change.name == self.sky.broken:
                progress(Step("failed", change.name, change.kind, "no room"))
                raise DeploymentError(f"part {change.name}: no room")
            progress(Step("done", change.name, change.kind, action=action))
        self.sky.stages[self.stage] = {
            name.removesuffix(".txt"): text.decode() for name, text in bundle.files.items()
        }
        return self._found(changed=bool(plan.changes))

    def status(self) -> Deployment | None:
        """Look."""
        return self._found(changed=False) if self.stage in self.sky.stages else None

    def _found(self, *, changed: bool) -> Deployment:
        outputs = {"url": f"https://{self.stage}.example.com", "parts": str(len(self.held))}
        return Deployment("sky", self.app, self.stage, "UP", outputs, "v1", changed=changed)

    def rollback(self, progress: Progress) -> Deployment:
        """Refuse: there is no version before."""
        raise DeploymentError("there is no version before")

    def logs(self, function: str | None, since: float, *, follow: bool) -> Iterator[LogLine]:
        """Give two lines, and how long ago it was to begin."""
        yield LogLine("2026-01-01T00:00:00.000Z", function or "all", "first")
        yield LogLine("2026-01-01T00:00:01.000Z", "ago", str(round(time.time() - since)))

    def invoke(self, function: str, event: Json) -> Json:
        """Give back what came in."""
        return {"function": function, "event": event}

    def drift(self) -> tuple[Drift, ...]:
        """Give what the test put there."""
        return self.sky.drifted

    def destroy(self, progress: Progress, *, delete_data: bool) -> Removed:
        """Forget a stage, but for its data."""
        held = self.sky.stages.pop(self.stage, {})
        kept = [name for name in held if name == "orders" and not delete_data]
        gone = [name for name in held if name not in kept]
        for name in gone:
            progress(Step("done", name, "part", action="remove"))
        return Removed(tuple(f"part {n}" for n in gone), tuple(f"part {n}" for n in kept))


def install(folder: Path) -> None:
    """Make a distribution whose entry point is the sky, as an installed adapter's is."""
    info = folder / "sky-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: sky\nVersion: 1\n", encoding="utf-8")
    points = f"[{GROUP}]\nsky = {MODULE}\n"
    (info / "entry_points.txt").write_text(points, encoding="utf-8")


@pytest.fixture
def sky(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Sky:
    made = Sky()
    module = types.ModuleType(MODULE)
    for name in ("adapter_info", "build", "deployer"):
        setattr(module, f"cartwheel_{name}", getattr(made, f"cartwheel_{name}"))
    monkeypatch.setitem(sys.modules, MODULE, module)
    folder = tmp_path_factory.mktemp("sky")
    install(folder)
    monkeypatch.syspath_prepend(str(folder))
    return made


class Terminal(io.StringIO):
    """Is standard input with a person at it."""

    def isatty(self) -> bool:
        """Say that somebody is there."""
        return True


Answer = Callable[..., int]


@pytest.fixture
def answered(hello: Call, sky: Sky, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Call shopctl with a person at the terminal who types an answer."""
    from shopctl import main

    def call(answer: str, *arguments: str) -> int:
        monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
        return main([*arguments, "--provider", "sky"])

    return call


def test_what_is_built_is_written_and_named(hello: Call, sky: Sky, tmp_path: Path) -> None:
    done = hello("build", "--provider", "sky", "--out", str(tmp_path), "--stage", "test")
    assert done.code == 0
    assert done.out == ""
    assert "building" in done.err
    assert (tmp_path / "api.txt").read_text(encoding="utf-8") == "1"
    (options,) = sky.built
    assert (options.stage, options.architecture, options.folder.name) == ("test", "arm64", "hello")
    as_json = hello(
        "build", "--provider", "sky", "--out", str(tmp_path), "--architecture", "x86_64", "--json"
    )
    document = json.loads(as_json.out)
    assert [Path(path).name for path in document["files"]] == ["api.txt", "orders.txt"]
    assert (document["provider"], document["stage"]) == ("sky", "dev")
    assert sky.built[1].architecture == "x86_64"


def test_a_plan_is_a_diff_with_its_sum(hello: Call, sky: Sky) -> None:
    sky.stages["dev"] = {"api": "0", "orders": "1", "old": "1"}
    sky.wanted["new"] = "1"
    done = hello("plan", "--provider", "sky")
    assert done.code == 0
    assert done.out.splitlines() == [
        "  + part new",
        "  ~ part api",
        "      text: 0 -> 1",
        "  - part old",
        "1 to add, 1 to change, 0 to replace, 1 to remove",
    ]
    document = json.loads(hello("plan", "--provider", "sky", "--json").out)
    assert [one["action"] for one in document["changes"]] == ["add", "change", "remove"]
    sky.stages["dev"] = dict(sky.wanted)
    assert hello("plan", "--provider", "sky").out == "no change\n"


def test_a_deployment_tells_its_steps_on_standard_error(hello: Call, sky: Sky) -> None:
    done = hello("deploy", "--provider", "sky", "--stage", "test", "--yes")
    assert done.code == 0
    assert done.err.splitlines() == [
        "building",
        "  + part api ...",
        "  + part api",
        "  + part orders ...",
        "  + part orders",
    ]
    assert done.out.splitlines()[0] == "deployed"
    assert "  url      https://test.example.com" in done.out.splitlines()
    again = hello("deploy", "--provider", "sky", "--stage", "test", "--yes", "--json")
    document = json.loads(again.out)
    assert (document["changed"], document["outputs"]["parts"]) == (False, "2")


def test_where_and_who_is_passed_on(hello: Call, sky: Sky) -> None:
    where = ("--provider", "sky", "--stage", "prod", "--region", "north", "--profile", "work")
    hello("status", *where)
    assert sky.asked == [Access("prod", "north", "work")]


def test_an_unknown_provider_is_answered_with_those_that_deploy(hello: Call, sky: Sky) -> None:
    done = hello("plan", "--provider", "oracle")
    assert done.code == 2
    assert "no adapter 'oracle' deploys; there are: " in done.err
    assert "sky" in done.err
    assert "memory" not in done.err


@pytest.mark.parametrize("verb", ["deploy", "rollback", "destroy"])
def test_nothing_is_done_unasked_when_nobody_can_answer(hello: Call, sky: Sky, verb: str) -> None:
    sky.stages["dev"] = {"api": "0"}
    done = hello(verb, "--provider", "sky")
    assert done.code == 2
    assert "Nobody is there to answer" in done.err
    assert "hint: --yes answers" in done.err
    assert sky.stages == {"dev": {"api": "0"}}


def test_a_person_is_shown_the_plan_and_asked(
    answered: Answer, sky: Sky, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answered("n", "deploy") == 1
    assert sky.stages == {}
    said = capsys.readouterr()
    assert "2 to add" in said.out
    assert "Deploy stage 'dev' of 'hello' on sky? [y/N]" in said.err
    assert "not confirmed: nothing was changed" in said.err
    assert answered("y", "deploy") == 0
    assert sky.stages == {"dev": sky.wanted}
    # Where nothing changes nothing is asked.
    assert answered("", "deploy") == 0


def test_what_takes_data_away_is_refused_with_and_without_a_person(
    answered: Answer, hello: Call, sky: Sky, capsys: pytest.CaptureFixture[str]
) -> None:
    sky.stages["dev"] = dict(sky.wanted)
    del sky.wanted["orders"]
    assert answered("y", "deploy") == 1
    said = capsys.readouterr()
    assert "  - part orders  (keeps data)" in said.out
    assert "this would take data away: remove part orders; nothing was changed" in said.err
    assert hello("deploy", "--provider", "sky", "--yes").code == 1
    assert "orders" in sky.stages["dev"]
    assert hello("deploy", "--provider", "sky", "--yes", "--allow-data-loss").code == 0
    assert "orders" not in sky.stages["dev"]


def test_a_failure_ends_with_its_reason(hello: Call, sky: Sky) -> None:
    sky.broken = "orders"
    done = hello("deploy", "--provider", "sky", "--yes")
    assert done.code == 1
    assert "  ! part orders: no room" in done.err
    assert done.err.endswith("error: part orders: no room\n")


def test_an_interruption_says_that_the_provider_goes_on(hello: Call, sky: Sky) -> None:
    sky.interrupt = True
    done = hello("deploy", "--provider", "sky", "--yes")
    assert done.code == 130
    assert "sky goes on with what has begun; run the command again" in done.err


def test_status_and_outputs_fail_without_a_stage(hello: Call, sky: Sky) -> None:
    done = hello("status", "--provider", "sky")
    assert (done.code, done.out) == (1, "")
    assert "there is no stage 'dev' of 'hello' on sky" in done.err
    assert hello("status", "--provider", "sky", "--json").out == "null\n"
    assert hello("outputs", "--provider", "sky").code == 1
    sky.stages["dev"] = dict(sky.wanted)
    assert "hello on sky, stage dev: UP" in hello("status", "--provider", "sky").out
    printed = hello("outputs", "--provider", "sky", "--json").out
    assert json.loads(printed) == {"url": "https://dev.example.com", "parts": "2"}
    assert "https://dev.example.com" in hello("outputs", "--provider", "sky").out


def test_logs_are_lines_or_one_document(hello: Call, sky: Sky) -> None:
    done = hello("logs", "--provider", "sky", "--function", "orders", "--since", "2h", "--follow")
    assert done.out.splitlines() == [
        "2026-01-01T00:00:00.000Z orders first",
        "2026-01-01T00:00:01.000Z ago 7200",
    ]
    document = json.loads(hello("logs", "--provider", "sky", "--json").out)
    assert [line["text"] for line in document["lines"]] == ["first", "600"]
    assert hello("logs", "--provider", "sky", "--json", "--follow").code == 2
    assert hello("logs", "--provider", "sky", "--since", "yesterday").code == 2


def test_durations_are_read() -> None:
    read = [seconds_of(text) for text in ("90s", "10m", "2h", "1d")]
    assert read == [90, 600, 7200, 86400]
    for text in ("", "10", "m", "-1m", "1w", "1.5h"):
        with pytest.raises(UsageError, match="is no duration"):
            seconds_of(text)


def test_a_function_is_called_with_an_event(hello: Call, sky: Sky, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text('{"say": "hi"}', encoding="utf-8")
    printed = hello("invoke", "orders", "--provider", "sky", "--event", str(file)).out
    assert json.loads(printed) == {"function": "orders", "event": {"say": "hi"}}
    piped = hello("invoke", "orders", "--provider", "sky", "--event", "-", stdin="[1]").out
    assert json.loads(piped)["event"] == [1]
    assert json.loads(hello("invoke", "orders", "--provider", "sky").out)["event"] == {}
    assert hello("invoke", "orders", "--provider", "sky", "--event", "-", stdin="{").code == 2


def test_drift_has_an_exit_code_of_its_own(hello: Call, sky: Sky) -> None:
    done = hello("drift", "--provider", "sky")
    assert (done.code, done.out) == (0, "no drift\n")
    sky.drifted = (Drift("part", "api", "modified", ("text: 1 -> 2",)),)
    done = hello("drift", "--provider", "sky")
    assert (done.code, done.out.splitlines()) == (3, ["modified part api", "      text: 1 -> 2"])
    document = json.loads(hello("drift", "--provider", "sky", "--json").out)
    assert document["drift"][0]["state"] == "modified"


def test_going_back_tells_why_it_cant(hello: Call, sky: Sky) -> None:
    done = hello("rollback", "--provider", "sky", "--yes")
    assert (done.code, done.err) == (1, "error: there is no version before\n")


def test_destroying_keeps_data_unless_told_otherwise(
    answered: Answer, hello: Call, sky: Sky, capsys: pytest.CaptureFixture[str]
) -> None:
    sky.stages["dev"] = dict(sky.wanted)
    assert answered("n", "destroy", "--delete-data") == 1
    assert "with ALL its data?" in capsys.readouterr().err
    done = hello("destroy", "--provider", "sky", "--yes")
    assert done.out.splitlines() == ["removed part api", "kept part orders"]
    assert "--delete-data takes away what was kept" in done.err
    assert "there was nothing to remove" in hello("destroy", "--provider", "sky", "--yes").out
    sky.stages["dev"] = dict(sky.wanted)
    whole = hello("destroy", "--provider", "sky", "--yes", "--delete-data", "--json")
    assert json.loads(whole.out) == {"removed": ["part api", "part orders"], "kept": []}


def test_settings_are_passed_on_as_the_variables_that_say_the_same(
    hello: Call, sky: Sky, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CARTWHEEL_MAIL_FROM", "shop@example.com")
    hello("build", "--provider", "sky", "--out", str(tmp_path))
    assert sky.built[0].outside == Outside({"CARTWHEEL_MAIL_FROM": "shop@example.com"})
    several = Settings(smtp_url="smtp://mail", mail_from="a@b.example", allow_private=("a", "b"))
    assert read_settings({}, variables(several)) == several
    assert variables(Settings()) == {}


def test_what_services_outside_need_is_passed_on(
    hello: Call, sky: Sky, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CARTWHEEL_PAYMENTS", "stripe")
    monkeypatch.setenv("CARTWHEEL_SMTP_URL", "smtp://me@mail.example.com")
    monkeypatch.setenv("CARTWHEEL_MAIL_FROM", "shop@example.com")
    hello("build", "--provider", "sky", "--out", str(tmp_path))
    found = sky.built[0].outside
    assert found.replaces == {"payments": ("stripe_api_key",), "mailer": ("smtp_password",)}
    assert (found.put, found.extras) == ("cartwheel_outside:from_environment", ("stripe",))


def test_what_an_adapter_can_do_is_listed(hello: Call, sky: Sky) -> None:
    rows = {row["name"]: row["can"] for row in json.loads(hello("adapters", "--json").out)}
    assert rows["sky"] == "deploy"
    assert "deploy" in rows["aws"].split(", ")
