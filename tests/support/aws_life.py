"""A short life of the shop on a deployed stage, in which every service has something to do."""

from __future__ import annotations

import itertools
import json
import re
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from cartwheel.http import Request
from cartwheel.manifest import manifest_of
from cartwheel_workflows.shop import shop_app
from tests.support.aws_held import Deployed, until
from tests.support.shopping import PASSWORD, Shopper, bank_answers, customer, known

NEW_PASSWORD = "another battery staple"
DAY = "2020-02-03"


def live(stage: Deployed) -> dict[str, str]:
    """Play it; gives the status in which each order ended."""
    staff = known(stage.dispatcher, "usr_staff", "staff")
    ada, eve = customer(stage.dispatcher, "ada"), customer(stage.dispatcher, "eve")
    stage.dispatcher.http(Request("GET", "/nowhere"))
    mug, bowl = (_on_sale(staff, name) for name in ("mug", "bowl"))
    _stroll(stage, ada, staff, mug, bowl)
    ended: dict[str, str] = {}
    orders = {
        name: _order(shopper, mug, card, quantity)
        for name, shopper, card, quantity in (
            ("approved", ada, "tok_requires_action", 1),
            ("cancelled while it waits", ada, "tok_requires_action", 1),
            ("confirmed", ada, "tok_ok", 1),
            ("declined", ada, "tok_declined", 1),
            ("out of stock", ada, "tok_ok", 90),
            ("unknown", ada, "tok_timeout_charged", 1),
            ("cancelled", eve, "tok_ok", 1),
            ("refunded", eve, "tok_ok", 2),
        )
    }
    charges = until(lambda: _waiting(stage, 2), "two charges that wait for their holder")
    payment = _payment(stage, orders["approved"])
    charge = next(one for one in charges if one.reference == payment)
    heard = bank_answers(stage.dispatcher, stage.host.gateway, charge.charge_id, approved=True)
    assert heard.status < 300, heard.body
    for name in ("confirmed", "declined", "out of stock", "unknown", "cancelled", "refunded"):
        until(partial(_is_past, staff, orders[name]), name)
    for name in ("cancelled while it waits", "cancelled"):
        _post(staff, f"/orders/{orders[name]}/cancel")
    for name in ("confirmed", "refunded"):
        _post(staff, f"/orders/{orders[name]}/ship", {})
    _post(staff, f"/orders/{orders['refunded']}/refund", {"restock": True})
    _post(staff, f"/orders/{orders['confirmed']}/deliver")
    # A webhook that nobody signed is refused, whoever sends it.
    unsigned = {"type": "x", "data": {"reference": "x"}}
    assert eve.send("POST", "/payments/webhook", unsigned).status >= 400
    _forget_password(stage, eve)
    for name, order_id in orders.items():
        final = _FINAL[name]
        until(partial(_is, staff, order_id, final), f"{name} is {final}")
        ended[name] = final
    _tick(stage)
    # The schedule asks for the report of the day before, which is made without anybody waiting.
    day = (datetime.now(UTC) - timedelta(days=1)).date()
    until(lambda: staff.send("GET", f"/reports/daily/{day}").status == 200, f"the report of {day}")
    assert ada.send("DELETE", "/users/me").status == 204
    _bury(stage)
    return ended


_FINAL = {
    "confirmed": "delivered",
    "declined": "rejected",
    "out of stock": "rejected",
    "unknown": "confirmed",
    "approved": "confirmed",
    "cancelled while it waits": "cancelled",
    "cancelled": "cancelled",
    "refunded": "refunded",
}


def _on_sale(staff: Shopper, name: str) -> str:
    body = {"name": name, "category": f"{name}s", "price": {"amount": 900, "currency": "EUR"}}
    answer = staff.send("POST", "/products", {**body, "stock": 60})
    assert answer.status == 201, answer.body
    made: Any = answer.json()
    return str(made["product_id"])


def _stroll(stage: Deployed, ada: Shopper, staff: Shopper, mug: str, bowl: str) -> None:
    """Look at everything, and change what can be changed."""
    admin, guest = known(stage.dispatcher, "usr_admin", "admin"), Shopper(stage.dispatcher)
    for path in (
        "/products",
        "/products?category=mugs",
        "/products?sort=price",
        "/products?sort=name",
    ):
        guest.get(path)
    guest.get("/categories")
    guest.get(f"/products/{bowl}")
    staff.get(f"/products/{mug}/stock")
    movement = {"quantity": 5, "reason": "receive"}
    assert staff.send("POST", f"/products/{mug}/stock", movement, key="m").status < 300
    assert staff.send("DELETE", f"/products/{bowl}").status < 300
    basket = guest.send("POST", "/cart/items", {"product_id": mug, "quantity": 1})
    assert basket.status == 200, basket.body
    ada.get("/users/me")
    assert len(admin.get("/users")["items"]) >= 2
    staff.get("/orders")
    ada.get("/orders")
    staff.get("/orders?status=confirmed")
    staff.get(f"/reports/sales?by=day&from={DAY}&to={DAY}")
    assert staff.send("GET", f"/reports/daily/{DAY}").status in (200, 404)


