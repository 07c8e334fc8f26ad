"""Runs, dead letters and users of stages, over an adapter whose stages are in memory."""

from __future__ import annotations

import json
import sys
import threading
import time
import types
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.declared import Delivery
from cartwheel.deployment import Access, BuildOptions, Bundle
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.manifest import Manifest
from cartwheel.plugins import GROUP, AdapterInfo, hookimpl
from cartwheel.ports import ConfigurationError, Message, RunStatus
from cartwheel.testing import apps
from cartwheel_memory import MemoryDisk, MemoryHost
from cartwheel_shop.users import service as users
from shopctl._apps import SHOP, Project, load_project
from tests.unit.cli.conftest import HELLO, Call

POINT = "plugin_for_the_harbour"
JOBS = "app_for_the_harbour"
RUN = "welcome-1"
HERE = ("--provider", "harbour", "--stage", "test")


@dataclass
class Harbour:
    """Is a provider in memory: the disk of each stage, and who asked for which."""

    stages: dict[str, MemoryDisk] = field(default_factory=lambda: {"test": MemoryDisk()})
    asked: list[HostOptions] = field(default_factory=list)

    @hookimpl
    def cartwheel_adapter_info(self) -> AdapterInfo:
        """Describe it."""
        return AdapterInfo("harbour", "keeps stages in memory")

    @hookimpl
    def cartwheel_build(self, manifest: Manifest, options: BuildOptions) -> Bundle:
        """Build nothing: stages are there."""
        return Bundle("harbour", manifest.app, options.stage, {})

    @hookimpl
    def cartwheel_deployer(self, app: str, access: Access) -> None:
        """Say that it deploys; nobody asks it to."""
        raise AssertionError("these commands deploy nothing")

    @hookimpl
    def cartwheel_open_host(self, app: App, options: HostOptions) -> MemoryHost:
        """Open a stage from beside."""
        self.asked.append(options)
        access = options.access
        assert access is not None
        disk = self.stages.get(access.stage)
        if disk is None:
            raise ConfigurationError(f"there is no stage '{access.stage}'; deploy the application")
        # People take their time, and time stands still here.
        disk.clock.sleep(1)
        return MemoryHost(app, options, disk=disk)

    def serve(self, app: App) -> MemoryHost:
        """Open the one stage as its functions are: what is due is done in `settle`."""
        return MemoryHost(app, HostOptions(log=discard), disk=self.stages["test"])


def install(folder: Path, name: str, module: str) -> None:
    """Make a distribution with an entry point, as an installed adapter's is."""
    info = folder / f"{name}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {name}\nVersion: 1\n", encoding="utf-8")
    points = f"[{GROUP}]\n{name} = {module}\n"
    (info / "entry_points.txt").write_text(points, encoding="utf-8")


