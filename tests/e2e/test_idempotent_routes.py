"""Every route that demands an Idempotency-Key, generated from the route table, in eight cases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from cartwheel.host import HostOptions
from cartwheel.http import Response
from cartwheel.log import discard
from cartwheel.ports import PortCall, Ports, Unavailable
from cartwheel.testing import Crash
from cartwheel_memory import MemoryDisk, MemoryHost
from cartwheel_shop.inventory import service as inventory
from cartwheel_workflows.shop import shop_app
from tests.support.books import all_orders, wrong_in
from tests.support.shopping import Shopper, known, product

T = TypeVar("T")
ROUTES = {f"{r.method} {r.path}": r for r in shop_app().routes if r.idempotent}
KEY = "the-key"
ROUTES_OWN = object()
"""Stands for the body that BODIES has for the route."""
LEASE = 61
CASES = (
    "missing",
    "malformed",
    "in flight",
    "other payload",
    "replay",
    "replay after a restart",
    "expired lease",
    "after a 5xx",
)


@dataclass
class Meddler:
    """Does something once, at the first write of the handler that a request has reached."""

    then: Callable[[], None] | None = None
    armed: bool = False
    met: list[str] = field(default_factory=list)

    def __call__(self, call: PortCall, invoke: Callable[[], T]) -> T:
        mine = self.armed and call.port in {"store", "workflows"}
        if mine and call.operation in {"commit", "start"} and "idempotency" not in str(call):
            self.armed = False
            self.met.append(str(call))
            assert self.then is not None
            self.then()
        return invoke()


@dataclass
class World:
    """Is a shop in which the route's request makes sense."""

    route: str
    disk: MemoryDisk = field(default_factory=MemoryDisk)
    hook: Meddler = field(default_factory=Meddler)
    around: Callable[[Ports], Ports] | None = None

    def __post_init__(self) -> None:
        host = self.open()
        product(host.ports, "prd_mug", stock=10)
        known(host.dispatcher, "usr_ada").fill_cart(("prd_mug", 2))
        if "{order_id}" in self.route:
            placed: Any = known(host.dispatcher, "usr_ada").check_out(key="bought").json()
            self.order_id = placed["order_id"]
            host.settle(30)
        if "deliver" in self.route:
            staff = known(host.dispatcher, "usr_staff", "staff")
            staff.send("POST", f"/orders/{self.order_id}/ship", {}, key="shipped")
            host.settle(30)

    def open(self) -> MemoryHost:
        """Open the host, anew each time: what it knows is on the disk."""
        options = HostOptions(log=discard, hook=self.hook, replace=self.around)
        self.host = MemoryHost(shop_app(), options, disk=self.disk)
        return self.host

    def send(
        self, key: str | None = KEY, *, other: bool = False, body: object = ROUTES_OWN
    ) -> Response:
        """Send the request, or one that differs in its payload; without a body, in its path."""
        method, path = self.route.split()
        staff = ROUTES[self.route].permission.name not in {"authenticated", "anyone"}
        shopper: Shopper = (
            known(self.host.dispatcher, "usr_staff", "staff")
            if staff
            else known(self.host.dispatcher, "usr_ada")
        )
        order_id = getattr(self, "order_id", "")
        if body is ROUTES_OWN:
            body = BODIES[self.route]
        if other:
            body = OTHERS.get(self.route)
            order_id = order_id if body is not None else f"{order_id}0"
        path = path.format(product_id="prd_mug", order_id=order_id)
        return shopper.send(method, path, body, key=key)

    def effects(self) -> list[object]:
        """Give what the request may change, when all has come to rest."""
        self.host.settle(1200)
        assert wrong_in(self.host, ["prd_mug"]) == []
        ports = self.host.ports
        return [
            [(o.order_id, o.status, len(o.refunds)) for o in all_orders(ports)],
            inventory.stock_level(ports, "prd_mug"),
            len(inventory.ledger(ports, "prd_mug")),
            [(c.status, c.captured, c.refunded) for c in self.host.bank.charges()],
            sorted(mail.id for mail in self.host.mailbox.mails()),
        ]


BODIES: dict[str, object] = {
    "POST /checkout": {"payment_token": "tok_ok", "email": "ada@example.org"},
    "POST /orders/{order_id}/cancel": None,
    "POST /orders/{order_id}/ship": {"carrier": "DHL"},
    "POST /orders/{order_id}/deliver": None,
    "POST /orders/{order_id}/refund": {"amount": {"amount": 500, "currency": "EUR"}},
    "POST /products/{product_id}/stock": {"quantity": 3, "reason": "receive"},
}
OTHERS: dict[str, object] = {
    "POST /checkout": {"payment_token": "tok_ok", "email": "eve@example.org"},
    "POST /orders/{order_id}/ship": {"carrier": "UPS"},
    "POST /orders/{order_id}/refund": {"amount": {"amount": 501, "currency": "EUR"}},
    "POST /products/{product_id}/stock": {"quantity": 4, "reason": "receive"},
}
"""The same route with something else to say; one without a body asks for another order."""


def effects_of_one(route: str, body: object = ROUTES_OWN) -> list[object]:
    world = World(route)
    assert world.send(body=body).status < 300
    return world.effects()


def meddle(world: World, then: Callable[[], None]) -> None:
    world.hook.then = then
    world.hook.armed = True


def unavailable() -> None:
    raise Unavailable("out of order")


def crash() -> None:
    raise Crash


def code_of(response: Response) -> str:
    problem: Any = response.json()
    return str(problem["code"])


def test_every_idempotent_route_has_a_row() -> None:
    assert set(BODIES) == set(ROUTES), "give each idempotent route a request of its own here"


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("route", ROUTES)
def test_a_request_has_one_effect_however_it_is_sent(route: str, case: str) -> None:
    world = World(route)
    expected = effects_of_one(route)
    match case:
        case "missing":
            before = World(route).effects()
            refused = world.send(None)
            assert (refused.status, code_of(refused)) == (400, "idempotency_key_missing")
            expected = before
        case "malformed":
            before = World(route).effects()
            for key in ("two words", "é", "k" * 256, ""):
                refused = world.send(key)
                assert (refused.status, code_of(refused)) == (400, "idempotency_key_malformed")
            expected = before
        case "in flight":
            answers: list[Response] = []

            def again() -> None:
                other = threading.Thread(target=lambda: answers.append(world.send()))
                other.start()
                other.join()

            meddle(world, again)
            assert world.send().status < 300
            assert [(a.status, code_of(a)) for a in answers] == [(409, "request_in_progress")]
        case "other payload":
            assert world.send().status < 300
            refused = world.send(other=True)
            assert (refused.status, code_of(refused)) == (422, "idempotency_key_reused")
        case "replay" | "replay after a restart":
            first = world.send()
            assert first.status < 300
            if case == "replay after a restart":
                world.open()
            world.host.settle(3600)
            second = world.send()
            assert (second.status, second.body) == (first.status, first.body)
            assert second.headers["Idempotency-Replayed"] == "true"
        case "expired lease":
            meddle(world, crash)
            with pytest.raises(Crash):
                world.send()
            world.open()
            at_once = world.send()
            assert (at_once.status, code_of(at_once)) == (409, "request_in_progress")
            world.host.clock.advance(LEASE)
            assert world.send().status < 300
        case _:
            meddle(world, unavailable)
            failed = world.send()
            if failed.status < 300:
                # The handler tried again by itself, which is as good.
                assert world.hook.met
            else:
                assert failed.status == 503
            assert world.send().status < 300
    assert world.effects() == expected
