"""Mail through SES and text messages through SNS.

Neither service recognises a message that it was sent before: whoever must not send twice notes what
it has sent, as a shop's notifications do. The id goes along, so that a copy can be told afterwards.
"""

from __future__ import annotations

import re
from email.utils import formataddr
from typing import TYPE_CHECKING

from cartwheel.ports import Mail, TextMessage
from cartwheel_aws._calls import sdk_errors, unavailable

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import BodyTypeDef, ContentTypeDef
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

ID_HEADER = "X-Cartwheel-Id"
"""The header of a mail that carries its id: SES writes a Message-ID of its own over any other."""
ID_ATTRIBUTE = "cartwheel_id"
"""The attribute of a text message that carries its id."""
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[^\s@<>,;:\"()\[\]\\]{1,255}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]+")
_NAMED = re.compile(r'"?([^"<>\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]*)"? *<([^<>]*)>')
_NUMBER = re.compile(r"\+[1-9][0-9]{1,14}")
_SAFE = re.compile(r"[^\x21-\x7e]")


class SesMailer:
    """Hands mails to SES; `sender` is an address that SES knows as ours, perhaps with a name."""

    def __init__(self, client: SESV2Client, sender: str) -> None:
        self._client = client
        named = _NAMED.fullmatch(sender)
        name, address = (named[1].strip(), named[2]) if named else ("", sender)
        # A name in other letters than ASCII is written as a header writes it.
        self._sender = formataddr((name, _address(address, "the sender")))

    def send(self, mail: Mail) -> None:
        """Hand the mail over; raises Unavailable, and ValueError for what is no address."""
        recipient = _address(mail.to, f"the recipient of mail {mail.id}")
        body: BodyTypeDef = {"Text": _content(mail.text)}
        if mail.html is not None:
            body["Html"] = _content(mail.html)
        mail_id = _SAFE.sub("_", mail.id)[:256]
        try:
            self._client.send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": [recipient]},
                Content={
                    "Simple": {
                        "Subject": _content(_CONTROL.sub(" ", mail.subject)),
                        "Body": body,
                        "Headers": [
                            {"Name": ID_HEADER, "Value": mail_id},
                            {"Name": "Auto-Submitted", "Value": "auto-generated"},
                        ],
                    }
                },
            )
        except sdk_errors() as error:
            raise unavailable(error, f"mail {mail.id} to SES", "ses:SendEmail") from error


class SnsSms:
    """Hands text messages to SNS, as transactional ones."""

    def __init__(self, client: SNSClient) -> None:
        self._client = client

    def send(self, message: TextMessage) -> None:
        """Hand the message over; raises Unavailable, and ValueError for what is no number."""
        if not _NUMBER.fullmatch(message.to):
            raise ValueError(f"the recipient of text {message.id} is not one number in E.164 form")
        try:
            self._client.publish(
                PhoneNumber=message.to,
                Message=_clean(message.text),
                MessageAttributes={
                    "AWS.SNS.SMS.SMSType": _attribute("Transactional"),
                    ID_ATTRIBUTE: _attribute(_SAFE.sub("_", message.id)[:256]),
                },
            )
        except sdk_errors() as error:
            raise unavailable(error, f"text {message.id} to SNS", "sns:Publish") from error


def _attribute(value: str) -> MessageAttributeValueTypeDef:
    return {"DataType": "String", "StringValue": value}


def _content(text: str) -> ContentTypeDef:
    return {"Data": _clean(text), "Charset": "UTF-8"}


def _clean(text: str) -> str:
    """Replace lone surrogates, which no mail and no message can hold."""
    return text.encode("utf-8", "replace").decode()


def _address(given: str, what: str) -> str:
    """Read exactly one address as SES takes it: in ASCII, the domain in its encoded form."""
    if not _ADDRESS.fullmatch(given):
        raise ValueError(f"{what} is not one e-mail address that SES can take")
    local, _, domain = given.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode()}"
    except UnicodeError:
        raise ValueError(f"{what} is not one e-mail address that SES can take") from None
