"""Whatever is sent, the answer is an answer, and never the service's fault."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cartwheel.http import Request, Response
from tests.unit.http.world import World

_TEXT = st.text(st.characters(), max_size=20)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)
_LIKELY = st.fixed_dictionaries(
    {"items": st.lists(st.fixed_dictionaries({"product_id": _TEXT, "quantity": _JSON}))},
    optional={"note": _JSON, "colour": _JSON, "due": _JSON, "gift": _JSON, "other": _JSON},
)
_BODY = (
    st.binary(max_size=200)
    | _JSON.map(lambda value: json.dumps(value).encode())
    | _LIKELY.map(lambda value: json.dumps(value).encode())
)
_VALUES = st.lists(_TEXT, min_size=1, max_size=3).map(tuple)
_NAMES = st.sampled_from(["limit", "min_price", "tag", "number", "colour", "from", "q"]) | _TEXT
_HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *("authorization", "content-type", "idempotency-key", "if-match"),
            *("traceparent", "x-request-id"),
        ]
    ),
    _VALUES | st.sampled_from([("Bearer ann",), ("application/json",), ("k",)]),
)
_PATHS = st.sampled_from(
    ["/orders", "/payments", "/login", "/staff", "/orders/o1", "/me", "/health"]
) | _TEXT.map(lambda text: f"/{text}")


@pytest.fixture(scope="module")
def world() -> World:
    return World()


_REQUESTS = st.builds(
    Request,
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) | _TEXT,
    _PATHS,
    query=st.dictionaries(_NAMES, _VALUES, max_size=3),
    headers=_HEADERS,
    body=_BODY,
)


@settings(max_examples=600)
@given(_REQUESTS)
def test_any_request_gets_a_definite_answer(world: World, request_: Request) -> None:
    _check(world.host.dispatcher.http(request_))


@settings(max_examples=400)
@given(st.sampled_from(["/orders", "/payments", "/staff", "/login"]), _BODY)
def test_any_body_gets_a_definite_answer(world: World, path: str, body: bytes) -> None:
    _check(world.send("POST", path, body, token="sam", key="k"))


def _check(answer: Response) -> None:
    assert 200 <= answer.status < 500
    assert answer.header("X-Request-Id")
    if answer.body and answer.header("Content-Type") == "application/problem+json":
        problem = answer.json()
        assert isinstance(problem, dict)
        assert problem["status"] == answer.status >= 400
