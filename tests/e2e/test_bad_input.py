"""Bad input to every route of the shop: a 4xx problem says what is wrong, and nothing stays."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass, field

import pytest

from cartwheel.app import Route
from cartwheel.host import HostOptions
from cartwheel.http import Request
from cartwheel.ports import Json
from cartwheel_memory import MemoryHost
from cartwheel_workflows.shop import shop_app
from tests.support.shopping import known

ROUTES = shop_app().routes
BODIES = [route for route in ROUTES if route.body is not None]
KEYED = [route for route in ROUTES if route.idempotent]
GUARDED = [route for route in ROUTES if route.permission.authenticated]


@dataclass(frozen=True)
class Bad:
    """Is one bad request: what is wrong, and the status and code that answer it."""

    what: str
    body: bytes = b"{}"
    status: int = 400
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.what.replace(" ", "_")


BAD_BODIES = (
    Bad("no body", b"", 400),
    Bad("not JSON", b"{", 400),
    Bad("JSON cut off", b'{"a": 1', 400),
    Bad("two documents", b"{} {}", 400),
    Bad("a list", b"[]", 422),
    Bad("a string", b'"x"', 422),
    Bad("null", b"null", 422),
    Bad("an unknown field", b'{"surprise": 1}', 422),
    Bad("a duplicate key", b'{"a": 1, "a": 2}', 400),
    Bad("a float", b'{"price": {"amount": 1.0, "currency": "EUR"}}', 400),
    Bad("an exponent", b'{"quantity": 1e3}', 400),
    Bad("NaN", b'{"quantity": NaN}', 400),
    Bad("Infinity", b'{"quantity": -Infinity}', 400),
    Bad("a huge integer", b'{"quantity": 9007199254740993}', 400),
    Bad("an endless integer", b'{"quantity": ' + b"9" * 5000 + b"}", 400),
    Bad("deep nesting", b"[" * 100 + b"]" * 100, 400),
    Bad("a lone surrogate", b'{"name": "\\ud800"}', 400),
    Bad("invalid UTF-8", b'{"name": "\xff"}', 400),
    Bad("a byte order mark", b"\xef\xbb\xbf{}", 400),
    Bad("a body of 256 KiB and one byte", b'"' + b"x" * (256 * 1024 - 1) + b'"', 413),
    Bad("another content type", b"{}", 415, headers={"content-type": "text/plain"}),
    Bad("no content type", b"{}", 415, headers={"content-type": ""}),
)


WRONG: tuple[Json, ...] = ({}, [], True, -1)
"""Values that hardly any field takes."""


def path_of(route: Route) -> str:
    return re.sub(r"\{[a-z_]+\}", "nothing_here", route.path)


def ask(host: MemoryHost, route: Route, bad: Bad, **headers: str) -> tuple[int, dict[str, Json]]:
    """Send the request as staff, with everything right but what is bad."""
    token = str(known(host.dispatcher, "usr_staff", "admin").token)
    sent = {
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "idempotency-key": "bad-input",
        **bad.headers,
        **headers,
    }
    answer = host.dispatcher.http(
        Request(
            route.method,
            path_of(route),
            headers={name: (value,) for name, value in sent.items() if value},
            body=bad.body,
        )
    )
    assert answer.headers["Content-Type"] == "application/problem+json", answer
    problem = answer.json()
    assert isinstance(problem, dict)
    assert {"type", "title", "status", "code"} <= set(problem)
    assert problem["status"] == answer.status
    return answer.status, problem


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def host(lines: list[str]) -> MemoryHost:
    return MemoryHost(shop_app(), HostOptions(log=lines.append))


@pytest.mark.parametrize("bad", BAD_BODIES, ids=str)
@pytest.mark.parametrize("route", BODIES, ids=lambda route: route.name)
def test_a_bad_body_is_refused_and_nothing_is_written(
    route: Route, bad: Bad, host: MemoryHost, lines: list[str]
) -> None:
    before = set(host.disk.partitions)
    status, problem = ask(host, route, bad)
    assert status == bad.status, problem
    assert len(str(problem.get("detail") or problem.get("errors"))) > 10
    changed = {collection for collection, _ in set(host.disk.partitions) - before}
    assert changed <= {"idempotency"}
    assert not any("Traceback" in line for line in lines)


@pytest.mark.parametrize("route", KEYED, ids=lambda route: route.name)
@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "ключ"])
def test_a_missing_or_malformed_idempotency_key_is_refused(
    route: Route, key: str, host: MemoryHost
) -> None:
    body = b"{}" if route.body else b""
    status, problem = ask(host, route, Bad("key", body), **{"idempotency-key": key})
    assert (status, str(problem["code"])[:15]) == (400, "idempotency_key")


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.name)
@pytest.mark.parametrize("header", ["", "Basic eDp5", "Bearer", "Bearer nonsense", "Bearer a.b.c"])
def test_a_route_that_is_not_for_anyone_needs_a_token(
    route: Route, header: str, host: MemoryHost
) -> None:
    status, problem = ask(host, route, Bad("token"), authorization=header)
    assert (status, problem["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_an_unknown_query_parameter_is_refused(route: Route, host: MemoryHost) -> None:
    token = str(known(host.dispatcher, "usr_staff", "admin").token)
    answer = host.dispatcher.http(
        Request(
            route.method,
            path_of(route),
            query={"surprise": ("1",)},
            headers={
                "authorization": (f"Bearer {token}",),
                "idempotency-key": ("k",),
                "content-type": ("application/json",),
            },
            body=b"{}" if route.body else b"",
        )
    )
    assert answer.status == 422
    # Where the body is wrong too, the body is told first.
    assert route.body is not None or "surprise" in answer.body.decode()


@pytest.mark.parametrize("value", ["%00", "\x00", "a" * 600, "ü", "..", "a b", "\ud7ff", "'; --"])
@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.path_params], ids=lambda route: route.name
)
def test_a_strange_id_in_the_path_is_not_found_or_refused(
    route: Route, value: str, host: MemoryHost
) -> None:
    token = str(known(host.dispatcher, "usr_staff", "admin").token)
    answer = host.dispatcher.http(
        Request(
            route.method,
            re.sub(r"\{[a-z_]+\}", lambda _: value, route.path),
            headers={
                "authorization": (f"Bearer {token}",),
                "idempotency-key": ("k",),
                "content-type": ("application/json",),
                "if-match": ('"1"',),
            },
            body=b"{}" if route.body else b"",
        )
    )
    assert 400 <= answer.status < 500, answer


def test_every_field_of_every_body_says_what_it_takes(host: MemoryHost) -> None:
    count = 0
    for route in BODIES:
        assert route.body is not None
        for name, wrong in itertools.product(route.body.model_fields, WRONG):
            body = json.dumps({name: wrong}).encode()
            status, problem = ask(host, route, Bad("field", body))
            assert status in {400, 404, 409, 412, 422, 428}, (route.name, name, problem)
            if status == 422 and "errors" in problem:
                assert problem["errors"], problem
            count += 1
    assert count >= 60
    print(f"{count} wrong fields, {len(BODIES)} bodies, {len(ROUTES)} routes")
