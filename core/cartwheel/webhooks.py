"""Signed webhooks, in the form of Standard Webhooks: an HMAC over id, timestamp and body.

Whatever is wrong with the headers is a WebhookRefused; nothing they hold can raise anything else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping

from cartwheel.ports import DomainError, Secret

TOLERANCE = 5 * 60
"""Seconds by which a webhook's time may be off, to either side."""
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_VERSION = "v1,"
_MOST_SIGNATURES = 10


class WebhookRefused(DomainError):
    """Says that a webhook is not signed with our key, or not from now."""

    status = 400
    title = "The webhook's signature is not right"


def signed_headers(secret: Secret, webhook_id: str, now: float, body: bytes) -> dict[str, str]:
    """Give the headers with which a webhook is sent; `now` is in seconds since the epoch."""
    timestamp = str(int(now))
    signature = base64.b64encode(_digest(secret, webhook_id, timestamp, body)).decode()
    return {ID: webhook_id, TIMESTAMP: timestamp, SIGNATURE: f"{_VERSION}{signature}"}


def verified_id(
    secret: Secret, headers: Mapping[str, tuple[str, ...]], body: bytes, now: float
) -> str:
    """Give the id of a webhook that is signed with the secret; raises WebhookRefused.

    `headers` have names in lower case. Several signatures, parted by spaces, may be there while a
    key is exchanged; one of them must be right.
    """
    webhook_id = _single(headers, ID, _ID)
    timestamp = _single(headers, TIMESTAMP, _TIMESTAMP)
    if abs(now - int(timestamp)) > TOLERANCE:
        raise WebhookRefused(f"the webhook's time is more than {TOLERANCE} seconds off")
    given = headers.get(SIGNATURE, ())
    if len(given) != 1:
        raise WebhookRefused(f"send one {SIGNATURE} header")
    expected = base64.b64encode(_digest(secret, webhook_id, timestamp, body))
    right = False
    for signature in given[0].split(" ")[:_MOST_SIGNATURES]:
        if signature.startswith(_VERSION):
            sent = signature.removeprefix(_VERSION).encode("utf-8", "replace")
            right |= hmac.compare_digest(sent, expected)
    if not right:
        raise WebhookRefused(f"no {_VERSION[:-1]} signature of the webhook is right")
    return webhook_id


def _single(headers: Mapping[str, tuple[str, ...]], name: str, form: re.Pattern[str]) -> str:
    values = headers.get(name, ())
    if len(values) != 1 or not form.fullmatch(values[0]):
        raise WebhookRefused(f"send one {name} header of the form {form.pattern}")
    return values[0]


def _digest(secret: Secret, webhook_id: str, timestamp: str, body: bytes) -> bytes:
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return hmac.new(secret.reveal().encode(), signed, hashlib.sha256).digest()
