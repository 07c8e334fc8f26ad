"""The adapter for AWS keeps the contracts of the kit beside applications that are deployed.

The host in this process is an operator's: what consumes, ticks and runs is a function on ministack,
from the package that the build made, under AWS's own runtime client.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from cartwheel import testing as kit
from cartwheel.app import App
from cartwheel.dispatch import SETTLER, SWEEPER
from cartwheel.host import Host
from cartwheel.http import Request, Response
from cartwheel.ports import ConfigurationError, JsonObject, Mail, Put, Secrets, TextMessage, rfc3339
from cartwheel.realtime import RealClock
from cartwheel.testing import OpenHost, Send, Serve, target_of
from cartwheel.testing._base import fresh, notes
from cartwheel.testing._scheduled_app import BROKEN, EVENT, LEFT, STEADY, ticks
from cartwheel.unit import OUTBOX_FIELD, OUTBOX_SECONDS, PENDING
from cartwheel_aws import Names
from cartwheel_aws._outside import ID_ATTRIBUTE, ID_HEADER
from cartwheel_aws._secrets import SecretsManagerSecrets
from tests.engines.aws._processes import ACCOUNT
from tests.support.aws_deployed import Sky, Stage, name_of
from tests.support.aws_operating import Operating

FUNCTIONS = 8
SLASH = pytest.mark.xfail(
    reason="ministack 1.5.33 takes /seen/ for a stage and its root, and drops the slash",
    strict=True,
)
NO_MEMORY = "{} recognises no message that it was sent before; notifications note what they sent"


@pytest.fixture(scope="module")
def sky() -> Iterator[Sky]:
    opened = Sky()
    yield opened
    opened.close()


@pytest.fixture
def open_host(sky: Sky) -> OpenHost:
    return sky.open


class Deployed(kit.Contract):
    """Is patient: functions start, and share the machine with whatever else is tested."""

    patience = 90.0


class TestStore(Deployed, kit.StoreContract):
    pass


class TestEventBus(Deployed, kit.EventBusContract):
    pass


class TestQueue(Deployed, kit.QueueContract):
    pass


class TestDeadLetters(Deployed, kit.DeadLettersContract):
    pass


class TestSchedules:
    """In CI the events of schedules are sent as the scheduler sends them, whatever the time is."""

    @pytest.mark.parametrize("schedule", [STEADY, BROKEN])
    def test_what_a_schedule_sends_runs_its_function(self, sky: Sky, schedule: str) -> None:
        stage = sky.stage("kit_scheduled_minutely")
        with sky.host(stage, stage.app) as host:
            before = len(ticks(host.ports, schedule))
            assert sent_by(sky, stage, schedule) == (schedule != BROKEN)
            assert len(ticks(host.ports, schedule)) > before

    def test_the_sweeper_publishes_what_a_crash_left_in_an_outbox(self, sky: Sky) -> None:
        stage = sky.stage("kit_scheduled_minutely")
        with sky.host(stage, stage.app) as host:
            event_id = fresh("evt")
            row: JsonObject = {OUTBOX_FIELD: PENDING, "id": event_id, "type": EVENT}
            row |= {"data": {"n": 1}, "at": rfc3339(host.ports.clock.now() - OUTBOX_SECONDS)}
            host.ports.store.commit(LEFT, "place", [Put(f"outbox#{event_id}", row, 0)])
            assert sent_by(sky, stage, SWEEPER)
            assert host.ports.store.get(LEFT, "place", f"outbox#{event_id}") is None
            got = Deployed().eventually(
                host, lambda: notes(host.ports, event_id), "delivery of the event"
            )
            assert got[0] == {"data": {"n": 1}}

    def test_the_settler_runs_where_there_are_runs(self, sky: Sky) -> None:
        assert sent_by(sky, sky.stage("kit_runtime"), SETTLER)


def sent_by(sky: Sky, stage: Stage, schedule: str) -> bool:
    """Send what a schedule sends to where it sends it; tell whether the function succeeded."""
    told = sky.scheduler.get_schedule(Name=stage.place.names.schedule(schedule))
    assert (told["State"], told["ScheduleExpression"]) == ("ENABLED", "rate(1 minute)")
    target = told["Target"]
    answer = sky.functions.invoke(FunctionName=target["Arn"], Payload=target["Input"])
    return "FunctionError" not in answer


@pytest.mark.skipif(
    os.environ.get("CARTWHEEL_SOAK") != "1",
    reason="EventBridge Scheduler knows whole minutes only: seven of them under CARTWHEEL_SOAK=1",
)
@pytest.mark.timeout(900)
class TestScheduler(Deployed, kit.SchedulerContract):
    shortest_interval = 60
    patience = 240.0

    @pytest.fixture
    def open_host(self, sky: Sky) -> OpenHost:
        return lambda app: sky.host(sky.deployed(name_of(app)), app)


class TestWorkflowRuntime(Deployed, kit.WorkflowRuntimeContract):
    pass


class TestPaymentGateway(Deployed, kit.PaymentGatewayContract):
    pass


class TestClock(Deployed, kit.ClockContract):
    pass


class TestIds(Deployed, kit.IdsContract):
    pass


class TestRandomness(Deployed, kit.RandomnessContract):
    pass


class TestSecrets(Deployed, kit.SecretsContract):
    @pytest.fixture(autouse=True)
    def _given(self, sky: Sky) -> None:
        names = sky.stage("kit_empty").place.names
        for name, value in self.given.items():
            full = names.secret(name)
            try:
                sky.clients.secretsmanager.create_secret(Name=full, SecretString=value)
            except sky.clients.secretsmanager.exceptions.ResourceExistsException:
                return

    def test_a_key_that_several_functions_ask_for_first_is_one_key(self, sky: Sky) -> None:
        names = Names("kit_secrets", f"t{uuid.uuid4().hex[:12]}")
        client = sky.clients.secretsmanager
        functions = [SecretsManagerSecrets(client, names, RealClock()) for _ in range(FUNCTIONS)]
        together = threading.Barrier(FUNCTIONS)

        def ask(function: Secrets) -> str:
            together.wait()
            return function.get("kit_signing_key").reveal()

        with ThreadPoolExecutor(FUNCTIONS) as pool:
            keys = set(pool.map(ask, functions))
        assert len(keys) == 1

    def test_a_key_that_is_marked_for_deletion_is_not_made_anew(self, sky: Sky) -> None:
        names = Names("kit_secrets", f"t{uuid.uuid4().hex[:12]}")
        client = sky.clients.secretsmanager
        SecretsManagerSecrets(client, names, RealClock()).get("kit_signing_key")
        client.delete_secret(SecretId=names.secret("kit_signing_key"))
        with pytest.raises(ConfigurationError, match="restore-secret"):
            SecretsManagerSecrets(client, names, RealClock()).get("kit_signing_key")


@pytest.fixture
def mail_ids(sky: Sky) -> Iterator[dict[str, str]]:
    """Read off requests what ids of ours go with ministack's: it shows no headers."""
    ids: dict[str, str] = {}
    events = sky.clients.sesv2.meta.events

    def asked(params: dict[str, bytes], context: dict[str, str], **_: object) -> None:
        headers = json.loads(params["body"])["Content"]["Simple"]["Headers"]
        (context["mail"],) = [one["Value"] for one in headers if one["Name"] == ID_HEADER]

    def answered(parsed: JsonObject, context: dict[str, str], **_: object) -> None:
        ids[str(parsed["MessageId"])] = context["mail"]

    events.register("before-call.sesv2.SendEmail", asked)
    events.register("after-call.sesv2.SendEmail", answered)
    yield ids
    events.unregister("before-call.sesv2.SendEmail", asked)
    events.unregister("after-call.sesv2.SendEmail", answered)


