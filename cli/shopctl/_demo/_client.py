"""A customer's side of HTTP: requests on a socket, answers as JSON."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from dataclasses import dataclass
from urllib.parse import urlsplit

from cartwheel.ports import Json, JsonObject
from shopctl._errors import CliError

TIMEOUT_SECONDS = 60.0
UNDER_WAY = frozenset({"pending", "processing"})
MOVING = frozenset({"authorizing", "unknown", "capturing", "voiding", "refunding"})
_LOOK_AGAIN = 0.02


@dataclass(frozen=True, slots=True)
class Answer:
    """Is what came back."""

    status: int
    body: JsonObject

    @property
    def code(self) -> str:
        """Give a problem's code."""
        return str(self.body.get("code", ""))


class Client:
    """Sends requests as one person; may be used by one thread at a time."""

    def __init__(self, url: str, token: str = "", pause: float = _LOOK_AGAIN) -> None:
        self.url = url
        self.token = token
        self._pause = pause

    def send(
        self, method: str, path: str, body: JsonObject | None = None, *, key: str | None = None
    ) -> Answer:
        """Send a request and give the answer, whatever it says."""
        headers = {"Accept": "application/json", "Host": urlsplit(self.url).netloc}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        parts = urlsplit(self.url)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        host = parts.hostname or ""
        # Names under localhost are this machine's, and not every resolver knows.
        connection = kind(
            "127.0.0.1" if host.endswith(".localhost") else host,
            parts.port,
            timeout=TIMEOUT_SECONDS,
        )
        try:
            content = None if body is None else json.dumps(body).encode()
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            raw = response.read()
        finally:
            connection.close()
        return Answer(response.status, _object(raw))

    def want(
        self,
        status: int,
        method: str,
        path: str,
        body: JsonObject | None = None,
        *,
        key: str | None = None,
    ) -> JsonObject:
        """Send a request that has to be answered with this status, and give the answer's body."""
        answer = self.send(method, path, body, key=key)
        if answer.status != status:
            raise CliError(
                f"{method} {path} answered {answer.status} instead of {status}: "
                f"{json.dumps(answer.body)}"
            )
        return answer.body

    def order(self, order_id: str) -> Order:
        """Look at an order."""
        return Order(self.want(200, "GET", f"/orders/{order_id}"))

    def settled(self, order_id: str, seconds: float) -> tuple[Order, list[str]]:
        """Wait until an order and its payment are at rest; give the states seen on the way."""
        end = time.monotonic() + seconds
        seen: list[str] = []
        while True:
            order = self.order(order_id)
            state = f"{order.status}/{order.payment}"
            if not seen or seen[-1] != state:
                seen.append(state)
            if order.at_rest:
                return order, seen
            if time.monotonic() > end:
                raise CliError(f"order {order_id} is still {state} after {seconds:.0f} s")
            time.sleep(self._pause)


@dataclass(frozen=True, slots=True)
class Order:
    """Is an order as the API shows it."""

    body: JsonObject

    @property
    def order_id(self) -> str:
        """Give its id."""
        return str(self.body["order_id"])

    @property
    def status(self) -> str:
        """Give where it stands."""
        return str(self.body["status"])

    @property
    def reason(self) -> str:
        """Give why it was rejected."""
        return str(self.body.get("reason") or "")

    @property
    def total(self) -> int:
        """Give what it costs, in cents."""
        return amount_of(self.body["total"])

    @property
    def payment(self) -> str:
        """Give where its payment stands."""
        return str(self._payment("status") or "none")

    @property
    def captured(self) -> int:
        """Give the cents that were taken."""
        return _int(self._payment("captured"))

    @property
    def refunded(self) -> int:
        """Give the cents that were given back."""
        return _int(self._payment("refunded"))

    @property
    def quantities(self) -> dict[str, int]:
        """Give the pieces of each product."""
        found: dict[str, int] = {}
        items = self.body["items"]
        for item in items if isinstance(items, list) else []:
            if isinstance(item, dict):
                product_id = str(item["product_id"])
                found[product_id] = found.get(product_id, 0) + _int(item["quantity"])
        return found

    @property
    def at_rest(self) -> bool:
        """Tell whether nothing about it will change by itself any more."""
        if self.status in UNDER_WAY or self.payment in MOVING:
            return False
        return not (self.status == "confirmed" and self.payment in {"new", "authorized"})

    def _payment(self, name: str) -> Json:
        payment = self.body.get("payment")
        return payment.get(name) if isinstance(payment, dict) else None


def amount_of(money: Json) -> int:
    """Give the cents of an amount of money."""
    return _int(money.get("amount")) if isinstance(money, dict) else 0


def euros(cents: int) -> str:
    """Write cents as euros."""
    return f"{cents // 100}.{cents % 100:02} EUR"


def new_key() -> str:
    """Make an idempotency key."""
    return uuid.uuid4().hex


def _int(value: Json) -> int:
    return value if isinstance(value, int) else 0


def _object(raw: bytes) -> JsonObject:
    try:
        value: Json = json.loads(raw) if raw else {}
    except ValueError:
        value = {"text": raw.decode("utf-8", "replace")}
    return value if isinstance(value, dict) else {"value": value}
