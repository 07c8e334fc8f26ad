"""A customer, a member of staff and their requests, for tests of the shop over any host."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cartwheel.dispatch import Dispatcher
from cartwheel.http import Request, Response
from cartwheel.ports import Charge, Ports
from cartwheel.testgateway import WEBHOOK_KEY, WEBHOOK_PATH, TestGateway, webhook_of
from cartwheel.unit import Unit, transact
from cartwheel_shop._base import Money, now_text
from cartwheel_shop.catalog import service as catalog
from cartwheel_shop.users import _tokens
from cartwheel_shop.users import service as users
from cartwheel_shop.users.model import EmailClaim, Role, User

PASSWORD = "correct horse battery"
ADDRESS = {
    "name": "A. Customer",
    "street": "1 Main Street",
    "city": "Springfield",
    "postal_code": "12345",
    "country": "DE",
}
_numbers = itertools.count(1)


@dataclass
class Shopper:
    """Sends requests to a dispatcher as one caller."""

    dispatcher: Dispatcher
    token: str | None = None
    client: str = "192.0.2.1"
    headers: dict[str, str] = field(default_factory=dict)

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request; `key` is its Idempotency-Key."""
        path, _, query_text = path.partition("?")
        pairs = [pair.split("=", 1) for pair in query_text.split("&") if pair]
        sent = {**self.headers, **(headers or {})}
        if self.token is not None:
            sent["authorization"] = f"Bearer {self.token}"
        if key is not None:
            sent["idempotency-key"] = key
        if body is not None:
            sent["content-type"] = "application/json"
        return self.dispatcher.http(
            Request(
                method,
                path,
                query={name: (value,) for name, value in pairs},
                headers={name.lower(): (value,) for name, value in sent.items()},
                body=b"" if body is None else json.dumps(body).encode(),
                client=self.client,
            )
        )

    def get(self, path: str) -> Any:
        """Read something that must be there."""
        response = self.send("GET", path)
        assert response.status == 200, response.body
        return response.json()

    def fill_cart(self, *lines: tuple[str, int]) -> Any:
        """Put products into the cart."""
        cart: Any = None
        for product_id, quantity in lines:
            body = {"product_id": product_id, "quantity": quantity}
            response = self.send("POST", "/cart/items", body)
            assert response.status == 200, response.body
            cart = response.json()
        return cart

    def check_out(
        self, card: str = "tok_ok", *, key: str | None = None, **more: object
    ) -> Response:
        """Order and pay what is in the cart."""
        body = {"payment_token": card, "shipping_address": ADDRESS, **more}
        return self.send("POST", "/checkout", body, key=key or f"checkout-{next(_numbers)}")


def customer(dispatcher: Dispatcher, name: str = "ada") -> Shopper:
    """Register a customer over HTTP and log in."""
    shopper = Shopper(dispatcher)
    email = f"{name}@example.org"
    body = {"email": email, "password": PASSWORD, "name": name}
    response = shopper.send("POST", "/users/register", body)
    assert response.status == 201, response.body
    login = shopper.send("POST", "/users/login", {"email": email, "password": PASSWORD})
    assert login.status == 200, login.body
    tokens: Any = login.json()
    shopper.token = tokens["access_token"]
    return shopper


def known(dispatcher: Dispatcher, user_id: str, role: str = "customer") -> Shopper:
    """Make a caller with a token of their own, without the cost of a password."""
    return Shopper(dispatcher, _tokens.issue(dispatcher.ports, user_id, role))


def account(
    ports: Ports,
    user_id: str,
    role: Role = "customer",
    *,
    email: str | None = None,
    password_hash: str = "",
) -> User:
    """Write a user and the claim on their address, without the cost of a password."""
    at = now_text(ports)
    user = User(
        user_id=user_id,
        email=email or f"{user_id}@example.org",
        name=user_id,
        role=role,
        password_hash=password_hash,
        created_at=at,
        updated_at=at,
    )

    def claim(unit: Unit) -> None:
        unit.put(users.CLAIM, EmailClaim(user_id=user_id))

    def work(unit: Unit) -> None:
        unit.put(users.USER, user)

    transact(ports, users.COLLECTION, users.claim_key(user.email), claim)
    transact(ports, users.COLLECTION, user_id, work)
    return user


def bank_answers(
    dispatcher: Dispatcher, gateway: TestGateway, charge_id: str, *, approved: bool
) -> Response:
    """Play the card's holder at the test bank, and send the shop the bank's webhook."""
    charge = gateway.act(charge_id, approved=approved)
    return send_webhook(dispatcher, charge)


def send_webhook(dispatcher: Dispatcher, charge: Charge) -> Response:
    """Send the shop a webhook that tells of a charge."""
    ports = dispatcher.ports
    headers, body = webhook_of(charge, ports.secrets.get(WEBHOOK_KEY), ports.clock.now())
    fields = {name: (value,) for name, value in headers.items()}
    return dispatcher.http(Request("POST", WEBHOOK_PATH, headers=fields, body=body))


def product(ports: Ports, product_id: str = "prd_mug", stock: int = 10, cents: int = 1290) -> str:
    """Put a product on sale."""
    draft = catalog.Draft(f"Mug {product_id}", "A mug.", "kitchen", Money(amount=cents), stock)
    return catalog.create(ports, product_id, draft).product_id