def sent_mails(sky: Sky, ids: dict[str, str]) -> list[Mail]:
    return [
        Mail(
            ids[mail["MessageId"]],
            mail["To"][0],
            mail["Subject"],
            mail["BodyText"],
            mail["BodyHtml"] or None,
        )
        for mail in _shown(sky, "/_ministack/ses/messages")["messages"][ACCOUNT]
        if mail["MessageId"] in ids
    ]


class TestMailer(Deployed, kit.MailerContract):
    @pytest.fixture(autouse=True)
    def _mails(self, sky: Sky, mail_ids: dict[str, str]) -> None:
        self.sky, self.ids = sky, mail_ids

    def sent_mails(self, host: Host) -> Sequence[Mail]:
        return sent_mails(self.sky, self.ids)

    @pytest.mark.xfail(reason=NO_MEMORY.format("SES"), raises=AssertionError, strict=True)
    def test_a_mail_sent_twice_under_one_id_is_shown_once(self, host: Host) -> None:
        super().test_a_mail_sent_twice_under_one_id_is_shown_once(host)


class TestSms(Deployed, kit.SmsContract):
    @pytest.fixture(autouse=True)
    def _texts(self, sky: Sky) -> None:
        self.sky = sky

    def sent_texts(self, host: Host) -> Sequence[TextMessage]:
        shown = _shown(self.sky, "/_ministack/sns/sms-messages")["sms_messages"]
        return [
            TextMessage(
                text["MessageAttributes"][ID_ATTRIBUTE]["StringValue"], number, text["Message"]
            )
            for number, texts in shown.items()
            for text in texts
        ]

    @pytest.mark.xfail(reason=NO_MEMORY.format("SNS"), raises=AssertionError, strict=True)
    def test_a_text_sent_twice_under_one_id_is_shown_once(self, host: Host) -> None:
        super().test_a_text_sent_twice_under_one_id_is_shown_once(host)


