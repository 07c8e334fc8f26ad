"""The shop for tests: opened in memory when it is first used, with helpers over its HTTP API.

The pytest fixture `shop` gives one for each test. Nothing is imported or opened before a test
uses it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json import dumps
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import parse_qs, unquote

if TYPE_CHECKING:
    from cartwheel.host import Host
    from cartwheel.http import Response
    from cartwheel.ports import Charge, Hook, Json, JsonObject, Mail, Ports, TextMessage
    from cartwheel.testgateway import TestGateway

PASSWORD = "correct horse battery staple"  # noqa: S105  # of accounts that live in tests only
ADDRESS: JsonObject = {
    "name": "A. Customer",
    "street": "1 Main Street",
    "city": "Springfield",
    "postal_code": "12345",
    "country": "DE",
}
_RENEWED_AFTER = 14 * 60.0
"""Seconds after which an access token is exchanged; it is good for 15 minutes."""


class _Mailbox(Protocol):
    def mails(self) -> tuple[Mail, ...]: ...

    def texts(self) -> tuple[TextMessage, ...]: ...


class _Bank(Protocol):
    def charges(self) -> tuple[Charge, ...]: ...


class _MemoryHost(Protocol):
    """Is what the memory adapter's host shows beside what every host does."""

    @property
    def mailbox(self) -> _Mailbox: ...

    @property
    def bank(self) -> _Bank: ...

    @property
    def gateway(self) -> TestGateway: ...


@dataclass(slots=True)
class Caller:
    """Is somebody with an account, logged in; pass it as `as_`."""

    user_id: str
    email: str
    access_token: str
    refresh_token: str
    renewed_at: float


