"""Text messages through a provider's HTTP API."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Literal

from cartwheel.ports import Clock, Secrets, TextMessage, Unavailable
from cartwheel_outside._outbound import Outbound

SECRET = "sms_api_secret"  # noqa: S105  # the name of the secret, not the secret
Authentication = Literal["bearer", "basic", "signed"]


@dataclass(frozen=True, slots=True)
class SmsProvider:
    """Is a provider as configured; the secret `sms_api_secret` proves who we are.

    `bearer` sends it as a token, `basic` with `user` as HTTP basic authentication, and `signed`
    sends no secret but `X-Signature: v1=<hex HMAC-SHA256 of "timestamp.id.body">` with
    `X-Timestamp` in epoch seconds. `sender` is the number or name that a message is from.
    """

    url: str
    sender: str
    authentication: Authentication = "bearer"
    user: str = ""


class HttpSms:
    """Posts each message as JSON `{"id", "from", "to", "text"}` with its id as Idempotency-Key.

    A 2xx means that the provider has taken it; a provider that knows the key takes it once.
    """

    def __init__(
        self, provider: SmsProvider, secrets: Secrets, clock: Clock, outbound: Outbound
    ) -> None:
        outbound.check(provider.url)
        self._provider = provider
        self._secrets = secrets
        self._clock = clock
        self._outbound = outbound

    def send(self, message: TextMessage) -> None:
        """Hand the message over; raises Unavailable when it may not have been taken."""
        document = {
            "id": message.id,
            "from": self._provider.sender,
            "to": message.to,
            "text": message.text,
        }
        body = json.dumps(document, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": _header_safe(message.id),
            "User-Agent": "cartwheel",
            **self._proof(message.id, body),
        }
        answer = self._outbound.send("POST", self._provider.url, headers, body)
        if not 200 <= answer.status < 300:
            # Not the answer's text: providers quote the number and the message in it.
            raise Unavailable(f"the SMS provider answered {answer.status} to {message.id}")

    def _proof(self, message_id: str, body: bytes) -> dict[str, str]:
        secret = self._secrets.get(SECRET).reveal()
        match self._provider.authentication:
            case "bearer":
                return {"Authorization": f"Bearer {secret}"}
            case "basic":
                pair = f"{self._provider.user}:{secret}".encode()
                return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
            case "signed":
                at = str(int(self._clock.now()))
                signed = f"{at}.{_header_safe(message_id)}.".encode() + body
                digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
                return {"X-Timestamp": at, "X-Signature": f"v1={digest}"}


def _header_safe(text: str) -> str:
    if text.isascii() and text.isprintable() and len(text) <= 200:
        return text
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