def _shown(sky: Sky, path: str) -> Any:
    """Ask ministack what it has sent, by its own inspection paths."""
    with urllib.request.urlopen(sky.process.url + path, timeout=10) as answer:  # noqa: S310  # loopback
        return json.load(answer)


class TestDurability(Deployed, kit.DurabilityContract):
    """A restart is another host beside the same stage, which has never stopped working."""

    stands_still = False

    @pytest.fixture(autouse=True)
    def _mails(self, sky: Sky, mail_ids: dict[str, str]) -> None:
        self.sky, self.ids = sky, mail_ids

    @pytest.fixture
    def reopen(self, sky: Sky) -> Iterator[OpenHost]:
        """Open hosts; another definition is deployed over the one before, and taken back."""
        changed: list[str] = []

        def open_(app: App) -> Host:
            name = name_of(app)
            stage = sky.stage(app.name)
            if name == app.name:
                return sky.host(stage, app)
            changed.append(app.name)
            return sky.host(sky.deployed(name, stage.place.names.stage), app)

        yield open_
        for name in changed:
            sky.deployed(name, sky.stage(name).place.names.stage)

    def sent_mails(self, host: Host) -> Sequence[Mail]:
        return sent_mails(self.sky, self.ids)

    @pytest.mark.xfail(reason=NO_MEMORY.format("SES"), raises=AssertionError, strict=True)
    def test_mails_are_kept_and_shown_once(self, reopen: OpenHost) -> None:
        super().test_mails_are_kept_and_shown_once(reopen)


@pytest.fixture
def serve(sky: Sky) -> Serve:
    @contextmanager
    def before(host: Host) -> Iterator[Send]:
        api = sky.stage(host.app.name).api
        yield lambda request: _send(sky, f"{api}.execute-api.localhost", request)

    return before


def _send(sky: Sky, place: str, request: Request) -> Response:
    port = sky.process.port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(request.method, target_of(request), skip_host=True)
        connection.putheader("Host", f"{place}:{port}")
        for name, values in request.headers.items():
            for value in values:
                connection.putheader(name, value)
        if request.body or request.method in {"POST", "PUT", "PATCH"}:
            connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body or None)
        answer = connection.getresponse()
        return Response(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


class TestHttpGateway(Deployed, kit.HttpGatewayContract):
    """The slash has its probe in tests/engines/aws/test_http.py, among other forms of gateways."""

    @pytest.mark.parametrize(
        "path", ["/", "/nothing", pytest.param("/seen/", marks=SLASH), "/seen/a/b", "/Seen/a", "/é"]
    )
    def test_an_unknown_path_is_a_problem_404(self, send: Send, path: str) -> None:
        super().test_an_unknown_path_is_a_problem_404(send, path)


class TestOperating(Deployed, Operating):
    pass
