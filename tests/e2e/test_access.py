"""Each service declares what it touches: no more is used, and no less.

A cloud makes each function's permissions from these declarations.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import pytest

from cartwheel.access import Uses, at_work, enforce, need, serving, uses_of
from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.host import HostOptions
from cartwheel.http import ANYONE, Request, View
from cartwheel.log import discard
from cartwheel.ports import ConfigurationError, PortCall, Put, compose
from cartwheel_memory import MemoryHost
from cartwheel_workflows.shop import shop_app
from tests.e2e.test_everything_twice import BANKS, STORIES, as_it_is, play
from tests.support.shopping import Shopper, customer, known

T = TypeVar("T")


@dataclass
class Used:
    """Collects what each service at work touches."""

    by_service: dict[str, Uses] = field(default_factory=lambda: defaultdict(Uses))

    def __call__(self, call: PortCall, invoke: Callable[[], T]) -> T:
        service = serving.get()
        if service:
            self.by_service[service] |= need(call)
        return invoke()


def _rest_of_the_day(host: MemoryHost) -> None:
    """Do what no story has: passwords, catalogue, guests, stock, a look at everything."""
    dispatcher = host.dispatcher
    guest, eve = Shopper(dispatcher), customer(dispatcher, "eve")
    staff = known(dispatcher, "usr_staff", "staff")
    assert known(dispatcher, "usr_admin", "admin").send("GET", "/users").status == 200
    eve.send("POST", "/users/password-reset", {"email": "eve@example.org"})
    host.settle(60)
    (token,) = re.findall(r"usr_\w+\.[0-9a-f]{64}", host.mailbox.mails()[-1].text)
    body = {"token": token, "new_password": "another battery staple"}
    assert guest.send("POST", "/users/password-reset/confirm", body).status == 204
    again = {"email": "eve@example.org", "password": "another battery staple"}
    tokens: Any = guest.send("POST", "/users/login", again).json()
    eve.token = tokens["access_token"]
    guest.send("POST", "/cart/items", {"product_id": "prd_mug", "quantity": 1})
    eve.send("POST", "/payments/webhook", {"type": "x", "data": {"reference": "x"}})
    product = {"name": "Bowl", "category": "bowls", "price": {"amount": 1, "currency": "EUR"}}
    assert staff.send("POST", "/products", {**product, "stock": 3}).status == 201
    eve.send("GET", "/products?category=kitchen")
    movement = {"quantity": 1, "reason": "receive"}
    staff.send("POST", "/products/prd_mug/stock", movement, key="stock")
    assert eve.send("DELETE", "/users/me").status == 204
    host.settle(90_000)


def test_services_use_exactly_what_they_declare() -> None:
    used = Used()
    for number, story in enumerate(STORIES):
        bank = BANKS.get(story, as_it_is)
        options = HostOptions(log=discard, hook=compose(used, enforce(shop_app())), replace=bank)
        with MemoryHost(shop_app(), options) as host:
            play(story, host)
            if number == 0:
                _rest_of_the_day(host)
    declared = uses_of(shop_app())
    rows = [
        f"{name}: {one.name} '{value}'"
        for name, uses in declared.items()
        for one in fields(uses)
        for value in getattr(uses, one.name)
        if value not in _seen(one.name, used.by_service[name])
    ]
    count = sum(len(getattr(uses, one.name)) for uses in declared.values() for one in fields(uses))
    print(f"{count} grants of {len(declared)} services; declared and never used: {rows or 'none'}")
    assert rows == []
    assert count >= 40


def _seen(kind: str, uses: Uses) -> set[str]:
    """Give what was used of a kind; who steers a run names no workflow, and is held to none."""
    steers = kind == "runs" and any("workflow" in name for name in uses.runs)
    return {*getattr(uses, kind), *(shop_app().workflows if steers else ())}


class Seen(View):
    ok: bool


def _app(uses: Uses) -> App:
    one, two = Service("one", uses), Service("two")
    one.collection("ones")
    two.collection("twos")

    def write(ctx: Context) -> Seen:
        """Write where the other service is at home."""
        ctx.ports.store.commit("twos", "p", [Put("k", {}, 0)])
        return Seen(ok=True)

    one.route("POST", "/write", permission=ANYONE)(write)
    return App("small", services=[one, two])


def test_what_is_not_declared_is_refused_with_what_to_add() -> None:
    lines: list[str] = []
    app = _app(Uses(reads=("twos",)))
    with MemoryHost(app, HostOptions(log=lines.append, hook=enforce(app))) as host:
        assert host.dispatcher.http(Request("POST", "/write")).status == 500
        assert host.ports.store.get("twos", "p", "k") is None
    (failure,) = [line for line in lines if "request failed" in line]
    assert "service 'one' calls store.commit(twos)" in failure
    assert "add to its Uses: writes=['twos']" in failure


def test_asking_another_services_index_has_to_be_declared_beside_reading() -> None:
    hook = enforce(_app(Uses(reads=("twos",))))
    with (
        at_work("one"),
        pytest.raises(ConfigurationError, match=r"add to its Uses: queries=\['twos'\]"),
    ):
        hook(PortCall("store", "query", "twos"), lambda: None)
    with at_work("one"):
        hook(PortCall("store", "get", "twos"), lambda: None)
        enforce(_app(Uses(queries=("twos",))))(PortCall("store", "query", "twos"), lambda: None)


def test_what_is_declared_goes_through() -> None:
    app = _app(Uses(writes=("twos",)))
    with MemoryHost(app, HostOptions(log=discard, hook=enforce(app))) as host:
        assert host.dispatcher.http(Request("POST", "/write")).status == 200


def test_a_declaration_of_what_nobody_has_is_refused_with_what_there_is() -> None:
    with pytest.raises(ConfigurationError, match=r"'one' reads 'threes'.*ones, twos"):
        _app(Uses(reads=("threes",)))


def test_the_frameworks_own_name_is_no_services() -> None:
    with pytest.raises(ConfigurationError, match="framework's own name"):
        App("small", services=[Service("cartwheel")])
