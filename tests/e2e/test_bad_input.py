"""Bad input to every route: a clear 4xx problem, never a 5xx."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cartwheel.host import HostOptions
from cartwheel.http import Request
from cartwheel.log import discard
from cartwheel_memory import MemoryHost
from cartwheel_workflows.shop import shop_app
from tests.support.shopping import ADDRESS, known, product

ROUTES = {f"{route.method} {route.path}": route for route in shop_app().routes}
SLOW = {"POST /users/register", "POST /users/login"}
"""Routes that hash a password on purpose slowly."""

GOOD: dict[str, object] = {
    "email": "ada@example.org",
    "password": "correct horse battery",
    "name": "Ada",
    "refresh_token": "ses_1.x",
    "product_id": "prd_mug",
    "quantity": 1,
    "reason": "receive",
    "cart_token": "guest_1.x",
    "payment_token": "tok_ok",
    "shipping_address": ADDRESS,
    "phone": "+49301234567",
    "expected_total": {"amount": 1, "currency": "EUR"},
    "description": "x",
    "category": "kitchen",
    "price": {"amount": 1, "currency": "EUR"},
    "stock": 1,
    "current_password": "correct horse",
    "new_password": "another good horse",
    "token": "usr_1.x",
    "role": "staff",
    "suspended": False,
    "carrier": "Post",
    "tracking_number": "1Z",
    "amount": {"amount": 1, "currency": "EUR"},
    "restock": True,
    "type": "charge.captured",
    "data": {"charge_id": "ch_1", "reference": "run:authorize", "status": "captured"},
}
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**60), max_value=2**60)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*GOOD, "amount", "currency"]), inner, max_size=3)
    ),
    max_leaves=6,
)
SEGMENTS = st.sampled_from(["prd_mug", "ord_1", "nothing", "a" * 600, "%", "..", "é" * 200, "a#b"])
RAW = st.sampled_from(
    [b"", b"null", b"[]", b"{", b'{"a":1,"a":2}', b"\xff\xfe", b"NaN", b"1e999", b"[" * 50]
)


def headers(token: str | None, more: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    sent = {"content-type": "application/json", "idempotency-key": "k", **more}
    if token is not None:
        sent["authorization"] = f"Bearer {token}"
    return {name: (value,) for name, value in sent.items()}


@pytest.fixture(scope="module")
def shop() -> MemoryHost:
    host = MemoryHost(shop_app(), HostOptions(log=discard))
    product(host.ports, "prd_mug")
    return host


@pytest.mark.parametrize("name", [name for name in ROUTES if name not in SLOW])
@settings(max_examples=60)
@given(data=st.data())
def test_no_input_is_a_server_error(shop: MemoryHost, name: str, data: st.DataObject) -> None:
    route = ROUTES[name]
    path = re.sub(r"\{[a-z_]+\}", lambda _: data.draw(SEGMENTS), route.path)
    token = known(shop.dispatcher, "usr_1", "admin").token
    fields = (
        [] if route.body is None else [f.alias or n for n, f in route.body.model_fields.items()]
    )
    body = {field: GOOD[field] for field in fields}
    body.update(data.draw(st.dictionaries(st.sampled_from([*fields, "extra"]), VALUES, max_size=3)))
    raw = data.draw(st.just(json.dumps(body).encode()) | RAW)
    query = data.draw(
        st.dictionaries(
            st.sampled_from(["limit", "cursor", "sort", "q", "from", "to", "by", "min_price", "x"]),
            st.lists(st.text(max_size=8), min_size=1, max_size=2).map(tuple),
            max_size=2,
        )
    )
    more = data.draw(
        st.dictionaries(
            st.sampled_from(["x-cart-token", "if-match", "prefer", "x-request-id"]),
            st.text(max_size=10),
            max_size=2,
        )
    )
    request = Request(
        route.method,
        path,
        query=query,
        headers=headers(data.draw(st.sampled_from([token, None])), more),
        body=raw if route.body is not None else b"",
    )
    response = shop.dispatcher.http(request)
    assert response.status < 500, (request, response.body)
    if response.status >= 400:
        problem = response.json()
        assert isinstance(problem, dict)
        assert {"type", "title", "status", "code"} <= set(problem)


@pytest.mark.parametrize("name", sorted(SLOW))
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "ada@example.org"},
        {"email": "@", "password": "x" * 10, "name": "n"},
        {"email": "a@b", "password": "x" * 10, "name": "n"},
        {"email": "a b@example.org", "password": "x" * 9, "name": ""},
        {"email": "ada@example.org", "password": "x" * 129, "name": "n"},
        {"email": ["ada@example.org"], "password": {"x": 1}, "name": 5},
        {"email": None, "password": None, "name": None},
    ],
)
def test_an_account_that_makes_no_sense_is_refused_without_an_echo(
    shop: MemoryHost, name: str, body: dict[str, object]
) -> None:
    method, path = name.split()
    request = Request(method, path, headers=headers(None, {}), body=json.dumps(body).encode())
    response = shop.dispatcher.http(request)
    assert response.status == 422
    assert b"xxxxxxxxx" not in response.body
