"""Messaging and outside services on AWS keep the contracts of the kit, over ministack.

The rest of the host is the local adapter's: its store and clock are real.
"""

from __future__ import annotations

import json
import threading
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cartwheel import testing as kit
from cartwheel.app import App
from cartwheel.host import Host
from cartwheel.ports import ConfigurationError, JsonObject, Mail, Secrets, TextMessage
from cartwheel.realtime import RealClock
from cartwheel.testing import OpenHost
from cartwheel_aws._names import Names
from cartwheel_aws._outside import ID_ATTRIBUTE, ID_HEADER
from cartwheel_aws._secrets import SecretsManagerSecrets
from tests.engines.aws._processes import ACCOUNT
from tests.support.aws_stage import Aws, StageHost

NO_MEMORY = "{} recognises no message that it was sent before; notifications note what they sent"

FUNCTIONS = 8


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    started = Aws()
    yield started
    started.close()


@pytest.fixture
def open_host(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> OpenHost:
    def open_(app: App) -> Host:
        return StageHost(aws, app, tmp_path_factory.mktemp("data"))

    return open_


class TestEventBus(kit.EventBusContract):
    pass


class TestQueue(kit.QueueContract):
    pass


class TestDeadLetters(kit.DeadLettersContract):
    pass


class TestSecrets(kit.SecretsContract):
    @pytest.fixture
    def open_host(self, aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> OpenHost:
        def open_(app: App) -> Host:
            host = StageHost(aws, app, tmp_path_factory.mktemp("data"))
            for name, value in self.given.items():
                full = host.stage.place.names.secret(name)
                aws.secrets.create_secret(Name=full, SecretString=value)
            return host

        return open_

    def test_a_key_that_several_functions_ask_for_first_is_one_key(self, aws: Aws) -> None:
        names = Names("kit_secrets", f"t{uuid.uuid4().hex[:12]}")
        functions = [
            SecretsManagerSecrets(aws.secrets, names, RealClock()) for _ in range(FUNCTIONS)
        ]
        together = threading.Barrier(FUNCTIONS)

        def ask(function: Secrets) -> str:
            together.wait()
            return function.get("kit_signing_key").reveal()

        with ThreadPoolExecutor(FUNCTIONS) as pool:
            keys = set(pool.map(ask, functions))
        assert len(keys) == 1

    def test_a_key_that_is_marked_for_deletion_is_not_made_anew(self, aws: Aws) -> None:
        names = Names("kit_secrets", f"t{uuid.uuid4().hex[:12]}")
        SecretsManagerSecrets(aws.secrets, names, RealClock()).get("kit_signing_key")
        aws.secrets.delete_secret(SecretId=names.secret("kit_signing_key"))
        with pytest.raises(ConfigurationError, match="restore-secret"):
            SecretsManagerSecrets(aws.secrets, names, RealClock()).get("kit_signing_key")


class TestMailer(kit.MailerContract):
    """ministack shows no headers, so ids are read off the requests on their way to it."""

    @pytest.fixture
    def open_host(self, aws: Aws, open_host: OpenHost) -> Iterator[OpenHost]:
        self.ids: dict[str, str] = {}
        events = aws.ses.meta.events

        def asked(params: dict[str, bytes], context: dict[str, str], **_: object) -> None:
            headers = json.loads(params["body"])["Content"]["Simple"]["Headers"]
            (context["mail"],) = [one["Value"] for one in headers if one["Name"] == ID_HEADER]

        def answered(parsed: JsonObject, context: dict[str, str], **_: object) -> None:
            self.ids[str(parsed["MessageId"])] = context["mail"]

        events.register("before-call.sesv2.SendEmail", asked)
        events.register("after-call.sesv2.SendEmail", answered)
        self.aws = aws
        yield open_host
        events.unregister("before-call.sesv2.SendEmail", asked)
        events.unregister("after-call.sesv2.SendEmail", answered)

    def sent_mails(self, host: Host) -> Sequence[Mail]:
        shown = _shown(self.aws, "/_ministack/ses/messages")["messages"][ACCOUNT]
        return [
            Mail(
                self.ids[mail["MessageId"]],
                mail["To"][0],
                mail["Subject"],
                mail["BodyText"],
                mail["BodyHtml"] or None,
            )
            for mail in shown
            if mail["MessageId"] in self.ids
        ]

    @pytest.mark.xfail(reason=NO_MEMORY.format("SES"), raises=AssertionError, strict=True)
    def test_a_mail_sent_twice_under_one_id_is_shown_once(self, host: Host) -> None:
        super().test_a_mail_sent_twice_under_one_id_is_shown_once(host)


class TestSms(kit.SmsContract):
    @pytest.fixture(autouse=True)
    def _engine(self, aws: Aws) -> None:
        self.aws = aws

    def sent_texts(self, host: Host) -> Sequence[TextMessage]:
        shown = _shown(self.aws, "/_ministack/sns/sms-messages")["sms_messages"]
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


def _shown(aws: Aws, path: str) -> Any:
    """Ask ministack what it has sent, by its own inspection paths."""
    with urllib.request.urlopen(aws.process.url + path, timeout=10) as answer:  # noqa: S310  # loopback
        return json.load(answer)
