"""What the commands of operators do on stages that are deployed; a test module has the stages."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from cartwheel import testing as kit
from cartwheel.host import Host
from cartwheel.ports import JsonObject, Message, Run, RunStatus
from cartwheel.testing import apps
from cartwheel.testing._base import fresh
from cartwheel.testing._deadletters import WORKER
from cartwheel.testing._messaging_app import WORK, let_through, seen
from cartwheel.testing._runtime_app import open_gate
from cartwheel.testing._runtime_case import APPROVAL, plan
from shopctl import main
from shopctl._apps import SHOP
from tests.engines.aws._processes import REGION
from tests.support.aws_deployed import Sky

Shopctl = Callable[..., str]


class Operating(kit.Contract):
    """The commands of operators, on the stages that the kit's applications are deployed to."""

    @pytest.fixture
    def shopctl(
        self, sky: Sky, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> Shopctl:
        """Call shopctl on the stage of one of the applications, and give what it prints."""
        monkeypatch.setenv("AWS_ENDPOINT_URL", sky.process.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")

        def call(name: str, *words: str, stage: str = "", code: int = 0) -> str:
            stage = stage or sky.stage(name).place.names.stage
            where = ("--provider", "aws", "--region", REGION, "--stage", stage)
            ended = main([*words, *where, "--app", name if ":" in name else apps.source(name)])
            written = capsys.readouterr()
            assert ended == code, written.err
            return written.err if code else written.out

        return call

    def ended(self, host: Host, run_id: str) -> Run:
        """Wait until a run has ended, and give it."""

        def look() -> Run | None:
            run = host.ports.workflows.status(run_id)
            return None if run.status is RunStatus.RUNNING else run

        return self.eventually(host, look, f"end of run {run_id}")

    def test_a_run_is_found_shown_signalled_and_watched_to_its_end(
        self, sky: Sky, shopctl: Shopctl
    ) -> None:
        run_id = fresh("run")
        with sky.open(apps.kit_runtime) as host:
            host.ports.workflows.start("kit_wait", run_id, plan())

            def shown() -> Any:
                found = json.loads(shopctl("kit_runtime", "runs", "show", run_id, "--json"))
                return found if found["run"]["waiting_for"] else None

            found = self.eventually(host, shown, "wait for the signal")
        assert found["run"]["waiting_for"] == ["signal:approval"]
        assert [entry["step"] for entry in found["history"] if entry["task"]] == ["before"]
        listed = json.loads(
            shopctl("kit_runtime", "runs", "list", "--workflow", "kit_wait", "--json")
        )
        assert run_id in [run["run_id"] for run in listed["runs"]]
        refused = shopctl("kit_runtime", "runs", "signal", run_id, "other", code=1)
        assert "waits for no signal 'other'; it waits for: approval" in refused
        sent = ("runs", "signal", run_id, "approval", "--payload", json.dumps(APPROVAL))
        assert "the stage takes it up by itself" in shopctl("kit_runtime", *sent, "--id", "s1")
        assert "succeeded after" in shopctl("kit_runtime", "runs", "show", run_id, "--watch")
        late = shopctl("kit_runtime", *sent, "--id", "s1", code=1)
        assert f"run '{run_id}' has ended (succeeded)" in late

    def test_a_run_that_failed_goes_on_and_one_that_waits_is_cancelled(
        self, sky: Sky, shopctl: Shopctl
    ) -> None:
        failing, waits, gate = fresh("run"), fresh("run"), fresh("gate")
        with sky.open(apps.kit_runtime) as host:
            host.ports.workflows.start("kit_gate", failing, plan(gate=gate))
            host.ports.workflows.start("kit_wait", waits, plan())
            assert self.ended(host, failing).status is RunStatus.FAILED
            listed = json.loads(
                shopctl("kit_runtime", "runs", "list", "--status", "failed", "--json")
            )
            assert failing in [run["run_id"] for run in listed["runs"]]
            open_gate(host.ports, gate)
            assert "goes on" in shopctl("kit_runtime", "runs", "redrive", failing)
            asked = json.loads(shopctl("kit_runtime", "runs", "cancel", waits, "--json"))
            assert asked == {"run_id": waits, "asked": True}
            run = self.ended(host, failing)
            assert (run.status, run.output) == (RunStatus.SUCCEEDED, {"name": "first and second"})
            assert self.ended(host, waits).status is RunStatus.CANCELLED
        late = shopctl("kit_runtime", "runs", "redrive", failing, code=1)
        assert "only failed and cancelled runs go on" in late

    def test_a_dead_letter_is_shown_delivered_again_or_forgotten(
        self, sky: Sky, shopctl: Shopctl
    ) -> None:
        app, again, gone = "kit_messaging", fresh("msg"), fresh("msg")
        with sky.open(apps.kit_messaging) as host:
            for one in (again, gone):
                body: JsonObject = {"mark": one, "fail": {WORKER: -1}}
                host.ports.queue.send(WORK, Message(one, body))

            def letters() -> dict[str, str]:
                words = ("dead-letters", "list", "--consumer", WORKER, "--limit", "1000", "--json")
                found = json.loads(shopctl(app, *words))["dead_letters"]
                return {one["body"].get("mark"): one["id"] for one in found}

            def both() -> dict[str, str] | None:
                found = letters()
                return found if {again, gone} <= set(found) else None

            found = self.eventually(host, both, "two dead letters")
            shown = json.loads(shopctl(app, "dead-letters", "show", found[again], "--json"))
            assert (shown["consumer"], shown["body"]["mark"]) == (WORKER, again)
            let_through(host.ports, again)
            tries = len(seen(host.ports, WORKER, again))
            shopctl(app, "dead-letters", "redrive", found[again])
            shopctl(app, "dead-letters", "discard", found[gone])
            self.eventually(
                host, lambda: len(seen(host.ports, WORKER, again)) > tries, "delivery after that"
            )
            assert not {again, gone} & set(letters())
        for verb in ("redrive", "discard"):
            unknown = shopctl(app, "dead-letters", verb, found[gone], code=1)
            assert f"there is no dead letter '{found[gone]}'" in unknown

    @pytest.mark.parametrize(
        "words",
        [
            ("runs", "list"),
            ("runs", "show", "r"),
            ("runs", "signal", "r", "s"),
            ("runs", "cancel", "r"),
            ("runs", "redrive", "r"),
            ("dead-letters", "list"),
            ("dead-letters", "redrive", "l"),
            ("users", "add", "eve@example.com", "--password-stdin"),
        ],
        ids=" ".join,
    )
    def test_a_stage_that_was_never_deployed_is_said_with_what_to_do(
        self, shopctl: Shopctl, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("long enough to pass\n"))
        told = shopctl(SHOP, *words, stage="gone", code=1)
        assert told.startswith("error: ")
        assert "deploy the application" in told
        assert "Traceback" not in told