class Shop:
    """Is the whole shop in memory, with virtual time, for one test.

    Callers `ada` and `bob` are customers with accounts; others register when they are asked for.
    """

    def __init__(
        self, hook: Hook | None = None, *, opened: tuple[Host, dict[str, Caller]] | None = None
    ) -> None:
        self._hook = hook
        self._opened = opened
        self._keys = itertools.count(1)

    def _open(self) -> tuple[Host, dict[str, Caller]]:
        if self._opened is None:
            from cartwheel_workflows.testing._accounts import open_with_accounts

            self._opened = open_with_accounts(self._hook)
        return self._opened

    @property
    def host(self) -> Host:
        """Give the host, opened when it is first asked for."""
        return self._open()[0]

    @property
    def _callers(self) -> dict[str, Caller]:
        return self._open()[1]

    @property
    def ports(self) -> Ports:
        """Give the ports, with the test's hooks on them."""
        return self.host.ports

    def close(self) -> None:
        """Close the host when it was opened."""
        if self._opened is not None:
            self._opened[0].close()

    # Who asks.

    def customer(self, name: str = "ada") -> Caller:
        """Give a customer who is registered and logged in."""
        callers = self._callers
        if name not in callers:
            callers[name] = register(self, name)
        return callers[name]

    def staff(self) -> Caller:
        """Give a member of staff."""
        return self._callers["staff"]

    def admin(self) -> Caller:
        """Give an administrator."""
        return self._callers["admin"]

    # Requests.

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Json = None,
        as_: Caller | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request; `path` may carry a query, `key` is the Idempotency-Key."""
        from cartwheel.http import Request

        path, _, query = path.partition("?")
        sent = {name.lower(): (value,) for name, value in (headers or {}).items()}
        if as_ is not None:
            sent["authorization"] = (f"Bearer {self.token_of(as_)}",)
        if key is not None:
            sent["idempotency-key"] = (key,)
        if json is not None:
            sent["content-type"] = ("application/json",)
        request = Request(
            method,
            unquote(path),
            query={name: tuple(values) for name, values in parse_qs(query, True).items()},
            headers=sent,
            body=b"" if json is None else dumps(json).encode(),
            client="192.0.2.1",
        )
        return self.host.dispatcher.http(request)

    def get(
        self, path: str, *, as_: Caller | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Send a GET."""
        return self.request("GET", path, as_=as_, headers=headers)

    def post(
        self,
        path: str,
        *,
        json: Json = None,
        as_: Caller | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a POST."""
        return self.request("POST", path, json=json, as_=as_, key=key, headers=headers)

    def patch(
        self,
        path: str,
        *,
        json: Json = None,
        as_: Caller | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a PATCH."""
        return self.request("PATCH", path, json=json, as_=as_, headers=headers)

    def delete(
        self, path: str, *, as_: Caller | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Send a DELETE."""
        return self.request("DELETE", path, as_=as_, headers=headers)

    def next_key(self) -> str:
        """Make an Idempotency-Key that this test has not used."""
        return f"test-key-{next(self._keys)}"

    def token_of(self, caller: Caller) -> str:
        """Give a caller's access token, renewed when time has passed it by."""
        now = self.ports.clock.now()
        if now - caller.renewed_at >= _RENEWED_AFTER:
            answer = self.post("/users/refresh", json={"refresh_token": caller.refresh_token})
            tokens = demand(answer, 200)
            caller.access_token = str(tokens["access_token"])
            caller.refresh_token = str(tokens["refresh_token"])
            caller.renewed_at = now
        return caller.access_token

    # The shop's own things.

    def product(
        self, *, stock: int = 10, price: int = 1290, name: str = "Mug", category: str = "kitchen"
    ) -> str:
        """Put a product on sale and give its id; the price is in cents of a euro."""
        body: JsonObject = {
            "name": name,
            "category": category,
            "price": {"amount": price, "currency": "EUR"},
            "stock": stock,
        }
        made = demand(self.post("/products", json=body, as_=self.staff()), 201)
        return str(made["product_id"])

    def fill_cart(self, *lines: str | tuple[str, int], as_: Caller | None = None) -> JsonObject:
        """Put products into a cart, by id or (id, quantity), and give the cart."""
        caller, cart = as_ or self.customer(), dict[str, "Json"]()
        for line in lines:
            product_id, quantity = (line, 1) if isinstance(line, str) else line
            body: JsonObject = {"product_id": product_id, "quantity": quantity}
            cart = demand(self.post("/cart/items", json=body, as_=caller), 200)
        return cart

    def checkout(
        self,
        *,
        token: str = "tok_ok",  # noqa: S107  # the test gateway's name for a good card
        as_: Caller | None = None,
        key: str | None = None,
        **more: Json,
    ) -> Response:
        """Order and pay what is in the cart; `more` are further fields of the body."""
        body: JsonObject = {"payment_token": token, "shipping_address": ADDRESS, **more}
        caller = as_ or self.customer()
        return self.post("/checkout", json=body, as_=caller, key=key or self.next_key())

    def order(self, order_id: str) -> JsonObject:
        """Give an order as staff see it."""
        return demand(self.get(f"/orders/{order_id}", as_=self.staff()), 200)

    def stock(self, product_id: str) -> JsonObject:
        """Give a product's stock."""
        return demand(self.get(f"/products/{product_id}/stock", as_=self.staff()), 200)

    @property
    def mails(self) -> Sequence[Mail]:
        """Give the mails that were sent, oldest first, once everything due is done."""
        self.host.settle()
        return cast("_MemoryHost", self.host).mailbox.mails()

    @property
    def texts(self) -> Sequence[TextMessage]:
        """Give the text messages that were sent, oldest first, once everything due is done."""
        self.host.settle()
        return cast("_MemoryHost", self.host).mailbox.texts()

    @property
    def charges(self) -> Sequence[Charge]:
        """Give the charges at the test gateway, oldest first."""
        return cast("_MemoryHost", self.host).bank.charges()

    def answer_bank(self, charge_id: str, *, approved: bool = True) -> Response:
        """Play the card's holder for a charge that requires action, and send the bank's webhook."""
        from cartwheel.http import Request
        from cartwheel.testgateway import WEBHOOK_KEY, WEBHOOK_PATH, webhook_of

        charge = cast("_MemoryHost", self.host).gateway.act(charge_id, approved=approved)
        secret = self.ports.secrets.get(WEBHOOK_KEY)
        headers, body = webhook_of(charge, secret, self.ports.clock.now())
        fields = {name: (value,) for name, value in headers.items()}
        request = Request("POST", WEBHOOK_PATH, headers=fields, body=body)
        return self.host.dispatcher.http(request)

    def advance(self, seconds: float = 0.0) -> None:
        """Let time pass, with all the work that falls due in it."""
        self.host.settle(seconds)


def demand(response: Response, status: int) -> JsonObject:
    """Give the JSON object of an answer that must have this status."""
    if response.status != status:
        raise AssertionError(f"{status} expected, got {response.status}: {response.body!r}")
    return cast("JsonObject", response.json())


def register(shop: Shop, name: str) -> Caller:
    """Register a customer over HTTP and log in."""
    email = f"{name}@example.org"
    body: JsonObject = {"email": email, "password": PASSWORD, "name": name.capitalize()}
    demand(shop.post("/users/register", json=body), 201)
    return log_in(shop, email)


def log_in(shop: Shop, email: str) -> Caller:
    """Log in over HTTP."""
    body: JsonObject = {"email": email, "password": PASSWORD}
    tokens = demand(shop.post("/users/login", json=body), 200)
    return Caller(
        str(tokens["user_id"]),
        email,
        str(tokens["access_token"]),
        str(tokens["refresh_token"]),
        shop.ports.clock.now(),
    )