@pytest.fixture
def harbour(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Harbour:
    made = Harbour()
    folder = tmp_path_factory.mktemp("harbour")
    whole, part = types.ModuleType(POINT), types.ModuleType(f"{POINT}_that_only_deploys")
    for name in ("adapter_info", "build", "deployer", "open_host"):
        setattr(whole, f"cartwheel_{name}", getattr(made, f"cartwheel_{name}"))
        if name != "open_host":
            setattr(part, f"cartwheel_{name}", getattr(made, f"cartwheel_{name}"))
    for name, module in (("harbour", whole), ("crane", part)):
        monkeypatch.setitem(sys.modules, module.__name__, module)
        install(folder, name, module.__name__)
    monkeypatch.syspath_prepend(str(folder))
    return made


# Runs.


@pytest.fixture
def app() -> App:
    return load_project(Project("hello:app", "this test", HELLO))


@pytest.fixture
def waiting(hello: Call, harbour: Harbour, app: App) -> Call:
    """Leave a run that waits for its signal on a stage, and call `shopctl runs` there."""
    with harbour.serve(app) as host:
        host.ports.workflows.start("welcome", RUN, {"name": "ada"})
        host.settle()
    return lambda verb, *words: hello("runs", verb, *words, *HERE)


def test_runs_of_a_stage_are_listed_and_shown(waiting: Call) -> None:
    assert RUN in waiting("list").out
    listed = json.loads(waiting("list", "--workflow", "welcome", "--json").out)
    assert ([run["run_id"] for run in listed["runs"]], listed["more"]) == ([RUN], False)
    assert waiting("list", "--status", "failed").out == "no runs\n"
    shown = json.loads(waiting("show", RUN, "--json").out)
    assert shown["run"]["waiting_for"] == ["signal:answered"]
    assert [entry["step"] for entry in shown["history"]] == ["say"]
    assert "waits for signal:answered" in waiting("show", RUN).out


def test_a_run_of_a_stage_gets_a_signal(waiting: Call, harbour: Harbour, app: App) -> None:
    sent = ("signal", RUN, "answered", "--payload", '{"text": "hi"}', "--id", "one")
    told = f"run {RUN} gets signal answered (id one); the stage takes it up by itself\n"
    assert waiting(*sent).out == told
    with harbour.serve(app) as host:
        host.settle()
        assert host.ports.workflows.status(RUN).output == {"greeting": "hello ada", "answer": "hi"}
    late = waiting(*sent)
    assert late.code == 1
    assert f"run '{RUN}' has ended (succeeded); it gets no more signals" in late.err


def test_a_signal_of_an_id_that_a_run_of_a_stage_has_had_is_dropped(
    shopctl: Call, harbour: Harbour
) -> None:
    with harbour.serve(apps.kit_runtime) as host:
        host.ports.workflows.start("kit_two_waits", RUN, {})
        host.settle()
    sent = ("runs", "signal", RUN, "approval", "--payload", '{"by": "ada", "amount": 1}')
    where = (*HERE, "--app", "cartwheel.testing.apps:kit_runtime")
    assert shopctl(*sent, "--id", "one", *where).code == 0
    again = shopctl(*sent, "--id", "one", *where)
    assert (again.code, again.out) == (
        0,
        f"run {RUN} has had a signal of id one; this one was dropped\n",
    )
    second = json.loads(shopctl(*sent, *where, "--json").out)
    assert (second["kept"], second["signal_id"].startswith("cli-")) == (True, True)
    with harbour.serve(apps.kit_runtime) as host:
        assert host.ports.workflows.status(RUN).output == {"names": ["ada", "ada"]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("asked", "--payload", "{}"), "waits for no signal 'asked'; it waits for: answered"),
        (("answered", "--payload", '{"text": 1}'), "payload.text is int, not str"),
    ],
)
def test_a_signal_that_does_not_fit_is_refused_with_where_to_look(
    waiting: Call, words: tuple[str, ...], message: str
) -> None:
    done = waiting("signal", RUN, *words)
    assert done.code == 1
    assert message in done.err
    assert "hint: shopctl workflow show welcome" in done.err


def test_a_run_of_a_stage_is_cancelled_and_redriven(
    waiting: Call, harbour: Harbour, app: App
) -> None:
    early = waiting("redrive", RUN)
    assert early.code == 1
    assert "only failed and cancelled runs go on" in early.err
    assert json.loads(waiting("cancel", RUN, "--reason", "enough", "--json").out)["asked"] is True
    with harbour.serve(app) as host:
        host.settle()
        assert host.ports.workflows.status(RUN).status is RunStatus.CANCELLED
    late = waiting("cancel", RUN)
    assert late.code == 1
    assert "has ended (cancelled); it can't be cancelled any more" in late.err
    assert json.loads(waiting("redrive", RUN, "--json").out) == {"run_id": RUN, "redriven": True}
    waiting("signal", RUN, "answered", "--payload", '{"text": "hi"}')
    with harbour.serve(app) as host:
        host.settle()
        assert host.ports.workflows.status(RUN).status is RunStatus.SUCCEEDED


