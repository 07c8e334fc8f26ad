"""The adapter for AWS keeps the contracts of the kit beside applications that are deployed.

The host in this process is an operator's: what consumes, ticks and runs is a function on ministack,
from the package that the build made, under AWS's own runtime client.
"""

from __future__ import annotations

import http.client
import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from cartwheel import testing as kit
from cartwheel.app import App
from cartwheel.host import Host
from cartwheel.http import Request, Response
from cartwheel.ports import JsonObject, Mail, TextMessage
from cartwheel.testing import OpenHost, Send, Serve, target_of
from cartwheel_aws._outside import ID_ATTRIBUTE, ID_HEADER
from tests.engines.aws._processes import ACCOUNT
from tests.support.aws_deployed import Sky, name_of

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
    pass