def _order(shopper: Shopper, product: str, card: str, quantity: int) -> str:
    shopper.fill_cart((product, quantity))
    more = {"phone": "+49301234567"}
    headers = {"prefer": "respond-async"}
    body = {"payment_token": card, "shipping_address": _ADDRESS, **more}
    answer = shopper.send("POST", "/checkout", body, key=uuid.uuid4().hex, headers=headers)
    assert answer.status == 202, answer.body
    placed: Any = answer.json()
    order_id = str(placed["order_id"])
    # The cart is emptied by an event of the order; what is put into it before would go, too.
    shopper.send("DELETE", "/cart")
    return order_id


_ADDRESS = {
    "name": "A. Customer",
    "street": "1 Main Street",
    "city": "Springfield",
    "postal_code": "12345",
    "country": "DE",
}


def _post(staff: Shopper, path: str, body: object = None) -> None:
    """Do something to an order, as soon as its state allows it."""
    keys = itertools.count(1)

    def done() -> bool:
        answer = staff.send("POST", path, body, key=f"{path.replace('/', '-')}-{next(keys)}")
        assert answer.status < 300 or answer.status == 409, (path, answer.body)
        return answer.status < 300

    until(done, path)


def _is_past(staff: Shopper, order_id: str) -> bool:
    return _status(staff, order_id) != "pending"


def _is(staff: Shopper, order_id: str, status: str) -> bool:
    return _status(staff, order_id) == status


def _status(staff: Shopper, order_id: str) -> str:
    answer = staff.send("GET", f"/orders/{order_id}")
    if answer.status != 200:
        # A function that is still loading when the engine has waited long enough.
        assert answer.status >= 500, answer.body
        return "pending"
    found: Any = answer.json()
    return str(found["status"])


def _waiting(stage: Deployed, count: int) -> Any:
    found = [one for one in stage.host.bank.charges() if str(one.status) == "requires_action"]
    return found if len(found) == count else None


def _payment(stage: Deployed, order_id: str) -> str:
    from cartwheel_shop.payments import service as payments

    payment = payments.payment_of(stage.ports, order_id)
    assert payment is not None
    assert payment.reference is not None
    return payment.reference


def _forget_password(stage: Deployed, eve: Shopper) -> None:
    guest = Shopper(stage.dispatcher)
    email = "eve@example.org"
    assert guest.send("POST", "/users/password-reset", {"email": email}).status == 202
    token: str = until(lambda: _token(stage), "the mail with the token")
    body = {"token": token, "new_password": NEW_PASSWORD}
    assert guest.send("POST", "/users/password-reset/confirm", body).status == 204
    assert guest.send("POST", "/users/login", {"email": email, "password": PASSWORD}).status == 401
    assert (
        guest.send("POST", "/users/login", {"email": email, "password": NEW_PASSWORD}).status == 200
    )


def _token(stage: Deployed) -> str | None:
    with urllib.request.urlopen(f"{stage.url}/_ministack/ses/messages", timeout=10) as answer:  # noqa: S310  # loopback
        found = re.findall(r"usr_\w+\.[0-9a-f]{64}", answer.read().decode())
    return str(found[-1]) if found else None


def _tick(stage: Deployed) -> None:
    """Let every schedule come round."""
    manifest = manifest_of(shop_app(), "cartwheel_workflows.shop:app")
    ticks = [(one.name, s.name) for one in manifest.functions for s in one.schedules]
    ticks.append(("keeper", "cartwheel.settle_runs"))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: stage.invoke(one[0], {"schedule": one[1]}), ticks))


def _bury(stage: Deployed) -> None:
    """Send every queue what nobody can read; it becomes a dead letter."""
    manifest = manifest_of(shop_app(), "cartwheel_workflows.shop:app")
    sqs = stage.client("sqs")
    queued = [one for one in manifest.consumers if not one.direct]
    for consumer in queued:
        url = sqs.get_queue_url(QueueName=stage.names.queue(consumer.name))["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"no": "item"}))
    count = len(queued)
    until(lambda: len(stage.ports.dead_letters.list()) == count, f"{count} dead letters")