def test_watching_a_stage_looks_every_two_seconds_until_the_run_ends(
    waiting: Call, harbour: Harbour, app: App
) -> None:
    def answer() -> None:
        with harbour.serve(app) as host:
            host.ports.workflows.signal(RUN, "answered", {"text": "hi"}, signal_id="one")
            host.settle()

    meanwhile = threading.Timer(0.5, answer)
    meanwhile.start()
    began = time.monotonic()
    done = waiting("show", RUN, "--watch")
    assert time.monotonic() - began >= 2.0
    meanwhile.join()
    assert done.code == 0
    assert "waits for signal:answered" in done.out
    assert "succeeded after" in done.out


def test_an_unknown_run_of_a_stage_is_said(waiting: Call) -> None:
    for verb in (("show",), ("cancel",), ("redrive",)):
        done = waiting(*verb, "nobody")
        assert (done.code, done.err) == (1, "error: there is no run 'nobody'\n")


# Which place is meant.


def test_where_and_who_is_passed_on_and_dev_is_the_stage(hello: Call, harbour: Harbour) -> None:
    harbour.stages |= {"dev": MemoryDisk(), "prod": MemoryDisk()}
    where = ("--provider", "harbour", "--stage", "prod", "--region", "north", "--profile", "work")
    assert hello("runs", "list", *where).code == 0
    assert hello("dead-letters", "list", "--provider", "harbour").code == 0
    assert [one.access for one in harbour.asked] == [
        Access("prod", "north", "work"),
        Access("dev", None, None),
    ]
    assert not any(one.background for one in harbour.asked)


COMMANDS = [
    ("runs", "list"),
    ("runs", "show", "r"),
    ("runs", "signal", "r", "s"),
    ("runs", "cancel", "r"),
    ("runs", "redrive", "r"),
    ("dead-letters", "list"),
    ("dead-letters", "show", "l"),
    ("dead-letters", "redrive", "l"),
    ("dead-letters", "discard", "l"),
    ("users", "add", "eve@example.com", "--password-stdin", "--app", SHOP),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--provider", "harbour", "--data", "d"), "--provider a stage elsewhere\nhint: give one"),
        (("--stage", "prod"), "--stage without --provider"),
        (("--region", "north"), "--region without --provider"),
        (("--profile", "work"), "--profile without --provider"),
        (("--provider", "memory"), "no adapter 'memory' deploys; there are: "),
        (
            ("--provider", "local"),
            "harbour\nhint: name one with --provider, or work on a data folder",
        ),
        (("--provider", "moon"), "no adapter 'moon' deploys"),
        (("--provider", "crane"), "can't open one from beside\nhint: use the provider's own"),
    ],
)
def test_a_place_that_can_not_be_meant_is_a_misuse(
    hello: Call, harbour: Harbour, words: tuple[str, ...], options: tuple[str, ...], told: str
) -> None:
    done = hello(*words, *options, stdin="long enough to pass\n")
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert done.err.count("\nhint: ") == 1
    assert harbour.asked == []


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_stage_that_was_never_deployed_is_told_in_a_line(
    hello: Call, harbour: Harbour, words: tuple[str, ...]
) -> None:
    where = ("--provider", "harbour", "--stage", "gone")
    done = hello(*words, *where, stdin="long enough to pass\n")
    assert (done.code, done.out) == (1, "")
    assert done.err == "error: there is no stage 'gone'; deploy the application\n"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "log in with `aws configure` or `aws sso login`"),
        (("--profile", "nobody"), "there is no AWS profile 'nobody'"),
        (("--stage", "No Name"), "stage 'No Name' is no name"),
    ],
)
def test_a_stage_on_aws_that_can_not_be_reached_is_told_with_what_to_do(
    hello: Call, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], told: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    done = hello("runs", "list", "--provider", "aws", "--region", "eu-central-1", *options)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: ")
    assert told in done.err


