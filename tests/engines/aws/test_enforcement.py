"""What ministack asks for where AWS asks for something else, and that its child corrects it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from boto3.session import Session
from botocore.exceptions import ClientError

from tests.engines.aws._processes import ACCOUNT, REGION
from tests.support.ministack import start_ministack

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:news"
SENDER = f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/shop@example.com"


class Caller:
    """Is a user who may publish to one topic and send mail as one identity, and nothing else."""

    def __init__(self, url: str) -> None:
        root = Session("test", "test", region_name=REGION)
        iam = root.client("iam", endpoint_url=url)
        iam.create_user(UserName="ada")
        statements = [
            {"Effect": "Allow", "Action": "sns:Publish", "Resource": TOPIC},
            {"Effect": "Allow", "Action": "ses:SendEmail", "Resource": SENDER},
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName="ada", PolicyName="uses", PolicyDocument=document)
        key = iam.create_access_key(UserName="ada")["AccessKey"]
        root.client("sns", endpoint_url=url).create_topic(Name="news")
        for identity in ("shop@example.com", "else@example.com"):
            root.client("sesv2", endpoint_url=url).create_email_identity(EmailIdentity=identity)
        session = Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=REGION)
        self.sns: Any = session.client("sns", endpoint_url=url)
        self.mail: Any = session.client("sesv2", endpoint_url=url)

    def publish(self, topic: str = TOPIC) -> None:
        """Publish a batch."""
        entries = [{"Id": "1", "Message": "x"}]
        self.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)

    def send(self, sender: str) -> None:
        """Send a mail."""
        text = {"Data": "x"}
        self.mail.send_email(
            FromEmailAddress=sender,
            Destination={"ToAddresses": ["ada@example.org"]},
            Content={"Simple": {"Subject": text, "Body": {"Text": text}}},
        )


@pytest.fixture(scope="module", params=[False, True], ids=["as it is", "corrected"])
def caller(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Caller, bool]]:
    asked = tmp_path_factory.mktemp("asked") / "asked.jsonl"
    process = start_ministack(corrected=request.param, asked=asked)
    yield Caller(process.url), request.param
    process.stop()


def test_a_batch_of_messages_needs_the_permission_of_each(caller: tuple[Caller, bool]) -> None:
    ada, corrected = caller
    if corrected:
        ada.publish()
    else:
        with pytest.raises(ClientError, match="sns:PublishBatch"):
            ada.publish()
    with pytest.raises(ClientError, match="AuthorizationError"):
        ada.publish(TOPIC.replace("news", "other"))


def test_a_mail_needs_the_permission_for_its_senders_identity(
    caller: tuple[Caller, bool],
) -> None:
    ada, corrected = caller
    if corrected:
        ada.send("Shop <shop@example.com>")
    else:
        with pytest.raises(ClientError, match="ses:SendEmail"):
            ada.send("Shop <shop@example.com>")
    with pytest.raises(ClientError, match="AccessDenied"):
        ada.send("else@example.com")


def test_what_was_asked_is_written_down(tmp_path: Path) -> None:
    asked = tmp_path / "asked.jsonl"
    process = start_ministack(asked=asked)
    try:
        ada = Caller(process.url)
        ada.publish()
        with pytest.raises(ClientError):
            ada.publish(TOPIC.replace("news", "other"))
    finally:
        process.stop()
    mine = [line for line in map(json.loads, asked.read_text().splitlines()) if "/ada" in line[0]]
    who = f"arn:aws:iam::{ACCOUNT}:user/ada"
    assert mine == [
        [who, "sns:Publish", TOPIC, True],
        [who, "sns:Publish", TOPIC.replace("news", "other"), False],
    ]
