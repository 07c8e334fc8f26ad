"""What the AWS adapter sends to SNS, SQS and SES, and what their refusals become."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import ANY, Stubber

from cartwheel.delivery import encode_item
from cartwheel.ports import MAX_ITEM_BYTES, Event, InvalidWrite, Mail, TextMessage, Unavailable
from cartwheel_aws._events import MAX_BATCH_BYTES, SnsEventBus
from cartwheel_aws._outside import SesMailer, SnsSms

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sns import SNSClient

TOPIC = "arn:aws:sns:us-east-1:123456789012:kit-test-events"
SENDER = "shop@example.com"
MAIL = Mail("mail-1", "ada@example.com", "Order confirmed", "Thank you.")


@contextmanager
def told(client: SNSClient | SESV2Client) -> Iterator[Stubber]:
    """Give what the client is answered; all answers have to be asked for."""
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture(scope="module")
def sns() -> Iterator[SNSClient]:
    client = boto3.session.Session("test", "test", region_name="us-east-1").client("sns")
    yield client
    client.close()


@pytest.fixture(scope="module")
def ses() -> Iterator[SESV2Client]:
    client = boto3.session.Session("test", "test", region_name="us-east-1").client("sesv2")
    yield client
    client.close()


def event(number: int, text: str = "") -> Event:
    return Event(f"evt-{number}", "kit.happened", {"text": text}, "2026-01-01T00:00:00.000Z")


def entry(number: int, given: Event) -> dict[str, object]:
    return {
        "Id": str(number),
        "Message": encode_item(given),
        "MessageAttributes": {"type": {"DataType": "String", "StringValue": given.type}},
    }


def taken(*numbers: int) -> dict[str, object]:
    return {"Successful": [{"Id": str(n), "MessageId": "m"} for n in numbers], "Failed": []}


def failed(*numbers: int, code: str = "InternalError") -> list[dict[str, object]]:
    return [{"Id": str(n), "Code": code, "SenderFault": False} for n in numbers]


def test_no_events_are_no_call(sns: SNSClient) -> None:
    with told(sns):
        SnsEventBus(sns, TOPIC).publish([])


def test_events_go_in_batches_of_ten(sns: SNSClient) -> None:
    events = [event(number) for number in range(23)]
    with told(sns) as stub:
        for numbers in (range(10), range(10, 20), range(20, 23)):
            asked = [entry(number, events[number]) for number in numbers]
            expected = {"TopicArn": TOPIC, "PublishBatchRequestEntries": asked}
            stub.add_response("publish_batch", taken(*numbers), expected)
        SnsEventBus(sns, TOPIC).publish(events)


def test_large_events_go_in_batches_that_sns_takes(sns: SNSClient) -> None:
    text = "x" * (MAX_ITEM_BYTES - 20)
    events = [event(number, text) for number in range(10)]
    one = len(encode_item(events[0])) + len("type" + "String" + "kit.happened")
    fit = MAX_BATCH_BYTES // one
    assert 2 <= fit <= 9
    with told(sns) as stub:
        for first in range(0, 10, fit):
            numbers = range(first, min(first + fit, 10))
            asked = [entry(number, events[number]) for number in numbers]
            expected = {"TopicArn": TOPIC, "PublishBatchRequestEntries": asked}
            stub.add_response("publish_batch", taken(*numbers), expected)
        SnsEventBus(sns, TOPIC).publish(events)


def test_an_event_that_is_too_large_is_refused_before_any_is_sent(sns: SNSClient) -> None:
    with told(sns), pytest.raises(InvalidWrite, match="evt-1"):
        SnsEventBus(sns, TOPIC).publish([event(0), event(1, "x" * MAX_ITEM_BYTES)])


def test_only_what_failed_of_a_batch_is_sent_again(sns: SNSClient) -> None:
    events = [event(number) for number in range(3)]
    with told(sns) as stub:
        stub.add_response("publish_batch", {**taken(0, 2), "Failed": failed(1)})
        again = {"TopicArn": TOPIC, "PublishBatchRequestEntries": [entry(1, events[1])]}
        stub.add_response("publish_batch", taken(1), again)
        SnsEventBus(sns, TOPIC).publish(events)


def test_what_keeps_failing_is_unavailable_and_says_why(sns: SNSClient) -> None:
    with told(sns) as stub:
        for _ in range(3):
            stub.add_response("publish_batch", {"Successful": [], "Failed": failed(0, 1)})
        with pytest.raises(Unavailable, match="did not take 2 of 2 events: InternalError"):
            SnsEventBus(sns, TOPIC).publish([event(0), event(1)])


def test_an_entry_that_sns_says_nothing_about_counts_as_failed(sns: SNSClient) -> None:
    with told(sns) as stub:
        for _ in range(3):
            stub.add_response("publish_batch", {})
        with pytest.raises(Unavailable, match="did not take 1 of 1"):
            SnsEventBus(sns, TOPIC).publish([event(0)])


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("AuthorizationError", "the function's role lacks sns:Publish"),
        ("NotFound", "does not exist in this account and region"),
        ("Throttling", "refused with Throttling"),
        ("InternalError", "refused with InternalError"),
    ],
)
def test_a_refusal_is_unavailable_and_says_what_to_do(sns: SNSClient, code: str, says: str) -> None:
    with told(sns) as stub:
        stub.add_client_error("publish_batch", code)
        with pytest.raises(Unavailable, match=says):
            SnsEventBus(sns, TOPIC).publish([event(0)])


def test_a_mail_cannot_bring_headers_or_recipients_of_its_own(ses: SESV2Client) -> None:
    mail = Mail("id\r\nBcc: x@example.com", MAIL.to, "Hi\r\nBcc: x@example.com\u2028!", "text")
    with told(ses) as stub:
        expected = {
            "FromEmailAddress": SENDER,
            "Destination": {"ToAddresses": [MAIL.to]},
            "Content": {
                "Simple": {
                    "Subject": {"Data": "Hi Bcc: x@example.com !", "Charset": "UTF-8"},
                    "Body": {"Text": {"Data": "text", "Charset": "UTF-8"}},
                    "Headers": [
                        {"Name": "X-Cartwheel-Id", "Value": "id__Bcc:_x@example.com"},
                        {"Name": "Auto-Submitted", "Value": "auto-generated"},
                    ],
                }
            },
        }
        stub.add_response("send_email", {"MessageId": "m"}, expected)
        SesMailer(ses, SENDER).send(mail)


@pytest.mark.parametrize(
    "to",
    [
        "",
        "ada",
        "a@example.com,b@example.com",
        "a@example.com;b@example.com",
        "a@example.com\nBcc: b@example.com",
        "a@example.com\n",
        "Ada <ada@example.com>",
        "ädä@example.com",
        "a@b@example.com",
        "a@" + "x" * 64 + ".com",
        "a@exa..mple.com",
    ],
)
def test_what_is_not_one_address_is_a_value_error_and_not_sent(ses: SESV2Client, to: str) -> None:
    with told(ses), pytest.raises(ValueError, match="the recipient of mail mail-1 is not one"):
        SesMailer(ses, SENDER).send(Mail(MAIL.id, to, MAIL.subject, MAIL.text))


def test_a_domain_in_other_letters_is_sent_in_its_encoded_form(ses: SESV2Client) -> None:
    with told(ses) as stub:
        expected = {
            "FromEmailAddress": "=?utf-8?b?S8O2ZGVyIHggQmNjOiB4?= <shop@xn--kder-5qa.example>",
            "Destination": {"ToAddresses": ["ada@xn--bcher-kva.example"]},
            "Content": ANY,
        }
        stub.add_response("send_email", {"MessageId": "m"}, expected)
        mailer = SesMailer(ses, "Köder x Bcc: x <shop@köder.example>")
        mailer.send(Mail(MAIL.id, "ada@bücher.example", MAIL.subject, "half \ud800 a character"))


@pytest.mark.parametrize(
    "sender",
    [
        "",
        "shop",
        "a@example.com, b@example.com",
        "a@b\n.com",
        "A <a@b.com> <c@d.com>",
        "A\nB <a@b.com>",
    ],
)
def test_a_sender_that_is_not_one_address_is_refused_when_the_mailer_is_made(
    ses: SESV2Client, sender: str
) -> None:
    with told(ses), pytest.raises(ValueError, match="the sender is not one"):
        SesMailer(ses, sender)


@pytest.mark.parametrize("code", ["TooManyRequestsException", "MessageRejected"])
def test_a_mail_that_ses_refuses_is_unavailable_without_the_services_words(
    ses: SESV2Client, code: str
) -> None:
    with told(ses) as stub:
        stub.add_client_error("send_email", code, "ada@example.com is not verified")
        with pytest.raises(Unavailable, match=f"mail mail-1 to SES: refused with {code}") as caught:
            SesMailer(ses, SENDER).send(MAIL)
    assert MAIL.to not in str(caught.value)


@pytest.mark.parametrize(
    "number", ["", "0664123", "+0123456", "+", "+1 202 555", "+12025550123\n", "+1" * 9]
)
def test_what_is_no_number_is_a_value_error_and_not_sent(sns: SNSClient, number: str) -> None:
    with told(sns), pytest.raises(ValueError, match="not one number"):
        SnsSms(sns).send(TextMessage("sms-1", number, "text"))


def test_a_text_that_sns_refuses_is_unavailable_without_the_number(sns: SNSClient) -> None:
    with told(sns) as stub:
        stub.add_client_error("publish", "OptedOut", "+12025550123 opted out")
        with pytest.raises(Unavailable, match="text sms-1 to SNS: refused") as caught:
            SnsSms(sns).send(TextMessage("sms-1", "+12025550123", "text"))
    assert "+12025550123" not in str(caught.value)