# Dead letters.


@pytest.fixture
def printing(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Leave two dead letters of a stage, and give what is taken once the printer is mended."""
    taken: list[str] = []
    mended = [False]
    service = Service("jobs")

    @service.consume("jobs", delivery=Delivery(attempts=1))
    def work(ctx: Context, message: Message) -> None:
        if not mended[0]:
            raise RuntimeError("the printer is out of paper")
        taken.append(message.id)

    module = types.ModuleType(JOBS)
    module.app = App("printing", services=[service])  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, JOBS, module)
    with harbour.serve(module.app) as host:
        for number in (1, 2):
            host.ports.queue.send("jobs", Message(f"msg-{number}", {"page": number}))
        host.settle()
    mended[0] = True
    return taken


@pytest.fixture
def ask(shopctl: Call, printing: list[str]) -> Call:
    return lambda *words: shopctl("dead-letters", *words, *HERE, "--app", f"{JOBS}:app")


def listed(ask: Call, *more: str) -> list[str]:
    return [one["id"] for one in json.loads(ask("list", "--json", *more).out)["dead_letters"]]


def test_dead_letters_of_a_stage_are_listed_and_shown(ask: Call) -> None:
    first, second = listed(ask)
    assert "RuntimeError: the printer is out of paper" in ask("list").out
    assert json.loads(ask("list", "--json", "--limit", "1").out)["more"] is True
    assert json.loads(ask("list", "--json", "--limit", "2").out)["more"] is False
    assert listed(ask, "--consumer", "others.work") == []
    assert listed(ask, "--consumer", "jobs.work", "--limit", "1") == [first]
    assert json.loads(ask("show", second, "--json").out)["body"] == {"page": 2}


def test_a_letter_of_a_stage_is_delivered_again_or_forgotten(
    ask: Call, harbour: Harbour, printing: list[str]
) -> None:
    first, second = listed(ask)
    assert ask("redrive", first).out == (
        f"{first} is delivered again; the stage takes it up by itself\n"
    )
    assert ask("discard", second).out == f"{second} is forgotten\n"
    assert listed(ask) == []
    with harbour.serve(sys.modules[JOBS].app) as host:
        host.settle()
    assert printing == ["msg-1"]


@pytest.mark.parametrize("verb", ["show", "redrive", "discard"])
def test_an_unknown_letter_of_a_stage_is_said_and_nothing_changes(ask: Call, verb: str) -> None:
    done = ask(verb, "dlv_999999")
    assert done.code == 1
    assert "there is no dead letter 'dlv_999999'" in done.err
    assert len(listed(ask)) == 2


# Users.


def test_a_user_is_added_to_the_shop_of_a_stage_once(shopctl: Call, harbour: Harbour) -> None:
    shop = load_project(Project(SHOP, "this test", HELLO))
    add = ("users", "add", "Eve@Example.com", "--role", "staff", "--name", "Eve", *HERE)
    done = shopctl(*add, "--password-stdin", "--json", stdin="long enough to pass\n")
    assert done.code == 0, done.err
    with harbour.serve(shop) as host:
        user = users.get(host.ports, json.loads(done.out)["user_id"])
    assert (user.email, user.role, user.name) == ("eve@example.com", "staff", "Eve")
    again = shopctl(*add, "--password-stdin", stdin="another long password\n")
    assert again.code == 1
    assert "eve@example.com is registered" in again.err
    assert not Path(".cartwheel").exists()


def test_users_of_a_stage_belong_to_the_shop(hello: Call, harbour: Harbour) -> None:
    add = ("users", "add", "eve@example.com", "--password-stdin", *HERE)
    done = hello(*add, stdin="long enough to pass\n")
    assert done.code == 1
    assert "'users add' belongs to the shop; app 'hello' has no service 'users'" in done.err
    assert harbour.asked == []
